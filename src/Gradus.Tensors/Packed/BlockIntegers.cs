using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Packed;

/// <summary>
/// A run of weights to small integers and into their bits. Lengths are multiples of sixteen; no operation is fused, so that every
/// processor gives the same bytes.
/// </summary>
internal static class BlockIntegers
{
    /// <summary>q = ⌊(x − offset)·inverse + half⌋, held to 0 … <paramref name="high"/>.</summary>
    public static void Truncate(ReadOnlySpan<float> x, float offset, float inverse, float half, int high, Span<byte> q)
    {
        Vector<float> low = Vector<float>.Zero, top = Vector.Create((float)high);
        for (int i = 0; i < x.Length; i += Vector<float>.Count)
        {
            Vector<float> value = ((new Vector<float>(x[i..]) - Vector.Create(offset)) * inverse) + Vector.Create(half);
            Store(Vector.Min(Vector.Max(value, low), top), q[i..]);
        }
    }

    /// <summary>The nearest integer to (x + offset)·inverse, ties to even, held to <paramref name="low"/> … <paramref name="high"/>, above low.</summary>
    public static void Round(ReadOnlySpan<float> x, float offset, float inverse, int low, int high, Span<byte> q)
    {
        Vector<float> bottom = Vector.Create((float)low), top = Vector.Create((float)high);
        for (int i = 0; i < x.Length; i += Vector<float>.Count)
        {
            Vector<float> value = Vector.Round((new Vector<float>(x[i..]) + Vector.Create(offset)) * inverse);
            Store(Vector.Min(Vector.Max(value, bottom), top) - bottom, q[i..]);
        }
    }

    /// <summary>The nearest integer to x·inverse, ties away from zero, held to −128 … 127.</summary>
    public static void RoundAway(ReadOnlySpan<float> x, float inverse, Span<byte> q)
    {
        Vector<float> one = Vector<float>.One, half = Vector.Create(0.5f);
        for (int i = 0; i < x.Length; i += Vector<float>.Count)
        {
            Vector<float> value = new Vector<float>(x[i..]) * inverse, whole = Vector.Truncate(value);
            Vector<int> away = Vector.GreaterThanOrEqual(Vector.Abs(value - whole), half);
            value = whole + Vector.ConditionalSelect(away, Vector.CopySign(one, value), Vector<float>.Zero);
            Store(Vector.Min(Vector.Max(value, Vector.Create(-128f)), Vector.Create(127f)), q[i..]);
        }
    }

    /// <summary>Nibbles of a run: the first half of <paramref name="q"/> low, the second half high; higher bits are left out.</summary>
    public static void StoreNibbles(ReadOnlySpan<byte> q, Span<byte> run)
    {
        int half = q.Length / 2;
        for (int i = 0; i < half; i++)
            run[i] = (byte)((q[i] & 15) | (q[half + i] << 4));
    }

    /// <summary>Bit 4 of every integer, the first lowest.</summary>
    public static void StoreFifthBits(ReadOnlySpan<byte> q, Span<byte> bits)
    {
        for (int i = 0; i < bits.Length; i++)
        {
            // The product brings bit 8j to bit 56 + j, and nothing else there.
            ulong eight = (BinaryPrimitives.ReadUInt64LittleEndian(q[(8 * i)..]) >> 4) & 0x0101010101010101;
            bits[i] = (byte)((eight * 0x0102040810204080) >> 56);
        }
    }

    /// <summary>The value of largest magnitude, with its sign; the first of several.</summary>
    public static float Extreme(ReadOnlySpan<float> x)
    {
        float extreme = 0;
        foreach (float value in x)
        {
            if (Math.Abs(value) > Math.Abs(extreme))
                extreme = value;
        }
        return extreme;
    }

    // Bytes of integers that fit one, signed or not.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector<float> integers, Span<byte> q)
    {
        Vector<int> wide = Vector.ConvertToInt32Native(integers);
        for (int i = 0; i < Vector<int>.Count; i++)
            q[i] = (byte)wide[i];
    }
}
