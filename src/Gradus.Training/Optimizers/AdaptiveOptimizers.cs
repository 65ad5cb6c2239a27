// The adaptive optimizers of torch besides Adam, by torch's formulas and defaults.

using System.ComponentModel.DataAnnotations;
using Gradus.Tensors;

namespace Gradus.Training.Optimizers;

/// <summary>Adam with Nesterov's momentum (Dozat, "Incorporating Nesterov Momentum into Adam", 2016).</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Beta1">Decay of the first moment, in [0, 1).</param>
/// <param name="Beta2">Decay of the second moment, in [0, 1).</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0.</param>
/// <param name="MomentumDecay">ψ ≥ 0: the first moment's weight grows as 1 − ½ · .96^(ψt).</param>
/// <param name="DecoupledWeightDecay">Decay as AdamW does, rather than add λw to the gradient.</param>
public sealed record NAdam(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 2e-3,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta1 = 0.9f,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta2 = 0.999f,
    [Range(0.0, double.PositiveInfinity)] float Epsilon = 1e-8f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0,
    [Range(0.0, double.PositiveInfinity)] double MomentumDecay = 4e-3,
    bool DecoupledWeightDecay = false)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) =>
        Decayed(new ScaleByNAdam(Beta1, Beta2, Epsilon, MomentumDecay), WeightDecay, DecoupledWeightDecay);

    internal static UpdateRule[] Decayed(UpdateRule direction, float decay, bool decoupled) => decoupled
        ? [direction, new AddDecayedWeights(decay), new ScaleByLearningRate()]
        : [new AddDecayedWeights(decay), direction, new ScaleByLearningRate()];
}

/// <summary>Adam whose first steps are plain momentum until the second moment can be trusted (Liu et al., "On the Variance of the Adaptive Learning Rate", 2020).</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Beta1">Decay of the first moment, in [0, 1).</param>
/// <param name="Beta2">Decay of the second moment, in [0, 1).</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0.</param>
/// <param name="DecoupledWeightDecay">Decay as AdamW does, rather than add λw to the gradient.</param>
public sealed record RAdam(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 1e-3,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta1 = 0.9f,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta2 = 0.999f,
    [Range(0.0, double.PositiveInfinity)] float Epsilon = 1e-8f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0,
    bool DecoupledWeightDecay = false)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) =>
        NAdam.Decayed(new ScaleByRAdam(Beta1, Beta2, Epsilon), WeightDecay, DecoupledWeightDecay);
}

/// <summary>Adam with the largest gradient in place of the root mean square (Kingma and Ba, 2015, section 7).</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Beta1">Decay of the first moment, in [0, 1).</param>
/// <param name="Beta2">Decay of the largest gradient, in [0, 1).</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0, added to the gradient as λw.</param>
public sealed record Adamax(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 2e-3,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta1 = 0.9f,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta2 = 0.999f,
    [Range(0.0, double.PositiveInfinity)] float Epsilon = 1e-8f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) =>
        [new AddDecayedWeights(WeightDecay), new ScaleByAdamax(Beta1, Beta2, Epsilon), new ScaleByLearningRate()];
}

/// <summary>Steps in units of past steps (Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012).</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Rho">Decay of the mean squares, in [0, 1).</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0, added to the gradient as λw.</param>
public sealed record Adadelta(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 1,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Rho = 0.9f,
    [Range(0.0, double.PositiveInfinity)] float Epsilon = 1e-6f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) =>
        [new AddDecayedWeights(WeightDecay), new ScaleByAdadelta(Rho, Epsilon), new ScaleByLearningRate()];
}

/// <summary>Divides by the root of the sum of all squared gradients so far (Duchi et al., "Adaptive Subgradient Methods", 2011).</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="LearningRateDecay">The rate of update t is divided by 1 + (t − 1) times this.</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0, added to the gradient as λw.</param>
/// <param name="InitialAccumulator">What the sums begin with, ≥ 0.</param>
public sealed record Adagrad(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 1e-2,
    [Range(0.0, double.PositiveInfinity)] double LearningRateDecay = 0,
    [Range(0.0, double.PositiveInfinity)] float Epsilon = 1e-10f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0,
    [Range(0.0, double.PositiveInfinity)] float InitialAccumulator = 0)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) =>
        [new AddDecayedWeights(WeightDecay), new ScaleBySumOfSquares(Epsilon, InitialAccumulator), new ScaleByLearningRate(LearningRateDecay)];
}

/// <summary>Divides by a running root mean square (Tieleman and Hinton, 2012), on request centred and with momentum.</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Alpha">Decay of the mean square, in [0, 1).</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0, added to the gradient as λw.</param>
/// <param name="Momentum">Decay of the running sum of updates, in [0, 1); 0 for none.</param>
/// <param name="Centered">Subtract the square of the running mean: divide by the standard deviation.</param>
public sealed record RmsProp(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 1e-2,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Alpha = 0.99f,
    [Range(0.0, double.PositiveInfinity)] float Epsilon = 1e-8f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Momentum = 0,
    bool Centered = false)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix)
    {
        List<UpdateRule> rules = [new AddDecayedWeights(WeightDecay), new ScaleByRootMeanSquare(Alpha, Epsilon, Centered)];
        if (Momentum > 0)
            rules.Add(new Trace(Momentum));
        return [.. rules, new ScaleByLearningRate()];
    }
}

