namespace Gradus.Tensors.Packed;

/// <summary>
/// What the scales of an <see cref="NF4"/> matrix have in common when they are bytes themselves ("double quantization"): scale = map[code]·largest
/// + offset, with one largest deviation for 256 consecutive blocks and one offset, the scales' mean, for the matrix. With a byte for 64 weights
/// that is 4.127 bits a weight instead of 4.5. Sources: Dettmers et al., "QLoRA" (2023), section 3; "8-bit Optimizers via Block-wise Quantization"
/// (2022) for the map.
/// </summary>
public sealed class DoubleQuantizedScales
{
    /// <summary>Consecutive blocks that share a largest deviation.</summary>
    public const int Blocks = 256;

    private readonly float[] _largest;

    /// <summary>Takes what a file or <see cref="Of"/> found.</summary>
    /// <param name="offset">What is added to every scale.</param>
    /// <param name="largest">The largest deviations, one for 256 blocks each.</param>
    public DoubleQuantizedScales(float offset, ReadOnlySpan<float> largest) => (Offset, _largest) = (offset, largest.ToArray());

    /// <summary>The 256 values of the signed dynamic map, ascending, with the bits that bitsandbytes gives them.</summary>
    public static ReadOnlySpan<float> Map => Values;

    /// <summary>What is added to every scale.</summary>
    public float Offset { get; }

    /// <summary>The largest deviations from the offset, one for 256 blocks each.</summary>
    public ReadOnlySpan<float> Largest => _largest;

    private static float[] Values { get; } = MakeMap();

    /// <summary>Finds offset and largest deviations of a matrix's scales.</summary>
    /// <param name="scales">One for each block, row after row.</param>
    public static DoubleQuantizedScales Of(ReadOnlySpan<float> scales)
    {
        double sum = 0;
        foreach (float scale in scales)
            sum += scale;
        float offset = scales.IsEmpty ? 0 : (float)(sum / scales.Length);
        float[] largest = new float[(scales.Length + Blocks - 1) / Blocks];
        for (int i = 0; i < scales.Length; i++)
            largest[i / Blocks] = MathF.Max(largest[i / Blocks], MathF.Abs(scales[i] - offset));
        return new DoubleQuantizedScales(offset, largest);
    }

    /// <summary>The scale that a code stands for.</summary>
    /// <param name="block">The block's number in the matrix.</param>
    /// <param name="code">The code.</param>
    public float Decode(long block, byte code)
    {
        // Rounded twice, as bitsandbytes does it.
        float deviation = Values[code] * _largest[block / Blocks];
        return deviation + Offset;
    }

    /// <summary>The code of the nearest scale; of the very scale if there is one.</summary>
    /// <param name="block">The block's number in the matrix.</param>
    /// <param name="scale">The scale.</param>
    public byte Encode(long block, float scale)
    {
        float largest = _largest[block / Blocks];
        int nearest = Nearest(Values, largest == 0 ? 0 : (scale - Offset) / largest);
        // Where the sum with the offset has lost bits, a neighbour may stand for exactly this scale.
        for (int code = Math.Max(0, nearest - 1); code <= Math.Min(255, nearest + 1) && Decode(block, (byte)nearest) != scale; code++)
        {
            if (Decode(block, (byte)code) == scale)
                nearest = code;
        }
        return (byte)nearest;
    }

    /// <summary>The index of the nearest value of an ascending table; the lower of two equally near.</summary>
    internal static int Nearest(ReadOnlySpan<float> table, float value)
    {
        int at = table.BinarySearch(value);
        int lower = Math.Clamp(at >= 0 ? at : ~at - 1, 0, table.Length - 1);
        return lower + 1 < table.Length && value - table[lower] > table[lower + 1] - value ? lower + 1 : lower;
    }

    // Seven decades; each has twice the values of the one below, at the middles of equal parts of 0.1 to 1. The steps of rounding are those
    // of PyTorch's linspace, which counts from both ends.
    private static float[] MakeMap()
    {
        List<float> map = [0, 1];
        for (int decade = 0; decade < 7; decade++)
        {
            int parts = 1 << decade;
            float step = (1 - 0.1f) / parts, power = (float)Math.Pow(10, decade - 6);
            for (int i = 0; i < parts; i++)
            {
                float value = power * ((Edge(i, parts, step) + Edge(i + 1, parts, step)) / 2);
                map.Add(value);
                map.Add(-value);
            }
        }
        map.Sort();
        return [.. map];
    }

    private static float Edge(int i, int parts, float step) => i < (parts + 1) / 2 ? MathF.FusedMultiplyAdd(step, i, 0.1f) : MathF.FusedMultiplyAdd(-step, parts - i, 1);
}
