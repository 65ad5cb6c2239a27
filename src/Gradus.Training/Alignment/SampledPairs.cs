using System.ComponentModel.DataAnnotations;
using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Alignment;

/// <summary>How pairs are made of a model's own answers.</summary>
/// <param name="Prompts">Prompts, from the beginning of the data; 0 for all.</param>
/// <param name="Answers">Answers to each.</param>
/// <param name="Temperature">The temperature of sampling.</param>
/// <param name="MaxNewTokens">The most tokens of an answer.</param>
/// <param name="LeastDifference">Scores of the best and the worst answer that are no further apart make no pair.</param>
public sealed record PairSampling(
    [Range(0, int.MaxValue)] int Prompts = 0,
    [Range(2, 1000)] int Answers = 4,
    [Range(0.0, 100.0, MinimumIsExclusive = true)] float Temperature = 1,
    [Range(1, 1_000_000)] int MaxNewTokens = 64,
    [Range(0.0, double.PositiveInfinity)] double LeastDifference = 0);

/// <summary>Pairs of the best and the worst of a model's own answers, as rewards judge them.</summary>
public static class SampledPairs
{
    private const int AtOnce = 64;

    /// <summary>Samples, judges and pairs answers.</summary>
    /// <param name="bundle">The model.</param>
    /// <param name="prompts">The prompts.</param>
    /// <param name="rewards">What judges answers; their weighted sum is the score.</param>
    /// <param name="options">How.</param>
    /// <param name="seed">Draws the answers.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>A pair for every prompt whose answers differ enough, and the mean score of all answers.</returns>
    public static (IReadOnlyList<PreferenceExample> Pairs, double MeanScore) Make(
        ModelBundle bundle, IReadOnlyList<AnswerPrompt> prompts, IReadOnlyList<RewardSource> rewards, PairSampling options, ulong seed, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(rewards);
        ArgumentNullException.ThrowIfNull(options);
        int count = options.Prompts > 0 ? Math.Min(options.Prompts, prompts.Count) : prompts.Count;
        List<PreferenceExample> pairs = [];
        double sum = 0;
        using Generator generator = new(bundle.Generative);
        for (int start = 0; start < count; start += AtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            Rollout[] rollouts = Sample(bundle, generator, prompts, start, Math.Min(AtOnce, count - start), options, seed);
            double[] scores = new double[rollouts.Length];
            foreach (RewardSource reward in rewards)
            {
                IReadOnlyList<double> given = reward.Score(rollouts);
                for (int i = 0; i < scores.Length; i++)
                    scores[i] += reward.Weight * given[i];
            }
            sum += scores.Sum();
            for (int first = 0; first < rollouts.Length; first += options.Answers)
            {
                int[] group = [.. Enumerable.Range(first, options.Answers)];
                int best = group.MaxBy(i => scores[i]), worst = group.MinBy(i => scores[i]);
                if (scores[best] - scores[worst] > options.LeastDifference)
                    pairs.Add(new PreferenceExample(Of(rollouts[best]), Of(rollouts[worst])));
            }
        }
        return (pairs, sum / Math.Max(1, count * options.Answers));
    }

    private static Rollout[] Sample(ModelBundle bundle, Generator generator, IReadOnlyList<AnswerPrompt> prompts, int start, int count, PairSampling options, ulong seed)
    {
        ulong key = CounterRandom.Derive(seed, "sampled pairs");
        LogitsStep[] steps = options.Temperature == 1 ? [] : [new Temperature(options.Temperature)];
        List<GenerationRequest> requests = [];
        for (int i = 0; i < count * options.Answers; i++)
        {
            requests.Add(bundle.Answer(new Text.Chat.ChatConversation(prompts[start + (i / options.Answers)].Prompt)) with
            {
                Steps = steps,
                Seed = CounterRandom.Derive(key, (ulong)((start * options.Answers) + i)),
                MaxNewTokens = options.MaxNewTokens,
            });
        }
        IReadOnlyList<GeneratedSequence> written = generator.Run(requests);
        return [.. written.Select((w, i) => new Rollout(requests[i].Prompt, [.. w.Generated], w.Finish == FinishReason.StopToken)
        {
            Source = requests[i].Source,
            PromptNumber = start + (i / options.Answers),
        })];
    }

    private static Example Of(Rollout rollout) => new(
        [.. rollout.Prompt, .. rollout.Answer], [.. Enumerable.Repeat(false, rollout.Prompt.Length), .. Enumerable.Repeat(true, rollout.Answer.Length)])
    {
        Source = rollout.Source,
    };
}
