using System.Diagnostics;
using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Statistics;
using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;

namespace Gradus.Bench;

/// <summary>
/// Evaluation: four choices after a shared context against scoring every choice with its context, 10,000 paired bootstrap resamples over 10,000
/// examples, and text metrics. bench/peers/text_metrics.py measures the same texts with straightforward Python.
/// </summary>
internal static class EvaluationBench
{
    public static void Run(Action<string> print)
    {
        Choices(print);
        Resamples(print);
        Metrics(print);
    }

    private static void Choices(Action<string> print)
    {
        LlamaConfig config = new(4096, HiddenSize: 256, IntermediateSize: 704, NumHiddenLayers: 6, NumAttentionHeads: 8, NumKeyValueHeads: 4, MaxPositionEmbeddings: 1024);
        using GenerativeModel model = (GenerativeModel)Checkpoint.Create(config, 1, CpuDevice.Default);
        Random random = new(1);
        ScoringRequest[] requests = [.. Enumerable.Range(0, 24).Select(_ => Ids(random, 250)).SelectMany(context => Enumerable.Range(0, 4).Select(_ => new ScoringRequest(context, Ids(random, 12))))];
        using SequenceScorer scorer = new(model);
        double[] shared = new double[requests.Length], naive = new double[requests.Length];
        double fast = Seconds(() => scorer.Score(requests, (i, s) => shared[i] = s.LogProbability));
        double slow = Seconds(() => Naive(model, requests, naive));
        double off = shared.Zip(naive, (a, b) => Math.Abs(a - b)).Max();
        print(FormattableString.Invariant($"four choices of 12 tokens after 250: {requests.Length / fast:0} a second, naive {requests.Length / slow:0}, {slow / fast:0.00} times; largest difference {off:0.0e0}"));
    }

    // Every choice with its context, in batches without a cache.
    private static void Naive(GenerativeModel model, ScoringRequest[] requests, double[] sums)
    {
        using Workspace workspace = model.Parts.Store.NewScratch();
        foreach (int[] batch in Enumerable.Range(0, requests.Length).Chunk(8))
        {
            workspace.Reset();
            int[][] read = [.. batch.Select(i => (int[])[.. requests[i].Context, .. requests[i].Continuation[..^1]])];
            int[] targets = [.. batch.SelectMany(i => Enumerable.Repeat(-100, requests[i].Context.Length - 1).Concat(requests[i].Continuation))];
            TokenBatch tokens = TokenBatch.Of(read);
            ReadOnlySpan<float> losses = model.Losses(new Pass(tokens, workspace), workspace.From(targets)).Values();
            for (int b = 0; b < batch.Length; b++)
            {
                double sum = 0;
                foreach (float loss in losses[tokens.Starts[b]..tokens.Starts[b + 1]])
                    sum -= loss;
                sums[batch[b]] = sum;
            }
        }
    }

    private static void Resamples(Action<string> print)
    {
        Random random = new(2);
        double[] a = [.. Enumerable.Range(0, 10_000).Select(_ => random.NextDouble() < 0.6 ? 1.0 : 0)], b = [.. a.Select(x => random.NextDouble() < 0.9 ? x : 1 - x)];
        double seconds = Seconds(() => PairedBootstrap.Compare(a, b, resamples: 10_000));
        print(FormattableString.Invariant($"10,000 paired bootstrap resamples over 10,000 examples: {seconds:0.000} s"));
    }

    private static void Metrics(Action<string> print)
    {
        MetricExample[] pairs = Pairs(2000);
        foreach (Metric metric in new Metric[] { Rouge.N(1), Rouge.L(), new Bleu(), new Chrf() })
            print(FormattableString.Invariant($"{metric.Name}: {pairs.Length / Seconds(() => metric.Evaluate(pairs)):0} pairs a second"));
    }

    /// <summary>Sentences of 20 words of 400, half of them the reference's: text_metrics.py makes the same by the same rule.</summary>
    private static MetricExample[] Pairs(int count)
    {
        PythonRandom random = new(5);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            string[] reference = [.. Enumerable.Range(0, 20).Select(_ => $"word{random.Below(400)}")];
            string[] prediction = [.. reference.Select(w => random.NextDouble() < 0.5 ? w : $"word{random.Below(400)}")];
            return new MetricExample(string.Join(' ', prediction), [string.Join(' ', reference)]);
        })];
    }

    private static int[] Ids(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(4096))];

    // The best of three, after one that warms up.
    private static double Seconds(Action run)
    {
        run();
        return Enumerable.Range(0, 3).Min(_ =>
        {
            long start = Stopwatch.GetTimestamp();
            run();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        });
    }
}
