using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files;


/// <summary>
/// How the values of one tensor are found in those of others: two formats store the same weights in another order, joined, transposed or
/// shifted. Values are read piece by piece, so that no more than one tensor is held.
/// </summary>
internal abstract class TensorLayout
{
    /// <summary>The tensor as it is.</summary>
    public static TensorLayout Same { get; } = new SameLayout(null);

    /// <summary>Rows and columns exchanged: the Conv1D of GPT-2 stores (in, out).</summary>
    public static TensorLayout Transposed { get; } = new TransposedLayout();

    /// <summary>Whether every row is a row of a source, so that packed rows can be moved without unpacking.</summary>
    public virtual bool KeepsRows => true;

    /// <summary>Whether every value is a value of a source, so that its type can stay.</summary>
    public virtual bool KeepsValues => true;

    /// <summary>The type of computed values, each of which it holds exactly.</summary>
    public virtual DType ComputedType => DType.F32;

    /// <summary>The tensor with another division into axes.</summary>
    public static TensorLayout Reshaped(Shape shape) => new SameLayout(shape);

    /// <summary>Rows in another order; the elements of a vector count as its rows.</summary>
    /// <param name="origin">For each row of the result, the row of the source.</param>
    public static TensorLayout Rows(int[] origin) => new RowOrder(origin);

    /// <summary>All rows but the first ones.</summary>
    public static TensorLayout WithoutFirst(int rows) => new WithoutFirstLayout(rows);

    /// <summary>Rows of zeros before those of the source.</summary>
    public static TensorLayout AfterZeros(int rows) => new AfterZerosLayout(rows);

    /// <summary>A constant added to each value.</summary>
    public static TensorLayout Plus(float term) => new Shifted(term);

    /// <summary>The sources one after another along a new first axis.</summary>
    public static TensorLayout Stacked() => new StackedLayout();

    /// <summary>One of the tensors that <see cref="Stacked"/> joined.</summary>
    public static TensorLayout Slice(int index) => new SliceLayout(index);

    /// <summary>Values that no source has.</summary>
    public static TensorLayout Constant(float[] values) => new ConstantLayout(values);

    /// <summary>The shape of the result.</summary>
    public virtual Shape ShapeOf(IReadOnlyList<TensorEntry> sources) => sources[0].Shape;

    /// <summary>Whether the layout is made for a source of this shape.</summary>
    public virtual bool Fits(Shape source) => true;

