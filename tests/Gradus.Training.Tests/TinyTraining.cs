using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests;

/// <summary>Models, data and trainings that take milliseconds, and what is compared between them.</summary>
internal static class TinyTraining
{
    public const int Vocabulary = 61;
    public const int Context = 24;

    /// <summary>The kinds of trainings that must all hold the same promises.</summary>
    public static TheoryData<string> Kinds => ["gpt2", "gpt2 lora", "llama", "llama lora", "llama bf16", "lstm", "gru bf16", "t5", "t5 lora", "mixtral"];

    public static TrainingOptions Options(string kind, int steps = 4) => new(steps, ClipNorm: 0.5, Precision: kind.EndsWith("bf16", StringComparison.Ordinal) ? Precision.BF16 : Precision.F32, Seed: 7)
    {
        Optimizer = new AdamW(LearningRate: 3e-3),
        Schedule = new CosineSchedule(WarmupSteps: 2, Least: 0.1),
    };

    /// <summary>A model of a kind, ready to train; dispose the adapter (if any) before the model.</summary>
    public static (GenerativeModel Model, ModelAdapter? Adapter) Create(string kind, Device device, ulong seed = 3, float dropout = 0.1f)
    {
        ModelConfig config = kind.Split(' ')[0] switch
        {
            "gpt2" => new Gpt2Config(Vocabulary, Context, NEmbd: 48, NLayer: 2, NHead: 3, ResidPdrop: dropout, EmbdPdrop: dropout, AttnPdrop: 0),
            "mixtral" => Mixtral(outputRouterLogits: true),
            "lstm" or "gru" => new RnnLmConfig(Vocabulary, EmbeddingSize: 32, HiddenSize: 48, Rnn: kind.Split(' ')[0], Dropout: dropout),
            "t5" => new T5Config(Vocabulary, DModel: 48, DKv: 12, DFf: 64, NumLayers: 2, NumHeads: 4, DropoutRate: dropout),
            _ => new LlamaConfig(Vocabulary, HiddenSize: 48, IntermediateSize: 96, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: Context),
        };
        GenerativeModel model = (GenerativeModel)Checkpoint.Create(config, seed, device);
        if (!kind.EndsWith("lora", StringComparison.Ordinal))
        {
            model.SetTrainable(true);
            return (model, null);
        }
        return (model, ModelAdapter.Attach(model, new LoraConfig(R: 4, LoraAlpha: 8, LoraDropout: dropout, TargetModules: ModuleNames.AllLinear), seed));
    }

    /// <summary>A sparse model, which may ask for the load-balancing loss.</summary>
    public static MixtralConfig Mixtral(bool outputRouterLogits) => new(Vocabulary, HiddenSize: 32, IntermediateSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 4,
        NumKeyValueHeads: 2, MaxPositionEmbeddings: Context, NumLocalExperts: 4, OutputRouterLogits: outputRouterLogits, RouterAuxLossCoef: 0.1f);

    /// <summary>Examples of a language that can be learned, of different lengths.</summary>
    public static Example[] Examples(int count, int seed = 11) => [.. Enumerable.Range(0, count).Select(i =>
    {
        ulong key = CounterRandom.Derive((ulong)seed, (ulong)i);
        int[] ids = new int[5 + CounterRandom.Below(key, 0, Context - 5)];
        for (int t = 0, at = CounterRandom.Below(key, 1, Vocabulary); t < ids.Length; t++, at = ((at * 2) + 1 + CounterRandom.Below(key, 2 + t, 2)) % Vocabulary)
            ids[t] = at;
        return new Example(ids);
    })];

    /// <summary>Packed examples, two micro-batches a step.</summary>
    public static NextToken Objective(string kind = "gpt2")
    {
        return new(new PackedExamples(Of(Examples(60)), 160, 5), new PackedExamples(Of(Examples(8, seed: 12)), 160, 5), accumulation: 2);

        // The target is to be told from the source, which is its end.
        Example[] Of(Example[] examples) => kind.StartsWith("t5", StringComparison.Ordinal)
            ? [.. examples.Select(e => e with { Source = [.. e.Ids.TakeLast(4)] })]
            : examples;
    }

