using System.Numerics;
using System.Numerics.Tensors;

namespace Gradus.Tensors.Packed;

/// <summary>What Q2_K, Q4_K and Q5_K share: sub-blocks w = d·s·q − dmin·m whose s and m are small integers.</summary>
internal static class AffineBlocks
{
    /// <summary>The best scale and minimum of each sub-block.</summary>
    public static void Fit(ReadOnlySpan<float> weights, int size, int high, Span<float> scales, Span<float> mins)
    {
        for (int j = 0; j < scales.Length; j++)
            (scales[j], mins[j]) = ScaleFit.Affine(weights.Slice(j * size, size), high);
    }

    /// <summary>Stores the scale of scales and the scale of minima, so that the largest of each becomes <paramref name="most"/>.</summary>
    public static (float D, float Dmin) Store(ReadOnlySpan<float> scales, ReadOnlySpan<float> mins, int most, Span<byte> d, Span<byte> dmin) =>
        (BlockBytes.WriteScale(d, BlockIntegers.Extreme(scales) / most), BlockBytes.WriteScale(dmin, BlockIntegers.Extreme(mins) / most));

    /// <summary>
    /// A sub-block's scale and minimum as integers, and the integers of its weights: among the roundings of scale and minimum up
    /// and down, those that together leave the least squared error.
    /// </summary>
    public static (int Scale, int Min) Quantize(
        ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, float scale, float min, float d, float dmin, int most, int high, Span<byte> q)
    {
        const int Lanes = 16, Near = 3;
        int nearScale = ScaleFit.Quantize(scale * BlockBytes.Inverse(d), 0, most);
        int nearMin = ScaleFit.Quantize(min * BlockBytes.Inverse(dmin), 0, most);
        Span<float> subs = stackalloc float[Lanes], inverses = stackalloc float[Lanes], offsets = stackalloc float[Lanes], errors = stackalloc float[Lanes];
        for (int i = 0; i < Near * Near; i++)
        {
            subs[i] = d * Math.Clamp(nearScale + (i / Near) - 1, 0, most);
            inverses[i] = BlockBytes.Inverse(subs[i]);
            offsets[i] = dmin * Math.Clamp(nearMin + (i % Near) - 1, 0, most);
        }
        for (int i = 0; i < Near * Near; i += Vector<float>.Count)
            Errors(weights, importance, subs[i..], inverses[i..], offsets[i..], high, errors[i..]);
        int best = TensorPrimitives.IndexOfMin<float>(errors[..(Near * Near)]);
        BlockIntegers.Round(weights, offsets[best], inverses[best], 0, high, q);
        return (Math.Clamp(nearScale + (best / Near) - 1, 0, most), Math.Clamp(nearMin + (best % Near) - 1, 0, most));
    }

    // The squared errors that scales and minima leave; a lane is one of them.
    private static void Errors(
        ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, ReadOnlySpan<float> subs, ReadOnlySpan<float> inverses, ReadOnlySpan<float> offsets, int high, Span<float> errors)
    {
        Vector<float> sub = new(subs), inverse = new(inverses), offset = new(offsets), top = Vector.Create((float)high), error = Vector<float>.Zero;
        for (int i = 0; i < weights.Length; i++)
        {
            Vector<float> above = Vector.Create(weights[i]) + offset;
            Vector<float> q = Vector.Min(Vector.Max(Vector.Round(above * inverse), Vector<float>.Zero), top);
            Vector<float> off = (sub * q) - above;
            error += Vector.Create(importance[i]) * off * off;
        }
        error.CopyTo(errors);
    }
}
