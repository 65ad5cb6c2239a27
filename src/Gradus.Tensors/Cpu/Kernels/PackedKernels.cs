using System.Runtime.CompilerServices;
using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    public override Shape PackedShape(PackedFormat format, int rows, int columns)
    {
        int rowBytes = checked((int)format.ByteLength(columns));
        return BlockFormats.Of(format).HasPanels() ? new Shape((rows + PanelLayout.Rows - 1) / PanelLayout.Rows * PanelLayout.Rows, rowBytes) : new Shape(rows, rowBytes);
    }

    public override bool KeepsPackedRows(PackedFormat format) => !BlockFormats.Of(format).HasPanels();

    public override void PutPackedRows(ReadOnlySpan<byte> blocks, PackedMatrix matrix, int row)
    {
        fixed (byte* from = blocks)
            MoveRows(matrix, row, from, blocks.Length, toMatrix: true);
    }

    public override void GetPackedRows(PackedMatrix matrix, int row, Span<byte> blocks)
    {
        fixed (byte* to = blocks)
            MoveRows(matrix, row, to, blocks.Length, toMatrix: false);
    }

    public override void Unpack(PackedMatrix matrix, Tensor y)
    {
        UnpackJob job = new() { Matrix = Operand(matrix, transposed: false, round: false), Rows = matrix.Rows, Columns = matrix.Columns, Y = y.Floats };
        Workers.For((matrix.Rows + PanelLayout.Rows - 1) / PanelLayout.Rows, &job, &UnpackRows);
    }

    public override void MatMulPacked(in PackedMatMulTask task)
    {
        (int n, int k) = task.TransposeB ? (task.B.Rows, task.B.Columns) : (task.B.Columns, task.B.Rows);
        bool round = task.Precision == Precision.BF16;
        GemmProblem problem = new()
        {
            M = task.M,
            N = n,
            K = k,
            Batch = 1,
            A = new Operand(task.A.Floats, k) { RoundToBf16 = round },
            B = Operand(task.B, task.TransposeB, round),
            C = task.C.Floats,
            StrideC = n,
            Bias = task.Bias is null ? null : task.Bias.Floats,
            Accumulate = task.Accumulate,
        };
        PackedGemm.Multiply(Isa, Workers, problem, task.B.ExactActivations);
    }

    private static Operand Operand(PackedMatrix matrix, bool transposed, bool round) =>
        new((byte*)matrix.Data.Address, matrix.Columns, BlockFormats.Of(matrix.Format), transposed) { RoundToBf16 = round };

    private static void MoveRows(PackedMatrix matrix, int row, byte* blocks, int length, bool toMatrix)
    {
        BlockFormat format = BlockFormats.Of(matrix.Format);
        byte* data = (byte*)matrix.Data.Address;
        if (!format.HasPanels())
        {
            byte* rows = data + (nint)row * matrix.RowBytes;
            Buffer.MemoryCopy(toMatrix ? blocks : rows, toMatrix ? rows : blocks, length, length);
            return;
        }
        int bytes = format.Bytes(), units = matrix.RowBytes / bytes, unitBytes = PanelLayout.UnitBytes(format);
        nint panelBytes = PanelLayout.PanelBytes(format, matrix.Columns);
        for (int end = row + (matrix.RowBytes == 0 ? 0 : length / matrix.RowBytes); row < end;)
        {
            // Unit by unit, so that what sixteen rows write together stays in the cache.
            int first = row % PanelLayout.Rows, rows = Math.Min(PanelLayout.Rows - first, end - row);
            byte* unit = data + row / PanelLayout.Rows * panelBytes;
            for (int i = 0; i < units; i++, unit += unitBytes)
            {
                for (int r = 0; r < rows; r++)
                {
                    byte* block = blocks + (nint)r * matrix.RowBytes + i * bytes;
                    if (toMatrix)
                        PanelLayout.Put(format, block, unit, first + r);
                    else
                        PanelLayout.Get(format, unit, first + r, block);
                }
            }
            blocks += (nint)rows * matrix.RowBytes;
            row += rows;
        }
    }

    [SkipLocalsInit]
    private static void UnpackRows(void* context, int item, int worker)
    {
        UnpackJob* job = (UnpackJob*)context;
        int row = item * PanelLayout.Rows, rows = Math.Min(PanelLayout.Rows, job->Rows - row);
        float* window = (float*)Scratch.Get(Scratch.Slot.ProductWindow, (nuint)PanelUnpack<T>.WindowElements(rows, BlockFormats.LargestBlock) * sizeof(float));
        for (int column = 0; column < job->Columns; column += BlockFormats.LargestBlock)
        {
            int columns = Math.Min(BlockFormats.LargestBlock, job->Columns - column);
            Operand unpacked = PanelUnpack<T>.Window(job->Matrix, row, rows, column, columns, window, out bool columnsFirst);
            nint stride = unpacked.RowBytes / sizeof(float);
            float* from = (float*)unpacked.Data;
            for (int r = 0; r < rows; r++)
            {
                float* to = job->Y + (nint)(row + r) * job->Columns + column;
                for (int c = 0; c < columns; c++)
                    to[c] = columnsFirst ? from[c * stride + r] : from[r * stride + c];
            }
        }
    }

    private struct UnpackJob
    {
        public Operand Matrix;
        public int Rows;
        public int Columns;
        public float* Y;
    }
}
