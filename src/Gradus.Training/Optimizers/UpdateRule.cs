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

    /// <summary>Changes the update of one piece of a parameter in place.</summary>
    public abstract void Apply(in UpdateContext context);
}

/// <summary>What a part of an optimizer works on: a run of elements of one parameter.</summary>
/// <param name="Parameter">The parameter.</param>
/// <param name="Value">Its values (n), not to be changed by a part.</param>
/// <param name="Update">The update (n), to be changed in place.</param>
/// <param name="State">The tensors (n) that the part remembers, in the order of its names; zeros at first.</param>
/// <param name="Step">The number of this update, from 1.</param>
/// <param name="LearningRate">The learning rate of this step.</param>
public readonly record struct UpdateContext(
    Parameter Parameter, Tensor Value, Tensor Update, IReadOnlyList<Tensor> State, long Step, double LearningRate);

/// <summary>Adam's direction m̂/(√v̂ + ε) (Kingma and Ba, 2015).</summary>
/// <param name="beta1">Decay of the first moment, in [0, 1).</param>
/// <param name="beta2">Decay of the second moment, in [0, 1).</param>
/// <param name="epsilon">ε &gt; 0.</param>
public sealed class ScaleByAdam(float beta1, float beta2, float epsilon) : UpdateRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> StateNames { get; } = ["m", "v"];

    /// <inheritdoc/>
    public override void Apply(in UpdateContext context)
    {
        float c1 = (float)(1 - Math.Pow(beta1, context.Step)), c2 = (float)(1 - Math.Pow(beta2, context.Step));
        context.Update.Device.AdamMoments(new AdamTask(
            context.Update, context.State[0], context.State[1], context.Update, beta1, beta2, epsilon, c1, c2));
    }
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
    public override void Apply(in UpdateContext context)
    {
        Device device = context.Update.Device;
        Tensor trace = context.State[0];
        device.Scale(trace, decay, trace);
        device.Axpy(context.Step == 1 ? 1f : 1f - dampening, context.Update, trace);
        if (nesterov)
            device.Axpy(decay, trace, context.Update);
        else
            device.Scale(trace, 1f, context.Update);
    }
}

/// <summary>Adds λ·w: before the other parts it is L2 regularization, behind them decoupled weight decay (Loshchilov and Hutter, 2019).</summary>
/// <param name="rate">λ ≥ 0.</param>
/// <param name="matricesOnly">Leave out vectors: biases and the scales of norms.</param>
public sealed class AddDecayedWeights(float rate, bool matricesOnly = false) : UpdateRule
{
    /// <inheritdoc/>
    public override void Apply(in UpdateContext context)
    {
        if (rate != 0 && !(matricesOnly && context.Parameter.Shape.Rank < 2))
            context.Update.Device.Axpy(rate, context.Value, context.Update);
    }
}

/// <summary>Multiplies by minus the learning rate: the last part.</summary>
public sealed class ScaleByLearningRate : UpdateRule
{
    /// <inheritdoc/>
    public override void Apply(in UpdateContext context) =>
        context.Update.Device.Scale(context.Update, (float)-context.LearningRate, context.Update);
}
