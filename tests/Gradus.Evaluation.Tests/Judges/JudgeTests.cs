using Gradus.Evaluation.Judges;
using Gradus.Evaluation.Statistics;
using Microsoft.Extensions.AI;

namespace Gradus.Evaluation.Tests.Judges;

public sealed class JudgeTests
{
    private static readonly Rubric Helpful = new("How helpful is the answer?", [(1, "not at all"), (2, "somewhat"), (3, "very")]);

    // Ten thousand judgements of a judge that fails in every way: a score or a failure that says why, never a number out of the scale.
    [Fact]
    public async Task AHostileJudgeLeavesNoFalseScore()
    {
        PythonRandom random = new(1);
        string[] answers =
        [
            "", "{", "null", "[]", "3", "\"3\"", "NaN", "{\"reasoning\":\"x\",\"score\":NaN}", "{\"reasoning\":\"x\",\"score\":4}", "{\"reasoning\":\"x\",\"score\":-1}", "{\"reasoning\":\"x\",\"score\":1e400}",
            "{\"reasoning\":\"x\",\"score\":2.5}", "{\"reasoning\":\"x\",\"score\":\"3\"}", "{\"reasoning\":\"x\"}", "{\"score\":3}", "{\"reasoning\":null,\"score\":3}", "{\"reasoning\":\"x\",\"score\":3", "I cannot judge that.",
            "{\"reasoning\":\"x\",\"score\":3}", "{\"reasoning\":\"x\",\"score\":1} and more", "{\"reasoning\":\"x\",\"score\":null}", "{\"reasoning\":\"x\",\"score\":[3]}", "```json\n{\"reasoning\":\"x\",\"score\":3}\n```",
        ];
        FakeClient client = new(_ => random.Below(40) switch
        {
            0 => throw new HttpRequestException("503"),
            1 => throw new InvalidOperationException("broken"),
            2 => Reply("", ChatFinishReason.ContentFilter),
            3 => Reply("{\"reasoning\":\"x\",\"score\":3}", ChatFinishReason.Length),
            _ => Reply(answers[random.Below(answers.Length)]),
        });
        RubricJudge judge = new(client, Helpful, new JudgeOptions(Attempts: 1));
        int scored = 0;
        for (int i = 0; i < 10_000; i++)
        {
            Judgement judgement = await judge.JudgeAsync("q", "a");
            scored += judgement.Failed ? 0 : 1;
            Assert.True(judgement.Failed ? judgement.Failures.Count > 0 && judgement.Score is null : judgement.Score == 3, $"{judgement.Score} {string.Join(' ', judgement.Failures)}");
        }
        Assert.InRange(scored, 200, 1000);
    }

    [Fact]
    public async Task ASilentJudgeIsGivenUp()
    {
        FakeClient client = new(async token => { await Task.Delay(Timeout.Infinite, CancellationToken.None); return null!; });
        Judgement judgement = await new RubricJudge(client, Helpful, new JudgeOptions(Attempts: 2, TimeoutSeconds: 0.05)).JudgeAsync("q", "a");
        Assert.True(judgement.Failed);
        Assert.Equal(2, judgement.Failures.Count);
        Assert.Contains("0.05 seconds", judgement.Failures[0]);
        using CancellationTokenSource stop = new(20);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new RubricJudge(client, Helpful).JudgeAsync("q", "a", cancellation: stop.Token));
    }

    [Fact]
    public async Task VotesAreAveragedAndFailuresTriedAgain()
    {
        Queue<string> replies = new(["{\"reasoning\":\"a\",\"score\":1}", "half", "{\"reasoning\":\"b\",\"score\":3}"]);
        Judgement judgement = await new RubricJudge(new FakeClient(_ => Reply(replies.Dequeue())), Helpful, new JudgeOptions(Votes: 2)).JudgeAsync("q", "a", "r");
        Assert.Equal(2, judgement.Score);
        Assert.Equal(["a", "b"], judgement.Reasons);
        Assert.Single(judgement.Failures);
    }

    [Theory]
    [InlineData("A", "B", Preference.First, false)]
    [InlineData("B", "A", Preference.Second, false)]
    [InlineData("A", "A", Preference.Tie, true)]
    [InlineData("tie", "A", Preference.Tie, false)]
    public async Task APlaceIsNoPreference(string forward, string backward, Preference expected, bool order)
    {
        Queue<string> replies = new([forward, backward]);
        PairJudgement judgement = await new PairJudge(new FakeClient(_ => Reply($"{{\"reasoning\":\"x\",\"better\":\"{replies.Dequeue()}\"}}")), "Which is better?").JudgeAsync("q", "one", "two");
        Assert.Equal((expected, order), (judgement.Preference!.Value, judgement.OrderDecided));
    }

    private static Task<ChatResponse> Reply(string text, ChatFinishReason? finish = null) =>
        Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, text)) { FinishReason = finish ?? ChatFinishReason.Stop });

    private sealed class FakeClient(Func<CancellationToken, Task<ChatResponse>> reply) : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            Assert.NotNull(options?.ResponseFormat);
            return reply(cancellationToken);
        }

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}
