using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Generation;

/// <summary>What holds for generation with every architecture.</summary>
public sealed class GeneratorTests
{
    public static TheoryData<string, string> ModelsAndDevices()
    {
        TheoryData<string, string> cases = [];
        foreach (string model in TinyModels.Names)
        {
            foreach (string device in TestDevices.Names)
                cases.Add(model, device);
        }
        return cases;
    }

    public static TheoryData<string> Models() => [.. TinyModels.Names];

    [Theory]
    [MemberData(nameof(ModelsAndDevices))]
    public void CachedLogitsAreTheUncachedOnes(string name, string device)
    {
        using GenerativeModel model = TinyModels.Make(name, TestDevices.Get(device));
        int[] tokens = TinyModels.Prompt(75, 3);
        using Workspace step = model.Parts.Store.NewScratch();
        float[] whole = model.Logits(new Pass(TinyModels.Batch(model, tokens), step)).ToArray();
        int vocabulary = model.Config.Vocabulary;
        foreach (int[] pieces in new int[][] { [75], [40, 35], [1, 2, 3, 4, 5, 60], [.. Enumerable.Repeat(1, 75)] })
        {
            using CachedForward forward = new(model);
            using CachedSequence sequence = forward.Cache.NewSequence(source: TinyModels.Source(model, tokens));
            int end = 0;
            foreach (int piece in pieces)
            {
                forward.Begin();
                forward.Add(sequence, tokens.AsSpan(end, piece), scored: 1);
                end += piece;
                float[] logits = forward.Run()!.ToArray();
                for (int i = 0; i < vocabulary; i++)
                    Assert.Equal(whole[((end - 1) * vocabulary) + i], logits[i], 1e-4f);
            }
        }
    }

