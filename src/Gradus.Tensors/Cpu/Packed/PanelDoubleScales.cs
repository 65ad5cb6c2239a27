using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu;

/// <summary>Reads the scales of panels of NF4 with double quantization (<see cref="DoubleQuantizedScales"/>): map[code]·largest + offset.</summary>
internal static unsafe class PanelDoubleScales
{
    private static readonly float* Map = BlockTables.DynamicMap;

    /// <summary>The sixteen scales of every unit of a panel.</summary>
    /// <param name="operand">The matrix.</param>
    /// <param name="panel">The panel's number.</param>
    /// <param name="units">Units of a panel.</param>
    /// <param name="to">(units, 16).</param>
    public static void Panel(in Operand operand, int panel, nint units, float* to)
    {
        for (nint unit = 0; unit < units;)
            unit += Units(operand, panel, unit, units, to + unit * PanelLayout.Rows);
    }

    /// <summary>The sixteen scales of one unit.</summary>
    public static void Unit(in Operand operand, int panel, nint unit, float* to) => Units(operand, panel, unit, unit + 1, to);

    // As many units as have the same sixteen largest deviations.
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static nint Units(in Operand operand, int panel, nint first, nint end, float* to)
    {
        float* largest = stackalloc float[PanelLayout.Rows];
        nint unitBytes = PanelLayout.UnitBytes(BlockFormat.NF4Double), rowBlocks = operand.RowBytes / unitBytes;
        nint count = end - first;
        for (int row = 0; row < PanelLayout.Rows; row++)
        {
            long block = ((long)panel * PanelLayout.Rows + row) * rowBlocks + first;
            largest[row] = operand.DoubleScales[1 + block / DoubleQuantizedScales.Blocks];
            count = Math.Min(count, (nint)(DoubleQuantizedScales.Blocks - block % DoubleQuantizedScales.Blocks));
        }
        byte* codes = operand.Data + panel * operand.RowBytes + first * unitBytes;
        float offset = operand.DoubleScales[0];
        for (nint unit = 0; unit < count; unit++, codes += unitBytes, to += PanelLayout.Rows)
        {
            for (int row = 0; row < PanelLayout.Rows; row += Vector256<float>.Count)
                Eight(codes + row, largest + row, offset, to + row);
        }
        return count;
    }

    // The product is rounded before the offset is added, as in the definition.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Eight(byte* codes, float* largest, float offset, float* to)
    {
        if (Avx2.IsSupported)
        {
            Vector256<float> values = Avx2.GatherVector256(Map, Avx2.ConvertToVector256Int32(codes), sizeof(float));
            Avx.Add(Avx.Multiply(values, Vector256.Load(largest)), Vector256.Create(offset)).Store(to);
            return;
        }
        for (int i = 0; i < Vector256<float>.Count; i++)
        {
            float deviation = Map[codes[i]] * largest[i];
            to[i] = deviation + offset;
        }
    }
}
