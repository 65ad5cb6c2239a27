namespace Gradus.Tensors.Packed;

/// <summary>The code book of IQ4_NL and IQ4_XS: sixteen unevenly spaced integers, densest about zero. Source: ggml.</summary>
internal static class NonLinear4
{
    private const int Steps = 20;

    /// <summary>The integers that the nibbles 0 to 15 stand for.</summary>
    public static ReadOnlySpan<sbyte> Levels => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>The index of the level nearest to a value.</summary>
    public static int Nearest(float value)
    {
        int i = 0;
        while (i < 15 && value > (Levels[i] + Levels[i + 1]) * 0.5f)
            i++;
        return i;
    }

    /// <summary>x ≈ d·level with the least squared error; returns d.</summary>
    public static float Fit(ReadOnlySpan<float> x)
    {
        float extreme = BlockBytes.Extreme(x), best = 0;
        if (extreme == 0)
            return 0;
        double bestGain = -1;
        foreach (int end in (ReadOnlySpan<int>)[-127, 113])
        {
            for (int step = -Steps; step <= Steps; step++)
            {
                float inverse = (end + step) / extreme;
                double xq = 0, qq = 0;
                foreach (float value in x)
                {
                    double q = Levels[Nearest(value * inverse)];
                    xq += value * q;
                    qq += q * q;
                }
                // The error left is Σx² − (Σxq)² / Σq²; a negative d would not find these levels again.
                if (xq * inverse > 0 && xq * xq / qq > bestGain)
                {
                    bestGain = xq * xq / qq;
                    best = (float)(xq / qq);
                }
            }
        }
        return best;
    }
}
