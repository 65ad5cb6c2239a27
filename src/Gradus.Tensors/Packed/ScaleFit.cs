namespace Gradus.Tensors.Packed;

/// <summary>
/// Finds the scale (and offset) with which a few integers approximate a run of weights with the least squared error: a number of
/// scales around the obvious one are tried; each fixes the integers, and for fixed integers the best scale is a linear
/// least-squares problem.
/// </summary>
internal static class ScaleFit
{
    private const int Steps = 20;
    private const float StepSize = 0.1f;

    /// <summary>x ≈ d·q with integers low ≤ q ≤ high; returns d. The extreme value may take either end.</summary>
    public static float Symmetric(ReadOnlySpan<float> x, int low, int high)
    {
        float extreme = BlockBytes.Extreme(x);
        if (extreme == 0)
            return 0;
        float best = 0;
        double bestGain = -1;
        for (int step = -Steps / 2; step <= Steps / 2; step++)
        {
            Try(x, (low + (step * StepSize)) / extreme);
            Try(x, (high + (step * StepSize)) / extreme);
        }
        return best;

        void Try(ReadOnlySpan<float> x, float inverse)
        {
            double xq = 0, qq = 0;
            foreach (float value in x)
            {
                double q = Quantize(value * inverse, low, high);
                xq += value * q;
                qq += q * q;
            }
            // The error left is Σx² − (Σxq)² / Σq².
            if (qq > 0 && xq * xq / qq > bestGain)
            {
                bestGain = xq * xq / qq;
                best = (float)(xq / qq);
            }
        }
    }

    /// <summary>x ≈ d·q − m with integers 0 ≤ q ≤ high, d ≥ 0 and m ≥ 0; returns d and m.</summary>
    public static (float D, float M) Affine(ReadOnlySpan<float> x, int high)
    {
        float min = 0, max = x[0];
        foreach (float value in x)
        {
            min = Math.Min(min, value);
            max = Math.Max(max, value);
        }
        if (max <= min)
            return (0, -min);
        (float D, float M) best = ((max - min) / high, -min);
        double bestError = double.PositiveInfinity;
        Span<int> q = stackalloc int[x.Length];
        for (int step = -Steps / 2; step <= Steps / 2; step++)
        {
            float inverse = (high + (step * StepSize)) / (max - min);
            for (int i = 0; i < q.Length; i++)
                q[i] = Quantize((x[i] - min) * inverse, 0, high);
            (double d, double m) = Solve(x, q);
            double error = 0;
            for (int i = 0; i < q.Length; i++)
                error += ((d * q[i]) - m - x[i]) * ((d * q[i]) - m - x[i]);
            if (d >= 0 && error < bestError)
            {
                bestError = error;
                best = ((float)d, (float)m);
            }
        }
        return best;
    }

    /// <summary>The nearest integer in a range; ties to even.</summary>
    public static int Quantize(float value, int low, int high) => (int)Math.Clamp(MathF.Round(value), low, high);

    /// <summary>The least-squares line through (q, x), held to an offset m ≥ 0.</summary>
    private static (double D, double M) Solve(ReadOnlySpan<float> x, ReadOnlySpan<int> q)
    {
        double n = x.Length, sumX = 0, sumQ = 0, sumXQ = 0, sumQQ = 0;
        for (int i = 0; i < q.Length; i++)
        {
            sumX += x[i];
            sumQ += q[i];
            sumXQ += (double)x[i] * q[i];
            sumQQ += (double)q[i] * q[i];
        }
        double determinant = (n * sumQQ) - (sumQ * sumQ);
        if (determinant > 0)
        {
            double offset = ((sumQQ * sumX) - (sumQ * sumXQ)) / determinant;
            if (offset <= 0)
                return (((n * sumXQ) - (sumX * sumQ)) / determinant, -offset);
        }
        return (sumQQ > 0 ? sumXQ / sumQQ : 0, 0);
    }
}
