using System.Buffers.Binary;

namespace Gradus.Tensors.Packed;

/// <summary>The pieces that block layouts are made of: half-precision scales, nibbles, fifth bits.</summary>
internal static class BlockBytes
{
    /// <summary>A half-precision scale.</summary>
    public static float ReadScale(ReadOnlySpan<byte> bytes) => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes);

    /// <summary>Stores a scale in half precision and returns what was stored.</summary>
    public static float WriteScale(Span<byte> bytes, float scale)
    {
        Half stored = (Half)scale;
        BinaryPrimitives.WriteHalfLittleEndian(bytes, stored);
        return (float)stored;
    }

    /// <summary>1/d, or 0 for a block of zeros.</summary>
    public static float Inverse(float d) => d != 0 ? 1 / d : 0;

    /// <summary>Nibble <paramref name="i"/> of a run: the low halves of all bytes first, then the high halves.</summary>
    public static int Nibble(ReadOnlySpan<byte> run, int i) => i < run.Length ? run[i] & 15 : run[i - run.Length] >> 4;

    /// <summary>Sets a nibble that is still zero; the order is that of <see cref="Nibble"/>.</summary>
    public static void SetNibble(Span<byte> run, int i, int value)
    {
        if (i < run.Length)
            run[i] |= (byte)value;
        else
            run[i - run.Length] |= (byte)(value << 4);
    }

    /// <summary>Gives a nibble another value; the order is that of <see cref="Nibble"/>.</summary>
    public static void ReplaceNibble(Span<byte> run, int i, int value)
    {
        int shift = i < run.Length ? 0 : 4;
        ReplaceBits(ref run[i % run.Length], shift, 15, value);
    }

    /// <summary>Gives some bits of a byte another value.</summary>
    /// <param name="target">The byte.</param>
    /// <param name="shift">The lowest of the bits.</param>
    /// <param name="mask">As many ones as there are bits.</param>
    /// <param name="value">The value; higher bits are left out.</param>
    public static void ReplaceBits(ref byte target, int shift, int mask, int value) =>
        target = (byte)((target & ~(mask << shift)) | ((value & mask) << shift));

    /// <summary>Bit <paramref name="i"/> of a bit field, lowest first.</summary>
    public static int Bit(ReadOnlySpan<byte> bits, int i) => (bits[i >> 3] >> (i & 7)) & 1;
}
