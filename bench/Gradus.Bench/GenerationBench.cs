using System.Diagnostics;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;

namespace Gradus.Bench;

/// <summary>Decoding with random weights: tokens per second and bytes allocated per token.</summary>
internal static class GenerationBench
{
    private const int Warmup = 20;
    private const int Runs = 5;

    private static readonly (string Name, LlamaConfig Config)[] Models =
    [
        ("llama 4x256", new LlamaConfig(VocabSize: 512, HiddenSize: 256, IntermediateSize: 688, NumHiddenLayers: 4, NumAttentionHeads: 8, MaxPositionEmbeddings: 1024)),
        ("stories 15M", new LlamaConfig(VocabSize: 32000, HiddenSize: 288, IntermediateSize: 768, NumHiddenLayers: 6, NumAttentionHeads: 6, MaxPositionEmbeddings: 1024, TieWordEmbeddings: true)),
    ];

    private static readonly LogitsStep[] Sampling = [new Temperature(0.8f), new TopK(40), new TopP(0.95f)];

    /// <summary>Measures and prints.</summary>
    public static void Run()
    {
        Console.WriteLine($"decode on {CpuDevice.Default.Name}, median of {Runs}");
        Console.WriteLine("model        parameters  sequences  choice    tokens/s  GFLOP/s  bytes/token");
        foreach ((string name, LlamaConfig config) in Models)
        {
            using DecoderModel model = (DecoderModel)Architectures.Build(config, new Scope(ParameterSource.Random(1), new Workspace(CpuDevice.Default)));
            foreach (int sequences in new[] { 1, 8 })
            {
                foreach (bool sampled in new[] { false, true })
                    Print(name, model, sequences, sampled);
            }
        }
    }

    private static void Print(string name, DecoderModel model, int sequences, bool sampled)
    {
        Check(model, sampled);
        int steps = sequences == 1 ? 100 : 40;
        double[] rates = new double[Runs];
        double allocated = 0;
        for (int run = 0; run < Runs; run++)
        {
            using Generator generator = new(model);
            for (int s = 0; s < sequences; s++)
                generator.Add(Request(s, sampled));
            for (int i = 0; i < Warmup; i++)
                generator.Step();
            long before = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
            int tokens = 0;
            for (int i = 0; i < steps; i++)
                tokens += generator.Step().Length;
            rates[run] = tokens / Stopwatch.GetElapsedTime(start).TotalSeconds;
            allocated = Math.Max(allocated, (GC.GetAllocatedBytesForCurrentThread() - before) / (double)tokens);
        }
        Array.Sort(rates);
        double rate = rates[Runs / 2], flops = 2.0 * Multiplied(model) * rate;
        Console.WriteLine($"{name,-12} {model.ParameterCount,10:N0}  {sequences,9}  {(sampled ? "sampled" : "greedy"),-8}  {rate,8:N0}  {flops / 1e9,7:N1}  {allocated,11:N1}");
    }

    // Two sequences together give what each gives alone.
    private static void Check(DecoderModel model, bool sampled)
    {
        GenerationRequest a = Request(0, sampled) with { MaxNewTokens = 8 }, b = Request(1, sampled) with { MaxNewTokens = 8 };
        using Generator generator = new(model);
        IReadOnlyList<GeneratedSequence> both = generator.Run([a, b]);
        if (!generator.Run(a).Generated.SequenceEqual(both[0].Generated) || !generator.Run(b).Generated.SequenceEqual(both[1].Generated))
            throw new InvalidOperationException("A sequence differs alone and among others.");
    }

    private static GenerationRequest Request(int index, bool sampled) => new([1, index + 2, 5, 7])
    {
        Seed = sampled ? (ulong)index : null,
        Steps = sampled ? Sampling : [],
    };

    // A token passes every matrix once; the embedding table is multiplied by only as the head.
    private static long Multiplied(DecoderModel model) =>
        model.Parts.Linears.Sum(l => (long)l.Weight.Inputs * l.Weight.Outputs);
}
