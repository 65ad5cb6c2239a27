// Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models" (2023): the minimum of a group of weights is chosen so that
// the errors are small in the sense of a norm with p < 1, which a few large ones do not rule. It looks at no data.

using System.Buffers.Binary;
using Gradus.Tensors.Packed;

namespace Gradus.Training.Compression;

/// <summary>Chooses the minimum of a block of weights: w ≈ d·q + m.</summary>
public static class Hqq
{
    private const float Power = 0.7f;
    private const float FirstBeta = 10, Kappa = 1.01f;
    private const int Steps = 20;

    /// <summary>Whether a format stores what is chosen: F16 d and F16 m for every block.</summary>
    public static bool Takes(PackedFormat format) => format?.Name is "Q4_1" or "Q5_1";

    /// <summary>Scale and minimum.</summary>
    /// <param name="values">The weights; one at least.</param>
    /// <param name="high">The largest integer.</param>
    public static (float Scale, float Min) Fit(ReadOnlySpan<float> values, int high)
    {
        float low = float.PositiveInfinity, top = float.NegativeInfinity;
        foreach (float value in values)
            (low, top) = (Math.Min(low, value), Math.Max(top, value));
        if (top <= low)
            return (0, low);
        float inverse = high / (top - low), zero = -low * inverse, best = zero, beta = FirstBeta;
        double least = double.PositiveInfinity;
        for (int step = 0; step < Steps; step++)
        {
            double error = 0, sum = 0;
            foreach (float value in values)
            {
                float q = Math.Clamp(MathF.Round((value * inverse) + zero), 0, high), off = value - ((q - zero) / inverse);
                error += Math.Abs(off);
                sum += q - ((value - Shrink(off, beta)) * inverse);
            }
            if (error >= least)
                break;
            (least, best) = (error, zero);
            zero = (float)(sum / values.Length);
            beta *= Kappa;
        }
        return (1 / inverse, -best / inverse);
    }

    /// <summary>Writes scale and minimum of a block, as it begins in Q4_1 and Q5_1.</summary>
    internal static void Store(ReadOnlySpan<float> values, int high, Span<byte> block)
    {
        (float scale, float min) = Fit(values, high);
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)scale);
        BinaryPrimitives.WriteHalfLittleEndian(block[2..], (Half)min);
    }

    // The e that makes |e|^p + β/2·(e − x)² small.
    private static float Shrink(float x, float beta)
    {
        float size = Math.Abs(x);
        return size == 0 ? 0 : MathF.CopySign(Math.Max(0, size - (MathF.Pow(size, Power - 1) / beta)), x);
    }
}
