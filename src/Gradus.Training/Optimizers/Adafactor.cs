// Adafactor (Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018): of a matrix's mean squares only
// those of rows and columns are kept. transformers and torch disagree in rate, decay and ε, so there are two.

using System.ComponentModel.DataAnnotations;
using Gradus.Tensors;

namespace Gradus.Training.Optimizers;

/// <summary>Adafactor as in transformers (and the paper).</summary>
/// <param name="LearningRate">The learning rate, &gt; 0; with <paramref name="RelativeStep"/> a factor of the rate of the step.</param>
/// <param name="SquareEpsilon">Added to squared gradients.</param>
/// <param name="ScaleEpsilon">The least scale of a parameter.</param>
/// <param name="ClipThreshold">The largest root mean square of an update before the rate.</param>
/// <param name="DecayRate">The decay of mean squares in update t is 1 − t^this; negative.</param>
/// <param name="Beta1">Decay of a running mean of updates, in [0, 1); 0 for none.</param>
/// <param name="WeightDecay">λ ≥ 0, decoupled.</param>
/// <param name="ScaleParameter">Multiply the rate by the parameter's root mean square.</param>
/// <param name="RelativeStep">The rate of update t is min(.01, 1/√t).</param>
/// <param name="WarmupInit">With a relative step, min(t · 10⁻⁶, 1/√t).</param>
public sealed record Adafactor(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 1,
    [Range(0.0, double.PositiveInfinity)] float SquareEpsilon = 1e-30f,
    [Range(0.0, double.PositiveInfinity)] float ScaleEpsilon = 1e-3f,
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double ClipThreshold = 1,
    [Range(-10.0, 0.0)] double DecayRate = -0.8,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta1 = 0,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0,
    bool ScaleParameter = true,
    bool RelativeStep = true,
    bool WarmupInit = false)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) => [new AdafactorUpdate(this)];
}

/// <summary>Adafactor as in torch.</summary>
/// <param name="LearningRate">The largest learning rate, &gt; 0; that of update t is at most 1/√t.</param>
/// <param name="Beta2Decay">The share of new squares in update t is t^this; negative.</param>
/// <param name="SquareEpsilon">The least mean square, as a root; torch's default is the distance of 1 from the next number.</param>
/// <param name="ScaleEpsilon">The least scale of a parameter.</param>
/// <param name="ClipThreshold">The largest root mean square of an update before the rate.</param>
/// <param name="WeightDecay">λ ≥ 0, decoupled.</param>
public sealed record TorchAdafactor(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 1e-2,
    [Range(-10.0, 0.0)] double Beta2Decay = -0.8,
    [Range(0.0, 1.0)] float SquareEpsilon = 1.1920929e-7f,
    [Range(0.0, double.PositiveInfinity)] float ScaleEpsilon = 1e-3f,
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double ClipThreshold = 1,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) => [new TorchAdafactorUpdate(this)];
}

/// <summary>Mean squares of rows and columns, or of every element of a vector.</summary>
internal abstract class FactoredRule : TensorRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => shape.Rank < 2
        ? [new("v", shape)]
        : [new("v_rows", new Shape(Rows(shape))), new("v_columns", new Shape(shape.Columns * Matrices(shape)))];

    // Further axes are matrices of their own.
    private protected static int Matrices(Shape shape) => shape.Rank < 3 ? 1 : checked((int)(shape.Count / Math.Max(1, (long)shape[-1] * shape[-2])));

    private static int Rows(Shape shape) => checked((int)shape.Rows);

    private protected static double RootMeanSquare(Tensor x) => Math.Sqrt(x.Device.SumOfSquares(x) / Math.Max(1, x.Count));

    /// <summary>means = (1 − share)·means + share·(mean of squares).</summary>
    private protected static void Blend(Span<float> means, ReadOnlySpan<float> sums, int count, double share, double added)
    {
        for (int i = 0; i < means.Length; i++)
            means[i] = (float)(((1 - share) * means[i]) + (share * ((sums[i] / (double)count) + added)));
    }

    /// <summary>g over the root of its mean squares, for each matrix of a parameter; <paramref name="rows"/> and <paramref name="columns"/> make the factors.</summary>
    private protected static void Divide(Tensor g, IReadOnlyList<Tensor> state, double share, double added, Func<float[], float[]> rows, Func<float[], float[]> columns, Workspace w)
    {
        Shape shape = g.Shape;
        int r = shape[-2], c = shape[-1];
        Tensor squares = w.Empty(new Shape(r, c)), rowSums = w.Empty(new Shape(r)), columnSums = w.Empty(new Shape(c));
        for (int m = 0; m < Matrices(shape); m++)
        {
            Tensor part = w.View(g, new Shape(r, c), (long)m * r * c * sizeof(float));
            Span<float> rowMeans = state[0].Span().Slice(m * r, r), columnMeans = state[1].Span().Slice(m * c, c);
            w.Device.RowDots(part, part, rowSums);
            w.Device.Binary(BinaryOp.Multiply, part, part, squares);
            w.Device.SumRows(squares, columnSums, accumulate: false);
            Blend(rowMeans, rowSums.Values(), c, share, added);
            Blend(columnMeans, columnSums.Values(), r, share, added);
            w.Device.ScaleRows(part, w.From(rows(rowMeans.ToArray()), new Shape(r)), part);
            w.Device.Binary(BinaryOp.Multiply, part, w.From(columns(columnMeans.ToArray()), new Shape(c)), part);
        }
    }
}

