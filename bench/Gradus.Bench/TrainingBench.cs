// Training steps (forward, backward, clipping, AdamW) of the configurations that the peers were measured with, beside the machine's own
// fp32 ceiling in the same run: tokens per second, floating-point operations per second by the 6N rule, memory, and managed allocations.

using System.Globalization;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Bench;

/// <summary>Measures whole training steps.</summary>
internal static class TrainingBench
{
    private sealed record Configuration(string Name, Gpt2Config Model, int Batch, int Length, int Steps);

    private static readonly Configuration[] Configurations =
    [
        new("CPU config: 4 x 128, block 64, batch 12", Small(4, 4, 128, 64, 65), 12, 64, 60),
        new("peer a: 6 x 384, block 256, batch 8", Small(6, 6, 384, 256, 65), 8, 256, 8),
        new("GPT-2 124M, 4 x 64 tokens", Small(12, 12, 768, 1024, 50257), 4, 64, 5),
        new("peer c: GPT-2 124M, 2 x 256 tokens", Small(12, 12, 768, 1024, 50304), 2, 256, 4),
    ];

    /// <summary>Measures every configuration in F32 and BF16 and prints a line for each.</summary>
    public static void Run(TextWriter output)
    {
        output.WriteLine($"{CpuDevice.Default.Name}");
        output.WriteLine($"{"configuration",-42} {"",5} {"tokens/s",9} {"GFLOP/s",9} {"peak MB",8} {"B/step",8}");
        foreach (Configuration configuration in Configurations)
        {
            IReadOnlyDictionary<string, double[]> torch = Torch(configuration, output);
            foreach (Precision precision in new[] { Precision.F32, Precision.BF16 })
            {
                double speed = Measure(output, configuration, precision);
                if (torch.TryGetValue(precision == Precision.F32 ? "fp32" : "bf16", out double[]? figures))
                    output.WriteLine($"{"  PyTorch",-42} {precision,5} {figures[0],9:N0}  ours is {speed / figures[0]:0.0} times that");
            }
        }
    }

    private static double Measure(TextWriter output, Configuration configuration, Precision precision)
    {
        using LanguageModel model = Checkpoint.Create(configuration.Model, seed: 1, CpuDevice.Default);
        model.SetTrainable(true);
        NextToken objective = new(new RandomTokens(configuration.Model.VocabSize, configuration.Batch, configuration.Length));
        using Trainer trainer = new(model, objective, new TrainingOptions(int.MaxValue, Precision: precision));
        for (int i = 0; i < 2; i++)
            trainer.Step();
        double[] speeds = new double[configuration.Steps];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < speeds.Length; i++)
            speeds[i] = trainer.Step().TokensPerSecond;
        long allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / speeds.Length;
        Array.Sort(speeds);
        double median = speeds[speeds.Length / 2];
        // Embeddings are looked up, not multiplied; the tied head is.
        double flops = 6.0 * (model.ParameterCount - ((long)configuration.Model.NPositions * configuration.Model.NEmbd)) * median / 1e9;
        double peak = (trainer.PeakActivationBytes + trainer.Optimizer.StateBytes + (2 * sizeof(float) * model.ParameterCount)) / 1e6;
        output.WriteLine($"{configuration.Name,-42} {precision,5} {median,9:N0} {flops,9:N0} {peak,8:N0} {allocated,8:N0}");
        return median;
    }

    private static IReadOnlyDictionary<string, double[]> Torch(Configuration c, TextWriter output) => Peers.Run("torch_training.py", output.WriteLine, [.. new[]
    {
        c.Model.NLayer, c.Model.NHead, c.Model.NEmbd, c.Model.NPositions, c.Model.VocabSize, c.Batch, c.Length, c.Steps, Environment.ProcessorCount,
    }.Select(n => n.ToString(CultureInfo.InvariantCulture))]);

    private static Gpt2Config Small(int layers, int heads, int width, int positions, int vocabulary) => new(
        VocabSize: vocabulary, NPositions: positions, NEmbd: width, NLayer: layers, NHead: heads, ResidPdrop: 0, EmbdPdrop: 0, AttnPdrop: 0);

    // The same tokens whatever the machine: speed does not depend on what they say.
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
