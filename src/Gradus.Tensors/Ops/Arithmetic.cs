namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>y = a + b; b has a's shape, or is one row or one value that is repeated.</summary>
    public Tensor Add(Tensor b) => Combine(BinaryOp.Add, b);

    /// <summary>y = a − b; b has a's shape, or is one row or one value that is repeated.</summary>
    public Tensor Subtract(Tensor b) => Combine(BinaryOp.Subtract, b);

    /// <summary>y = a · b, element by element; b has a's shape, or is one row or one value that is repeated.</summary>
    public Tensor Multiply(Tensor b) => Combine(BinaryOp.Multiply, b);

    /// <summary>y = a / b, element by element; b has a's shape, or is one row or one value that is repeated.</summary>
    public Tensor Divide(Tensor b) => Combine(BinaryOp.Divide, b);

    private Tensor Combine(BinaryOp op, Tensor b)
    {
        ArgumentNullException.ThrowIfNull(b);
        if (b.Shape != Shape && b.Count != Shape.Columns && b.Count != 1)
            throw new ArgumentException($"{op}: {Shape} and {b.Shape}: the second has the first's shape, or is one row of {Shape.Columns}, or one value.", nameof(b));
        Workspace w = Workspace.Innermost(this, b);
        Tensor y = w.Empty(Shape);
        w.Device.Binary(op, this, b, y);
        if (w.Records(this, b))
            w.Tape!.Record(y, new CombineNode(op, this, b));
        return y;
    }

    // a + b: da = dy, db = dy.  a − b: db = −dy.  a·b: da = dy·b, db = dy·a.  a/b: da = dy/b, db = −dy·y/b.
    // A repeated b gets the sum over its repetitions.
    private sealed class CombineNode(BinaryOp op, Tensor a, Tensor b) : Node
    {
        public override void Backward(Tensor dy)
        {
            Workspace w = dy.Workspace;
            if (a.NeedsGradient)
            {
                if (op is BinaryOp.Add or BinaryOp.Subtract)
                {
                    a.AddGradient(dy.Share());
                }
                else
                {
                    Tensor da = w.Empty(a.Shape);
                    w.Device.Binary(op, dy, b, da);
                    a.AddGradient(da);
                }
            }
            if (!b.NeedsGradient)
                return;
            if (op == BinaryOp.Add)
            {
                b.AddGradient(SumTo(dy.Share(), b));
                return;
            }
            Tensor db = w.Empty(dy.Shape);
            switch (op)
            {
                case BinaryOp.Subtract:
                    w.Device.Scale(dy, -1f, db);
                    break;
                case BinaryOp.Multiply:
                    w.Device.Binary(BinaryOp.Multiply, dy, a, db);
                    break;
                default:
                    w.Device.Binary(BinaryOp.Multiply, dy, Output, db);
                    w.Device.Binary(BinaryOp.Divide, db, b, db);
                    w.Device.Scale(db, -1f, db);
                    break;
            }
            b.AddGradient(SumTo(db, b));
        }

        private static Tensor SumTo(Tensor gradient, Tensor b)
        {
            if (gradient.Count == b.Count)
                return gradient;
            Workspace w = gradient.Workspace;
            Tensor sum = w.Empty(b.Shape);
            if (b.Count == 1)
                w.Device.Fill(sum, (float)w.Device.Sum(gradient));
            else
                w.Device.SumRows(gradient, sum, accumulate: false);
            gradient.Detach();
            return sum;
        }
    }

    /// <summary>y = αx.</summary>
    public Tensor Scale(float alpha)
    {
        Tensor y = Workspace.Empty(Shape);
        Device.Scale(this, alpha, y);
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new ScaleNode(this, alpha));
        return y;
    }

    // dx = α·dy.
    private sealed class ScaleNode(Tensor x, float alpha) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.Empty(x.Shape);
            dy.Device.Scale(dy, alpha, dx);
            x.AddGradient(dx);
        }
    }

    /// <summary>y[r, c] = s[r] · x[r, c]: every row has its own factor.</summary>
    /// <param name="factors">One value for each row.</param>
    public Tensor ScaleRows(Tensor factors)
    {
        ArgumentNullException.ThrowIfNull(factors);
        if (factors.Count != Shape.Rows)
            throw new ArgumentException($"ScaleRows: {Shape} has {Shape.Rows} rows, but the factors are {factors.Shape}.", nameof(factors));
        Workspace w = Workspace.Innermost(this, factors);
        Tensor y = w.Empty(Shape);
        w.Device.ScaleRows(this, factors, y);
        if (w.Records(this, factors))
            w.Tape!.Record(y, new ScaleRowsNode(this, factors));
        return y;
    }

    // dx = s·dy, ds[r] = Σ_c dy[r, c]·x[r, c].
    private sealed class ScaleRowsNode(Tensor x, Tensor factors) : Node
    {
        public override void Backward(Tensor dy)
        {
            Workspace w = dy.Workspace;
            if (x.NeedsGradient)
            {
                Tensor dx = w.Empty(x.Shape);
                w.Device.ScaleRows(dy, factors, dx);
                x.AddGradient(dx);
            }
            if (factors.NeedsGradient)
            {
                Tensor ds = w.Empty(factors.Shape);
                w.Device.RowDots(dy, x, ds);
                factors.AddGradient(ds);
            }
        }
    }

    /// <summary>Σ x: one value.</summary>
    public Tensor Sum()
    {
        Tensor y = Workspace.Empty(default);
        Device.Fill(y, (float)Device.Sum(this));
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new SumNode(this));
        return y;
    }

    // dx = dy everywhere.
    private sealed class SumNode(Tensor x) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.Empty(x.Shape);
            dy.Device.Fill(dx, dy.Item());
            x.AddGradient(dx);
        }
    }

    /// <summary>The mean of all elements: one value.</summary>
    public Tensor Mean() => Sum().Scale(1f / Count);

    /// <summary>y = x as F32.</summary>
    public Tensor ToF32()
    {
        if (DType == DType.F32)
            return this;
        Tensor y = Workspace.Empty(Shape);
        Device.Convert(this, y);
        return y;
    }
}
