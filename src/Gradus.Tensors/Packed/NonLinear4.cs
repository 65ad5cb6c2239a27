namespace Gradus.Tensors.Packed;

/// <summary>The code book of IQ4_NL and IQ4_XS: sixteen unevenly spaced integers, densest about zero. Source: ggml.</summary>
internal static class NonLinear4
{
    private const int Steps = 9;

    // The levels' midpoints are multiples of ½, so that a value's ⌈2·value⌉ decides; the table covers −128 to 128.
    private static readonly byte[] NearestToHalves = [.. Enumerable.Range(-256, 513).Select(h => (byte)Enumerable.Range(0, 15).Count(i => h > Levels[i] + Levels[i + 1]))];

    /// <summary>The integers that the nibbles 0 to 15 stand for.</summary>
    public static ReadOnlySpan<sbyte> Levels => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>The index of the level nearest to a value; the lower of two equally near.</summary>
    public static int Nearest(float value) => NearestToHalves[(int)MathF.Ceiling(Math.Clamp(value * 2, -256, 256)) + 256];

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
