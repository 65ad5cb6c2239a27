// The training steps of TrainingBenchmark beside PyTorch's in the same run: tokens per second, floating-point operations per second by the
// 6N rule, memory, and managed allocations.

using System.Globalization;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Measure;

namespace Gradus.Bench;

/// <summary>Measures whole training steps.</summary>
internal static class TrainingBench
{
    /// <summary>Measures every configuration in F32 and BF16 and prints a line for each.</summary>
    public static void Run(TextWriter output)
    {
        output.WriteLine($"{CpuDevice.Default.Name}");
        output.WriteLine($"{"configuration",-42} {"",5} {"tokens/s",9} {"GFLOP/s",9} {"peak MB",8} {"B/step",8}");
        foreach (TrainingConfiguration configuration in TrainingBenchmark.Configurations)
        {
            (string Name, IReadOnlyDictionary<string, double[]> Figures)[] peers = [("PyTorch", Torch("torch_training.py", configuration, output)), ("TorchSharp", Torch(Peers.DotnetProgram, configuration, output, "torch"))];
            foreach (Precision precision in new[] { Precision.F32, Precision.BF16 })
            {
                TrainingSpeed speed = TrainingBenchmark.Measure(configuration, precision);
                output.WriteLine($"{configuration.Name,-42} {precision,5} {speed.TokensPerSecond,9:N0} {speed.Flops / 1e9,9:N0} {speed.PeakBytes / 1e6,8:N0} {speed.AllocatedBytes,8:N0}");
                foreach ((string name, IReadOnlyDictionary<string, double[]> peer) in peers)
                {
                    if (peer.TryGetValue(precision == Precision.F32 ? "fp32" : "bf16", out double[]? figures))
                        output.WriteLine($"{"  " + name,-42} {precision,5} {figures[0],9:N0}  ours is {speed.TokensPerSecond / figures[0]:0.0} times that");
                }
            }
        }
    }

    private static IReadOnlyDictionary<string, double[]> Torch(string script, TrainingConfiguration c, TextWriter output, params string[] first) => Peers.Run(script, output.WriteLine, [.. first, .. new[]
    {
        c.Model.NLayer, c.Model.NHead, c.Model.NEmbd, c.Model.NPositions, c.Model.VocabSize, c.Batch, c.Length, c.Steps, Environment.ProcessorCount,
    }.Select(n => n.ToString(CultureInfo.InvariantCulture))]);
}