internal sealed class AdafactorUpdate(Adafactor options) : FactoredRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => options.Beta1 > 0 ? [.. base.State(shape), new("m", shape)] : base.State(shape);

    /// <inheritdoc/>
    public override Tensor Apply(Tensor update, in UpdateContext context, Workspace workspace)
    {
        Device device = workspace.Device;
        double scale = options.ScaleParameter ? Math.Max(options.ScaleEpsilon, RootMeanSquare(context.Parameter.Value)) : 1;
        double rate = context.LearningRate * scale;
        if (options.RelativeStep)
            rate *= Math.Min(options.WarmupInit ? 1e-6 * context.Step : 1e-2, 1 / Math.Sqrt(context.Step));
        double share = Math.Pow(context.Step, options.DecayRate);
        if (update.Shape.Rank < 2)
        {
            Span<float> u = update.Span(), v = context.State[0].Span();
            for (int i = 0; i < u.Length; i++)
            {
                v[i] = (float)(((1 - share) * v[i]) + (share * (((double)u[i] * u[i]) + options.SquareEpsilon)));
                u[i] /= MathF.Sqrt(v[i]);
            }
        }
        else
        {
            Divide(update, context.State, share, options.SquareEpsilon, Rows, means => [.. means.Select(v => 1 / MathF.Sqrt(v))], workspace);
        }
        device.Scale(update, (float)(rate / Math.Max(1, RootMeanSquare(update) / options.ClipThreshold)), update);
        if (options.Beta1 > 0)
        {
            Tensor mean = context.State[^1];
            device.Scale(mean, options.Beta1, mean);
            device.Axpy(1 - options.Beta1, update, mean);
            device.Scale(mean, 1, update);
        }
        device.Scale(update, -1, update);
        device.Axpy((float)(-options.WeightDecay * rate), context.Parameter.Value, update);
        return update;

        static float[] Rows(float[] means)
        {
            double mean = means.Average(v => (double)v);
            return [.. means.Select(v => (float)(1 / Math.Sqrt(v / mean)))];
        }
    }
}

internal sealed class TorchAdafactorUpdate(TorchAdafactor options) : FactoredRule
{
    /// <inheritdoc/>
    public override Tensor Apply(Tensor update, in UpdateContext context, Workspace workspace)
    {
        Device device = workspace.Device;
        double share = Math.Pow(context.Step, options.Beta2Decay);
        double rate = Math.Min(context.LearningRate, 1 / Math.Sqrt(context.Step)) * Math.Max(options.ScaleEpsilon, RootMeanSquare(context.Parameter.Value));
        if (update.Shape.Rank < 2)
        {
            Span<float> u = update.Span(), v = context.State[0].Span();
            for (int i = 0; i < u.Length; i++)
            {
                v[i] = (float)(((1 - share) * v[i]) + (share * u[i] * u[i]));
                u[i] /= MathF.Sqrt(Math.Max(v[i], options.SquareEpsilon * options.SquareEpsilon));
            }
        }
        else
        {
            Whole(update, context, share, workspace);
        }
        device.Scale(update, (float)(-rate / Math.Max(1, RootMeanSquare(update) / options.ClipThreshold)), update);
        device.Axpy((float)(-options.WeightDecay * context.LearningRate), context.Parameter.Value, update);
        return update;
    }

    // The estimate of an element is row·column/(mean of rows), but no less than ε²: where one is, rows and columns do not come apart.
    private void Whole(Tensor update, in UpdateContext context, double share, Workspace workspace)
    {
        float[] before = update.ToArray();
        Divide(update, context.State, share, 0, _ => [.. Enumerable.Repeat(1f, update.Shape[-2])], _ => [.. Enumerable.Repeat(1f, update.Shape[-1])], workspace);
        int r = update.Shape[-2], c = update.Shape[-1];
        Span<float> u = update.Span(), rows = context.State[0].Span(), columns = context.State[1].Span();
        float least = options.SquareEpsilon * options.SquareEpsilon;
        for (int m = 0; m < Matrices(update.Shape); m++)
        {
            double sum = 0;
            foreach (float row in rows.Slice(m * r, r))
                sum += row;
            float mean = MathF.Max((float)(sum / r), options.SquareEpsilon);
            for (int i = 0; i < r; i++)
            {
                for (int j = 0; j < c; j++)
                {
                    int at = (((m * r) + i) * c) + j;
                    u[at] = before[at] / MathF.Sqrt(MathF.Max(rows[(m * r) + i] * columns[(m * c) + j] / mean, least));
                }
            }
        }
    }
}
