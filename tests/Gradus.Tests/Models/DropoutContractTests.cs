using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>Every kind of noise that a configuration has a key for is at work in training, and only there.</summary>
public sealed class DropoutContractTests
{
    // Of Phi-3; transformers does not apply it either.
    private const string Unused = "embd_pdrop";

    public static TheoryData<string, string> Generative()
    {
        TheoryData<string, string> cases = [];
        foreach (string name in TinyModels.Names)
        {
            foreach (string key in Keys(TinyModels.Config(name)).Where(k => !(k == Unused && TinyModels.Config(name) is Phi3Config)))
                cases.Add(name, key);
        }
        return cases;
    }

    public static TheoryData<string, string> Encoders()
    {
        TheoryData<string, string> cases = [];
        foreach (EncoderConfig config in EncoderCases.Tiny)
        {
            foreach (string key in Keys(config))
                cases.Add(config.ArchitectureClass, key);
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(Generative))]
    public void ItIsAtWorkInModelsThatWrite(string name, string key)
    {
        using GenerativeModel still = TinyModels.Make(With(TinyModels.Config(name), null), ReferenceDevice.Instance);
        using GenerativeModel noisy = TinyModels.Make(With(TinyModels.Config(name), key), ReferenceDevice.Instance);
        Assert.Equal(Logits(still, training: true), Logits(still, training: false));
        Assert.Equal(Logits(still, training: false), Logits(noisy, training: false));
        Assert.NotEqual(Logits(noisy, training: true), Logits(noisy, training: false));
    }

    // Some concern one head only.
    [Theory]
    [MemberData(nameof(Encoders))]
    public void ItIsAtWorkInSomeClassOfAnEncoder(string usual, string key)
    {
        EncoderConfig config = EncoderCases.Tiny.Single(c => c.ArchitectureClass == usual);
        Assert.Contains(config.ArchitectureClasses, name =>
        {
            using LanguageModel model = EncoderCases.Make(With(config, key) with { Architecture = name }, ReferenceDevice.Instance);
            using Workspace step = model.Parts.Store.NewScratch();
            Pass training = new(EncoderCases.Batch(7, 12), step);
            training.Train(5);
            float[] noisy = EncoderCases.Outputs(model, training)[0].ToArray();
            return !noisy.SequenceEqual(EncoderCases.Outputs(model, new Pass(EncoderCases.Batch(7, 12), step))[0].ToArray());
        });
    }

    [Fact]
    public void ABlockThatIsLeftOutGetsNoGradient()
    {
        OptConfig config = (OptConfig)TinyModels.Config("opt") with { Layerdrop = 0.999f };
        using DecoderModel model = (DecoderModel)TinyModels.Make(config, ReferenceDevice.Instance);
        model.SetTrainable(true);
        using Workspace step = model.Parts.Store.NewScratch();
        Tape tape = step.StartTape();
        Pass pass = new(new TokenBatch(TinyModels.Prompt(9, 1)), step);
        pass.Train(1);
        tape.Backward(model.Losses(pass, step.From(TinyModels.Prompt(9, 2))).Sum());
        Assert.All(model.Parameters.Where(p => p.Name.Contains(".layers.", StringComparison.Ordinal)), p => Assert.Null(p.Gradient));
        Assert.NotNull(model.Parts.Embeddings[0].Table.Gradient);
    }

    private static IEnumerable<string> Keys(ModelConfig config) =>
        Architectures.ToJson(config).Select(p => p.Key).Where(k => k.Contains("drop", StringComparison.Ordinal) || k.Contains("jitter", StringComparison.Ordinal));

    // All noise off, but for one key.
    private static ModelConfig With(ModelConfig config, string? key)
    {
        JsonObject json = Architectures.ToJson(config);
        foreach (string other in Keys(config))
            json[other] = other == key ? 0.9 : 0.0;
        return Architectures.Parse(json, "config.json");
    }

    private static float[] Logits(GenerativeModel model, bool training)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        Pass pass = new(TinyModels.Batch(model, TinyModels.Prompt(12, 2)), step);
        if (training)
            pass.Train(5);
        return model.Logits(pass).ToArray();
    }
}
