using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;

namespace Gradus.Testing;

/// <summary>
/// Random requests in a random schedule: arrivals in bursts, cancellations, shared prefixes, priorities, clients, tokens guessed ahead, memory for a few sequences only,
/// and a restart from saved prefixes half-way. Every output is compared with that of the request alone, bit by bit.
/// </summary>
internal static class RandomSchedule
{
    /// <summary>Runs a schedule.</summary>
    /// <param name="model">The model.</param>
    /// <param name="count">Requests.</param>
    /// <param name="seed">Decides on everything.</param>
    /// <param name="pages">Pages of the cache.</param>
    /// <param name="longest">Tokens of the longest prompt.</param>
    /// <returns>What the engines did; both together.</returns>
    /// <exception cref="InvalidOperationException">An output differs, or a page is left; the message says which.</exception>
    public static ScheduleReport Run(GenerativeModel model, int count, int seed, int pages, int longest)
    {
        Random random = new(seed);
        GenerationRequest[] requests = Requests(model, count, random, longest);
        using SequenceCache cache = model.NewCache();
        EngineOptions options = new(pages * cache.PageBytes, MaxSequences: 12, PromptPiece: 64, PromptTokensPerStep: 96);
        GenerationResult[] alone = [.. requests.Select(r => Alone(model, r, options))];
        ScheduleReport report = new();
        MemoryStream saved = new();
        for (int half = 0; half < 2; half++)
        {
            using GenerationEngine engine = new(model, options);
            if (saved.Length > 0)
            {
                saved.Position = 0;
                engine.LoadPrefixes(saved).Wait();
                report.LoadedPages = engine.Statistics.PagesKept;
            }
            Compare(engine, requests, alone, half, random, report);
            if (model is DecoderModel && half == 0)
                engine.SavePrefixes(saved).Wait();
            engine.DropPrefixes().Wait();
            if (engine.Statistics.PagesInUse != 0)
                throw new InvalidOperationException($"{engine.Statistics.PagesInUse} pages are left.");
        }
        return report;
    }

    /// <summary>A request alone, without anything that the engine adds.</summary>
    public static GenerationResult Alone(GenerativeModel model, GenerationRequest request, EngineOptions options)
    {
        using Generator generator = new(model, new GeneratorOptions(options.PromptPiece));
        GeneratedSequence s = generator.Run(request);
        return new GenerationResult(
            s.Generated.ToArray(), s.Finish!.Value, s.LogProbabilities.ToArray(), s.PromptLogProbabilities.ToArray(),
            [.. Enumerable.Range(0, s.LogProbabilities.Length).Select(i => s.Alternatives(i).ToArray())],
            [.. Enumerable.Range(0, s.PromptLogProbabilities.Length).Select(i => s.PromptAlternatives(i).ToArray())], 0, 0);
    }

    /// <summary>In what a result differs from that of the request alone, or null.</summary>
    public static string? Difference(GenerationResult expected, GenerationResult actual)
    {
        if (!expected.Generated.AsSpan().SequenceEqual(actual.Generated))
            return $"tokens {string.Join(' ', actual.Generated)} instead of {string.Join(' ', expected.Generated)}";
        if (expected.Finish != actual.Finish)
            return $"ended by {actual.Finish} instead of {expected.Finish}";
        if (!expected.LogProbabilities.AsSpan().SequenceEqual(actual.LogProbabilities) || !Same(expected.Alternatives, actual.Alternatives))
            return "other log-probabilities of what was generated";
        return expected.PromptLogProbabilities.AsSpan().SequenceEqual(actual.PromptLogProbabilities) && Same(expected.PromptAlternatives, actual.PromptAlternatives)
            ? null
            : "other log-probabilities of the prompt";
    }

    private static bool Same(TokenScore[][] a, TokenScore[][] b) => a.Length == b.Length && a.Zip(b).All(p => p.First.AsSpan().SequenceEqual(p.Second));

