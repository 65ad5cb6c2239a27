// Whole training steps (forward, backward, clipping, AdamW) of the models that the peers were measured with. Tokens are drawn by chance:
// speed does not depend on what they say.

using System.Diagnostics;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Measure;

/// <summary>A model and the batches it is trained on.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Model">The model.</param>
/// <param name="Batch">Sequences in a batch.</param>
/// <param name="Length">Tokens in a sequence.</param>
/// <param name="Steps">Steps to take the median of.</param>
/// <param name="Fp32Goal">Tokens per second to reach in F32 on two cores of Sapphire Rapids, or null.</param>
/// <param name="Bf16Goal">The same in BF16.</param>
public sealed record TrainingConfiguration(string Name, Gpt2Config Model, int Batch, int Length, int Steps, double? Fp32Goal, double? Bf16Goal);

/// <summary>What training steps took.</summary>
/// <param name="TokensPerSecond">The median over the steps.</param>
/// <param name="Flops">Floating-point operations per second by the rule of six per parameter and token.</param>
/// <param name="PeakBytes">Parameters, gradients, the optimizer's state and activations.</param>
/// <param name="AllocatedBytes">Managed memory allocated in a step.</param>
public sealed record TrainingSpeed(double TokensPerSecond, double Flops, long PeakBytes, long AllocatedBytes);

/// <summary>Measures training steps.</summary>
public static class TrainingBenchmark
{
    private const double WarmUpSeconds = 1;

    /// <summary>
    /// nanoGPT's models and GPT-2's smallest. Goals: 1.5 times PyTorch 1.13 in F32 and three times in BF16, five times llm.c for 4 × 64 tokens.
    /// </summary>
    public static IReadOnlyList<TrainingConfiguration> Configurations { get; } =
    [
        new("4 layers of 128, 12 x 64 tokens", Small(4, 4, 128, 64, 65), 12, 64, 60, 1.5 * 16_600, 94_000),
        new("6 layers of 384, 8 x 256 tokens", Small(6, 6, 384, 256, 65), 8, 256, 8, 1.5 * 2_330, 23_000),
        new("GPT-2 124M, 4 x 64 tokens", Small(12, 12, 768, 1024, 50257), 4, 64, 5, 5 * 31, null),
        new("GPT-2 124M, 2 x 256 tokens", Small(12, 12, 768, 1024, 50304), 2, 256, 4, 1.5 * 180, 1_200),
    ];

    /// <summary>Measures every configuration in F32 and BF16.</summary>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>One after the other, as they are measured.</returns>
    public static IEnumerable<CpuMeasurement> Run(CancellationToken cancellation = default)
    {
        foreach (TrainingConfiguration configuration in Configurations)
        {
            foreach (Precision precision in new[] { Precision.F32, Precision.BF16 })
            {
                if (cancellation.IsCancellationRequested)
                    yield break;
                double? goal = precision == Precision.F32 ? configuration.Fp32Goal : configuration.Bf16Goal;
                yield return new CpuMeasurement(
                    $"training {(precision == Precision.F32 ? "fp32" : "bf16")}, {configuration.Name}",
                    CpuDevice.Default.Threads,
                    Measure(configuration, precision).TokensPerSecond,
                    "tokens/s",
                    Goal: goal is { } tokens ? new Goal(GoalKind.AtLeast, tokens) : null);
            }
        }
    }

    /// <summary>Measures one configuration.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="precision">The precision of the products.</param>
    public static TrainingSpeed Measure(TrainingConfiguration configuration, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        using LanguageModel model = Checkpoint.Create(configuration.Model, seed: 1, CpuDevice.Default);
        model.SetTrainable(true);
        NextToken objective = new(new RandomTokens(configuration.Model.VocabSize, configuration.Batch, configuration.Length));
        using Trainer trainer = new(model, objective, new TrainingOptions(int.MaxValue, Precision: precision));
        // The first steps take memory, and code is still being compiled anew meanwhile.
        long start = Stopwatch.GetTimestamp();
        while (trainer.Steps < 2 || Stopwatch.GetElapsedTime(start).TotalSeconds < WarmUpSeconds)
            trainer.Step();
        double[] speeds = new double[configuration.Steps];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < speeds.Length; i++)
            speeds[i] = trainer.Step().TokensPerSecond;
        long allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / speeds.Length;
        Array.Sort(speeds);
        double median = speeds[speeds.Length / 2];
        // Embeddings are looked up, not multiplied; the tied head is.
        double flops = 6.0 * (model.ParameterCount - ((long)configuration.Model.NPositions * configuration.Model.NEmbd)) * median;
        long peak = trainer.PeakActivationBytes + trainer.Optimizer.StateBytes + (2 * sizeof(float) * model.ParameterCount);
        return new TrainingSpeed(median, flops, peak, allocated);
    }

    private static Gpt2Config Small(int layers, int heads, int width, int positions, int vocabulary) => new(
        VocabSize: vocabulary, NPositions: positions, NEmbd: width, NLayer: layers, NHead: heads, ResidPdrop: 0, EmbdPdrop: 0, AttnPdrop: 0);

    private sealed class RandomTokens(int vocabulary, int batch, int length) : BatchSource
    {
        private readonly MicroBatch _batch = Draw(vocabulary, batch, length);

        public override MicroBatch this[long index] => _batch;

        public override IEnumerable<MicroBatch> All() => [_batch];

        private static MicroBatch Draw(int vocabulary, int batch, int length)
        {
            int[] ids = new int[batch * length], targets = new int[batch * length];
            for (int i = 0; i < ids.Length; i++)
            {
                ids[i] = CounterRandom.Below(1, i, vocabulary);
                targets[i] = CounterRandom.Below(2, i, vocabulary);
            }
            return new MicroBatch(new TokenBatch(ids, [.. Enumerable.Range(0, batch + 1).Select(i => i * length)]), targets);
        }
    }
}
