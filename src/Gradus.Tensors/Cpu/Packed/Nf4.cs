// NF4 as QLoRA and bitsandbytes store it: weights in blocks over the whole tensor, the first of two neighbours in the high nibble, the
// blocks' largest sizes apart, and those once more in 8 bits ("double quantization") by a map that is dense near zero.
// Source: Dettmers et al., "QLoRA" (2023); "8-bit Optimizers via Block-wise Quantization" (2022) for the dynamic map.
// Rows must be whole blocks of 64 to be multiplied; others are to be dequantized by whoever reads the file.

namespace Gradus.Tensors.Cpu;

/// <summary>Between blocks of <see cref="BlockFormat.NF4"/> and the layout in files.</summary>
internal static unsafe class Nf4
{
    /// <summary>Weights per block.</summary>
    public const int Block = 64;

    /// <summary>Block scales per block of the second quantization.</summary>
    public const int NestedBlock = 256;

    private const int ScaleBytes = sizeof(float);

    /// <summary>The 256 values of the signed dynamic map, ascending.</summary>
    public static ReadOnlySpan<float> DynamicMap => Map;

    private static float[] Map { get; } = MakeMap();

    /// <summary>Packs one block.</summary>
    public static void Pack(ReadOnlySpan<float> x, byte* to)
    {
        float largest = 0;
        foreach (float value in x)
            largest = MathF.Max(largest, MathF.Abs(value));
        *(float*)to = largest;
        for (int i = 0; i < Block; i++)
        {
            int code = largest == 0 ? 7 : ScaleSearch.Nearest(BlockTables.Nf4Values, x[i] / largest);
            to[ScaleBytes + i % 32] |= (byte)(code << (i / 32 * 4));
        }
    }

    /// <summary>Blocks from a file's nibbles and scales.</summary>
    /// <param name="nibbles">Two weights a byte.</param>
    /// <param name="scales">One per 64 weights.</param>
    /// <param name="to">Room for 36 bytes per scale.</param>
    /// <exception cref="ArgumentException">The lengths do not fit each other.</exception>
    public static void Import(ReadOnlySpan<byte> nibbles, ReadOnlySpan<float> scales, Span<byte> to)
    {
        int bytes = BlockFormat.NF4.Bytes();
        if (nibbles.Length != (long)scales.Length * (Block / 2) || to.Length != (long)scales.Length * bytes)
            throw new ArgumentException($"NF4: {nibbles.Length} bytes of weights, {scales.Length} scales and room for {to.Length} bytes do not fit each other.", nameof(nibbles));
        for (int block = 0; block < scales.Length; block++)
        {
            Span<byte> target = to.Slice(block * bytes, bytes);
            BitConverter.TryWriteBytes(target, scales[block]);
            Span<byte> codes = target[ScaleBytes..];
            codes.Clear();
            for (int i = 0; i < Block; i++)
            {
                int code = nibbles[block * (Block / 2) + i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
                codes[i % 32] |= (byte)(code << (i / 32 * 4));
            }
        }
    }

    /// <summary>A file's nibbles and scales from blocks; the inverse of <see cref="Import"/>.</summary>
    /// <param name="from">Blocks.</param>
    /// <param name="nibbles">32 bytes per block.</param>
    /// <param name="scales">One per block.</param>
    public static void Export(ReadOnlySpan<byte> from, Span<byte> nibbles, Span<float> scales)
    {
        int bytes = BlockFormat.NF4.Bytes();
        nibbles.Clear();
        for (int block = 0; block < scales.Length; block++)
        {
            ReadOnlySpan<byte> source = from.Slice(block * bytes, bytes);
            scales[block] = BitConverter.ToSingle(source);
            for (int i = 0; i < Block; i++)
            {
                int code = source[ScaleBytes + i % 32] >> (i / 32 * 4) & 15;
                nibbles[block * (Block / 2) + i / 2] |= (byte)(code << (i % 2 == 0 ? 4 : 0));
            }
        }
    }

    /// <summary>Scales in 8 bits: scale ≈ map[code]·nested[block of 256] + offset.</summary>
    /// <param name="scales">The scales.</param>
    /// <param name="codes">One per scale.</param>
    /// <param name="nested">One per 256 scales.</param>
    /// <returns>The offset: the scales' mean.</returns>
    public static float QuantizeScales(ReadOnlySpan<float> scales, Span<byte> codes, Span<float> nested)
    {
        double sum = 0;
        foreach (float scale in scales)
            sum += scale;
        float offset = (float)(sum / scales.Length);
        nested.Clear();
        for (int i = 0; i < scales.Length; i++)
            nested[i / NestedBlock] = MathF.Max(nested[i / NestedBlock], MathF.Abs(scales[i] - offset));
        for (int i = 0; i < scales.Length; i++)
        {
            float largest = nested[i / NestedBlock];
            codes[i] = (byte)ScaleSearch.Nearest(Map, largest == 0 ? 0 : (scales[i] - offset) / largest);
        }
        return offset;
    }

    /// <summary>The scales that <see cref="QuantizeScales"/> stored, with the map of the file.</summary>
    public static void DequantizeScales(ReadOnlySpan<byte> codes, ReadOnlySpan<float> map, ReadOnlySpan<float> nested, float offset, Span<float> scales)
    {
        for (int i = 0; i < scales.Length; i++)
            scales[i] = map[codes[i]] * nested[i / NestedBlock] + offset;
    }

    // Seven decades; each has twice the values of the one below, at the middles of equal parts of 0.1 to 1.
    private static float[] MakeMap()
    {
        List<float> map = [0, 1];
        for (int decade = 0; decade < 7; decade++)
        {
            int parts = 1 << decade;
            for (int i = 0; i < parts; i++)
            {
                float value = (float)(Math.Pow(10, decade - 6) * (0.1 + 0.9 * (i + 0.5) / parts));
                map.Add(value);
                map.Add(-value);
            }
        }
        map.Sort();
        return [.. map];
    }
}