    private static void Compare(GenerationEngine engine, GenerationRequest[] requests, GenerationResult[] alone, int half, Random random, ScheduleReport report)
    {
        List<(int Index, GenerationStream Stream)> streams = [];
        // The engine stands until half of them are there, so that they are really together.
        using ManualResetEventSlim there = new();
        engine.Submit(requests[half] with { MaxNewTokens = 1, Constraint = () => new Standing(there) });
        for (int i = half; i < requests.Length; i += 2)
        {
            if (i >= requests.Length / 2)
                there.Set();
            GenerationStream stream = engine.Submit(requests[i] with { Speculation = Guesses(requests[i], alone[i], new Random(i)) }, new RequestClass(random.Next(8) == 0 ? 1 : 0, $"client {random.Next(3)}"));
            streams.Add((i, stream));
            if (random.Next(5) == 0)
                CancelAfter(stream, random.Next(4));
            // Bursts, and pauses in which some are done.
            if (there.IsSet && random.Next(6) == 0)
                streams[random.Next(streams.Count)].Stream.Completion.Wait();
        }
        foreach ((int index, GenerationStream stream) in streams)
        {
            GenerationResult actual = stream.Completion.GetAwaiter().GetResult();
            report.Cancelled += actual.Finish == FinishReason.Cancelled ? 1 : 0;
            string? difference = actual.Finish == FinishReason.Cancelled
                ? alone[index].Generated.AsSpan().StartsWith(actual.Generated) ? null : "other tokens until it was cancelled"
                : Difference(alone[index], actual);
            if (difference is not null)
                throw new InvalidOperationException($"Request {index} ({requests[index].Prompt.Length} tokens, {actual.CachedTokens} of them cached, {actual.Preemptions} preemptions): {difference}.");
        }
        EngineStatistics statistics = engine.Statistics;
        report.Preemptions += statistics.Preemptions;
        report.CachedTokens += statistics.CachedTokens;
        report.Steps += statistics.Steps;
        report.RightGuesses += statistics.RightGuesses;
        report.WrongGuesses += statistics.GuessedTokens - statistics.RightGuesses;
    }

    // None, what came before, or what will come with some of it wrong.
    private static Speculation? Guesses(GenerationRequest request, GenerationResult alone, Random random) => random.Next(3) switch
    {
        0 => null,
        1 => new PromptLookup(Longest: 3, Shortest: 1),
        _ => new Prediction([.. alone.Generated.Select(t => random.Next(5) == 0 ? request.Prompt[0] : t)]),
    };

    private static void CancelAfter(GenerationStream stream, int tokens)
    {
        if (tokens == 0)
            stream.Cancel();
        else
            _ = Read();

        async Task Read()
        {
            int seen = 0;
            await foreach (GeneratedToken _ in stream)
            {
                if (++seen == tokens)
                    break;
            }
        }
    }

    private sealed class Standing(ManualResetEventSlim there) : TokenConstraint
    {
        public override void Mask(Span<float> logits) => there.Wait();

        public override void Accept(int token)
        {
        }
    }

    private static GenerationRequest[] Requests(GenerativeModel model, int count, Random random, int longest)
    {
        int vocabulary = model.Config.Vocabulary;
        int[][] prefixes = [.. Enumerable.Range(0, 6).Select(_ => Tokens(random.Next(longest)))];
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            int[] prefix = prefixes[random.Next(prefixes.Length)];
            int[] prompt = [.. prefix, .. Tokens(1 + random.Next(Math.Min(40, longest - prefix.Length)))];
            bool encodes = model is EncoderDecoderModel;
            return new GenerationRequest(encodes ? [.. prompt.Take(9)] : prompt)
            {
                Source = encodes ? prompt : null,
                MaxNewTokens = random.Next(model.Config.ContextLength - prompt.Length > 15 ? 15 : 1),
                Seed = random.Next(2) == 0 ? null : (ulong)random.Next(),
                Steps = random.Next(2) == 0 ? [] : [new Temperature(0.8f), new TopK(20)],
                StopTokens = [random.Next(vocabulary)],
                LogProbabilities = random.Next(2) == 0,
                Alternatives = random.Next(3),
                PromptLogProbabilitiesFrom = random.Next(4) == 0 ? 1 + random.Next(Math.Min(9, prompt.Length)) : null,
            };
        })];

        int[] Tokens(int length) => [.. Enumerable.Range(0, length).Select(_ => random.Next(vocabulary))];
    }
}

/// <summary>What a schedule came to.</summary>
internal sealed class ScheduleReport
{
    public long Preemptions { get; set; }

    public long CachedTokens { get; set; }

    public long Steps { get; set; }

    public long RightGuesses { get; set; }

    public long WrongGuesses { get; set; }

    public int Cancelled { get; set; }

    public int LoadedPages { get; set; }
}
