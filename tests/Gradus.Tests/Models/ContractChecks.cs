using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Files;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>What every model that scores the next token must do. That cached is uncached is in <see cref="GeneratorTests"/>, for the same models.</summary>
internal static class ContractChecks
{
    private static readonly int[] Lengths = [5, 1, 12, 7, 12, 2];

    /// <summary>A ragged batch, the first sequences longer and shorter than those behind them.</summary>
    public static TokenBatch Ragged(GenerativeModel model)
    {
        int[][] prompts = [.. Lengths.Select((n, i) => TinyModels.Prompt(n, (ulong)i + 40))];
        TokenBatch batch = TokenBatch.Of(prompts);
        return new TokenBatch(batch.Ids, batch.Starts) { Source = model is EncoderDecoderModel ? TokenBatch.Of([.. prompts.Select(p => TinyModels.Source(model, p)!)]) : null };
    }

    public static float[] Logits(GenerativeModel model, TokenBatch batch)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        step.PoisonNewTensors = true;
        return model.Logits(new Pass(batch, step)).ToArray();
    }

    /// <summary>Sequences have the same bits in a ragged batch and alone.</summary>
    public static void BatchedIsSingle(GenerativeModel model)
    {
        float[] together = Logits(model, Ragged(model));
        int start = 0, vocabulary = model.Config.Vocabulary;
        for (int i = 0; i < Lengths.Length; i++)
        {
            float[] alone = Logits(model, TinyModels.Batch(model, TinyModels.Prompt(Lengths[i], (ulong)i + 40)));
            Assert.Equal(alone, together[(start * vocabulary)..((start + Lengths[i]) * vocabulary)]);
            start += Lengths[i];
        }
    }

    /// <summary>Every parameter but the buffers gets a gradient, the same whether activations are kept or computed again, with dropout too.</summary>
    public static void EveryParameterLearns(GenerativeModel model)
    {
        model.SetTrainable(true);
        Dictionary<string, float[]> kept = Gradients(model, recompute: false), again = Gradients(model, recompute: true);
        Assert.Equal(model.Parameters.Where(p => !p.IsBuffer).Select(p => p.Name), kept.Keys);
        Assert.All(kept, g => Assert.Contains(g.Value, v => v != 0));
        // The gradient of a bias of keys is zero but for rounding.
        float all = kept.Values.Max(g => g.Max(MathF.Abs));
        foreach ((string name, float[] gradient) in kept)
        {
            float largest = gradient.Max(MathF.Abs);
            for (int i = 0; i < gradient.Length; i++)
                Assert.True(Math.Abs(gradient[i] - again[name][i]) <= (1e-5 * largest) + (1e-6 * all), $"{name}[{i}]: {gradient[i]} kept, {again[name][i]} computed again");
        }
    }

    /// <summary>A saved model is the same when it is loaded; tied tensors are stored once and are one tensor again.</summary>
    public static void SavedIsLoaded(GenerativeModel model)
    {
        using TemporaryFolder folder = new();
        using (AtomicFolder written = AtomicFolder.Begin(folder["model"]))
        {
            Checkpoint.Write(written, model);
            written.Commit();
        }
        using GenerativeModel loaded = Assert.IsAssignableFrom<GenerativeModel>(Checkpoint.Load(folder["model"], model.Device));
        Assert.Equal(Architectures.ToJson(model.Config).ToJsonString(), Architectures.ToJson(loaded.Config).ToJsonString());
        Assert.Equal(model.Parameters.Select(p => (p.Name, p.IsBuffer)), loaded.Parameters.Select(p => (p.Name, p.IsBuffer)));
        Assert.Equal(Tied(model), Tied(loaded));
        Assert.Equal(Logits(model, Ragged(model)), Logits(loaded, Ragged(loaded)));
    }

    /// <summary>Beams, which fork the cache, have the probabilities that the model gives their tokens without one.</summary>
    public static void BeamsAreTheModels(GenerativeModel model)
    {
        int[] prompt = TinyModels.Prompt(6, 9);
        using BeamSearch search = new(model);
        IReadOnlyList<Hypothesis> found = search.Run(new BeamSearchRequest(prompt) { Source = TinyModels.Source(model, prompt), Beams = 4, Returned = 4, MaxNewTokens = 40 });
        Assert.Equal(0, search.PagesInUse);
        foreach (Hypothesis hypothesis in found)
        {
            int[] tokens = [.. prompt, .. hypothesis.Generated];
            using Workspace step = model.Parts.Store.NewScratch();
            float[] losses = model.Losses(new Pass(TinyModels.Batch(model, prompt, tokens[..^1]), step), step.From(tokens.AsSpan(1))).ToArray();
            Assert.Equal(-losses[(prompt.Length - 1)..].Average(), hypothesis.Score, 1e-4);
        }
    }

    private static bool Tied(GenerativeModel model) =>
        model.Head.Weight is DenseWeight head && model.Parts.Embeddings.Any(e => e.Table == head.Parameter);

    private static Dictionary<string, float[]> Gradients(GenerativeModel model, bool recompute)
    {
        foreach (Parameter p in model.Parameters)
            p.ClearGradient();
        TokenBatch batch = Ragged(model);
        using Workspace step = model.Parts.Store.NewScratch();
        step.PoisonNewTensors = true;
        Tape tape = step.StartTape();
        Pass pass = new(batch, step) { Recompute = recompute };
        pass.Train(3);
        tape.Backward(model.Losses(pass, step.From([.. batch.Ids.Select(i => (i + 1) % 101)])).Sum());
        return model.Parameters.Where(p => p.Gradient is not null).ToDictionary(p => p.Name, p => p.Gradient!.ToArray());
    }
}
