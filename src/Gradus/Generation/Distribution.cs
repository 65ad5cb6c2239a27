using System.Numerics.Tensors;
using Gradus.Tensors;

namespace Gradus.Generation;

/// <summary>The probabilities that logits stand for, and the choice of a token by them.</summary>
internal static class Distribution
{
    /// <summary>p_i = exp(l_i − max) / Σ exp(l_j − max); zeros where all logits are −∞.</summary>
    public static void Softmax(ReadOnlySpan<float> logits, Span<float> probabilities)
    {
        double total = Exponentials(logits, probabilities, out _);
        if (total > 0)
            TensorPrimitives.Multiply(probabilities, (float)(1 / total), probabilities);
    }

    /// <summary>log Σ exp(l_i).</summary>
    public static double LogSumExp(ReadOnlySpan<float> logits, LogitsScratch scratch)
    {
        double total = Exponentials(logits, scratch.Floats(logits.Length), out float max);
        return max + Math.Log(total);
    }

    /// <summary>−Σ p log p in nats, and log Σ exp(l_i) beside it.</summary>
    public static double Entropy(ReadOnlySpan<float> logits, LogitsScratch scratch, out double logTotal)
    {
        logTotal = LogSumExp(logits, scratch);
        double entropy = 0;
        foreach (float logit in logits)
        {
            if (!float.IsNegativeInfinity(logit))
                entropy -= (logit - logTotal) * Math.Exp(logit - logTotal);
        }
        return entropy;
    }

    /// <summary>The index of the largest logit, the first of equal ones; −1 if all are −∞.</summary>
    /// <exception cref="InvalidDataException">A logit is NaN.</exception>
    public static int Largest(ReadOnlySpan<float> logits)
    {
        int index = TensorPrimitives.IndexOfMax(logits);
        return float.IsNaN(logits[index]) ? throw NotANumber(index)
            : float.IsNegativeInfinity(logits[index]) ? -1 : index;
    }

    /// <summary>Draws an index with the probabilities of the logits; −1 if all are −∞.</summary>
    /// <param name="logits">The logits.</param>
    /// <param name="uniform">A random number in [0, 1).</param>
    /// <param name="scratch">Its floats are used.</param>
    /// <exception cref="InvalidDataException">A logit is NaN.</exception>
    public static int Draw(ReadOnlySpan<float> logits, double uniform, LogitsScratch scratch)
    {
        int largest = Largest(logits);
        if (largest < 0)
            return -1;
        Span<float> weights = scratch.Floats(logits.Length);
        double left = uniform * Exponentials(logits, weights, out _);
        for (int i = 0; i < weights.Length; i++)
        {
            left -= weights[i];
            if (left < 0)
                return i;
        }
        // Rounding ate the rest of the unit interval: as good a choice as any.
        return largest;
    }

    /// <summary>The key of a seed's stream of random numbers, one for each position of a sequence.</summary>
    public static ulong SamplingKey(ulong seed) => CounterRandom.Derive(seed, "sampling");

    // The sum runs in index order, in double precision: it must not depend on where the memory happens to lie.
    private static double Exponentials(ReadOnlySpan<float> logits, Span<float> result, out float max)
    {
        max = TensorPrimitives.Max(logits);
        if (float.IsNegativeInfinity(max))
        {
            result.Clear();
            return 0;
        }
        TensorPrimitives.Subtract(logits, max, result);
        TensorPrimitives.Exp(result, result);
        double total = 0;
        foreach (float e in result)
            total += e;
        return total;
    }

    private static InvalidDataException NotANumber(int index) =>
        new($"The logit of token {index} is NaN; the model's weights are broken, or numbers overflowed.");
}
