using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    public override Shape PackedShape(PackedMatrix matrix)
    {
        BlockFormat format = BlockFormats.Of(matrix);
        int rows = format.HasPanels() ? (matrix.Rows + PanelLayout.Rows - 1) / PanelLayout.Rows * PanelLayout.Rows : matrix.Rows;
        return new Shape(rows, checked((int)format.RowBytes(matrix.Columns)));
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
        UnpackJob job = new() { Matrix = Operand((byte*)matrix.Data.Address, matrix, transposed: false, round: false), Rows = matrix.Rows, Columns = matrix.Columns, Y = y.Floats };
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
            C = task.C.Floats,
            StrideC = n,
            Bias = task.Bias is null ? null : task.Bias.Floats,
            Accumulate = task.Accumulate,
            Epilogue = TileStep.Of<T>(task.Epilogue, task.C),
        };
        // Which kernel computes in bf16 depends on the whole shape; in F32 an element has the same bits in any piece of the matrix.
        if (task.TransposeB && !round && task.B.TakeFirstUse() is { } blocks)
        {
            MultiplyFromFile(task.B, (byte*)blocks.Address, problem);
            return;
        }
        PackedGemm.Multiply(Isa, Workers, problem with { B = Operand((byte*)task.B.Data.Address, task.B, task.TransposeB, round) }, task.B.ExactActivations);
    }

    // A slice of the matrix at a time becomes panels, in memory that stays in the cache, and is multiplied.
    private void MultiplyFromFile(PackedMatrix matrix, byte* blocks, in GemmProblem whole)
    {
        const nint SliceBytes = 1 << 20;
        BlockFormat format = BlockFormats.Of(matrix.Format);
        nint panelBytes = PanelLayout.PanelBytes(format, matrix.Columns);
        int most = (int)Math.Max(1, SliceBytes / Math.Max(1, panelBytes)) * PanelLayout.Rows;
        PanelJob job = new() { Format = format, RowBytes = matrix.RowBytes, Panels = (byte*)Scratch.Get(Scratch.Slot.ProductPanels, (nuint)(most / PanelLayout.Rows * panelBytes)) };
        for (int row = 0; row < matrix.Rows; row += most)
        {
            job.Blocks = blocks + (nint)row * matrix.RowBytes;
            job.Rows = Math.Min(most, matrix.Rows - row);
            Workers.For((job.Rows + PanelLayout.Rows - 1) / PanelLayout.Rows, &job, &FillPanel);
            GemmProblem slice = whole.OfColumns(row, job.Rows, Operand(job.Panels, matrix, transposed: true, round: false));
            PackedGemm.Multiply(Isa, Workers, slice, matrix.ExactActivations);
        }
    }

    private static void FillPanel(void* context, int item, int worker)
    {
        PanelJob* job = (PanelJob*)context;
        nint panelBytes = PanelLayout.Rows * (nint)job->RowBytes;
        byte* panel = job->Panels + item * panelBytes;
        int row = item * PanelLayout.Rows, rows = Math.Min(PanelLayout.Rows, job->Rows - row);
        if (rows < PanelLayout.Rows)
            NativeMemory.Clear(panel, (nuint)panelBytes);
        PanelLayout.PutRows(job->Format, job->Blocks + (nint)row * job->RowBytes, job->RowBytes, panel, 0, rows);
    }

    private static Operand Operand(byte* data, PackedMatrix matrix, bool transposed, bool round) =>
        new(data, matrix.Columns, BlockFormats.Of(matrix), transposed) { RoundToBf16 = round, DoubleScales = matrix.ScaleTable is { } scales ? scales.Floats : null };

    private static void MoveRows(PackedMatrix matrix, int row, byte* blocks, int length, bool toMatrix)
    {
        BlockFormat format = BlockFormats.Of(matrix);
        byte* data = (byte*)matrix.Data.Address;
        if (format == BlockFormat.NF4Double)
        {
            MoveDoubleRows(matrix, row, blocks, length, toMatrix);
            return;
        }
        if (!format.HasPanels())
        {
            byte* rows = data + (nint)row * matrix.RowBytes;
            Buffer.MemoryCopy(toMatrix ? blocks : rows, toMatrix ? rows : blocks, length, length);
            return;
        }
        nint panelBytes = PanelLayout.PanelBytes(format, matrix.Columns);
        for (int end = row + (matrix.RowBytes == 0 ? 0 : length / matrix.RowBytes); row < end;)
        {
            int first = row % PanelLayout.Rows, rows = Math.Min(PanelLayout.Rows - first, end - row);
            byte* panel = data + row / PanelLayout.Rows * panelBytes;
            if (toMatrix)
                PanelLayout.PutRows(format, blocks, matrix.RowBytes, panel, first, rows);
            else
                PanelLayout.GetRows(format, panel, first, rows, blocks, matrix.RowBytes);
            blocks += (nint)rows * matrix.RowBytes;
            row += rows;
        }
    }

    // Blocks with their scales in F32 outside, with codes for them in the panels.
    private static void MoveDoubleRows(PackedMatrix matrix, int row, byte* blocks, int length, bool toMatrix)
    {
        const int Outside = sizeof(float) + NF4.Block / 2, Inside = 1 + NF4.Block / 2;
        DoubleQuantizedScales scales = matrix.DoubleScales!;
        int rowBlocks = matrix.Columns / NF4.Block, rowBytes = rowBlocks * Inside;
        byte[] rented = ArrayPool<byte>.Shared.Rent(rowBytes);
        fixed (byte* inside = rented)
        {
            for (int end = row + (rowBlocks == 0 ? 0 : length / matrix.RowBytes); row < end; row++, blocks += matrix.RowBytes)
            {
                byte* panel = (byte*)matrix.Data.Address + row / PanelLayout.Rows * PanelLayout.PanelBytes(BlockFormat.NF4Double, matrix.Columns);
                if (!toMatrix)
                    PanelLayout.GetRows(BlockFormat.NF4Double, panel, row % PanelLayout.Rows, 1, inside, rowBytes);
                for (int i = 0; i < rowBlocks; i++)
                {
                    byte* here = inside + i * Inside, there = blocks + i * Outside;
                    long block = (long)row * rowBlocks + i;
                    if (toMatrix)
                        *here = scales.Encode(block, *(float*)there);
                    else
                        *(float*)there = scales.Decode(block, *here);
                    Buffer.MemoryCopy(toMatrix ? there + sizeof(float) : here + 1, toMatrix ? here + 1 : there + sizeof(float), NF4.Block / 2, NF4.Block / 2);
                }
                if (toMatrix)
                    PanelLayout.PutRows(BlockFormat.NF4Double, inside, rowBytes, panel, row % PanelLayout.Rows, 1);
            }
        }
        ArrayPool<byte>.Shared.Return(rented);
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

    private struct PanelJob
    {
        public BlockFormat Format;
        public int RowBytes;
        public byte* Blocks;
        public int Rows;
        public byte* Panels;
    }

    private struct UnpackJob
    {
        public Operand Matrix;
        public int Rows;
        public int Columns;
        public float* Y;
    }
}
