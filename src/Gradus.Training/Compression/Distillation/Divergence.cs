// How far a student's next-token probabilities are from the teacher's. Forward: Hinton et al., "Distilling the Knowledge in a Neural Network"
// (2015). Reverse: Gu et al., "MiniLLM" (2024). Jensen–Shannon: Agarwal et al., "On-Policy Distillation of Language Models" (GKD, 2024). Skewed: Ko et
// al., "DistiLLM" (2024).

namespace Gradus.Training.Compression.Distillation;

/// <summary>Which divergence a student makes small.</summary>
public enum DivergenceKind
{
    /// <summary>KL(p ‖ q): the student covers all that the teacher says.</summary>
    Forward,

    /// <summary>KL(q ‖ p): the student says only what the teacher would.</summary>
    Reverse,

    /// <summary>β·KL(p ‖ m) + (1 − β)·KL(q ‖ m) with m = β·p + (1 − β)·q.</summary>
    JensenShannon,

    /// <summary>KL(p ‖ λ·p + (1 − λ)·q).</summary>
    SkewedForward,

    /// <summary>KL(q ‖ λ·q + (1 − λ)·p).</summary>
    SkewedReverse,
}

/// <summary>A divergence of the student's probabilities q from the teacher's p, both softmax(logits/T), times T² so that its gradient does not shrink with T.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Temperature">T, above 0.</param>
/// <param name="Mix">β of Jensen–Shannon, λ of the skewed ones, in (0, 1).</param>
public sealed record Divergence(DivergenceKind Kind = DivergenceKind.Forward, double Temperature = 1, double Mix = 0.5)
{
    // What a probability counts at least in a logarithm.
    private const double Tiny = 1e-30;

    /// <summary>The divergence of one token.</summary>
    /// <param name="teacher">The teacher's logits.</param>
    /// <param name="student">The student's logits.</param>
    /// <param name="gradient">Becomes the derivative by the student's logits; empty where none is wanted.</param>
    public double Of(ReadOnlySpan<float> teacher, ReadOnlySpan<float> student, Span<float> gradient)
    {
        double[] p = Softmax(teacher), q = Softmax(student), slopes = gradient.IsEmpty ? [] : new double[q.Length];
        double value = 0, mean = 0;
        for (int v = 0; v < q.Length; v++)
        {
            (double part, double slope) = Part(p[v], q[v]);
            value += part;
            if (slopes.Length == 0)
                continue;
            slopes[v] = slope;
            mean += slope;
        }
        // With s = q·∂D/∂q:  ∂D/∂z = (s − q·Σs)/T.
        for (int v = 0; v < slopes.Length; v++)
            gradient[v] = (float)(Temperature * (slopes[v] - (q[v] * mean)));
        return Temperature * Temperature * value;
    }

    // What one token of the vocabulary adds, and q times its derivative by q.
    private (double Value, double Slope) Part(double p, double q)
    {
        switch (Kind)
        {
            case DivergenceKind.Forward:
                return (p > 0 ? p * Math.Log(p / Math.Max(q, Tiny)) : 0, -p);
            case DivergenceKind.Reverse:
                double log = Math.Log(Math.Max(q, Tiny) / Math.Max(p, Tiny));
                return (q * log, q * (log + 1));
            case DivergenceKind.JensenShannon:
                double m = Math.Max((Mix * p) + ((1 - Mix) * q), Tiny), of = Math.Log(Math.Max(q, Tiny) / m);
                return ((Mix * (p > 0 ? p * Math.Log(p / m) : 0)) + ((1 - Mix) * q * of), (1 - Mix) * q * of);
            case DivergenceKind.SkewedForward:
                double s = Math.Max((Mix * p) + ((1 - Mix) * q), Tiny);
                return (p > 0 ? p * Math.Log(p / s) : 0, -p * (1 - Mix) * q / s);
            default:
                double r = Math.Max((Mix * q) + ((1 - Mix) * p), Tiny), above = Math.Log(Math.Max(q, Tiny) / r);
                return (q * above, q * (above + 1 - (Mix * q / r)));
        }
    }

    private double[] Softmax(ReadOnlySpan<float> logits)
    {
        double most = double.NegativeInfinity, sum = 0;
        foreach (float logit in logits)
            most = Math.Max(most, logit);
        double[] p = new double[logits.Length];
        for (int v = 0; v < p.Length; v++)
            sum += p[v] = Math.Exp((logits[v] - most) / Temperature);
        for (int v = 0; v < p.Length; v++)
            p[v] /= sum;
        return p;
    }
}
