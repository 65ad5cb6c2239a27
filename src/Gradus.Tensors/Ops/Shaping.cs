namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>The same values with other axes; no copy.</summary>
    /// <exception cref="ArgumentException">The number of elements differs.</exception>
    public Tensor Reshape(params ReadOnlySpan<int> axes)
    {
        Shape shape = new(axes);
        if (shape.Count != Count)
            throw new ArgumentException($"Reshape: {Shape} has {Count} elements, {shape} has {shape.Count}.", nameof(axes));
        Tensor y = Workspace.Alias(this, shape);
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new ReshapeNode(this));
        return y;
    }

    private sealed class ReshapeNode(Tensor x) : Node
    {
        public override void Backward(Tensor dy) => x.AddGradient(dy.Workspace.Alias(dy, x.Shape));
    }

    /// <summary>Rows start … start + count of axis 0; no copy.</summary>
    public Tensor Rows(int start, int count)
    {
        if (Shape.Rank == 0 || start < 0 || count < 0 || start > Shape[0] - count)
            throw new ArgumentOutOfRangeException(nameof(start), $"Rows: {Shape} has no rows {start} … {start + count}.");
        long rowBytes = Shape[0] == 0 ? 0 : Count / Shape[0] * DType.Size();
        Tensor y = Workspace.Alias(this, Shape.With(0, count), start * rowBytes);
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new RowsNode(this, start));
        return y;
    }

    // The gradient of the other rows is zero.
    private sealed class RowsNode(Tensor x, int start) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = x.GradientTarget(out bool add);
            if (!add)
                dx.Clear();
            if (dy.Count == 0)
                return;
            Tensor part = dy.Workspace.Alias(dx, dy.Shape, start * (dy.Count / dy.Shape[0]) * sizeof(float));
            dy.Device.Axpy(1f, dy, part);
            part.Detach();
        }
    }

    /// <summary>Columns start … start + count of the last axis.</summary>
    public Tensor Columns(int start, int count)
    {
        if (start < 0 || count < 0 || start > Shape.Columns - count)
            throw new ArgumentOutOfRangeException(nameof(start), $"Columns: {Shape} has no columns {start} … {start + count}.");
        Tensor y = Workspace.Empty(Shape.WithColumns(count));
        Device.CopyColumns(this, start, y, 0, count, accumulate: false);
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new ColumnsNode(this, start));
        return y;
    }

    // The gradient of the other columns is zero.
    private sealed class ColumnsNode(Tensor x, int start) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = x.GradientTarget(out bool add);
            if (!add)
                dx.Clear();
            dy.Device.CopyColumns(dy, 0, dx, start, dy.Shape.Columns, accumulate: true);
        }
    }

    /// <summary>This tensor's columns followed by another's.</summary>
    public Tensor Append(Tensor right)
    {
        ArgumentNullException.ThrowIfNull(right);
        if (right.Shape.Rank != Shape.Rank || right.Shape.Rows != Shape.Rows)
            throw new ArgumentException($"Append: {Shape} and {right.Shape} differ in rows.", nameof(right));
        Workspace w = Workspace.Innermost(this, right);
        int left = Shape.Columns;
        Tensor y = w.Empty(Shape.WithColumns(left + right.Shape.Columns));
        w.Device.CopyColumns(this, 0, y, 0, left, accumulate: false);
        w.Device.CopyColumns(right, 0, y, left, right.Shape.Columns, accumulate: false);
        if (w.Records(this, right))
            w.Tape!.Record(y, new AppendNode(this, right));
        return y;
    }

    private sealed class AppendNode(Tensor left, Tensor right) : Node
    {
        public override void Backward(Tensor dy)
        {
            Pass(dy, left, 0);
            Pass(dy, right, left.Shape.Columns);
        }

        private static void Pass(Tensor dy, Tensor x, int start)
        {
            if (!x.NeedsGradient)
                return;
            Tensor dx = dy.Workspace.Empty(x.Shape);
            dy.Device.CopyColumns(dy, start, dx, 0, x.Shape.Columns, accumulate: false);
            x.AddGradient(dx);
        }
    }

    /// <summary>(A, B, …) → (B, A, …).</summary>
    public Tensor SwapAxes()
    {
        if (Shape.Rank < 2)
            throw new InvalidOperationException($"SwapAxes: {Shape} has fewer than two axes.");
        Tensor y = Workspace.Empty(Shape.With(0, Shape[1]).With(1, Shape[0]));
        Device.SwapAxes(this, y, Shape[0], Shape[1], Inner());
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new SwapAxesNode(this));
        return y;
    }

    private int Inner() => checked((int)(Count == 0 ? 0 : Count / ((long)Shape[0] * Shape[1])));

    private sealed class SwapAxesNode(Tensor x) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.Empty(x.Shape);
            dy.Device.SwapAxes(dy, dx, dy.Shape[0], dy.Shape[1], dy.Inner());
            x.AddGradient(dx);
        }
    }

    /// <summary>y[i] = table[ids[i]]: rows of this (V, C) table; the embedding lookup.</summary>
    /// <param name="ids">(N), I32, each in [0, V).</param>
    /// <param name="untrained">A row that gets no gradient from this lookup, as that of padding; null for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the table.</exception>
    public Tensor Gather(Tensor ids, int? untrained = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (Shape.Rank != 2)
            throw new InvalidOperationException($"Gather: the table must be a matrix, but it is {Shape}.");
        foreach (int id in ids.Span<int>())
        {
            if ((uint)id >= (uint)Shape[0])
                throw new ArgumentOutOfRangeException(nameof(ids), $"Gather: id {id} is outside the table's {Shape[0]} rows; does the tokenizer fit the model?");
        }
        Workspace w = Workspace.Innermost(this, ids);
        Tensor y = w.Empty(new Shape(checked((int)ids.Count), Shape[1]));
        w.Device.Gather(this, ids, y);
        if (w.Records(this))
            w.Tape!.Record(y, new GatherNode(this, ids, untrained));
        return y;
    }

    // dtable[ids[i]] += dy[i], but for the untrained row.
    private sealed class GatherNode(Tensor table, Tensor ids, int? untrained) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor sum = table.GradientTarget(out bool add);
            if (!add)
                sum.Clear();
            dy.Device.ScatterAdd(untrained is { } row && ids.Span<int>().Contains(row) ? Without(row, dy) : dy, ids, sum);
        }

        private Tensor Without(int row, Tensor dy)
        {
            Tensor rest = dy.Workspace.Empty(dy.Shape);
            dy.Span().CopyTo(rest.Span());
            ReadOnlySpan<int> rows = ids.Span<int>();
            for (int i = 0; i < rows.Length; i++)
            {
                if (rows[i] == row)
                    rest.Span().Slice(i * dy.Shape.Columns, dy.Shape.Columns).Clear();
            }
            return rest;
        }
    }

    /// <summary>y[ids[i]] = Σ x[i] over the rows of all parts, in their order; 0 where no row goes. What <see cref="Gather"/> took apart is put together.</summary>
    /// <param name="parts">Matrices of C columns; at least one.</param>
    /// <param name="ids">For each part the row of y that each of its rows is added to, I32 in [0, rows).</param>
    /// <param name="rows">Rows of y.</param>
    /// <returns>(rows, C).</returns>
    public static Tensor Scatter(IReadOnlyList<Tensor> parts, IReadOnlyList<Tensor> ids, int rows)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(ids);
        if (parts.Count == 0 || parts.Count != ids.Count)
            throw new ArgumentException($"Scatter: {parts.Count} parts and {ids.Count} lists of rows; there is one for each part, and at least one part.", nameof(ids));
        Workspace w = parts[0].Workspace;
        for (int p = 0; p < parts.Count; p++)
        {
            CheckScatter(parts[p], ids[p], parts[0].Shape.Columns, rows);
            w = parts[p].Workspace.Depth > w.Depth ? parts[p].Workspace : w;
        }
        Tensor y = w.Zeros(new Shape(rows, parts[0].Shape.Columns));
        bool recorded = false;
        for (int p = 0; p < parts.Count; p++)
        {
            w.Device.ScatterAdd(parts[p], ids[p], y);
            recorded |= w.Records(parts[p]);
        }
        if (recorded)
            w.Tape!.Record(y, new ScatterNode([.. parts], [.. ids]));
        return y;
    }

    private static void CheckScatter(Tensor part, Tensor ids, int columns, int rows)
    {
        if (part.Shape.Rank != 2 || part.Shape.Columns != columns || ids.Count != part.Shape[0])
            throw new ArgumentException($"Scatter: a part {part.Shape} with {ids.Count} rows to go to; parts are matrices of {columns} columns, with a place for each row.");
        foreach (int id in ids.Span<int>())
        {
            if ((uint)id >= (uint)rows)
                throw new ArgumentOutOfRangeException(nameof(ids), $"Scatter: row {id} is outside the result's {rows} rows.");
        }
    }

    // dx[i] = dy[ids[i]].
    private sealed class ScatterNode(Tensor[] parts, Tensor[] ids) : Node
    {
        public override void Backward(Tensor dy)
        {
            for (int p = 0; p < parts.Length; p++)
            {
                if (!parts[p].NeedsGradient)
                    continue;
                Tensor dx = dy.Workspace.Empty(parts[p].Shape);
                dy.Device.Gather(dy, ids[p], dx);
                parts[p].AddGradient(dx);
            }
        }
    }
}
