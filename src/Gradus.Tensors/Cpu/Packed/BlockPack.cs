// Floats to blocks. The formats of 32 weights follow ggml's reference encoder to the byte. The formats of 256 leave the choice of scales to
// the encoder: here each part tries several ranges, fits scale and offset to the rounded weights by least squares, and keeps the best.
// Leaves out importance weights.

namespace Gradus.Tensors.Cpu;

/// <summary>Writes blocks of every format.</summary>
internal static unsafe class BlockPack
{
    /// <summary>Packs whole blocks.</summary>
    /// <param name="format">The format.</param>
    /// <param name="from">The weights, all finite.</param>
    /// <param name="weights">How many, a multiple of the block's.</param>
    /// <param name="to">Room for the blocks.</param>
    public static void Row(BlockFormat format, float* from, int weights, byte* to)
    {
        int size = format.Weights(), bytes = format.Bytes();
        for (; weights > 0; weights -= size, from += size, to += bytes)
        {
            new Span<byte>(to, bytes).Clear();
            ReadOnlySpan<float> x = new(from, size);
            switch (format)
            {
                case BlockFormat.Q8_0:
                    Q8_0(x, to);
                    break;
                case BlockFormat.Q4_0:
                    FromExtreme(x, to, 8, 2, -1);
                    break;
                case BlockFormat.Q5_0:
                    FromExtreme(x, to, 16, 6, 2);
                    break;
                case BlockFormat.Q4_1:
                    FromRange(x, to, 15, 4, -1);
                    break;
                case BlockFormat.Q5_1:
                    FromRange(x, to, 31, 8, 4);
                    break;
                case BlockFormat.Q4_K:
                    Parts(x, to, 15);
                    break;
                case BlockFormat.Q5_K:
                    Parts(x, to, 31);
                    break;
                case BlockFormat.Q6_K:
                    Q6_K(x, to);
                    break;
                case BlockFormat.IQ4_NL:
                    Iq4Nl(x, to);
                    break;
                case BlockFormat.NF4:
                    Nf4.Pack(x, to);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(format), format, "not a block format");
            }
        }
    }

    private static void Q8_0(ReadOnlySpan<float> x, byte* to)
    {
        float largest = 0;
        foreach (float value in x)
            largest = MathF.Max(largest, MathF.Abs(value));
        float d = largest / 127, inverse = d == 0 ? 0 : 1 / d;
        *(Half*)to = (Half)d;
        for (int i = 0; i < 32; i++)
            to[2 + i] = (byte)(sbyte)MathF.Round(x[i] * inverse, MidpointRounding.AwayFromZero);
    }

    // The weight furthest from zero becomes the lowest code, −zero.
    private static void FromExtreme(ReadOnlySpan<float> x, byte* to, int zero, int nibbles, int extra)
    {
        float extreme = 0;
        foreach (float value in x)
            extreme = MathF.Abs(value) > MathF.Abs(extreme) ? value : extreme;
        float d = extreme / -zero, inverse = d == 0 ? 0 : 1 / d;
        *(Half*)to = (Half)d;
        for (int i = 0; i < 32; i++)
            Put(to, nibbles, extra, i, Math.Min(2 * zero - 1, (int)(x[i] * inverse + (zero + 0.5f))));
    }

    private static void FromRange(ReadOnlySpan<float> x, byte* to, int largest, int nibbles, int extra)
    {
        float low = float.MaxValue, high = float.MinValue;
        foreach (float value in x)
            (low, high) = (MathF.Min(low, value), MathF.Max(high, value));
        float d = (high - low) / largest, inverse = d == 0 ? 0 : 1 / d;
        *(Half*)to = (Half)d;
        *(Half*)(to + 2) = (Half)low;
        for (int i = 0; i < 32; i++)
            Put(to, nibbles, extra, i, Math.Min(largest, (int)((x[i] - low) * inverse + 0.5f)));
    }

    private static void Put(byte* to, int nibbles, int extra, int weight, int code)
    {
        to[nibbles + weight % 16] |= (byte)((code & 15) << (weight < 16 ? 0 : 4));
        if (extra >= 0)
            to[extra + weight / 8] |= (byte)((code >> 4) << (weight % 8));
    }

    // Q4_K and Q5_K: eight parts, scale and offset of each rounded to 6 bits of the block's d and dmin.
    private static void Parts(ReadOnlySpan<float> x, byte* to, int largest)
    {
        Span<float> scales = stackalloc float[8], offsets = stackalloc float[8];
        Span<int> scaleCodes = stackalloc int[8], offsetCodes = stackalloc int[8];
        float largestScale = 0, largestOffset = 0;
        for (int part = 0; part < 8; part++)
        {
            (scales[part], offsets[part]) = ScaleSearch.WithOffset(x.Slice(32 * part, 32), largest);
            (largestScale, largestOffset) = (MathF.Max(largestScale, scales[part]), MathF.Max(largestOffset, offsets[part]));
        }
        *(Half*)to = (Half)(largestScale / 63);
        *(Half*)(to + 2) = (Half)(largestOffset / 63);
        float d = (float)*(Half*)to, dmin = (float)*(Half*)(to + 2);
        for (int part = 0; part < 8; part++)
        {
            scaleCodes[part] = d == 0 ? 0 : Math.Clamp((int)MathF.Round(scales[part] / d), 0, 63);
            offsetCodes[part] = dmin == 0 ? 0 : Math.Clamp((int)MathF.Round(offsets[part] / dmin), 0, 63);
        }
        BlockTables.PutSixBits(to + 4, scaleCodes, offsetCodes);
        byte* nibbles = to + (largest == 15 ? 16 : 48);
        for (int i = 0; i < 256; i++)
        {
            int part = i / 32;
            float scale = d * scaleCodes[part];
            int code = scale == 0 ? 0 : Math.Clamp((int)MathF.Round((x[i] + dmin * offsetCodes[part]) / scale), 0, largest);
            nibbles[part / 2 * 32 + i % 32] |= (byte)((code & 15) << (part % 2 * 4));
            if (largest == 31)
                to[16 + i % 32] |= (byte)((code >> 4) << part);
        }
    }

    private static void Q6_K(ReadOnlySpan<float> x, byte* to)
    {
        Span<float> scales = stackalloc float[16];
        float extreme = 0;
        for (int part = 0; part < 16; part++)
        {
            scales[part] = ScaleSearch.Symmetric(x.Slice(16 * part, 16), 32);
            extreme = MathF.Abs(scales[part]) > MathF.Abs(extreme) ? scales[part] : extreme;
        }
        *(Half*)(to + 208) = (Half)(extreme / -128);
        float d = (float)*(Half*)(to + 208);
        for (int part = 0; part < 16; part++)
            to[192 + part] = (byte)(sbyte)(d == 0 ? 0 : Math.Clamp((int)MathF.Round(scales[part] / d), -128, 127));
        for (int i = 0; i < 256; i++)
        {
            float scale = d * (sbyte)to[192 + i / 16];
            int code = scale == 0 ? 32 : Math.Clamp((int)MathF.Round(x[i] / scale), -32, 31) + 32;
            int half = i / 128, quarter = i % 128 / 32, at = i % 32;
            to[64 * half + quarter % 2 * 32 + at] |= (byte)((code & 15) << (quarter / 2 * 4));
            to[128 + 32 * half + at] |= (byte)((code >> 4) << (2 * quarter));
        }
    }

    private static void Iq4Nl(ReadOnlySpan<float> x, byte* to)
    {
        *(Half*)to = (Half)ScaleSearch.OfTable(x, BlockTables.Iq4NlValues);
        float d = (float)*(Half*)to, inverse = d == 0 ? 0 : 1 / d;
        for (int i = 0; i < 32; i++)
            Put(to, 2, -1, i, ScaleSearch.Nearest(BlockTables.Iq4NlValues, x[i] * inverse));
    }
}
