using System.Numerics.Tensors;

namespace Gradus.Generation;

/// <summary>Keeps the tokens whose logit is at least the largest less n standard deviations of the logits (Tang et al., "Top-nσ: Not All Logits Are You Need", 2024).</summary>
/// <param name="n">Above 0.</param>
public sealed class TopNSigma(float n) : LogitsStep
{
    private readonly float _n = Positive(n, nameof(n));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        double sum = 0, squares = 0;
        int count = 0;
        foreach (float logit in logits)
        {
            if (float.IsNegativeInfinity(logit))
                continue;
            sum += logit;
            squares += (double)logit * logit;
            count++;
        }
        if (count == 0)
            return;
        double mean = sum / count, deviation = Math.Sqrt(Math.Max(0, (squares / count) - (mean * mean)));
        float least = (float)(TensorPrimitives.Max<float>(logits) - (_n * deviation));
        foreach (ref float logit in logits)
        {
            if (logit < least)
                logit = float.NegativeInfinity;
        }
    }
}
