using System.Runtime.InteropServices;
using Gradus.Tensors;

namespace Gradus.Files.Quantized;

/// <summary>
/// A weight (out, in) that is computed, whole rows at a time, from the integers and scales of a quantized checkpoint. Values are rounded to
/// the type that the checkpoint computes in, as the libraries which wrote it do.
/// </summary>
internal abstract class DequantizedLayout(Shape shape, DType type) : TensorLayout
{
    /// <inheritdoc/>
    public sealed override DType ComputedType => type is DType.F16 or DType.BF16 ? type : DType.F32;

    /// <inheritdoc/>
    public sealed override bool KeepsRows => false;

    /// <inheritdoc/>
    public sealed override bool KeepsValues => false;

    /// <inheritdoc/>
    public sealed override Shape ShapeOf(IReadOnlyList<TensorEntry> sources) => shape;

    /// <inheritdoc/>
    public sealed override void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination)
    {
        int columns = shape.Columns;
        float[] row = [];
        while (destination.Length > 0)
        {
            (long first, long column) = Math.DivRem(start, columns);
            int whole = destination.Length / columns;
            int length;
            if (column == 0 && whole > 0)
            {
                length = whole * columns;
                ReadRows(file, sources, (int)first, destination[..length]);
                Round(destination[..length]);
            }
            else
            {
                length = (int)Math.Min(columns - column, destination.Length);
                if (row.Length == 0)
                    row = new float[columns];
                ReadRows(file, sources, (int)first, row);
                Round(row);
                row.AsSpan((int)column, length).CopyTo(destination);
            }
            destination = destination[length..];
            start += length;
        }
    }

    /// <summary>Computes whole rows.</summary>
    /// <param name="file">The file of the sources.</param>
    /// <param name="sources">The tensors that the weight is stored in.</param>
    /// <param name="first">The first row.</param>
    /// <param name="destination">A whole number of rows.</param>
    protected abstract void ReadRows(TensorFile file, IReadOnlyList<TensorEntry> sources, int first, Span<float> destination);

    private void Round(Span<float> values)
    {
        if (ComputedType == DType.F32)
            return;
        Span<byte> narrow = new byte[Math.Min(values.Length, 1 << 12) * sizeof(ushort)];
        for (; !values.IsEmpty; values = values[Math.Min(values.Length, 1 << 12)..])
        {
            Span<float> part = values[..Math.Min(values.Length, 1 << 12)];
            ElementConversion.FromSingle(ComputedType, part, narrow[..(part.Length * sizeof(ushort))]);
            ElementConversion.ToSingle(ComputedType, narrow[..(part.Length * sizeof(ushort))], part);
        }
    }

    /// <summary>The stored integers of a tensor; each fits a span, since there are several to a byte of weights.</summary>
    protected static ReadOnlySpan<T> Stored<T>(TensorFile file, TensorEntry entry)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(file.Bytes(entry).Span);

    /// <summary>A small tensor as floats.</summary>
    protected static float[] Floats(TensorFile file, TensorEntry entry)
    {
        float[] values = new float[entry.Shape.Count];
        file.Read(entry, values);
        return values;
    }
}