/// <summary>The sign of a blend of gradient and momentum (Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023). Wants a rate 3 to 10 times below AdamW's and a decay as much above.</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Beta1">Share of the momentum in the blend, in [0, 1).</param>
/// <param name="Beta2">Decay of the momentum, in [0, 1).</param>
/// <param name="WeightDecay">λ ≥ 0, decoupled.</param>
/// <param name="DecayMatricesOnly">Leave out biases and the scales of norms.</param>
/// <param name="CautiousDecay">Decay only weights that the update moves towards zero.</param>
public sealed record Lion(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 1e-4,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta1 = 0.9f,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta2 = 0.99f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0,
    bool DecayMatricesOnly = true,
    bool CautiousDecay = false)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) =>
        [new SignOfBlend(Beta1, Beta2), new AddDecayedWeights(WeightDecay, DecayMatricesOnly, CautiousDecay), new ScaleByLearningRate()];
}

/// <summary>Adam's direction over the largest second moment so far (Reddi et al., 2018).</summary>
internal sealed class ScaleByAmsgrad(float beta1, float beta2, float epsilon) : ElementwiseRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("m", shape), new("v", shape), new("v_max", shape)];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context)
    {
        double c1 = 1 - Math.Pow(beta1, context.Step), c2 = 1 - Math.Pow(beta2, context.Step);
        return UpdatePart.AdamVariant(context.State[0], context.State[1], context.State[2], beta1, beta2, epsilon, 1 / c1, 0, 1 / c2);
    }
}

internal sealed class ScaleByNAdam(float beta1, float beta2, float epsilon, double momentumDecay) : ElementwiseRule
{
    private long _step;
    private double _product = 1;

    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("m", shape), new("v", shape)];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context)
    {
        // The product of all weights so far, a function of the step: computed anew after a resume.
        if (context.Step < _step)
            (_step, _product) = (0, 1);
        while (_step < context.Step)
            _product *= Weight(++_step);
        double weight = Weight(_step), next = Weight(_step + 1);
        return UpdatePart.AdamVariant(
            context.State[0], context.State[1], null, beta1, beta2, epsilon, next / (1 - (_product * next)), (1 - weight) / (1 - _product), 1 / (1 - Math.Pow(beta2, _step)));
    }

    private double Weight(long step) => beta1 * (1 - (0.5 * Math.Pow(0.96, step * momentumDecay)));
}

internal sealed class ScaleByRAdam(float beta1, float beta2, float epsilon) : ElementwiseRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("m", shape), new("v", shape)];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context)
    {
        double c1 = 1 - Math.Pow(beta1, context.Step), power = Math.Pow(beta2, context.Step), c2 = 1 - power;
        double longest = (2 / (1 - (double)beta2)) - 1, length = longest - (2 * context.Step * power / c2);
        if (length <= 5)
            return UpdatePart.AdamVariant(context.State[0], context.State[1], null, beta1, beta2, 1, 1 / c1, 0, 0);
        double rectified = Math.Sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
        return UpdatePart.AdamVariant(context.State[0], context.State[1], null, beta1, beta2, epsilon, rectified * Math.Sqrt(c2) / c1, 0, 1);
    }
}

internal sealed class ScaleByAdamax(float beta1, float beta2, float epsilon) : ElementwiseRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("m", shape), new("largest", shape)];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) =>
        UpdatePart.Adamax(context.State[0], context.State[1], beta1, beta2, epsilon, 1 / (1 - Math.Pow(beta1, context.Step)));
}

internal sealed class ScaleByAdadelta(float rho, float epsilon) : ElementwiseRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("v", shape), new("deltas", shape)];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) => UpdatePart.Adadelta(context.State[0], context.State[1], rho, epsilon);
}

internal sealed class ScaleBySumOfSquares(float epsilon, float initial) : ElementwiseRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("sum", shape, initial)];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) => UpdatePart.RootMeanSquare(context.State[0], null, 1, 1, epsilon);
}

internal sealed class ScaleByRootMeanSquare(float alpha, float epsilon, bool centered) : ElementwiseRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => centered ? [new("v", shape), new("mean", shape)] : [new("v", shape)];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) =>
        UpdatePart.RootMeanSquare(context.State[0], centered ? context.State[1] : null, alpha, 1 - alpha, epsilon);
}

internal sealed class SignOfBlend(float beta1, float beta2) : ElementwiseRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("m", shape)];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) => UpdatePart.Lion(context.State[0], beta1, beta2);
}
