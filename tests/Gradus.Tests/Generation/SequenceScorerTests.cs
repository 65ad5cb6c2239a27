using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Tests.Generation;

public sealed class SequenceScorerTests
{
    public static TheoryData<string> Models => [.. TinyModels.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public void ScoresEqualTheModelsLossesAndDependOnNothingElse(string name)
    {
        using GenerativeModel model = TinyModels.Make(name, Gradus.Tensors.Cpu.CpuDevice.Default);
        ScoringRequest[] requests = Requests(model, new Random(7), TinyModels.Vocabulary, [9, 9, 30, 1, 40], [1, 3, 12, 0]);
        SequenceScore[] together = Score(model, requests);
        for (int i = 0; i < requests.Length; i++)
        {
            (double sum, bool greedy) = Slow(model, requests[i]);
            Assert.True(Math.Abs(sum - together[i].LogProbability) < 2e-3 * Math.Max(1, Math.Abs(sum)), $"{name} {i}: {sum} against {together[i].LogProbability}");
            Assert.Equal(greedy, together[i].IsGreedy);
        }
        int[] order = [.. Enumerable.Range(0, requests.Length).OrderBy(i => (i * 7) % requests.Length)];
        SequenceScore[] shuffled = Score(model, [.. order.Select(i => requests[i])]);
        for (int i = 0; i < order.Length; i++)
        {
            Assert.Equal(together[order[i]], shuffled[i]);
            Assert.Equal(together[i], Score(model, [requests[i]])[0]);
        }
    }

    // Contexts of several pieces of the cache that share beginnings, in more than one wave.
    [Fact]
    public void LongContextsShareTheirBeginnings()
    {
        LlamaConfig config = new(61, HiddenSize: 24, IntermediateSize: 32, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: 2048, InitializerRange: 0.3f);
        using GenerativeModel model = TinyModels.Make(config, Gradus.Tensors.Cpu.CpuDevice.Default);
        Random random = new(5);
        int[] shared = Ids(random, 61, 700);
        List<ScoringRequest> requests = [];
        foreach (int length in new[] { 256, 512, 513, 700, 255, 0 })
        {
            for (int own = 0; own < 4; own++)
            {
                int[] context = [.. shared[..length], .. Ids(random, 61, own == 0 && length > 0 ? 0 : 40 + own)];
                requests.AddRange(Enumerable.Range(0, 3).Select(c => new ScoringRequest(context, Ids(random, 61, 1 + (c * 150)))));
            }
        }
        SequenceScore[] together = Score(model, requests);
        for (int i = 0; i < requests.Count; i += 5)
        {
            Assert.Equal(together[i], Score(model, [requests[i]])[0]);
            Assert.Equal(Slow(model, requests[i]).Sum, together[i].LogProbability, 0.02);
        }
        Assert.ThrowsAny<ArgumentException>(() => Score(model, [new ScoringRequest(Ids(random, 61, 2000), Ids(random, 61, 60))]));
        Assert.Throws<ArgumentException>(() => Score(model, [new ScoringRequest([], [1])]));
        Assert.Throws<ArgumentException>(() => Score(model, [new ScoringRequest([1], [61])]));
    }

    private static ScoringRequest[] Requests(GenerativeModel model, Random random, int vocabulary, int[] contexts, int[] continuations)
    {
        int[] start = Ids(random, vocabulary, 5);
        return [.. contexts.Select(n => (int[])[.. start[..Math.Min(n, 5)], .. Ids(random, vocabulary, Math.Max(0, n - 5))])
            .SelectMany(context => continuations.Select(n => new ScoringRequest(context, Ids(random, vocabulary, n))))
            .Append(new ScoringRequest([3, 4], Greedy(model, [3, 4])))];
    }

    private static int[] Greedy(GenerativeModel model, int[] context)
    {
        using Generator generator = new(model);
        return generator.Run(GenerationRequest.For(model, context) with { MaxNewTokens = 3 }).Generated.ToArray();
    }

    private static SequenceScore[] Score(GenerativeModel model, IReadOnlyList<ScoringRequest> requests)
    {
        SequenceScore[] scores = new SequenceScore[requests.Count];
        int count = 0;
        using SequenceScorer scorer = new(model);
        scorer.Score(requests, (i, score) => (scores[i], count) = (score, count + 1));
        Assert.Equal(requests.Count, count);
        return scores;
    }

    private static (double Sum, bool Greedy) Slow(GenerativeModel model, ScoringRequest request)
    {
        if (request.Continuation.Length == 0)
            return (0, true);
        int[] before = model is EncoderDecoderModel encoded ? [encoded.StartToken] : request.Context;
        int[] ids = [.. before, .. request.Continuation[..^1]];
        TokenBatch batch = new(ids) { Source = model is EncoderDecoderModel ? new TokenBatch(request.Context) : null };
        using Workspace workspace = model.Parts.Store.NewScratch();
        Tensor logits = model.Logits(new Pass(batch, workspace));
        double sum = 0;
        bool greedy = true;
        for (int t = 0; t < request.Continuation.Length; t++)
        {
            ReadOnlySpan<float> row = logits.Values().Slice((before.Length - 1 + t) * logits.Shape.Columns, logits.Shape.Columns);
            double total = 0;
            int best = 0;
            for (int v = 0; v < row.Length; v++)
            {
                total += Math.Exp(row[v]);
                best = row[v] > row[best] ? v : best;
            }
            sum += row[request.Continuation[t]] - Math.Log(total);
            greedy &= best == request.Continuation[t];
        }
        return (sum, greedy);
    }

    private static int[] Ids(Random random, int vocabulary, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
}
