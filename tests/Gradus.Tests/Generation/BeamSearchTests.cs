using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Tests.Generation;

/// <summary>Beam search by its definition, and requests that cannot be met. The stopping rules are compared in <see cref="GenerationGoldens"/>.</summary>
public sealed class BeamSearchTests : IDisposable
{
    private readonly GenerativeModel _model = TinyModels.Make("gpt2", TinyModels.Cpu(2));
    private readonly BeamSearch _search;

    public BeamSearchTests()
    {
        _search = new BeamSearch(_model);
    }

    [Fact]
    public void OneBeamIsGreedy()
    {
        int[] prompt = TinyModels.Prompt(12, 3);
        using Generator generator = new(_model);
        GeneratedSequence greedy = generator.Run(new GenerationRequest(prompt) { MaxNewTokens = 40, LogProbabilities = true });
        Hypothesis found = _search.Run(new BeamSearchRequest(prompt) { Beams = 1, MaxNewTokens = 40 })[0];
        Assert.Equal(greedy.Generated.ToArray(), found.Generated);
        Assert.Equal(greedy.LogProbabilities.ToArray().Average(), found.Score, 1e-4f);
    }

    // As many beams as tokens: every pair of tokens is looked at.
    [Fact]
    public void EnoughBeamsFindTheBest()
    {
        int[] prompt = TinyModels.Prompt(40, 3);
        int vocabulary = _model.Config.Vocabulary;
        IReadOnlyList<Hypothesis> found = _search.Run(new BeamSearchRequest(prompt) { Beams = vocabulary, Returned = 3, MaxNewTokens = 2 });
        List<(int First, int Second, double Score)> pairs = [];
        using Workspace step = _model.Parts.Store.NewScratch();
        for (int first = 0; first < vocabulary; first++)
        {
            step.Reset();
            Tensor logs = _model.Logits(new Pass(new TokenBatch([.. prompt, first]), step)).LogSoftmax();
            float[] before = logs.Rows(prompt.Length - 1, 1).ToArray(), after = logs.Rows(prompt.Length, 1).ToArray();
            pairs.AddRange(Enumerable.Range(0, vocabulary).Select(second => (first, second, ((double)before[first] + after[second]) / 2)));
        }
        (int First, int Second, double Score)[] best = [.. pairs.OrderByDescending(p => p.Score).Take(3)];
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal([best[i].First, best[i].Second], found[i].Generated);
            Assert.Equal(best[i].Score, found[i].Score, 1e-4);
        }
    }

    [Fact]
    public void TogetherIsAsAlone()
    {
        BeamSearchRequest[] requests =
        [
            new(TinyModels.Prompt(50, 1)) { Beams = 5, Returned = 5, MaxNewTokens = 30, StopTokens = [4, 8, 15, 16, 23, 42] },
            new(TinyModels.Prompt(3, 2)) { Beams = 2, MaxNewTokens = 4 },
            new(TinyModels.Prompt(20, 3)) { Beams = 3, Returned = 2, LengthPenalty = -1, EarlyStopping = EarlyStopping.WhenFull, StopTokens = [1, 2, 3, 4, 5, 6, 7] },
        ];
        IReadOnlyList<IReadOnlyList<Hypothesis>> together = _search.Run(requests);
        for (int i = 0; i < requests.Length; i++)
        {
            IReadOnlyList<Hypothesis> alone = _search.Run(requests[i]);
            Assert.Equal(requests[i].Returned, alone.Count);
            Assert.Equal(alone.Select(h => h.Score), together[i].Select(h => h.Score));
            Assert.Equal(alone.Select(h => h.Generated), together[i].Select(h => h.Generated));
            Assert.Equal(alone.Select(h => h.Score).OrderDescending(), alone.Select(h => h.Score));
        }
        Assert.Equal(0, _search.PagesInUse);
    }

    [Fact]
    public void StopsAtTheContext()
    {
        Hypothesis found = _search.Run(new BeamSearchRequest(TinyModels.Prompt(90, 1)))[0];
        Assert.Equal(TinyModels.Context - 90, found.Generated.Length);
    }

    public static TheoryData<BeamSearchRequest, string> BadRequests() => new()
    {
        { new BeamSearchRequest([]), "no token" },
        { new BeamSearchRequest(TinyModels.Prompt(97, 1)), "shorten" },
        { new BeamSearchRequest(TinyModels.Prompt(96, 1)), "shorten" },
        { new BeamSearchRequest([1]) { Beams = 0 }, "Beams" },
        { new BeamSearchRequest([1]) { Returned = 5 }, "Returned is 5" },
        { new BeamSearchRequest([1]) { MaxNewTokens = 0 }, "MaxNewTokens" },
        { new BeamSearchRequest([1]) { LengthPenalty = float.NaN }, "LengthPenalty" },
    };

    [Theory]
    [MemberData(nameof(BadRequests))]
    public void RefusesWhatCannotBeDone(BeamSearchRequest request, string message)
    {
        ArgumentException e = Assert.ThrowsAny<ArgumentException>(() => _search.Run(request));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void CancellationGivesThePagesBack()
    {
        using CancellationTokenSource source = new();
        LogitsStep cancelling = new AllowedTokens((in GenerationState state) =>
        {
            source.Cancel();
            return new int[] { 1, 2, 3 };
        });
        Assert.Throws<OperationCanceledException>(() => _search.Run(new BeamSearchRequest([1]) { Steps = [cancelling] }, source.Token));
        Assert.Equal(0, _search.PagesInUse);
    }

    public void Dispose()
    {
        _search.Dispose();
        _model.Dispose();
    }
}