    // What verifying a draft and scoring a continuation ask for.
    [Theory]
    [MemberData(nameof(Models))]
    public void AStepGivesTheScoresOfAsManyLastTokensAsAreWanted(string name)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(2));
        int[] left = TinyModels.Prompt(17, 3), right = TinyModels.Prompt(9, 4);
        float[] whole = Scores(model, [(left, 17), (right, 9)]);
        int vocabulary = model.Config.Vocabulary;
        Assert.Equal(26 * vocabulary, whole.Length);
        Assert.Equal([.. whole[(12 * vocabulary)..(17 * vocabulary)], .. whole[(25 * vocabulary)..]], Scores(model, [(left, 5), (right, 1)]));
        Assert.Equal(whole[(23 * vocabulary)..], Scores(model, [(left, 0), (right, 3)]));
        Assert.Equal(whole[(17 * vocabulary)..], Scores(model, [(right, 9)]));
        Assert.Empty(Scores(model, [(left, 0)]));
    }

    private static float[] Scores(GenerativeModel model, params (int[] Tokens, int Scored)[] sequences)
    {
        using CachedForward forward = new(model);
        forward.Begin();
        foreach ((int[] tokens, int scored) in sequences)
            forward.Add(forward.Cache.NewSequence(source: TinyModels.Source(model, tokens)), tokens, scored);
        return forward.Run()?.ToArray() ?? [];
    }

    [Theory]
    [MemberData(nameof(ModelsAndDevices))]
    public void ASequenceIsTheSameAloneAndAmongOthers(string name, string device)
    {
        using GenerativeModel model = TinyModels.Make(name, TestDevices.Get(device));
        GenerationRequest[] requests = Requests(model);
        using Generator generator = new(model);
        IReadOnlyList<GeneratedSequence> together = generator.Run(requests);
        for (int i = 0; i < requests.Length; i++)
        {
            using Generator other = new(model);
            GeneratedSequence alone = other.Run(requests[i]);
            Assert.Equal(alone.Generated, together[i].Generated);
            Assert.Equal(alone.LogProbabilities, together[i].LogProbabilities);
            Assert.Equal(alone.Finish, together[i].Finish);
        }
        Assert.Equal(0, generator.PagesInUse);
    }

    // One joins at every step, in the middle of what the others do, and a foreign one leaves.
    [Theory]
    [MemberData(nameof(Models))]
    public void SequencesJoinAndLeaveBetweenSteps(string name)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(2));
        GenerationRequest[] requests = Requests(model);
        GeneratorOptions options = new(PromptPiece: 16, PromptTokensPerStep: 20);
        using Generator generator = new(model, options);
        GeneratedSequence leaver = generator.Add(TinyModels.Request(model, TinyModels.Prompt(30, 99)));
        List<GeneratedSequence> sequences = [];
        Dictionary<GeneratedSequence, List<int>> handed = [];
        foreach (GenerationRequest request in requests)
        {
            sequences.Add(generator.Add(request));
            Collect(generator.Step(), handed);
        }
        leaver.Cancel();
        while (generator.Active > 0)
            Collect(generator.Step(), handed);
        for (int i = 0; i < requests.Length; i++)
        {
            using Generator other = new(model, options);
            GeneratedSequence alone = other.Run(requests[i]);
            Assert.Equal(alone.Generated, sequences[i].Generated);
            Assert.Equal(alone.LogProbabilities, sequences[i].LogProbabilities);
            Assert.Equal(alone.Generated.ToArray(), handed[sequences[i]]);
        }
        Assert.Equal(FinishReason.Cancelled, leaver.Finish);
        Assert.Equal(0, generator.PagesInUse);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void ThreadsDoNotChangeATokenAndSeedsDo(string name)
    {
        using GenerativeModel one = TinyModels.Make(name, TinyModels.Cpu(1)), two = TinyModels.Make(name, TinyModels.Cpu(2)), three = TinyModels.Make(name, TinyModels.Cpu(3));
        GenerationRequest request = TinyModels.Request(one, TinyModels.Prompt(20, 5)) with { Seed = 1, MaxNewTokens = 40, Steps = [new Temperature(0.9f)], LogProbabilities = true };
        (int[] Tokens, float[] Logs)[] all = [.. new[] { one, two, three }.Select(m => Generate(m, request))];
        Assert.Equal(all[0].Tokens, all[1].Tokens);
        Assert.Equal(all[0].Tokens, all[2].Tokens);
        Assert.Equal(all[0].Logs, all[1].Logs);
        Assert.Equal(all[0].Logs, all[2].Logs);
        Assert.NotEqual(all[0].Tokens, Generate(one, request with { Seed = 2 }).Tokens);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void DrawsByTheModelsProbabilities(string name)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(1));
        int[] prompt = TinyModels.Prompt(6, 5);
        using Generator generator = new(model);
        const int Draws = 4000;
        int[] counts = new int[model.Config.Vocabulary];
        GenerationRequest[] requests = [.. Enumerable.Range(0, Draws).Select(i => TinyModels.Request(model, prompt) with { Seed = (ulong)i, MaxNewTokens = 1 })];
        foreach (GeneratedSequence sequence in generator.Run(requests))
            counts[sequence.Generated[0]]++;
        using Workspace step = model.Parts.Store.NewScratch();
        float[] logits = model.Logits(new Pass(TinyModels.Batch(model, prompt), step)).ToArray()[^counts.Length..], p = new float[counts.Length];
        Distribution.Softmax(logits, p);
        for (int i = 0; i < counts.Length; i++)
            Assert.True(Math.Abs(counts[i] - (Draws * p[i])) <= 5 * Math.Sqrt((Draws * p[i]) + 1), $"token {i}: {counts[i]} times, expected {Draws * p[i]}");
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void LogProbabilitiesAreTheModels(string name)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(1));
        int[] prompt = TinyModels.Prompt(9, 8);
        using Generator generator = new(model);
        GeneratedSequence sequence = generator.Run(TinyModels.Request(model, prompt) with { MaxNewTokens = 12, LogProbabilities = true, Seed = 4, Steps = [new Temperature(2), new TopK(20)] });
        int[] tokens = sequence.Tokens.ToArray();
        using Workspace step = model.Parts.Store.NewScratch();
        float[] losses = model.Losses(new Pass(TinyModels.Batch(model, prompt, tokens[..^1]), step), step.From(tokens.AsSpan(1))).ToArray();
        Assert.Equal(12, sequence.LogProbabilities.Length);
        for (int i = 0; i < 12; i++)
            Assert.Equal(-losses[prompt.Length - 1 + i], sequence.LogProbabilities[i], 1e-4f);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void DecodingAllocatesNothing(string name)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(2));
        using Generator generator = new(model);
        // The shapes of sparse experts depend on the tokens: they are all known after a rehearsal. And while the runtime compiles loops
        // anew, it allocates itself; code that allocates would do so every time.
        long least = long.MaxValue;
        for (int run = 0; run < 6 && least != 0; run++)
            least = Math.Min(least, DecodedBytes(model, generator));
        Assert.Equal(0, least);
    }

    // Bytes allocated in the last 50 of 70 steps of three sequences.
    private static long DecodedBytes(GenerativeModel model, Generator generator)
    {
        LogitsStep[] steps = [new RepetitionPenalty(1.1f), new FrequencyPenalty(0.1f), new PresencePenalty(0.1f), new NoRepeatNgram(6), new MinNewTokens(90, [3]),
            new Temperature(0.8f), new TopK(40), new TopP(0.9f), new MinP(0.01f), new TypicalP(0.95f)];
        using GeneratedSequence first = generator.Add(
            TinyModels.Request(model, TinyModels.Prompt(5, 1)) with { Seed = 3, Steps = steps, LogProbabilities = true, StopSequences = [[1, 2, 3]] });
        using GeneratedSequence second = generator.Add(TinyModels.Request(model, TinyModels.Prompt(11, 2)));
        using GeneratedSequence third = generator.Add(TinyModels.Request(model, TinyModels.Prompt(17, 3)) with { Seed = 5 });
        for (int i = 0; i < 20; i++)
            generator.Step();
        int tokens = 0;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 50; i++)
            tokens += generator.Step().Length;
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(150, tokens);
        return allocated;
    }

    private static GenerationRequest[] Requests(GenerativeModel model) =>
    [
        TinyModels.Request(model, TinyModels.Prompt(1, 1)) with { MaxNewTokens = 20, LogProbabilities = true },
        TinyModels.Request(model, TinyModels.Prompt(33, 2)) with { MaxNewTokens = 30, LogProbabilities = true, Seed = 11, Steps = [new Temperature(0.7f), new TopK(50), new MinP(0.05f)] },
        TinyModels.Request(model, TinyModels.Prompt(3, 3)) with { MaxNewTokens = TinyModels.Context - 3, LogProbabilities = true, Seed = 12, Steps = [new RepetitionPenalty(1.3f), new TopP(0.8f)] },
        TinyModels.Request(model, TinyModels.Prompt(64, 4)) with { MaxNewTokens = 5, LogProbabilities = true },
        TinyModels.Request(model, TinyModels.Prompt(17, 5)) with { MaxNewTokens = 40, LogProbabilities = true, Seed = 11, StopTokens = [1, 2, 3, 4, 5] },
    ];

    private static (int[] Tokens, float[] Logs) Generate(GenerativeModel model, GenerationRequest request)
    {
        using Generator generator = new(model);
        GeneratedSequence sequence = generator.Run(request);
        return (sequence.Generated.ToArray(), sequence.LogProbabilities.ToArray());
    }

    private static void Collect(ReadOnlySpan<NewToken> tokens, Dictionary<GeneratedSequence, List<int>> handed)
    {
        foreach (NewToken token in tokens)
        {
            if (!handed.TryGetValue(token.Sequence, out List<int>? list))
                handed[token.Sequence] = list = [];
            list.Add(token.Id);
        }
    }
}
