namespace Gradus.Evaluation.Metrics;

/// <summary>
/// pass@k: the probability that at least one of k samples for a problem passes its tests.
/// Source: Chen et al., "Evaluating Large Language Models Trained on Code", 2021, https://arxiv.org/abs/2107.03374, equation 1.
/// </summary>
public static class PassAtK
{
    /// <summary>The unbiased estimate 1 − C(n − c, k)/C(n, k), from 0 to 1, as a product that does not overflow.</summary>
    /// <param name="samples">n, the samples drawn for the problem, 1 or more.</param>
    /// <param name="correct">c, those of them that passed, 0 to n.</param>
    /// <param name="k">k, 1 to n.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range.</exception>
    public static double Estimate(int samples, int correct, int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(correct);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(correct, samples);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(k, samples);
        if (samples - correct < k)
            return 1;
        double allFail = 1;
        for (int i = samples - correct + 1; i <= samples; i++)
            allFail *= 1 - ((double)k / i);
        return 1 - allFail;
    }
}