    /// <summary>Reads values of the result.</summary>
    /// <param name="file">The file of the sources.</param>
    /// <param name="sources">The sources, in order.</param>
    /// <param name="start">The first value, row-major; for packed sources a multiple of the block size.</param>
    /// <param name="destination">The values to fill; for packed sources a whole number of blocks.</param>
    public abstract void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination);

    /// <summary>The result in blocks, as the sources have it between them, or null: they do not.</summary>
    public virtual PackedMatrix? ReadPacked(TensorFile file, IReadOnlyList<TensorEntry> sources, Workspace store) => null;

    /// <summary>Where a row lies; asked only where rows are kept.</summary>
    public virtual (int Source, long Row) Origin(long row, IReadOnlyList<TensorEntry> sources) => (0, row);

    private sealed class SameLayout(Shape? shape) : TensorLayout
    {
        public override Shape ShapeOf(IReadOnlyList<TensorEntry> sources) => shape ?? sources[0].Shape;

        public override bool Fits(Shape source) => shape is not { } other || other.Count == source.Count;

        public override void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination) =>
            file.Read(sources[0], start, destination);
    }

    private sealed class RowOrder(int[] origin) : TensorLayout
    {
        public override bool Fits(Shape source) => (source.Rank == 1 ? source.Count : source.Rows) == origin.Length;

        public override void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination)
        {
            Shape shape = sources[0].Shape;
            if (shape.Rank == 1)
            {
                float[] all = new float[shape.Count];
                file.Read(sources[0], all);
                for (int i = 0; i < destination.Length; i++)
                    destination[i] = all[origin[start + i]];
                return;
            }
            int columns = shape.Columns;
            while (destination.Length > 0)
            {
                (long row, long column) = Math.DivRem(start, columns);
                int length = (int)Math.Min(columns - column, destination.Length);
                file.Read(sources[0], (origin[row] * (long)columns) + column, destination[..length]);
                destination = destination[length..];
                start += length;
            }
        }

        public override (int Source, long Row) Origin(long row, IReadOnlyList<TensorEntry> sources) => (0, origin[row]);
    }

    private sealed class WithoutFirstLayout(int rows) : TensorLayout
    {
        public override Shape ShapeOf(IReadOnlyList<TensorEntry> sources) => sources[0].Shape.With(0, sources[0].Shape[0] - rows);

        public override bool Fits(Shape source) => source.Rank == 2 && source[0] > rows;

        public override void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination) =>
            file.Read(sources[0], ((long)rows * sources[0].Shape.Columns) + start, destination);

        public override (int Source, long Row) Origin(long row, IReadOnlyList<TensorEntry> sources) => (0, row + rows);
    }

    private sealed class AfterZerosLayout(int rows) : TensorLayout
    {
        public override bool KeepsRows => false;

        public override bool KeepsValues => false;

        public override Shape ShapeOf(IReadOnlyList<TensorEntry> sources) => sources[0].Shape.With(0, sources[0].Shape[0] + rows);

        public override bool Fits(Shape source) => source.Rank == 2;

        public override void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination)
        {
            long zeros = (long)rows * sources[0].Shape.Columns;
            int cleared = (int)Math.Clamp(zeros - start, 0, destination.Length);
            destination[..cleared].Clear();
            if (cleared < destination.Length)
                file.Read(sources[0], start + cleared - zeros, destination[cleared..]);
        }
    }

    private sealed class TransposedLayout : TensorLayout
    {
        public override bool KeepsRows => false;

        public override Shape ShapeOf(IReadOnlyList<TensorEntry> sources) =>
            sources[0].Shape.Rank == 2 ? new Shape(sources[0].Shape[1], sources[0].Shape[0]) : sources[0].Shape;

        public override void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination)
        {
            Shape shape = sources[0].Shape;
            if (shape.Rank != 2)
            {
                file.Read(sources[0], start, destination);
                return;
            }
            // Row r of the result is column r of the source: the source's rows are read once for each piece.
            int columns = shape[1], width = shape[0];
            long first = start / width, last = (start + destination.Length - 1) / width;
            int wide = (int)(last - first + 1);
            float[] row = new float[columns];
            for (int i = 0; i < width; i++)
            {
                file.Read(sources[0], (long)i * columns, row);
                for (int r = 0; r < wide; r++)
                {
                    long at = ((first + r) * width) + i - start;
                    if (at >= 0 && at < destination.Length)
                        destination[(int)at] = row[first + r];
                }
            }
        }
    }

    private sealed class Shifted(float term) : TensorLayout
    {
        public override bool KeepsRows => false;

        public override bool KeepsValues => false;

        public override void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination)
        {
            file.Read(sources[0], start, destination);
            foreach (ref float value in destination)
                value += term;
        }
    }

    private sealed class StackedLayout : TensorLayout
    {
        public override Shape ShapeOf(IReadOnlyList<TensorEntry> sources) => new([sources.Count, .. sources[0].Shape.ToArray()]);

        public override void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination)
        {
            long each = sources[0].Shape.Count;
            while (destination.Length > 0)
            {
                (long source, long within) = Math.DivRem(start, each);
                int length = (int)Math.Min(each - within, destination.Length);
                file.Read(sources[(int)source], within, destination[..length]);
                destination = destination[length..];
                start += length;
            }
        }

        public override (int Source, long Row) Origin(long row, IReadOnlyList<TensorEntry> sources)
        {
            (long source, long within) = Math.DivRem(row, sources[0].Shape.Rows);
            return ((int)source, within);
        }
    }

    private sealed class SliceLayout(int index) : TensorLayout
    {
        public override Shape ShapeOf(IReadOnlyList<TensorEntry> sources) => new(sources[0].Shape.ToArray().AsSpan(1));

        public override void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination) =>
            file.Read(sources[0], (index * ShapeOf(sources).Count) + start, destination);

        public override (int Source, long Row) Origin(long row, IReadOnlyList<TensorEntry> sources) =>
            (0, (index * ShapeOf(sources).Rows) + row);
    }

    private sealed class ConstantLayout(float[] values) : TensorLayout
    {
        public override bool KeepsRows => false;

        public override bool KeepsValues => false;

        public override Shape ShapeOf(IReadOnlyList<TensorEntry> sources) => new(values.Length);

        public override void Read(TensorFile file, IReadOnlyList<TensorEntry> sources, long start, Span<float> destination) =>
            values.AsSpan((int)start, destination.Length).CopyTo(destination);
    }
}
