using Gradus.Tensors.Packed;

namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>y = x·Wᵀ + b over the last axis, with quantized weights: (…, in) → (…, out); then, element by element, what the epilogue says.</summary>
    /// <param name="weight">(out, in).</param>
    /// <param name="bias">(out), or null.</param>
    /// <param name="epilogue">A residual of y's shape, which is added, or an activation.</param>
    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    public Tensor Linear(PackedMatrix weight, Tensor? bias = null, Epilogue epilogue = default)
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (Shape.Columns != weight.Columns)
            throw new ArgumentException($"Linear: the input {Shape} has {Shape.Columns} columns, but the weight {weight} takes {weight.Columns}.", nameof(weight));
        if (bias is not null && bias.Count != weight.Rows)
            throw new ArgumentException($"Linear: the weight {weight} makes {weight.Rows} columns, but the bias is {bias.Shape}.", nameof(bias));
        Workspace w = Workspace.Innermost(this, weight.Handle, bias, epilogue.Input);
        bool records = w.Records(this, bias, epilogue.Input);
        Tensor y = w.Empty(Shape.WithColumns(weight.Rows));
        epilogue = epilogue.For(y, records);
        w.Device.MatMulPacked(new PackedMatMulTask(this, weight, y, checked((int)Shape.Rows))
        {
            TransposeB = true,
            Bias = bias,
            Precision = w.Precision,
            Epilogue = epilogue,
        });
        if (records)
            Record(w.Tape!, y, epilogue, new PackedLinearNode(this, weight, bias, epilogue));
        return y;
    }

    // S = x·Wᵀ + b (+ r):  dx = dS·W,  db = Σ_rows dS,  dr = dS. W is never trained.
    private sealed class PackedLinearNode(Tensor x, PackedMatrix weight, Tensor? bias, Epilogue epilogue) : Node
    {
        public override void Backward(Tensor dy)
        {
            Workspace w = dy.Workspace;
            if (epilogue is { Kind: EpilogueKind.Residual, Input: { NeedsGradient: true } residual })
                residual.AddGradient(dy.Share());
            if (x.NeedsGradient)
            {
                Tensor dx = x.GradientTarget(out bool add, out Epilogue slope);
                w.Device.MatMulPacked(new PackedMatMulTask(dy, weight, dx, checked((int)x.Shape.Rows)) { Accumulate = add, Precision = w.Precision, Epilogue = slope });
            }
            if (bias is { NeedsGradient: true })
            {
                Tensor db = bias.GradientTarget(out bool add);
                w.Device.SumRows(dy, db, add);
            }
        }
    }
}
