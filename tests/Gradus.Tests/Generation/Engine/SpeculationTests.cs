using Gradus.Generation;
using Gradus.Models;
using Gradus.Testing;

namespace Gradus.Tests.Generation;

/// <summary>Tokens that are guessed ahead save steps and change nothing.</summary>
public sealed class SpeculationTests
{
    [Theory]
    [InlineData(null)]
    [InlineData(7UL)]
    public async Task AGivenTextSavesStepsAndTheTextIsTheSame(ulong? seed)
    {
        using GenerativeModel model = TinyModels.Make("llama", TinyModels.Cpu(1));
        GenerationRequest request = new(TinyModels.Prompt(9, 1)) { Seed = seed, MaxNewTokens = 40, LogProbabilities = true, Alternatives = 2 };
        GenerationResult alone = RandomSchedule.Alone(model, request, new EngineOptions());
        using GenerationEngine engine = new(model);
        GenerationResult guessed = await engine.Submit(request with { Speculation = new Prediction(alone.Generated) }).Completion;
        Assert.Null(RandomSchedule.Difference(alone, guessed));
        Assert.Equal(40, engine.Statistics.GeneratedTokens);
        Assert.Equal(30, engine.Statistics.RightGuesses, 2.0);
        // The prompt, then four tokens a step.
        Assert.InRange(engine.Statistics.Steps, 11, 12);
    }

    [Fact]
    public async Task GuessesThatAreWrongChangeNothingAndAreGivenUp()
    {
        using GenerativeModel model = TinyModels.Make("llama", TinyModels.Cpu(1));
        GenerationRequest request = new(TinyModels.Prompt(9, 1)) { Seed = 3, MaxNewTokens = 60 };
        GenerationResult alone = RandomSchedule.Alone(model, request, new EngineOptions());
        int never = Enumerable.Range(0, model.Config.Vocabulary).First(t => !alone.Generated.Contains(t));
        using GenerationEngine engine = new(model);
        GenerationResult guessed = await engine.Submit(request with { Speculation = new Always(never) }).Completion;
        Assert.Null(RandomSchedule.Difference(alone, guessed));
        Assert.Equal(0, engine.Statistics.RightGuesses);
        Assert.Equal(24, engine.Statistics.GuessedTokens);
        await engine.DropPrefixes();
        Assert.Equal(0, engine.Statistics.PagesInUse);
    }

    [Fact]
    public async Task WhatIsDrawnHasTheModelsDistribution()
    {
        const int Draws = 4000;
        using GenerativeModel model = TinyModels.Make("llama", TinyModels.Cpu(1));
        GenerationRequest request = new(TinyModels.Prompt(9, 1)) { MaxNewTokens = 3, Steps = [new Temperature(0.5f), new TopK(6)] };
        GenerationResult likeliest = RandomSchedule.Alone(model, request with { Steps = [] }, new EngineOptions());
        using GenerationEngine engine = new(model);
        GenerationStream[] streams = [.. Enumerable.Range(0, Draws).Select(i => engine.Submit(request with { Seed = (ulong)i, Speculation = new Prediction(likeliest.Generated) }))];
        Dictionary<int, int> third = [];
        int matching = 0;
        int[] start = likeliest.Generated[..2];
        foreach (GenerationStream stream in streams)
        {
            int[] drawn = (await stream.Completion).Generated;
            if (!drawn.AsSpan().StartsWith(start))
                continue;
            matching++;
            third[drawn[2]] = third.GetValueOrDefault(drawn[2]) + 1;
        }
        Assert.True(engine.Statistics.RightGuesses > 0);
        // What the third token should be after the two guessed ones: the model's own scores.
        GenerationResult scores = RandomSchedule.Alone(
            model, new GenerationRequest([.. request.Prompt, .. start]) { MaxNewTokens = 1, LogProbabilities = true, Alternatives = 6 }, new EngineOptions());
        double[] weights = [.. scores.Alternatives[0].Select(a => Math.Exp(a.LogProbability / 0.5))];
        double chiSquare = scores.Alternatives[0].Select((a, i) =>
        {
            double expected = matching * weights[i] / weights.Sum();
            return Math.Pow(third.GetValueOrDefault(a.Id) - expected, 2) / expected;
        }).Sum();
        Assert.Equal(matching, scores.Alternatives[0].Sum(a => third.GetValueOrDefault(a.Id)));
        Assert.True(matching > 60, $"{matching} draws");
        // 99.9% of χ² with 5 degrees of freedom.
        Assert.True(chiSquare < 20.5, $"χ² = {chiSquare} of {matching} draws");
    }

    [Theory]
    [InlineData(new[] { 1, 2, 3, 4, 5, 9, 1, 2, 3 }, new[] { 4, 5, 9 })]
    [InlineData(new[] { 1, 2, 7, 5, 1, 2, 8, 6, 1, 2 }, new[] { 8, 6, 1 })]
    [InlineData(new[] { 1, 2, 3, 4 }, new int[0])]
    [InlineData(new[] { 5, 5, 5, 5 }, new[] { 5 })]
    public void ALookupGoesOnAsTheLatestAndLongestMatch(int[] tokens, int[] expected)
    {
        int[] guess = new int[3];
        Assert.Equal(expected, guess[..new PromptLookup().Guess(tokens, tokens.Length, guess)]);
    }

    private sealed record Always(int Token) : Speculation
    {
        internal override int Guess(ReadOnlySpan<int> tokens, int promptLength, Span<int> guess)
        {
            guess.Fill(Token);
            return guess.Length;
        }
    }
}
