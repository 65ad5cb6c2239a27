using System.Runtime.InteropServices;
using Gradus.Tensors;

namespace Gradus.Files.Quantized;

/// <summary>A weight (out, in) that is computed, whole rows at a time, from the integers and scales of a quantized checkpoint.</summary>
internal abstract class DequantizedLayout(Shape shape) : TensorLayout
{
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
            }
            else
            {
                length = (int)Math.Min(columns - column, destination.Length);
                if (row.Length == 0)
                    row = new float[columns];
                ReadRows(file, sources, (int)first, row);
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
