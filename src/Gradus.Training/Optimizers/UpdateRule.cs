using Gradus.Tensors;

namespace Gradus.Training.Optimizers;

/// <summary>
/// One part of an optimizer: it turns a parameter's update, at first the gradient, into the next part's. An optimizer is a list of
/// parts that reads as a sentence: AdamW is "scale by Adam, add decayed weights, scale by the learning rate".
/// </summary>
public abstract class UpdateRule
{
    /// <summary>The names of the tensors of a parameter's shape that this part remembers; none for most parts.</summary>
    public virtual IReadOnlyList<string> StateNames => [];

    /// <summary>What this part does with the update of one parameter in one step, element by element; the default is nothing.</summary>
    public abstract UpdatePart Part(in UpdateContext context);
}

/// <summary>What a part of an optimizer works on: one parameter, in one step.</summary>
/// <param name="Parameter">The parameter.</param>
/// <param name="State">The tensors that the part remembers, in the order of its names; zeros at first.</param>
/// <param name="Step">The number of this update, from 1.</param>
/// <param name="LearningRate">The learning rate of this step.</param>
public readonly record struct UpdateContext(Parameter Parameter, IReadOnlyList<Tensor> State, long Step, double LearningRate);

/// <summary>Adam's direction m̂/(√v̂ + ε) (Kingma and Ba, 2015).</summary>
/// <param name="beta1">Decay of the first moment, in [0, 1).</param>
/// <param name="beta2">Decay of the second moment, in [0, 1).</param>
/// <param name="epsilon">ε &gt; 0.</param>
public sealed class ScaleByAdam(float beta1, float beta2, float epsilon) : UpdateRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> StateNames { get; } = ["m", "v"];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) =>
        UpdatePart.Adam(context.State[0], context.State[1], beta1, beta2, epsilon, context.Step);
}

/// <summary>A running sum of updates: momentum (Polyak, 1964), on request as Nesterov's (1983).</summary>
/// <param name="decay">Decay of the sum, in [0, 1).</param>
/// <param name="dampening">Share of a new update that is left out, as in torch; not of the first one.</param>
/// <param name="nesterov">Look ahead by one more step.</param>
public sealed class Trace(float decay, float dampening = 0, bool nesterov = false) : UpdateRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> StateNames { get; } = ["trace"];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context)
    {
        float share = context.Step == 1 ? 1f : 1f - dampening;
        return nesterov
            ? UpdatePart.Trace(context.State[0], decay, share, traceWeight: decay, updateWeight: 1)
            : UpdatePart.Trace(context.State[0], decay, share, traceWeight: 1, updateWeight: 0);
    }
}

/// <summary>Adds λ·w: before the other parts it is L2 regularization, behind them decoupled weight decay (Loshchilov and Hutter, 2019).</summary>
/// <param name="rate">λ ≥ 0.</param>
/// <param name="matricesOnly">Leave out vectors: biases and the scales of norms.</param>
public sealed class AddDecayedWeights(float rate, bool matricesOnly = false) : UpdateRule
{
    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) =>
        rate == 0 || (matricesOnly && context.Parameter.Shape.Rank < 2) ? default : UpdatePart.AddValue(rate);
}

/// <summary>Multiplies by minus the learning rate: the last part.</summary>
public sealed class ScaleByLearningRate : UpdateRule
{
    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) => UpdatePart.Scale((float)-context.LearningRate);
}
