namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>loss[i] = −log softmax(logits[i])[targets[i]] of every row, in nats; 0 where the target is negative.</summary>
    /// <param name="targets">(N), I32: the index of the right column, or a negative number (−100) for rows that do not count.</param>
    /// <returns>(N).</returns>
    public Tensor CrossEntropy(Tensor targets)
    {
        ArgumentNullException.ThrowIfNull(targets);
        CheckTargets(targets, checked((int)Shape.Rows), Shape.Columns);
        Workspace w = Workspace.Innermost(this, targets);
        Tensor losses = w.Empty(RowShape()), lse = w.Empty(RowShape());
        w.Device.CrossEntropy(this, targets, losses, lse);
        if (w.Records(this))
            w.Tape!.Record(losses, new CrossEntropyNode(this, targets, lse));
        return losses;
    }

    // dlogits = (softmax(logits) − onehot(target)) · dloss.
    private sealed class CrossEntropyNode(Tensor logits, Tensor targets, Tensor lse) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.Empty(logits.Shape);
            dy.Device.CrossEntropyGradient(logits, targets, lse, dy, dx);
            logits.AddGradient(dx);
            lse.Detach();
        }
    }

    /// <summary>
    /// The cross-entropy of a linear head, without ever holding all logits: loss[i] of x·Wᵀ (+ b), computed for some rows at a
    /// time, and once more in the backward pass.
    /// </summary>
    /// <param name="weight">(V, C).</param>
    /// <param name="bias">(V), or null.</param>
    /// <param name="targets">(N), as in <see cref="CrossEntropy"/>.</param>
    /// <param name="chunkRows">Rows of logits held at once; at least 1.</param>
    public Tensor LinearCrossEntropy(Tensor weight, Tensor? bias, Tensor targets, int chunkRows)
    {
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentOutOfRangeException.ThrowIfLessThan(chunkRows, 1);
        if (weight.Shape.Rank != 2)
            throw new ArgumentException($"LinearCrossEntropy: the weight must be a matrix, but it is {weight.Shape}.", nameof(weight));
        int rows = checked((int)Shape.Rows), vocabulary = weight.Shape[0], columns = weight.Shape[1];
        CheckTargets(targets, rows, vocabulary);
        if (Shape.Columns != columns)
            throw new ArgumentException($"LinearCrossEntropy: the input {Shape} has {Shape.Columns} columns, but the weight {weight.Shape} takes {columns}.", nameof(weight));
        if (bias is not null && bias.Count != vocabulary)
            throw new ArgumentException($"LinearCrossEntropy: the weight {weight.Shape} makes {vocabulary} columns, but the bias is {bias.Shape}.", nameof(bias));
        Workspace w = Workspace.Innermost(this, weight, targets);
        Tensor losses = w.Empty(new Shape(rows)), lse = w.Empty(new Shape(rows));
        for (int start = 0; start < rows; start += chunkRows)
        {
            int count = Math.Min(chunkRows, rows - start);
            Tensor logits = Logits(this, weight, bias, w, start, count);
            Tensor l = Part(w, losses, start, count), s = Part(w, lse, start, count), t = Part(w, targets, start, count);
            w.Device.CrossEntropy(logits, t, l, s);
            Release(logits, l, s, t);
        }
        if (w.Records(this, weight, bias))
            w.Tape!.Record(losses, new LinearCrossEntropyNode(this, weight, bias, targets, lse, chunkRows));
        return losses;
    }

    private sealed class LinearCrossEntropyNode(Tensor x, Tensor weight, Tensor? bias, Tensor targets, Tensor lse, int chunkRows) : Node
    {
        // With dz = (softmax(z) − onehot)·dloss for every chunk:  dx = dz·W,  dW += dzᵀ·x,  db += Σ dz.
        public override void Backward(Tensor dy)
        {
            Workspace w = dy.Workspace;
            int rows = checked((int)x.Shape.Rows), vocabulary = weight.Shape[0], inner = weight.Shape[1];
            bool addX = false, addW = false, addB = false;
            Tensor? dx = x.NeedsGradient ? x.GradientTarget(out addX) : null;
            Tensor? dw = weight.NeedsGradient ? weight.GradientTarget(out addW) : null;
            Tensor? db = bias is { NeedsGradient: true } ? bias.GradientTarget(out addB) : null;
            if (rows == 0)
            {
                ClearNew(dw, addW);
                ClearNew(db, addB);
            }
            for (int start = 0; start < rows; start += chunkRows)
            {
                int count = Math.Min(chunkRows, rows - start);
                Tensor z = Logits(x, weight, bias, w, start, count);
                Tensor d = Part(w, dy, start, count), s = Part(w, lse, start, count), t = Part(w, targets, start, count);
                w.Device.CrossEntropyGradient(z, t, s, d, z);
                if (dx is not null)
                {
                    Tensor part = RowsOf(w, dx, start, count);
                    w.Device.MatMul(new MatMulTask(z, weight, part, count, inner, vocabulary) { Accumulate = addX, Precision = w.Precision });
                    part.Detach();
                }
                if (dw is not null)
                {
                    Tensor part = RowsOf(w, x, start, count);
                    w.Device.MatMul(new MatMulTask(z, part, dw, vocabulary, inner, count)
                    {
                        TransposeA = true,
                        Accumulate = addW || start > 0,
                        Precision = w.Precision,
                    });
                    part.Detach();
                }
                if (db is not null)
                    w.Device.SumRows(z, db, addB || start > 0);
                Release(z, d, s, t);
            }
            lse.Detach();
        }

        private static void ClearNew(Tensor? gradient, bool add)
        {
            if (!add)
                gradient?.Clear();
        }
    }

    private static Tensor Logits(Tensor x, Tensor weight, Tensor? bias, Workspace w, int start, int count)
    {
        Tensor part = RowsOf(w, x, start, count), logits = w.Empty(new Shape(count, weight.Shape[0]));
        w.Device.MatMul(new MatMulTask(part, weight, logits, count, weight.Shape[0], weight.Shape[1])
        {
            TransposeB = true,
            Bias = bias,
            Precision = w.Precision,
        });
        part.Detach();
        return logits;
    }

    private static Tensor RowsOf(Workspace w, Tensor t, int start, int count) =>
        w.Alias(t, new Shape(count, t.Shape.Columns), (long)start * t.Shape.Columns * sizeof(float));

    private static Tensor Part(Workspace w, Tensor t, int start, int count) => w.Alias(t, new Shape(count), (long)start * sizeof(float));

    private static void Release(Tensor a, Tensor b, Tensor c, Tensor d)
    {
        a.Detach();
        b.Detach();
        c.Detach();
        d.Detach();
    }

    private static void CheckTargets(Tensor targets, int rows, int classes)
    {
        if (targets.Count != rows)
            throw new ArgumentException($"CrossEntropy: {rows} rows, but {targets.Count} targets.", nameof(targets));
        foreach (int target in targets.Span<int>())
        {
            if (target >= classes)
                throw new ArgumentOutOfRangeException(nameof(targets), $"CrossEntropy: target {target} is outside the {classes} classes.");
        }
    }
}
