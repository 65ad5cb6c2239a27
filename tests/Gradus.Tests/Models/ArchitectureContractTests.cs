using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Files;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>
/// What holds for every registered decoder. That cached logits are the uncached ones, and that a generated sequence is the same alone
/// and among others, is tested for the same models in <see cref="GeneratorTests"/>.
/// </summary>
public sealed class ArchitectureContractTests
{
    private static readonly Device Cpu = TinyModels.Cpu(2);

    public static TheoryData<string> Decoders() => [.. TinyModels.Decoders];

    public static TheoryData<string, bool> DecodersAndTies()
    {
        TheoryData<string, bool> cases = [];
        foreach (string name in TinyModels.Decoders)
        {
            cases.Add(name, true);
            cases.Add(name, false);
        }
        return cases;
    }

    [Fact]
    public void EveryArchitectureHasASmallModel()
    {
        string[] missing = [.. Architectures.ModelTypes.Except(TinyModels.All.Select(TinyModels.Config).Concat(EncoderCases.Tiny).Select(ModelType))];
        Assert.True(missing.Length == 0, $"No small model of {string.Join(", ", missing)}: add a configuration to TinyModels or EncoderCases.");
        foreach (string name in TinyModels.Decoders)
            Assert.Equal(name.Split('/')[0], ModelType(TinyModels.Config(name)));
        Assert.All(TinyModels.Decoders, n => Assert.Contains($"{n.Split('/')[0]}/2", TinyModels.Decoders));

        static string ModelType(ModelConfig config) => (string)Architectures.ToJson(config)["model_type"]!;
    }

    [Theory]
    [MemberData(nameof(Decoders))]
    public void ASequenceHasTheSameLogitsAloneAndAmongOthers(string name)
    {
        using DecoderModel model = (DecoderModel)TinyModels.Make(name, Cpu);
        int[][] sequences = [TinyModels.Prompt(19, 1), TinyModels.Prompt(1, 2), TinyModels.Prompt(40, 3), TinyModels.Prompt(8, 4)];
        float[] together = Logits(model, TokenBatch.Of(sequences));
        float[] alone = [.. sequences.SelectMany(s => Logits(model, new TokenBatch(s)))];
        Assert.Equal(alone, together);
    }

    // Padding on either side is not there at all: a batch holds the tokens end to end, and positions count from its first token.
    [Theory]
    [MemberData(nameof(Decoders))]
    public void WhatFollowsATokenChangesNothing(string name)
    {
        using DecoderModel model = (DecoderModel)TinyModels.Make(name, Cpu);
        int[] tokens = TinyModels.Prompt(23, 1);
        float[] expected = Logits(model, new TokenBatch(tokens));
        float[] padded = Logits(model, new TokenBatch([.. tokens, .. TinyModels.Prompt(9, 6)]));
        // A longer sequence is cut into other blocks of queries, which changes the last bits.
        Assert.All(expected.Zip(padded), p => Assert.Equal(p.First, p.Second, 1e-4f));
        int[] positions = [.. Enumerable.Range(0, tokens.Length)];
        Assert.Equal(expected, Logits(model, new TokenBatch([5, 5, 5, .. tokens], [0, 3, 3 + tokens.Length], [0, 0, 0, .. positions]))[^expected.Length..]);
    }

    [Theory]
    [MemberData(nameof(DecodersAndTies))]
    public void SavedAndLoadedItIsTheSame(string name, bool tied)
    {
        using TemporaryFolder temporary = new();
        using DecoderModel model = (DecoderModel)TinyModels.Make(Tied(name, tied), Cpu);
        string folder = temporary["model"];
        using (AtomicFolder target = AtomicFolder.Begin(folder))
        {
            Checkpoint.Write(target, model);
            target.Commit();
        }
        using DecoderModel loaded = (DecoderModel)Checkpoint.Load(folder, Cpu);
        Assert.Equal(Architectures.ToJson(model.Config).ToJsonString(), Architectures.ToJson(loaded.Config).ToJsonString());
        Assert.Equal(model.Parameters.Select(p => p.Name), loaded.Parameters.Select(p => p.Name));
        Assert.Equal(tied, HeadIsTheTokenTable(loaded));
        int[] tokens = TinyModels.Prompt(30, 2);
        Assert.Equal(Logits(model, new TokenBatch(tokens)), Logits(loaded, new TokenBatch(tokens)));
    }

    [Theory]
    [MemberData(nameof(DecodersAndTies))]
    public void EveryParameterGetsAGradient(string name, bool tied)
    {
        using DecoderModel model = (DecoderModel)TinyModels.Make(Tied(name, tied), Cpu);
        Assert.Equal(tied, HeadIsTheTokenTable(model));
        Dictionary<string, float[]> gradients = Gradients(model, recompute: false, out _);
        foreach (Parameter parameter in model.Parameters)
        {
            Assert.True(gradients.TryGetValue(parameter.Name, out float[]? gradient), $"{parameter.Name} got no gradient.");
            Assert.All(gradient, g => Assert.True(float.IsFinite(g)));
            Assert.True(gradient.Any(g => g != 0), $"The gradient of {parameter.Name} is zero.");
        }
    }

    [Theory]
    [MemberData(nameof(Decoders))]
    public void RecomputedGradientsAreTheKeptOnes(string name)
    {
        using DecoderModel model = (DecoderModel)TinyModels.Make(name, Cpu);
        Dictionary<string, float[]> kept = Gradients(model, recompute: false, out float loss), again = Gradients(model, recompute: true, out float same);
        Assert.Equal(loss, same);
        Assert.Equal(kept.Keys.Order(), again.Keys.Order());
        foreach ((string parameter, float[] gradient) in kept)
            Assert.Equal(gradient, again[parameter]);
    }

    private static ModelConfig Tied(string name, bool tied)
    {
        JsonObject json = Architectures.ToJson(TinyModels.Config(name));
        Assert.True(json.ContainsKey("tie_word_embeddings"), $"{name} does not say whether its head is tied.");
        json["tie_word_embeddings"] = tied;
        return Architectures.Parse(json, name);
    }

    private static bool HeadIsTheTokenTable(DecoderModel model) =>
        model.Parts.Embeddings[0].Table == Assert.IsType<DenseWeight>(model.Head.Weight).Parameter;

    private static float[] Logits(DecoderModel model, TokenBatch batch)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        step.PoisonNewTensors = true;
        return model.Logits(new Pass(batch, step)).ToArray();
    }

    // With dropout, where the architecture has some, and with the load-balancing loss.
    private static Dictionary<string, float[]> Gradients(DecoderModel model, bool recompute, out float value)
    {
        model.SetTrainable(true);
        foreach (Parameter parameter in model.Parameters)
            parameter.ClearGradient();
        using Workspace step = model.Parts.Store.NewScratch();
        step.PoisonNewTensors = true;
        Tape tape = step.StartTape();
        TokenBatch batch = TokenBatch.Of([TinyModels.Prompt(60, 1), TinyModels.Prompt(33, 2)]);
        int[] targets = [.. batch.Ids[1..], -100];
        List<Tensor> routerLogits = [];
        Pass pass = new(batch, step) { Recompute = recompute, RouterLogits = routerLogits };
        pass.Train(key: 9);
        Tensor loss = model.Losses(pass, step.From(targets)).Sum();
        if (model.LoadBalancing is { } balancing)
            loss = loss.Add(balancing.Loss(routerLogits).Scale(10));
        tape.Backward(loss);
        value = loss.Item();
        return model.Parameters.Where(p => p.Gradient is not null).ToDictionary(p => p.Name, p => p.Gradient!.ToArray());
    }
}
