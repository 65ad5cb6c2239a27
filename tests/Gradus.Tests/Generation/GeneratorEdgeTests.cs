using Gradus.Generation;
using Gradus.Models;

namespace Gradus.Tests.Generation;

/// <summary>How sequences end, and requests that cannot be met.</summary>
public sealed class GeneratorEdgeTests : IDisposable
{
    private readonly GenerativeModel _model = TinyModels.Make("llama", TinyModels.Cpu(1));
    private readonly Generator _generator;

    public GeneratorEdgeTests()
    {
        _generator = new Generator(_model);
    }

    [Fact]
    public void StopsAtTheContext()
    {
        GeneratedSequence sequence = _generator.Run(new GenerationRequest(TinyModels.Prompt(90, 1)));
        Assert.Equal(FinishReason.ContextFull, sequence.Finish);
        Assert.Equal(TinyModels.Context, sequence.Tokens.Length);
        sequence = _generator.Run(new GenerationRequest(TinyModels.Prompt(TinyModels.Context, 1)));
        Assert.Equal(FinishReason.ContextFull, sequence.Finish);
        Assert.Equal(0, sequence.Generated.Length);
        Assert.Equal(0, _generator.PagesInUse);
    }

    [Fact]
    public void StopsAtALengthATokenOrASequence()
    {
        int[] prompt = TinyModels.Prompt(10, 1);
        GeneratedSequence free = _generator.Run(new GenerationRequest(prompt) { MaxNewTokens = 12, Seed = 1 });
        Assert.Equal(FinishReason.Length, free.Finish);
        int[] tokens = free.Generated.ToArray();
        Assert.Equal(12, tokens.Length);

        int stop = tokens[5], first = Array.IndexOf(tokens, stop);
        GeneratedSequence byToken = _generator.Run(new GenerationRequest(prompt) { MaxNewTokens = 12, Seed = 1, StopTokens = [stop] });
        Assert.Equal(FinishReason.StopToken, byToken.Finish);
        Assert.Equal(tokens[..(first + 1)], byToken.Generated.ToArray());

        GeneratedSequence bySequence = _generator.Run(new GenerationRequest(prompt) { MaxNewTokens = 12, Seed = 1, StopSequences = [[stop, stop, stop, stop], tokens[5..8]] });
        Assert.Equal(FinishReason.StopSequence, bySequence.Finish);
        Assert.Equal(tokens[..8], bySequence.Generated.ToArray());

        // The prompt's end does not begin a stop sequence.
        GeneratedSequence across = _generator.Run(new GenerationRequest(prompt) { MaxNewTokens = 12, Seed = 1, StopSequences = [[prompt[^1], tokens[0]]] });
        Assert.Equal(FinishReason.Length, across.Finish);
    }

    [Fact]
    public void EndsWhereNothingIsAllowed()
    {
        GeneratedSequence sequence = _generator.Run(new GenerationRequest([1]) { Seed = 1, Steps = [new SuppressTokens([.. Enumerable.Range(0, 101)]), new TopP(0.5f)] });
        Assert.Equal(FinishReason.NothingAllowed, sequence.Finish);
        Assert.Equal(0, sequence.Generated.Length);
    }

    [Fact]
    public void NoNewTokenIsNoStep() =>
        Assert.Equal(FinishReason.Length, _generator.Add(new GenerationRequest([1]) { MaxNewTokens = 0 }).Finish);

    [Fact]
    public void StreamsTokensAsTheyCome()
    {
        GenerationRequest request = new(TinyModels.Prompt(10, 1)) { MaxNewTokens = 12, Seed = 1 };
        int[] whole = _generator.Run(request).Generated.ToArray();
        Assert.Equal(whole, _generator.Stream(request));
        Assert.Equal(whole[..3], _generator.Stream(request).Take(3));
        Assert.Equal(0, _generator.Active);
        Assert.Equal(0, _generator.PagesInUse);
    }

