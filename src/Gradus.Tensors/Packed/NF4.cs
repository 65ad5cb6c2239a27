// NF4 as QLoRA and bitsandbytes store it: weights in blocks over the whole tensor, the first of two neighbours in the high nibble, the
// blocks' largest sizes apart, and those once more in 8 bits ("double quantization") by a map that is dense near zero.
// Source: Dettmers et al., "QLoRA" (2023), appendix E for the levels; "8-bit Optimizers via Block-wise Quantization" (2022) for the map.

using System.Buffers.Binary;

namespace Gradus.Tensors.Packed;

/// <summary>
/// 64 weights of 4 bits at the quantiles of a normal distribution: w = a·level[q]. Block: f32 a, the largest size, and 32 bytes of nibbles,
/// weight j low and weight j + 32 high. Source: QLoRA; <see cref="Import"/> and <see cref="Export"/> go between this and the layout in files.
/// </summary>
internal sealed class NF4 : PackedFormat
{
    /// <summary>Weights per block.</summary>
    public const int Block = 64;

    /// <summary>Block scales per block of the second quantization.</summary>
    public const int NestedBlock = 256;

    private const int ScaleBytes = sizeof(float);
    private const int Bytes = ScaleBytes + Block / 2;

    /// <inheritdoc/>
    public override string Name => "NF4";

    /// <inheritdoc/>
    public override int BlockSize => Block;

    /// <inheritdoc/>
    public override int BytesPerBlock => Bytes;

    /// <summary>The sixteen levels, ascending.</summary>
    public static ReadOnlySpan<float> Levels =>
    [
        -1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0,
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1,
    ];

    /// <summary>The 256 values of the signed dynamic map, ascending.</summary>
    public static ReadOnlySpan<float> DynamicMap => Map;

    private static float[] Map { get; } = MakeMap();

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float scale = BinaryPrimitives.ReadSingleLittleEndian(block);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = scale * Levels[BlockBytes.Nibble(block[ScaleBytes..], i)];
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        float largest = Math.Abs(BlockIntegers.Extreme(weights));
        BinaryPrimitives.WriteSingleLittleEndian(block, largest);
        for (int i = 0; i < weights.Length; i++)
            BlockBytes.SetNibble(block[ScaleBytes..], i, Nearest(Levels, largest == 0 ? 0 : weights[i] / largest));
    }

    /// <summary>Blocks from a file's nibbles and scales.</summary>
    /// <param name="nibbles">Two weights a byte.</param>
    /// <param name="scales">One per 64 weights.</param>
    /// <param name="to">Room for 36 bytes per scale.</param>
    /// <exception cref="ArgumentException">The lengths do not fit each other.</exception>
    public static void Import(ReadOnlySpan<byte> nibbles, ReadOnlySpan<float> scales, Span<byte> to)
    {
        if (nibbles.Length != (long)scales.Length * (Block / 2) || to.Length != (long)scales.Length * Bytes)
            throw new ArgumentException($"NF4: {nibbles.Length} bytes of weights, {scales.Length} scales and room for {to.Length} bytes do not fit each other.", nameof(nibbles));
        for (int block = 0; block < scales.Length; block++)
        {
            Span<byte> target = to.Slice(block * Bytes, Bytes);
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
        nibbles.Clear();
        for (int block = 0; block < scales.Length; block++)
        {
            ReadOnlySpan<byte> source = from.Slice(block * Bytes, Bytes);
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
            codes[i] = (byte)Nearest(Map, largest == 0 ? 0 : (scales[i] - offset) / largest);
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

    // The index of the nearest value of an ascending table; the lower of two equally near.
    private static int Nearest(ReadOnlySpan<float> table, float value)
    {
        int at = 0;
        while (at + 1 < table.Length && value - table[at] > table[at + 1] - value)
            at++;
        return at;
    }
}
