using System.Diagnostics;
using LLama;
using LLama.Common;
using LLama.Native;

namespace Gradus.Peers;

/// <summary>LLamaSharp (llama.cpp): how fast a GGUF file reads a prompt, and writes new tokens behind it.</summary>
internal static class LlamaSpeed
{
    private const int Repeats = 3;

    /// <summary>Prints tokens per second of both, each the median of three.</summary>
    /// <param name="path">The GGUF file.</param>
    /// <param name="prompt">Tokens of the prompt, read as one batch.</param>
    /// <param name="tokens">New tokens, the likeliest each time.</param>
    /// <param name="threads">Threads.</param>
    public static void Run(string path, int prompt, int tokens, int threads)
    {
        NativeLogConfig.llama_log_set((_, _) => { });
        ModelParams parameters = new(path) { ContextSize = (uint)(prompt + tokens + 8), BatchSize = (uint)prompt, UBatchSize = (uint)prompt, Threads = threads, BatchThreads = threads, GpuLayerCount = 0 };
        using LLamaWeights weights = LLamaWeights.LoadFromFile(parameters);
        List<double> reading = [], writing = [];
        for (int i = 0; i <= Repeats; i++)
        {
            (double read, double written) = Measure(weights, parameters, prompt, tokens);
            // The first one warms up.
            if (i > 0)
            {
                reading.Add(read);
                writing.Add(written);
            }
        }
        reading.Sort();
        writing.Sort();
        Console.WriteLine($"prefill {reading[Repeats / 2]:0.0}");
        Console.WriteLine($"decode {writing[Repeats / 2]:0.0}");
    }

    private static (double Read, double Written) Measure(LLamaWeights weights, ModelParams parameters, int prompt, int tokens)
    {
        using LLamaContext context = weights.CreateContext(parameters);
        LLamaBatch batch = new();
        for (int i = 0; i < prompt; i++)
            batch.Add((LLamaToken)(100 + (i % 200)), i, LLamaSeqId.Zero, i == prompt - 1);
        long start = Stopwatch.GetTimestamp();
        Decode(context, batch);
        double read = prompt / Stopwatch.GetElapsedTime(start).TotalSeconds;
        LLamaToken next = Likeliest(context, prompt - 1);
        start = Stopwatch.GetTimestamp();
        for (int i = 0; i < tokens; i++)
        {
            batch.Clear();
            batch.Add(next, prompt + i, LLamaSeqId.Zero, true);
            Decode(context, batch);
            next = Likeliest(context, 0);
        }
        return (read, tokens / Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private static void Decode(LLamaContext context, LLamaBatch batch)
    {
        if (context.Decode(batch) != DecodeResult.Ok)
            throw new InvalidOperationException("llama.cpp cannot compute this batch.");
    }

    private static LLamaToken Likeliest(LLamaContext context, int row)
    {
        ReadOnlySpan<float> logits = context.NativeHandle.GetLogitsIth(row);
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best])
                best = i;
        }
        return (LLamaToken)best;
    }
}
