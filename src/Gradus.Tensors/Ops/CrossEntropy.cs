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
        w.Device.CrossEntropy(new CrossEntropyTask(this, targets, losses, lse));
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
            dy.Device.CrossEntropyGradient(logits, targets, lse, dy, dx, firstColumn: 0);
            logits.AddGradient(dx);
            lse.Detach();
        }
    }

    /// <summary>
    /// The cross-entropy of a linear head: loss[i] of x·Wᵀ (+ b), for a block of the vocabulary at a time, so that its logits are used while they
    /// are in the cache. The backward pass needs them again: of as many blocks as allowed they are kept, of the others computed once more.
    /// </summary>
    /// <param name="weight">(V, C).</param>
    /// <param name="bias">(V), or null.</param>
    /// <param name="targets">(N), as in <see cref="CrossEntropy"/>.</param>
    /// <param name="logitsAtOnce">About how many logits a block holds; at least N times <see cref="CrossEntropyTask.BlockColumns"/> of them.</param>
    /// <param name="logitsKept">How many logits may be kept for the backward pass.</param>
    /// <remarks>The bits are the same for any size of blocks.</remarks>
    public Tensor LinearCrossEntropy(Tensor weight, Tensor? bias, Tensor targets, int logitsAtOnce = 2 << 20, long logitsKept = 32 << 20)
    {
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentOutOfRangeException.ThrowIfLessThan(logitsAtOnce, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(logitsKept);
        if (weight.Shape.Rank != 2)
            throw new ArgumentException($"LinearCrossEntropy: the weight must be a matrix, but it is {weight.Shape}.", nameof(weight));
        int rows = checked((int)Shape.Rows), vocabulary = weight.Shape[0], columns = weight.Shape[1];
        CheckTargets(targets, rows, vocabulary);
        if (Shape.Columns != columns)
            throw new ArgumentException($"LinearCrossEntropy: the input {Shape} has {Shape.Columns} columns, but the weight {weight.Shape} takes {columns}.", nameof(weight));
        if (bias is not null && bias.Count != vocabulary)
            throw new ArgumentException($"LinearCrossEntropy: the weight {weight.Shape} makes {vocabulary} columns, but the bias is {bias.Shape}.", nameof(bias));
        Workspace w = Workspace.Innermost(this, weight, targets);
        Head head = new(this, weight, bias, logitsAtOnce);
        bool records = w.Records(this, weight, bias);
        int kept = records ? (int)Math.Min(head.Blocks, logitsKept / Math.Max(1, (long)rows * head.Columns)) : 0;
        Tensor?[] logits = records ? new Tensor?[head.Blocks] : [];
        Tensor losses = w.Empty(new Shape(rows)), lse = w.Empty(new Shape(rows)), state = w.Empty(new Shape(rows, 2));
        for (int block = 0; block < head.Blocks; block++)
        {
            Tensor z = head.Logits(w, block);
            w.Device.CrossEntropy(new CrossEntropyTask(z, targets, losses, lse)
            {
                FirstColumn = block * head.Columns,
                State = state,
                Last = block == head.Blocks - 1,
            });
            if (block >= head.Blocks - kept)
                logits[block] = z;
            else
                z.Detach();
        }
        state.Detach();
        if (records)
            w.Tape!.Record(losses, new LinearCrossEntropyNode(head, targets, lse, logits));
        return losses;
    }

    private sealed class LinearCrossEntropyNode(Head head, Tensor targets, Tensor lse, Tensor?[] kept) : Node
    {
        // With dz = (softmax(z) − onehot)·dloss for every block of the vocabulary:  dx += dz·W,  dW = dzᵀ·x,  db = Σ dz.
        public override void Backward(Tensor dy)
        {
            Workspace w = dy.Workspace;
            (Tensor x, Tensor weight, Tensor? bias) = (head.X, head.Weight, head.Bias);
            int rows = checked((int)x.Shape.Rows), inner = weight.Shape[1];
            bool addX = false, addW = false, addB = false;
            Tensor? dx = x.NeedsGradient ? x.GradientTarget(out addX) : null;
            Tensor? dw = weight.NeedsGradient ? weight.GradientTarget(out addW) : null;
            Tensor? db = bias is { NeedsGradient: true } ? bias.GradientTarget(out addB) : null;
            for (int block = 0; block < head.Blocks; block++)
            {
                Tensor z = kept[block] ?? head.Logits(w, block);
                int count = z.Shape.Columns;
                w.Device.CrossEntropyGradient(z, targets, lse, dy, z, block * head.Columns);
                if (dx is not null)
                {
                    Tensor part = head.Part(w, weight, block);
                    w.Device.MatMul(new MatMulTask(z, part, dx, rows, inner, count) { Accumulate = addX || block > 0, Precision = w.Precision });
                    part.Detach();
                }
                if (dw is not null)
                {
                    Tensor part = head.Part(w, dw, block);
                    w.Device.MatMul(new MatMulTask(z, x, part, count, inner, rows) { TransposeA = true, Accumulate = addW, Precision = w.Precision });
                    part.Detach();
                }
                if (db is not null)
                {
                    Tensor part = head.Part(w, db, block);
                    w.Device.SumRows(z, part, addB);
                    part.Detach();
                }
                z.Detach();
            }
            lse.Detach();
        }
    }

    /// <summary>A linear head whose vocabulary is cut into blocks of whole <see cref="CrossEntropyTask.BlockColumns"/>.</summary>
    private readonly struct Head
    {
        public Head(Tensor x, Tensor weight, Tensor? bias, int logitsAtOnce)
        {
            const int unit = CrossEntropyTask.BlockColumns;
            (X, Weight, Bias) = (x, weight, bias);
            Columns = checked((int)Math.Max(1, logitsAtOnce / Math.Max(1, x.Shape.Rows) / unit) * unit);
            // What is left over of less than a unit goes to the last block: products with few columns may take another way, with other bits.
            Blocks = Math.Max(1, (weight.Shape[0] + Columns - unit) / Columns);
        }

        public Tensor X { get; }

        public Tensor Weight { get; }

        public Tensor? Bias { get; }

        /// <summary>Columns of every block but the last.</summary>
        public int Columns { get; }

        public int Blocks { get; }

        public Tensor Logits(Workspace w, int block)
        {
            Tensor weight = Part(w, Weight, block);
            Tensor? bias = Bias is null ? null : Part(w, Bias, block);
            int rows = checked((int)X.Shape.Rows), count = weight.Shape[0];
            Tensor logits = w.Empty(new Shape(rows, count));
            w.Device.MatMul(new MatMulTask(X, weight, logits, rows, count, weight.Shape[1]) { TransposeB = true, Bias = bias, Precision = w.Precision });
            weight.Detach();
            bias?.Detach();
            return logits;
        }

        /// <summary>A block's rows of a tensor that has one for every entry of the vocabulary.</summary>
        public Tensor Part(Workspace w, Tensor all, int block)
        {
            int first = block * Columns, count = block == Blocks - 1 ? Weight.Shape[0] - first : Columns;
            if (all.Shape.Rank == 1)
                return w.Alias(all, new Shape(count), (long)first * all.DType.Size());
            return w.Alias(all, new Shape(count, all.Shape[1]), (long)first * all.Shape[1] * all.DType.Size());
        }
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
