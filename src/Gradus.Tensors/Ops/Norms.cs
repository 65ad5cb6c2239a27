namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>y = (x − mean)/√(var + ε) · w + b over the last axis (Ba, Kiros and Hinton, "Layer Normalization", 2016).</summary>
    /// <param name="weight">(C), or null for ones.</param>
    /// <param name="bias">(C), or null for zeros.</param>
    /// <param name="epsilon">ε &gt; 0.</param>
    public Tensor LayerNorm(Tensor? weight, Tensor? bias, float epsilon = 1e-5f)
    {
        CheckColumns(weight, nameof(LayerNorm));
        CheckColumns(bias, nameof(LayerNorm));
        Workspace w = Workspace.Innermost(this, weight, bias);
        Tensor y = w.Empty(Shape), mean = w.Empty(RowShape()), rstd = w.Empty(RowShape());
        w.Device.LayerNorm(this, weight, bias, epsilon, y, mean, rstd);
        if (w.Records(this, weight, bias))
            w.Tape!.Record(y, new LayerNormNode(this, weight, bias, mean, rstd));
        return y;
    }

    // x̂ = (x − μ)/σ, g = dy·w:  dx = (g − mean(g) − x̂·mean(g·x̂))/σ,  dw = Σ dy·x̂,  db = Σ dy.
    private sealed class LayerNormNode(Tensor x, Tensor? weight, Tensor? bias, Tensor mean, Tensor rstd) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor? dx = x.NeedsGradient ? dy.Workspace.Empty(x.Shape) : null;
            bool addWeight = false, addBias = false;
            Tensor? dw = weight is { NeedsGradient: true } ? weight.GradientTarget(out addWeight) : null;
            Tensor? db = bias is { NeedsGradient: true } ? bias.GradientTarget(out addBias) : null;
            dy.Device.LayerNormGradient(new NormGradientTask(x, rstd, dy, dx)
            {
                Mean = mean,
                Weight = weight,
                DWeight = dw,
                AccumulateWeight = addWeight,
                DBias = db,
                AccumulateBias = addBias,
            });
            if (dx is not null)
                x.AddGradient(dx);
            mean.Detach();
            rstd.Detach();
        }
    }

    /// <summary>y = x/√(mean(x²) + ε) · (w + offset) over the last axis (Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019).</summary>
    /// <param name="weight">(C), or null for ones.</param>
    /// <param name="epsilon">ε &gt; 0.</param>
    /// <param name="offset">Added to the weight: 1 in the Gemma family, whose checkpoints store w − 1.</param>
    public Tensor RmsNorm(Tensor? weight, float epsilon = 1e-6f, float offset = 0)
    {
        CheckColumns(weight, nameof(RmsNorm));
        Workspace w = Workspace.Innermost(this, weight);
        Tensor y = w.Empty(Shape), rstd = w.Empty(RowShape());
        w.Device.RmsNorm(this, weight, offset, epsilon, y, rstd);
        if (w.Records(this, weight))
            w.Tape!.Record(y, new RmsNormNode(this, weight, offset, rstd));
        return y;
    }

    // x̂ = x/σ, g = dy·w:  dx = (g − x̂·mean(g·x̂))/σ,  dw = Σ dy·x̂.
    private sealed class RmsNormNode(Tensor x, Tensor? weight, float offset, Tensor rstd) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor? dx = x.NeedsGradient ? dy.Workspace.Empty(x.Shape) : null;
            bool add = false;
            Tensor? dw = weight is { NeedsGradient: true } ? weight.GradientTarget(out add) : null;
            dy.Device.RmsNormGradient(new NormGradientTask(x, rstd, dy, dx)
            {
                Weight = weight,
                WeightOffset = offset,
                DWeight = dw,
                AccumulateWeight = add,
            });
            if (dx is not null)
                x.AddGradient(dx);
            rstd.Detach();
        }
    }

    private Shape RowShape() => new(checked((int)Shape.Rows));

    private void CheckColumns(Tensor? row, string operation)
    {
        if (row is not null && row.Count != Shape.Columns)
            throw new ArgumentException($"{operation}: the input {Shape} has {Shape.Columns} columns, but the weight or bias is {row.Shape}.");
    }
}
