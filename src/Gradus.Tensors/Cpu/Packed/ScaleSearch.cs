namespace Gradus.Tensors.Cpu;

/// <summary>Finds the scale, and the offset, that lose least: candidates near the full range, each refined by least squares.</summary>
internal static class ScaleSearch
{
    private const int Rounds = 4;

    /// <summary>Scale and offset, neither negative, for x ≈ scale·q − offset with q in 0..largest.</summary>
    public static (float Scale, float Offset) WithOffset(ReadOnlySpan<float> x, int largest)
    {
        float low = 0, high = float.MinValue;
        foreach (float value in x)
            (low, high) = (MathF.Min(low, value), MathF.Max(high, value));
        if (high <= low)
            return (0, -low);
        (float Scale, float Offset) best = ((high - low) / largest, -low);
        double least = Error(x, largest, best);
        for (int candidate = 0; candidate <= 20; candidate++)
        {
            (float Scale, float Offset) fit = ((high - low) / (largest - 1f + 0.1f * candidate), -low);
            for (int round = 0; round < Rounds; round++)
            {
                fit = Refine(x, largest, fit);
                double error = Error(x, largest, fit);
                if (error < least)
                    (best, least) = (fit, error);
            }
        }
        return best;
    }

    /// <summary>The scale, of either sign, for x ≈ scale·q with q in −limit..limit − 1.</summary>
    public static float Symmetric(ReadOnlySpan<float> x, int limit)
    {
        float extreme = 0;
        foreach (float value in x)
            extreme = MathF.Abs(value) > MathF.Abs(extreme) ? value : extreme;
        if (extreme == 0)
            return 0;
        (float best, double least) = (extreme / -limit, double.MaxValue);
        for (int candidate = -9; candidate <= 9; candidate++)
        {
            float scale = extreme / -(limit + 0.1f * candidate);
            double xq = 0, qq = 0;
            foreach (float value in x)
            {
                int q = Math.Clamp((int)MathF.Round(value / scale), -limit, limit - 1);
                (xq, qq) = (xq + (double)value * q, qq + (double)q * q);
            }
            float fit = qq == 0 ? scale : (float)(xq / qq);
            double error = 0;
            foreach (float value in x)
            {
                double off = value - fit * Math.Clamp(MathF.Round(value / fit), -limit, limit - 1);
                error += off * off;
            }
            if (error < least)
                (best, least) = (fit, error);
        }
        return best;
    }

    /// <summary>The scale, of either sign, for x ≈ scale·table[q].</summary>
    public static float OfTable(ReadOnlySpan<float> x, ReadOnlySpan<float> table)
    {
        float extreme = 0;
        foreach (float value in x)
            extreme = MathF.Abs(value) > MathF.Abs(extreme) ? value : extreme;
        if (extreme == 0)
            return 0;
        (float best, double least) = (extreme / table[0], double.MaxValue);
        for (int candidate = -12; candidate <= 12; candidate++)
        {
            for (int end = 0; end < table.Length; end += table.Length - 1)
            {
                float fit = extreme / (table[end] + candidate * 2);
                for (int round = 0; round < Rounds; round++)
                {
                    double xq = 0, qq = 0, error = 0;
                    foreach (float value in x)
                    {
                        float q = table[Nearest(table, value / fit)];
                        (xq, qq) = (xq + (double)value * q, qq + (double)q * q);
                        error += ((double)value - fit * q) * ((double)value - fit * q);
                    }
                    if (error < least)
                        (best, least) = (fit, error);
                    if (xq == 0)
                        break;
                    fit = (float)(xq / qq);
                }
            }
        }
        return best;
    }

    /// <summary>The index of the nearest value of an ascending table.</summary>
    public static int Nearest(ReadOnlySpan<float> table, float value)
    {
        int at = 0;
        while (at + 1 < table.Length && value - table[at] > table[at + 1] - value)
            at++;
        return at;
    }

    private static int Code(float value, int largest, (float Scale, float Offset) fit) =>
        fit.Scale == 0 ? 0 : Math.Clamp((int)MathF.Round((value + fit.Offset) / fit.Scale), 0, largest);

    private static double Error(ReadOnlySpan<float> x, int largest, (float Scale, float Offset) fit)
    {
        double error = 0;
        foreach (float value in x)
        {
            double off = value - ((double)fit.Scale * Code(value, largest, fit) - fit.Offset);
            error += off * off;
        }
        return error;
    }

    // Least squares of x = scale·q − offset for the codes of the present fit; the offset may not be negative.
    private static (float Scale, float Offset) Refine(ReadOnlySpan<float> x, int largest, (float Scale, float Offset) fit)
    {
        double q1 = 0, q2 = 0, x1 = 0, xq = 0;
        foreach (float value in x)
        {
            int q = Code(value, largest, fit);
            (q1, q2, x1, xq) = (q1 + q, q2 + (double)q * q, x1 + value, xq + (double)value * q);
        }
        double determinant = x.Length * q2 - q1 * q1;
        if (determinant <= 0 || q2 == 0)
            return fit;
        double scale = (x.Length * xq - x1 * q1) / determinant, offset = (q1 * xq - q2 * x1) / determinant;
        if (offset < 0)
            (scale, offset) = (xq / q2, 0);
        return scale > 0 ? ((float)scale, (float)offset) : fit;
    }
}