    [Fact]
    public void CancellationGivesThePagesBack()
    {
        using CancellationTokenSource source = new();
        using IEnumerator<int> stream = _generator.Stream(new GenerationRequest([1, 2, 3]), source.Token).GetEnumerator();
        Assert.True(stream.MoveNext());
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => stream.MoveNext());
        Assert.Throws<OperationCanceledException>(() => _generator.Run(new GenerationRequest([1, 2, 3]), source.Token));
        Assert.Equal(0, _generator.Active);
        Assert.Equal(0, _generator.PagesInUse);
    }

    public static TheoryData<GenerationRequest, string> BadRequests() => new()
    {
        { new GenerationRequest([]), "no token" },
        { new GenerationRequest(TinyModels.Prompt(97, 1)), "97 tokens, but the model's context is 96; shorten" },
        { new GenerationRequest([1, 101]), "Token 1 of the prompt is 101" },
        { new GenerationRequest([-1]), "Token 0 of the prompt is -1" },
        { new GenerationRequest([1]) { MaxNewTokens = -1 }, "MaxNewTokens" },
        { new GenerationRequest([1]) { StopSequences = [[]] }, "stop sequence" },
        { new GenerationRequest([1]) { Steps = [null!] }, "Steps" },
    };

    [Theory]
    [MemberData(nameof(BadRequests))]
    public void RefusesWhatCannotBeDone(GenerationRequest request, string message)
    {
        foreach (Action refused in new Action[] { () => _generator.Add(request), () => _generator.Stream(request), () => _generator.Run([new([1]), request]) })
        {
            ArgumentException e = Assert.ThrowsAny<ArgumentException>(refused);
            Assert.Contains(message, e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', e.Message);
        }
        Assert.Equal(0, _generator.Active);
    }

    [Fact]
    public void RefusesSettingsOutOfRange()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Temperature(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Temperature(float.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TopK(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TopP(1.1f));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MinP(-0.1f));
        Assert.Throws<ArgumentOutOfRangeException>(() => new NoRepeatNgram(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SamplingOptions(TypicalP: 0).Steps([]));
    }

    [Fact]
    public void OptionsBecomeSteps()
    {
        Assert.Empty(new SamplingOptions().Steps([2]));
        SamplingOptions all = new(0.7f, 50, 0.9f, 0.05f, 0.9f, 1.1f, 0.1f, 0.2f, 3, 4);
        Assert.Equal(
            [typeof(RepetitionPenalty), typeof(FrequencyPenalty), typeof(PresencePenalty), typeof(NoRepeatNgram), typeof(MinNewTokens), typeof(Temperature), typeof(TopK), typeof(TopP), typeof(MinP), typeof(TypicalP)],
            all.Steps([2]).Select(s => s.GetType()));
    }

    public void Dispose()
    {
        _generator.Dispose();
        _model.Dispose();
    }

    [Fact]
    public void TheOldestTokensOfAPromptAreLeftOutAndItsFirstMayStay()
    {
        int longest = _model.LongestSequence;
        int[] prompt = [.. Enumerable.Range(0, longest + 5).Select(i => i % 30)];
        GenerationRequest request = new(prompt) { PromptLogProbabilitiesFrom = 20 };
        GenerationRequest cut = request.TruncateLeft(_model, 3);
        Assert.Equal(prompt[8..], cut.Prompt);
        Assert.Equal(12, cut.PromptLogProbabilitiesFrom);
        Assert.Equal([prompt[0], .. prompt[9..]], request.TruncateLeft(_model, 3, begin: prompt[0]).Prompt);
        Assert.Equal(prompt[8..], request.TruncateLeft(_model, 3, begin: 29).Prompt);
        Assert.Equal([prompt[^1]], request.TruncateLeft(_model, int.MaxValue).Prompt);
        GenerationRequest fits = new(prompt[..(longest - 3)]);
        Assert.Same(fits, fits.TruncateLeft(_model, 3));
    }
}
