namespace Gradus.Tensors;

/// <summary>How a linear layer's weight lies in memory.</summary>
public enum WeightLayout
{
    /// <summary>(out, in), as torch.nn.Linear.</summary>
    OutIn,

    /// <summary>(in, out), as GPT-2's Conv1D.</summary>
    InOut,
}

public sealed partial class Tensor
{
    /// <summary>Y = op(A) · op(B), for matrices, or for as many matrices of equal shape along axis 0.</summary>
    /// <param name="b">(K, N) or, transposed, (N, K); with a leading batch axis if this tensor has one.</param>
    /// <param name="transposeA">This tensor is (K, M).</param>
    /// <param name="transposeB">B is (N, K).</param>
    /// <exception cref="ArgumentException">The inner sizes or the batches differ.</exception>
    public Tensor MatMul(Tensor b, bool transposeA = false, bool transposeB = false)
    {
        ArgumentNullException.ThrowIfNull(b);
        bool batched = Shape.Rank == 3;
        if (Shape.Rank is not (2 or 3) || b.Shape.Rank != Shape.Rank || (batched && b.Shape[0] != Shape[0]))
            throw new ArgumentException($"MatMul: {Shape} × {b.Shape}: both are matrices, or as many matrices along axis 0.", nameof(b));
        int m = Shape[transposeA ? -1 : -2], k = Shape[transposeA ? -2 : -1];
        int n = b.Shape[transposeB ? -2 : -1], inner = b.Shape[transposeB ? -1 : -2];
        if (k != inner)
            throw new ArgumentException($"MatMul: {Shape}{(transposeA ? "ᵀ" : "")} × {b.Shape}{(transposeB ? "ᵀ" : "")}: inner sizes {k} and {inner} differ.", nameof(b));
        Workspace w = Workspace.Innermost(this, b);
        Tensor y = w.Empty(batched ? new Shape(Shape[0], m, n) : new Shape(m, n));
        w.Device.MatMul(new MatMulTask(this, b, y, m, n, k)
        {
            TransposeA = transposeA,
            TransposeB = transposeB,
            Batch = batched ? Shape[0] : 1,
            Precision = w.Precision,
        });
        if (w.Records(this, b))
            w.Tape!.Record(y, new MatMulNode(this, b, transposeA, transposeB, m, n, k));
        return y;
    }

    // Y = A·B:  dA = dY·Bᵀ, dB = Aᵀ·dY; a transposed operand gets the transpose.
    private sealed class MatMulNode(Tensor a, Tensor b, bool transposeA, bool transposeB, int m, int n, int k) : Node
    {
        public override void Backward(Tensor dy)
        {
            Workspace w = dy.Workspace;
            int batch = a.Shape.Rank == 3 ? a.Shape[0] : 1;
            if (a.NeedsGradient)
            {
                Tensor da = a.GradientTarget(out bool add);
                w.Device.MatMul((transposeA
                    ? new MatMulTask(b, dy, da, k, m, n) { TransposeA = transposeB, TransposeB = true }
                    : new MatMulTask(dy, b, da, m, k, n) { TransposeB = !transposeB })
                    with
                { Accumulate = add, Batch = batch, Precision = w.Precision });
            }
            if (b.NeedsGradient)
            {
                Tensor db = b.GradientTarget(out bool add);
                w.Device.MatMul((transposeB
                    ? new MatMulTask(dy, a, db, n, k, m) { TransposeA = true, TransposeB = transposeA }
                    : new MatMulTask(a, dy, db, k, n, m) { TransposeA = !transposeA })
                    with
                { Accumulate = add, Batch = batch, Precision = w.Precision });
            }
        }
    }

    /// <summary>y = x·Wᵀ + b over the last axis: (…, in) → (…, out); then, element by element, what the epilogue says.</summary>
    /// <param name="weight">(out, in), or (in, out) with <see cref="WeightLayout.InOut"/>; F32, BF16 or F16.</param>
    /// <param name="bias">(out), or null.</param>
    /// <param name="layout">How the weight lies.</param>
    /// <param name="epilogue">A residual of y's shape, which is added, or an activation.</param>
    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    public Tensor Linear(Tensor weight, Tensor? bias = null, WeightLayout layout = WeightLayout.OutIn, Epilogue epilogue = default)
    {
        ArgumentNullException.ThrowIfNull(weight);
        bool outIn = layout == WeightLayout.OutIn;
        int n = weight.Shape[outIn ? 0 : 1], k = weight.Shape[outIn ? 1 : 0];
        if (Shape.Columns != k || weight.Shape.Rank != 2)
            throw new ArgumentException($"Linear: the input {Shape} has {Shape.Columns} columns, but the weight {weight.Shape} takes {k}.", nameof(weight));
        if (bias is not null && bias.Count != n)
            throw new ArgumentException($"Linear: the weight {weight.Shape} makes {n} columns, but the bias is {bias.Shape}.", nameof(bias));
        Workspace w = Workspace.Innermost(this, weight, bias, epilogue.Input);
        bool records = w.Records(this, weight, bias, epilogue.Input);
        Tensor y = w.Empty(Shape.WithColumns(n));
        epilogue = epilogue.For(y, records);
        w.Device.MatMul(new MatMulTask(this, weight, y, checked((int)Shape.Rows), n, k)
        {
            TransposeB = outIn,
            Bias = bias,
            Precision = w.Precision,
            Epilogue = epilogue,
        });
        if (records)
            Record(w.Tape!, y, epilogue, new LinearNode(this, weight, bias, layout, epilogue));
        return y;
    }

    // With an activation as the separate operations, so that S has a gradient of its own.
    private static void Record(Tape tape, Tensor y, in Epilogue epilogue, Node product)
    {
        tape.Record(epilogue.Sums ?? y, product);
        if (epilogue.Sums is { } sums)
            tape.Record(y, new ActivateNode(epilogue.Function, sums));
    }

    // S = x·Wᵀ + b (+ r):  dx = dS·W,  dW = dSᵀ·x,  db = Σ_rows dS,  dr = dS.
    private sealed class LinearNode(Tensor x, Tensor weight, Tensor? bias, WeightLayout layout, Epilogue epilogue) : Node
    {
        public override void Backward(Tensor dy)
        {
            Workspace w = dy.Workspace;
            bool outIn = layout == WeightLayout.OutIn;
            int m = checked((int)x.Shape.Rows), k = x.Shape.Columns, n = dy.Shape.Columns;
            if (epilogue is { Kind: EpilogueKind.Residual, Input: { NeedsGradient: true } residual })
                residual.AddGradient(dy.Share());
            if (x.NeedsGradient)
            {
                Tensor dx = x.GradientTarget(out bool add, out Epilogue slope);
                w.Device.MatMul(new MatMulTask(dy, weight, dx, m, k, n) { TransposeB = !outIn, Accumulate = add, Precision = w.Precision, Epilogue = slope });
            }
            if (weight.NeedsGradient)
            {
                Tensor dw = weight.GradientTarget(out bool add);
                MatMulTask task = outIn ? new MatMulTask(dy, x, dw, n, k, m) : new MatMulTask(x, dy, dw, k, n, m);
                w.Device.MatMul(task with { TransposeA = true, Accumulate = add, Precision = w.Precision });
            }
            if (bias is { NeedsGradient: true })
            {
                Tensor db = bias.GradientTarget(out bool add);
                w.Device.SumRows(dy, db, add);
            }
        }
    }
}
