// NF4 as QLoRA and bitsandbytes store it: weights in blocks over the whole tensor, the first of two neighbours in the high nibble, the
// blocks' largest sizes apart, and those perhaps once more in 8 bits (DoubleQuantizedScales).
// Source: Dettmers et al., "QLoRA" (2023), appendix E for the levels.

using System.Buffers.Binary;

namespace Gradus.Tensors.Packed;

/// <summary>
/// 64 weights of 4 bits at the quantiles of a normal distribution: w = a·level[q]. Block: f32 a, the largest size, and 32 bytes of nibbles,
/// weight j low and weight j + 32 high. Source: QLoRA; <see cref="Import"/> and <see cref="Export"/> go between this and the layout in files.
/// </summary>
public sealed class NF4 : PackedFormat
{
    /// <summary>Weights per block.</summary>
    public const int Block = 64;

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

    /// <inheritdoc/>
    public override int CodeBits => 4;

    /// <inheritdoc/>
    public override bool HasEvenLevels => false;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code) => BlockBytes.ReplaceNibble(block[ScaleBytes..], index, code);

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float scale = BinaryPrimitives.ReadSingleLittleEndian(block);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = scale * Levels[BlockBytes.Nibble(block[ScaleBytes..], i)];
    }

    /// <summary>The scale of a block: its largest magnitude.</summary>
    internal static float Scale(ReadOnlySpan<float> weights) => Math.Abs(BlockIntegers.Extreme(weights));

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        float largest = Scale(weights);
        BinaryPrimitives.WriteSingleLittleEndian(block, largest);
        for (int i = 0; i < weights.Length; i++)
            BlockBytes.SetNibble(block[ScaleBytes..], i, DoubleQuantizedScales.Nearest(Levels, largest == 0 ? 0 : weights[i] / largest));
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
}
