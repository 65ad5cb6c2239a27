using Gradus.Tensors.Packed;

namespace Gradus.Tensors;

public sealed unsafe partial class ReferenceDevice
{
    /// <inheritdoc/>
    public override Shape PackedShape(PackedMatrix matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        return new Shape(matrix.Rows, matrix.RowBytes);
    }

    /// <inheritdoc/>
    public override bool KeepsPackedRows(PackedFormat format) => true;

    /// <inheritdoc/>
    public override void PutPackedRows(ReadOnlySpan<byte> blocks, PackedMatrix matrix, int row) =>
        blocks.CopyTo(new Span<byte>((byte*)matrix.Data.Address + ((long)row * matrix.RowBytes), blocks.Length));

    /// <inheritdoc/>
    public override void GetPackedRows(PackedMatrix matrix, int row, Span<byte> blocks) =>
        new ReadOnlySpan<byte>((byte*)matrix.Data.Address + ((long)row * matrix.RowBytes), blocks.Length).CopyTo(blocks);

    /// <inheritdoc/>
    public override void Unpack(PackedMatrix matrix, Tensor y)
    {
        for (int row = 0; row < matrix.Rows; row++)
        {
            ReadOnlySpan<byte> blocks = new((byte*)matrix.Data.Address + ((long)row * matrix.RowBytes), matrix.RowBytes);
            matrix.Format.Unpack(blocks, new Span<float>(y.Floats + ((long)row * matrix.Columns), matrix.Columns));
        }
    }

    /// <inheritdoc/>
    public override void MatMulPacked(in PackedMatMulTask task)
    {
        using Workspace scratch = new(this);
        Tensor dense = task.B.Dense(scratch);
        (int n, int k) = task.TransposeB ? (task.B.Rows, task.B.Columns) : (task.B.Columns, task.B.Rows);
        MatMul(new MatMulTask(task.A, dense, task.C, task.M, n, k)
        {
            TransposeB = task.TransposeB,
            Bias = task.Bias,
            Accumulate = task.Accumulate,
            Precision = task.Precision,
            Epilogue = task.Epilogue,
        });
    }
}
