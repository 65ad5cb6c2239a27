using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Gradus.Tensors.Packed;

/// <summary>A run of weights to small integers and into their bits. Lengths are multiples of eight; no operation is fused, so that every processor gives the same bytes.</summary>
internal static class BlockIntegers
{
    /// <summary>q = ⌊(x − offset)·inverse + half⌋, held to 0 … <paramref name="high"/>.</summary>
    public static void Truncate(ReadOnlySpan<float> x, float offset, float inverse, float half, int high, Span<byte> q)
    {
        Vector256<float> low = Vector256<float>.Zero, top = Vector256.Create((float)high);
        for (int i = 0; i < x.Length; i += 8)
        {
            Vector256<float> value = ((Load(x, i) - Vector256.Create(offset)) * inverse) + Vector256.Create(half);
            Store(Vector256.Min(Vector256.Max(value, low), top), q, i);
        }
    }

    /// <summary>The nearest integer to (x + offset)·inverse, ties to even, held to <paramref name="low"/> … <paramref name="high"/>, above low.</summary>
    public static void Round(ReadOnlySpan<float> x, float offset, float inverse, int low, int high, Span<byte> q)
    {
        Vector256<float> bottom = Vector256.Create((float)low), top = Vector256.Create((float)high);
        for (int i = 0; i < x.Length; i += 8)
        {
            Vector256<float> value = Vector256.Round((Load(x, i) + Vector256.Create(offset)) * inverse);
            Store(Vector256.Min(Vector256.Max(value, bottom), top) - bottom, q, i);
        }
    }

    /// <summary>The nearest integer to x·inverse, ties away from zero, held to −128 … 127.</summary>
    public static void RoundAway(ReadOnlySpan<float> x, float inverse, Span<byte> q)
    {
        Vector256<float> one = Vector256<float>.One;
        for (int i = 0; i < x.Length; i += 8)
        {
            Vector256<float> value = Load(x, i) * inverse, whole = Vector256.Truncate(value);
            Vector256<float> away = Vector256.GreaterThanOrEqual(Vector256.Abs(value - whole), Vector256.Create(0.5f));
            value = whole + (Vector256.CopySign(one, value) & away);
            Store(Vector256.Min(Vector256.Max(value, Vector256.Create(-128f)), Vector256.Create(127f)), q, i);
        }
    }

    /// <summary>Nibbles of a run: the first half of <paramref name="q"/> low, the second half high; higher bits are left out.</summary>
    public static void StoreNibbles(ReadOnlySpan<byte> q, Span<byte> run)
    {
        int half = q.Length / 2;
        for (int i = 0; i < half; i++)
            run[i] = (byte)((q[i] & 15) | (q[half + i] << 4));
    }

    /// <summary>Bit 4 of 32 integers, the first lowest.</summary>
    public static uint FifthBits(ReadOnlySpan<byte> q) => (Vector256.Create(q) << 3).ExtractMostSignificantBits();

    /// <summary>The value of largest magnitude, with its sign; the first of several.</summary>
    public static float Extreme(ReadOnlySpan<float> x)
    {
        Vector256<float> largest = Vector256<float>.Zero;
        for (int i = 0; i < x.Length; i += 8)
            largest = Vector256.Max(largest, Vector256.Abs(Load(x, i)));
        float most = 0;
        for (int i = 0; i < 8; i++)
            most = Math.Max(most, largest[i]);
        if (most == 0)
            return 0;
        for (int i = 0; i < x.Length; i += 8)
        {
            uint found = Vector256.Equals(Vector256.Abs(Load(x, i)), Vector256.Create(most)).ExtractMostSignificantBits();
            if (found != 0)
                return x[i + BitOperations.TrailingZeroCount(found)];
        }
        return most;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Load(ReadOnlySpan<float> x, int i) => Vector256.Create(x.Slice(i, 8));

    // Bytes of integers that fit one, signed or not.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<float> integers, Span<byte> q, int i)
    {
        Vector256<int> wide = Vector256.ConvertToInt32Native(integers);
        Vector128<short> words = Vector128.Narrow(wide.GetLower(), wide.GetUpper());
        MemoryMarshal.Write(q.Slice(i, 8), Vector128.Narrow(words, words).AsUInt64().ToScalar());
    }
}
