using Gradus.Tensors.Packed;

namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>y = x·Wᵀ + b over the last axis, with quantized weights: (…, in) → (…, out).</summary>
    /// <param name="weight">(out, in).</param>
    /// <param name="bias">(out), or null.</param>
    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    public Tensor Linear(PackedMatrix weight, Tensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (Shape.Columns != weight.Columns)
            throw new ArgumentException($"Linear: the input {Shape} has {Shape.Columns} columns, but the weight {weight} takes {weight.Columns}.", nameof(weight));
        if (bias is not null && bias.Count != weight.Rows)
            throw new ArgumentException($"Linear: the weight {weight} makes {weight.Rows} columns, but the bias is {bias.Shape}.", nameof(bias));
        Workspace w = Workspace.Innermost(this, weight.Handle, bias);
        Tensor y = w.Empty(Shape.WithColumns(weight.Rows));
        w.Device.MatMulPacked(new PackedMatMulTask(this, weight, y, checked((int)Shape.Rows)) { TransposeB = true, Bias = bias, Precision = w.Precision });
        if (w.Records(this, bias))
            w.Tape!.Record(y, new PackedLinearNode(this, weight, bias));
        return y;
    }

    // y = x·Wᵀ + b:  dx = dy·W,  db = Σ_rows dy. W is never trained.
    private sealed class PackedLinearNode(Tensor x, PackedMatrix weight, Tensor? bias) : Node
    {
        public override void Backward(Tensor dy)
        {
            Workspace w = dy.Workspace;
            if (x.NeedsGradient)
            {
                Tensor dx = x.GradientTarget(out bool add);
                w.Device.MatMulPacked(new PackedMatMulTask(dy, weight, dx, checked((int)x.Shape.Rows)) { Accumulate = add, Precision = w.Precision });
            }
            if (bias is { NeedsGradient: true })
            {
                Tensor db = bias.GradientTarget(out bool add);
                w.Device.SumRows(dy, db, add);
            }
        }
    }
}