    /// <summary>Parameters, what the optimizer remembers, and losses, after training; the same text means the same bits.</summary>
    public static string Train(string kind, Device device, int steps = 4, ulong seed = 3, TrainingOptions? options = null)
    {
        (GenerativeModel model, ModelAdapter? adapter) = Create(kind, device, seed);
        using Trainer trainer = new(model, Objective(kind), options ?? Options(kind, steps));
        List<string> losses = [];
        for (int i = 0; i < steps; i++)
        {
            StepReport report = trainer.Step();
            losses.Add($"{report.Loss:R} {report.GradientNorm:R}");
        }
        string result = $"{Sha(trainer.Parameters.Select(p => p.Value))} {Sha(trainer.Optimizer.State.Values)} {string.Join(' ', losses)}";
        adapter?.Dispose();
        model.Dispose();
        return result;
    }

    public static string Sha(IEnumerable<Tensor> tensors)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (Tensor tensor in tensors)
            hash.AppendData(MemoryMarshal.AsBytes(tensor.Span()));
        return Convert.ToHexString(hash.GetHashAndReset());
    }

    public static string Sha(string file) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)));

    /// <summary>The gradients of one step: plain descent at rate 1 takes them from the parameters.</summary>
    public static (double Loss, float[][] Gradients) GradientsOf(string kind, Device device, Objective objective, bool recompute = false, float dropout = 0)
    {
        (GenerativeModel model, ModelAdapter? adapter) = Create(kind, device, dropout: dropout);
        using Trainer trainer = new(model, objective, new TrainingOptions(Steps: 1, ClipNorm: 0, Recompute: recompute, Seed: 7) { Optimizer = new Sgd(LearningRate: 1) });
        float[][] before = [.. trainer.Parameters.Select(p => p.Value.ToArray())];
        double loss = trainer.Step().Loss;
        float[][] gradients = [.. trainer.Parameters.Select((p, i) => before[i].Zip(p.Value.ToArray(), (a, b) => a - b).ToArray())];
        adapter?.Dispose();
        model.Dispose();
        return (loss, gradients);
    }

    public static void Close(float[][] expected, float[][] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int p = 0; p < expected.Length; p++)
        {
            double scale = expected[p].Max(Math.Abs);
            for (int i = 0; i < expected[p].Length; i++)
                Assert.True(Math.Abs(expected[p][i] - actual[p][i]) <= tolerance * Math.Max(scale, 1e-3), $"parameter {p}, value {i}: {expected[p][i]} and {actual[p][i]}");
        }
    }
}

/// <summary>The processor at its best with a number of threads, for one test.</summary>
internal sealed class Threads(int count) : IDisposable
{
    private readonly Workers _workers = new(count);

    public CpuDevice Device => field ??= CpuDevice.Create(CpuFeatures.Best, _workers);

    public void Dispose() => _workers.Dispose();
}

/// <summary>Given micro-batches for every step.</summary>
internal sealed class GivenMicroBatches(params MicroBatch[] batches) : Objective<MicroBatch>(batches.Length)
{
    private readonly NextToken _next = new(new PackedExamples([new Example([0, 1])], 2, 0));

    public override MicroBatch Batch(long step, int index) => batches[index];

    public override IEnumerable<TrainingBatch> Validation() => [];

    public override IReadOnlyList<Tensor> Losses(LanguageModel model, MicroBatch batch, LossContext context) => _next.Losses(model, batch, context);
}

/// <summary>Another objective whose loss is not a number from a step on.</summary>
internal sealed class BrokenFrom(long step, Objective inner) : Objective
{
    private bool _broken;

    public override IEnumerable<Update> Updates(StepContext context)
    {
        _broken = context.Step >= step;
        return inner.Updates(context);
    }

    public override IEnumerable<TrainingBatch> Validation() => inner.Validation();

    public override IReadOnlyList<Tensor> Losses(LanguageModel model, TrainingBatch batch, LossContext context)
    {
        IReadOnlyList<Tensor> losses = inner.Losses(model, batch, context);
        return _broken ? [losses[0].Scale(float.NaN)] : losses;
    }
}

/// <summary>A fresh folder for one test, removed with it.</summary>
internal sealed class TestFolder : IDisposable
{
    public string FullPath { get; } = Directory.CreateTempSubdirectory("gradus-training-").FullName;

    public string this[string name] => Path.Combine(FullPath, name);

    public string Write(string name, string text)
    {
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    public void Dispose() => Directory.Delete(FullPath, recursive: true);
}
