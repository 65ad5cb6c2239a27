using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Generation;

/// <summary>Whatever the engine does with a request, it has the bits of the request alone, and leaves nothing behind.</summary>
public sealed class GenerationEngineTests
{
    public static TheoryData<string> Models() => [.. TinyModels.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public void ARandomScheduleGivesEveryRequestItsOwnBits(string name)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(2));
        ScheduleReport report = RandomSchedule.Run(model, count: 60, seed: 5, pages: model is RnnLm ? 5 : 10, longest: 80);
        Assert.True(report.Cancelled > 0);
        Assert.True(report.Preemptions > 0 || model is RnnLm, "Nobody was preempted.");
        if (model is not RnnLm)
            Assert.True(report is { RightGuesses: > 0, WrongGuesses: > 0 }, $"{report.RightGuesses} guesses were right, {report.WrongGuesses} wrong.");
        if (model is DecoderModel)
        {
            Assert.True(report.CachedTokens > 0, "No prefix was shared.");
            Assert.True(report.LoadedPages > 0, "No prefix was loaded.");
        }
    }

    // Long enough for several pieces of a prompt, and for prefixes that end in the middle of one.
    [Fact]
    public void LongPromptsAreSharedAndReadAgainBitByBit()
    {
        LlamaConfig config = (LlamaConfig)TinyModels.Config("llama") with { MaxPositionEmbeddings = 600 };
        using GenerativeModel model = TinyModels.Make(config, TinyModels.Cpu(2));
        // What meets what depends on how fast requests come and go; a few schedules have all of it on any machine.
        Assert.Contains(
            Enumerable.Range(8, 6).Select(seed => RandomSchedule.Run(model, count: 60, seed, pages: 45, longest: 400)),
            report => report is { Preemptions: > 0, CachedTokens: > 1000, LoadedPages: > 0 });
    }

    [Theory]
    [InlineData(80)]
    [InlineData(97)]
    [InlineData(98)]
    [InlineData(100)]
    [InlineData(130)]
    [InlineData(258)]
    [InlineData(260)]
    [InlineData(300)]
    public async Task APrefixIsReadOnce(int length)
    {
        using GenerativeModel model = Long();
        int[] prompt = TinyModels.Prompt(length, 3);
        GenerationRequest request = new(prompt) { MaxNewTokens = 6, LogProbabilities = true };
        GenerationResult alone = RandomSchedule.Alone(model, request, new EngineOptions());
        using GenerationEngine engine = new(model);
        GenerationResult first = await engine.Submit(request).Completion, again = await engine.Submit(request).Completion;
        Assert.Null(RandomSchedule.Difference(alone, first));
        Assert.Null(RandomSchedule.Difference(alone, again));
        Assert.Equal(0, first.CachedTokens);
        Assert.InRange(again.CachedTokens, length - 65, length - 1);
        Assert.Equal(2 * length, engine.Statistics.PromptTokens + engine.Statistics.CachedTokens);

        int[] other = [.. prompt[..70], .. TinyModels.Prompt(30, 9)];
        GenerationResult beside = await engine.Submit(request with { Prompt = other }).Completion;
        Assert.Equal(64, beside.CachedTokens);
        Assert.Null(RandomSchedule.Difference(RandomSchedule.Alone(Long(), request with { Prompt = other }, new EngineOptions()), beside));
    }

    [Fact]
    public async Task RequestsThatBeginAlikeAndComeTogetherReadTheirPrefixOnce()
    {
        using GenerativeModel model = Long();
        int[] prompt = TinyModels.Prompt(320, 3);
        using GenerationEngine engine = new(model);
        GenerationStream[] streams = [.. Enumerable.Range(0, 8).Select(i => engine.Submit(new GenerationRequest([.. prompt, i]) { MaxNewTokens = 2, Seed = (ulong)i }))];
        await Task.WhenAll(streams.Select(s => s.Completion));
        Assert.True(engine.Statistics.PromptTokens < 320 + (8 * 70), $"{engine.Statistics.PromptTokens} tokens were read.");
    }

    [Fact]
    public async Task TheTokensComeAsTheyAreMadeAndCancellingEndsThem()
    {
        using GenerativeModel model = Long(100_000);
        using GenerationEngine engine = new(model, new EngineOptions(SharePrefixes: false));
        GenerationRequest request = new(TinyModels.Prompt(20, 2)) { LogProbabilities = true, Alternatives = 3 };
        GenerationStream stream = engine.Submit(request);
        List<GeneratedToken> tokens = [];
        await foreach (GeneratedToken token in stream)
        {
            tokens.Add(token);
            if (tokens.Count == 5)
                break;
        }
        GenerationResult result = await stream.Completion;
        Assert.Equal(FinishReason.Cancelled, result.Finish);
        Assert.Equal(result.Generated[..5], tokens.Select(t => t.Id));
        Assert.All(tokens, t => Assert.Equal(t.LogProbability, t.Alternatives[0].LogProbability));
        Assert.All(tokens, t => Assert.Equal(3, t.Alternatives.Count));

        using CancellationTokenSource source = new();
        GenerationStream reading = engine.Submit(new GenerationRequest(TinyModels.Prompt(590, 4)), cancellation: source.Token);
        source.Cancel();
        Assert.Equal(FinishReason.Cancelled, (await reading.Completion).Finish);
        await engine.DropPrefixes();
        Assert.Equal((0, 0, 0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.PagesInUse));
    }

    [Fact]
    public async Task AHigherPriorityTakesThePlaceOfALowerOne()
    {
        using GenerativeModel model = Long();
        using GenerationEngine engine = new(model, new EngineOptions(MaxSequences: 1));
        using ManualResetEventSlim begun = new(), there = new();
        GenerationRequest request = new(TinyModels.Prompt(10, 1)) { MaxNewTokens = 40 };
        GenerationStream low = engine.Submit(request with { Constraint = () => new Waiting(begun, there) });
        begun.Wait();
        GenerationStream high = engine.Submit(new GenerationRequest(TinyModels.Prompt(10, 2)) { MaxNewTokens = 3 }, new RequestClass(Priority: 1));
        there.Set();
        await high.Completion;
        GenerationResult result = await low.Completion;
        Assert.Equal(1, result.Preemptions);
        Assert.Equal(RandomSchedule.Alone(Long(), request, engine.Options).Generated, result.Generated);
    }

    [Fact]
    public void ClientsTakeTurnsWhileTheyWait()
    {
        WaitingRequests waiting = new();
        EngineSequence[] greedy = [.. Enumerable.Range(0, 3).Select(i => Request("greedy", i))];
        Array.ForEach(greedy, waiting.Join);
        Serve(waiting, greedy[0], 100);
        EngineSequence late = Request("late", 3), urgent = Request("greedy", 4, priority: 1);
        waiting.Join(late);
        // It starts where the others are, and comes first as soon as they have been served more.
        Assert.Same(greedy[1], waiting.Next());
        Serve(waiting, greedy[1], 1);
        Assert.Same(late, waiting.Next());
        waiting.Join(urgent);
        Assert.Same(urgent, waiting.Next());

        static void Serve(WaitingRequests waiting, EngineSequence request, int tokens)
        {
            waiting.Remove(request);
            waiting.Serve(request, tokens);
        }
    }

    [Fact]
    public async Task WhatDoesNotFitIsRefusedWithBothLengths()
    {
        using GenerativeModel model = Long();
        using SequenceCache cache = model.NewCache();
        using GenerationEngine engine = new(model, new EngineOptions(3 * cache.PageBytes));
        ArgumentException context = Assert.ThrowsAny<ArgumentException>(() => engine.Submit(new GenerationRequest(TinyModels.Prompt(700, 1))));
        Assert.Contains("700", context.Message, StringComparison.Ordinal);
        Assert.Contains("600", context.Message, StringComparison.Ordinal);
        ArgumentException memory = Assert.ThrowsAny<ArgumentException>(() => engine.Submit(new GenerationRequest(TinyModels.Prompt(50, 1)) { MaxNewTokens = 60 }));
        Assert.Contains("110", memory.Message, StringComparison.Ordinal);
        Assert.Contains("96", memory.Message, StringComparison.Ordinal);
        // Without a number of new tokens there are as many as fit.
        GenerationResult result = await engine.Submit(new GenerationRequest(TinyModels.Prompt(50, 1))).Completion;
        Assert.Equal((46, FinishReason.ContextFull), (result.Generated.Length, result.Finish));
        Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationEngine(model, new EngineOptions(PromptPiece: 100)));
    }

    [Fact]
    public async Task ADisposedEngineEndsWhatItHas()
    {
        using GenerativeModel model = Long();
        GenerationEngine engine = new(model);
        GenerationStream stream = engine.Submit(new GenerationRequest(TinyModels.Prompt(50, 1)));
        engine.Dispose();
        Assert.Equal(FinishReason.Cancelled, (await stream.Completion).Finish);
        Assert.Throws<ObjectDisposedException>(() => engine.Submit(new GenerationRequest([1])));
    }

    [Fact]
    public async Task ABrokenRequestFailsAloneAndTheOthersGoOn()
    {
        using GenerativeModel model = Long();
        using GenerationEngine engine = new(model);
        GenerationRequest request = new(TinyModels.Prompt(50, 1)) { MaxNewTokens = 8 };
        GenerationStream[] broken = [engine.Submit(request with { Constraint = () => new Broken(prepares: true) }), engine.Submit(request with { Constraint = () => new Broken(prepares: false) })];
        GenerationStream whole = engine.Submit(request);
        foreach (GenerationStream stream in broken)
            Assert.Contains("broken", (await Assert.ThrowsAsync<InvalidOperationException>(() => stream.Completion)).Message, StringComparison.Ordinal);
        Assert.Equal(8, (await whole.Completion).Generated.Length);
        await engine.DropPrefixes();
        Assert.Equal(0, engine.Statistics.PagesInUse);
    }

    [Fact]
    public async Task AConstraintHasTheStateOfItsOwnSequence()
    {
        using GenerativeModel model = Long();
        using GenerationEngine engine = new(model);
        GenerationStream[] streams = [.. Enumerable.Range(3, 4).Select(modulus => engine.Submit(
            new GenerationRequest(TinyModels.Prompt(40, 1)) { MaxNewTokens = 12, Seed = 1, Constraint = () => new Counting(modulus), LogProbabilities = true }))];
        for (int i = 0; i < streams.Length; i++)
            Assert.Equal(Enumerable.Range(0, 12).Select(t => t % (i + 3)), (await streams[i].Completion).Generated);
        Assert.All((await streams[0].Completion).LogProbabilities, p => Assert.True(p < 0));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void LogProbabilitiesAreTheLogarithmsOfTheSoftmax(string name)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(2));
        int[] prompt = TinyModels.Prompt(40, 6);
        GenerationRequest request = TinyModels.Request(model, prompt) with { MaxNewTokens = 0, PromptLogProbabilitiesFrom = 5, Alternatives = 4 };
        GenerationResult result = RandomSchedule.Alone(model, request, new EngineOptions());
        using Workspace step = model.Parts.Store.NewScratch();
        Pass pass = new(TinyModels.Batch(model, prompt), step);
        float[] logits = model.Logits(pass).ToArray();
        int vocabulary = model.Config.Vocabulary;
        Assert.Equal(35, result.PromptLogProbabilities.Length);
        for (int i = 0; i < 35; i++)
        {
            float[] row = logits[((i + 4) * vocabulary)..((i + 5) * vocabulary)];
            double total = Math.Log(row.Sum(x => Math.Exp(x - row.Max()))) + row.Max();
            Assert.Equal(row[prompt[i + 5]] - total, result.PromptLogProbabilities[i], 1e-4);
            TokenScore[] best = [.. row.Select((x, id) => new TokenScore(id, (float)(x - total))).OrderByDescending(t => t.LogProbability).Take(4)];
            Assert.Equal(best.Select(t => t.LogProbability), result.PromptAlternatives[i].Select(t => t.LogProbability), (a, b) => Math.Abs(a - b) < 1e-4);
        }
    }

    [Fact]
    public async Task ContinuationsAreScoredBehindOneContext()
    {
        using GenerativeModel model = Long();
        int[] context = TinyModels.Prompt(300, 6);
        GenerationResult greedy = RandomSchedule.Alone(model, new GenerationRequest(context) { MaxNewTokens = 3 }, new EngineOptions());
        int[][] continuations = [greedy.Generated, [5], [7, 8, 9, 10], []];
        GenerationResult[] alone = [.. continuations.Select(c => RandomSchedule.Alone(
            model, new GenerationRequest([.. context, .. c]) { MaxNewTokens = 0, PromptLogProbabilitiesFrom = 300 }, new EngineOptions()))];
        using GenerationEngine engine = new(model);
        IReadOnlyList<ContinuationScore> scores = await engine.Score(context, continuations);
        for (int i = 0; i < continuations.Length; i++)
            Assert.Equal(alone[i].PromptLogProbabilities, scores[i].LogProbabilities);
        Assert.Equal([true, greedy.Generated[0] == 5, false, true], scores.Select(s => s.IsGreedy));
        Assert.Equal(scores[2].LogProbabilities.Sum(p => (double)p), scores[2].Sum);
        Assert.True(engine.Statistics.CachedTokens >= 2 * 256, $"{engine.Statistics.CachedTokens} tokens were cached.");
    }

    [Fact]
    public async Task SavedPrefixesAreWholeAndOfTheSameModel()
    {
        using GenerativeModel model = Long();
        using MemoryStream saved = new();
        using (GenerationEngine engine = new(model))
        {
            await engine.Submit(new GenerationRequest(TinyModels.Prompt(100, 1)) { MaxNewTokens = 1 }).Completion;
            await engine.SavePrefixes(saved);
        }
        byte[] bytes = saved.ToArray();
        using (GenerationEngine engine = new(model))
        {
            foreach (int length in (int[])[0, 7, 39, 60, bytes.Length / 2, bytes.Length - 1])
                await Refused(engine, bytes[..length]);
            foreach (int at in (int[])[3, 20, 50, 200, bytes.Length / 2, bytes.Length - 1])
                await Refused(engine, [.. bytes[..at], (byte)(bytes[at] ^ 4), .. bytes[(at + 1)..]]);
            await engine.LoadPrefixes(new MemoryStream(bytes));
            await engine.DropPrefixes();
            Assert.Equal(0, engine.Statistics.PagesInUse);
        }
        using GenerativeModel other = TinyModels.Make((LlamaConfig)TinyModels.Config("llama") with { MaxPositionEmbeddings = 600, RopeTheta = 9999 }, TinyModels.Cpu(2));
        using GenerationEngine another = new(other);
        await Refused(another, bytes);

        static async Task Refused(GenerationEngine engine, byte[] bytes)
        {
            InvalidDataException e = await Assert.ThrowsAsync<InvalidDataException>(() => engine.LoadPrefixes(new MemoryStream(bytes)));
            Assert.DoesNotContain('\n', e.Message);
            await engine.DropPrefixes();
            Assert.Equal(0, engine.Statistics.PagesInUse);
        }
    }

    private static GenerativeModel Long(int context = 600) =>
        TinyModels.Make((LlamaConfig)TinyModels.Config("llama") with { MaxPositionEmbeddings = context }, TinyModels.Cpu(2));

    private static EngineSequence Request(string client, long arrival, int priority = 0)
    {
        GenerationRequest request = new([1]);
        return new EngineSequence(new GeneratedSequence(request, 2), new GenerationStream(request, () => { }), new RequestClass(priority, client), arrival);
    }

    private sealed class Broken(bool prepares) : TokenConstraint
    {
        public override void Prepare()
        {
            if (prepares)
                throw new InvalidOperationException("It is broken.");
        }

        public override void Mask(Span<float> logits) => throw new InvalidOperationException("It is broken.");

        public override void Accept(int token)
        {
        }
    }

    // Holds the engine at its first token until somebody else is there.
    private sealed class Waiting(ManualResetEventSlim begun, ManualResetEventSlim there) : TokenConstraint
    {
        public override void Mask(Span<float> logits)
        {
            begun.Set();
            there.Wait();
        }

        public override void Accept(int token)
        {
        }
    }

    // 0, 1, …, modulus − 1, 0, 1, …
    private sealed class Counting(int modulus) : TokenConstraint
    {
        private int _next;

        public override void Mask(Span<float> logits)
        {
            float kept = logits[_next];
            logits.Fill(float.NegativeInfinity);
            logits[_next] = kept;
        }

        public override void Accept(int token) => _next = (token + 1) % modulus;
    }
}
