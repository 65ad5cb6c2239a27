using Gradus.Tensors;

namespace Gradus.Training.Optimizers;

/// <summary>
/// One part of an optimizer: it turns a parameter's update, at first the gradient, into the next part's. An optimizer is a list of
/// parts that reads as a sentence: AdamW is "scale by Adam, add decayed weights, scale by the learning rate". Most parts are an
/// <see cref="ElementwiseRule"/>, of which any number run in one pass; what needs a whole tensor is a <see cref="TensorRule"/>.
/// </summary>
public abstract class UpdateRule
{
    private protected UpdateRule()
    {
    }

    /// <summary>The tensors that this part remembers of a parameter; none for most parts.</summary>
    /// <param name="shape">The parameter's shape.</param>
    public virtual IReadOnlyList<StateTensor> State(Shape shape) => [];
}

/// <summary>A part that treats every element by itself.</summary>
public abstract class ElementwiseRule : UpdateRule
{
    /// <summary>What this part does with the update of one parameter in one step; the default is nothing.</summary>
    public abstract UpdatePart Part(in UpdateContext context);
}

/// <summary>A part that needs a parameter's whole update: rows and columns, a norm, products of matrices.</summary>
public abstract class TensorRule : UpdateRule
{
    /// <summary>The next part's update.</summary>
    /// <param name="update">The update so far, of the parameter's shape; may be overwritten.</param>
    /// <param name="context">The parameter in this step.</param>
    /// <param name="workspace">Where values live until the parameter is updated; its precision is that of the products.</param>
    public abstract Tensor Apply(Tensor update, in UpdateContext context, Workspace workspace);
}

/// <summary>A tensor that a part remembers.</summary>
/// <param name="Name">Its name in checkpoints, behind the parameter's.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Initial">Its values at first.</param>
public readonly record struct StateTensor(string Name, Shape Shape, float Initial = 0);

/// <summary>What a part of an optimizer works on: one parameter, in one step.</summary>
/// <param name="Parameter">The parameter.</param>
/// <param name="State">The tensors that the part remembers, in its order.</param>
/// <param name="Step">The number of this update, from 1.</param>
/// <param name="LearningRate">The learning rate of this step.</param>
public readonly record struct UpdateContext(Parameter Parameter, IReadOnlyList<Tensor> State, long Step, double LearningRate);

/// <summary>Adam's direction m̂/(√v̂ + ε) (Kingma and Ba, 2015).</summary>
/// <param name="beta1">Decay of the first moment, in [0, 1).</param>
/// <param name="beta2">Decay of the second moment, in [0, 1).</param>
/// <param name="epsilon">ε &gt; 0.</param>
public sealed class ScaleByAdam(float beta1, float beta2, float epsilon) : ElementwiseRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("m", shape), new("v", shape)];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) =>
        UpdatePart.Adam(context.State[0], context.State[1], beta1, beta2, epsilon, context.Step);
}

/// <summary>A running sum of updates: momentum (Polyak, 1964), on request as Nesterov's (1983).</summary>
/// <param name="decay">Decay of the sum, in [0, 1).</param>
/// <param name="dampening">Share of a new update that is left out, as in torch; not of the first one.</param>
/// <param name="nesterov">Look ahead by one more step.</param>
public sealed class Trace(float decay, float dampening = 0, bool nesterov = false) : ElementwiseRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("trace", shape)];

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
/// <param name="cautious">Leave out weights that the update so far does not move towards zero.</param>
public sealed class AddDecayedWeights(float rate, bool matricesOnly = false, bool cautious = false) : ElementwiseRule
{
    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context)
    {
        if (rate == 0 || (matricesOnly && context.Parameter.Shape.Rank < 2))
            return default;
        return cautious ? UpdatePart.AddAgreeingValue(rate) : UpdatePart.AddValue(rate);
    }
}

/// <summary>Multiplies by minus the learning rate: the last part.</summary>
/// <param name="decay">The rate of update t is divided by 1 + (t − 1) times this.</param>
public sealed class ScaleByLearningRate(double decay = 0) : ElementwiseRule
{
    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) => UpdatePart.Scale((float)(-context.LearningRate / (1 + ((context.Step - 1) * decay))));
}
