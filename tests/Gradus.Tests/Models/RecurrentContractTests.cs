using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>Recurrent language models: the state that they carry along.</summary>
public sealed class RecurrentContractTests
{
    public static TheoryData<string> Names() => [.. TinyModels.Names.Where(n => TinyModels.Make(n, ReferenceDevice.Instance) is RnnLm)];

    [Theory]
    [MemberData(nameof(Names))]
    public void BlocksThatCarryTheStateAreTheWhole(string name)
    {
        RnnLm model = Make(name);
        RnnLmConfig config = (RnnLmConfig)model.Config;
        int[] tokens = TinyModels.Prompt(50, 4);
        float[] whole = ContractChecks.Logits(model, new TokenBatch(tokens));
        float[][] hidden = Zeros(config), memory = config.Rnn == "lstm" ? Zeros(config) : [];
        foreach ((int start, int end) in new[] { (0, 20), (20, 21), (21, 50) })
        {
            using Workspace step = model.Parts.Store.NewScratch();
            Shape shape = new(1, config.HiddenSize);
            RecurrentState state = new([.. hidden.Select(h => step.From(h, shape))], memory.Length == 0 ? null : [.. memory.Select(m => step.From(m, shape))]);
            float[] logits = model.Logits(new Pass(new TokenBatch(tokens[start..end]), step) { Memory = state }).ToArray();
            Assert.Equal(whole[(start * config.VocabSize)..(end * config.VocabSize)], logits);
            (hidden, memory) = ([.. state.LastHidden], [.. state.LastMemory]);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ForkedStatesGoTheirOwnWays(string name)
    {
        RnnLm model = Make(name);
        using CachedForward forward = new(model);
        CachedSequence trunk = forward.Cache.NewSequence();
        Read(forward, [trunk], [1, 2, 3]);
        CachedSequence branch = trunk.Fork();
        Assert.Equal(1, forward.Cache.PagesInUse);
        float[] both = Read(forward, [trunk, branch], [4], [5]);
        Assert.Equal(2, forward.Cache.PagesInUse);
        Assert.Equal(LastOf(model, [1, 2, 3, 4]), both[..101]);
        Assert.Equal(LastOf(model, [1, 2, 3, 5]), both[101..]);
        Assert.Throws<NotSupportedException>(() => trunk.Truncate(2));
        trunk.Truncate(0);
        Assert.Equal(LastOf(model, [7]), Read(forward, [trunk], [7]));
        Assert.Equal(LastOf(model, [1, 2, 3, 5, 6]), Read(forward, [branch], [6]));
        trunk.Dispose();
        branch.Dispose();
        Assert.Equal(0, forward.Cache.PagesInUse);
    }

    [Fact]
    public void AnEmptySequenceKeepsItsState()
    {
        RnnLm model = Make("lstm");
        using Workspace step = model.Parts.Store.NewScratch();
        float[] first = [.. Enumerable.Range(0, 80).Select(i => i / 80f)];
        RecurrentState state = new([step.From(first, new Shape(2, 40)), step.From(first, new Shape(2, 40))], [step.From(first, new Shape(2, 40)), step.From(first, new Shape(2, 40))]);
        model.Logits(new Pass(new TokenBatch([1, 2], [0, 0, 2]), step) { Memory = state });
        Assert.Equal(first[..40], state.LastHidden[0][..40]);
        Assert.Equal(first[..40], state.LastMemory[1][..40]);
        Assert.NotEqual(first[40..], state.LastHidden[0][40..]);
    }

    private static float[][] Zeros(RnnLmConfig config) => [.. Enumerable.Range(0, config.NumLayers).Select(_ => new float[config.HiddenSize])];

    private static float[] LastOf(RnnLm model, int[] tokens) => ContractChecks.Logits(model, new TokenBatch(tokens))[^101..];

    private static float[] Read(CachedForward forward, CachedSequence[] sequences, params int[][] tokens)
    {
        forward.Begin();
        for (int i = 0; i < sequences.Length; i++)
            forward.Add(sequences[i], tokens[i], scored: 1);
        return forward.Run()!.ToArray();
    }

    private static RnnLm Make(string name) => (RnnLm)TinyModels.Make(name, TinyModels.Cpu(2));
}
