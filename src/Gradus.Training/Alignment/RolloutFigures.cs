using Gradus.Training.Objectives;

namespace Gradus.Training.Alignment;

/// <summary>What a step of learning from own answers logs of them: reward, length, ends, variety.</summary>
internal static class RolloutFigures
{
    /// <summary>Reports the figures.</summary>
    /// <param name="context">The step.</param>
    /// <param name="rollouts">The answers, those to the same prompt side by side.</param>
    /// <param name="scores">The score of every answer.</param>
    /// <param name="groupSize">Answers to each prompt.</param>
    /// <param name="hasCritic">Whether there is a critic, whose returns are explained.</param>
    public static void Report(StepContext context, IReadOnlyList<Rollout> rollouts, double[] scores, int groupSize, bool hasCritic)
    {
        int n = rollouts.Count, tokens = rollouts.Sum(r => r.Answer.Length);
        context.Report("reward", scores.Sum(), n);
        context.Report("length", tokens, n);
        context.Report("end_rate", rollouts.Count(r => r.Ended), n);
        context.Report("entropy", -rollouts.Sum(r => r.Sampled.Sum()), tokens);
        if (groupSize > 1)
        {
            double[][] groups = [.. scores.Chunk(groupSize)];
            context.Report("dead_groups", groups.Count(g => g.Max() == g.Min()), groups.Length);
        }
        (int Pairs, int Distinct) bigrams = rollouts.Aggregate((Pairs: 0, Distinct: 0), (sum, r) =>
        {
            (int, int)[] pairs = [.. r.Answer.Zip(r.Answer.Skip(1))];
            return (sum.Pairs + pairs.Length, sum.Distinct + pairs.Distinct().Count());
        });
        if (bigrams.Pairs > 0)
            context.Report("distinct_2", bigrams.Distinct, bigrams.Pairs);
        if (!hasCritic)
            return;
        double[] returns = [.. rollouts.SelectMany(r => r.Returns)], errors = [.. rollouts.SelectMany(r => r.Returns.Zip(r.Values, (a, b) => a - b))];
        double variance = Variance(returns);
        if (variance > 0)
            context.Report("explained_variance", 1 - (Variance(errors) / variance));
    }

    private static double Variance(double[] values) => values.Average(v => v * v) - (values.Average() * values.Average());
}
