using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Gradus.Training.Optimizers;

/// <summary>An optimizer as a run's configuration names it.</summary>
/// <param name="LearningRate">The learning rate that the schedule's factor multiplies, &gt; 0.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(AdamW), "adamw")]
[JsonDerivedType(typeof(Adam), "adam")]
[JsonDerivedType(typeof(Sgd), "sgd")]
[JsonDerivedType(typeof(NAdam), "nadam")]
[JsonDerivedType(typeof(RAdam), "radam")]
[JsonDerivedType(typeof(Adamax), "adamax")]
[JsonDerivedType(typeof(Adadelta), "adadelta")]
[JsonDerivedType(typeof(Adagrad), "adagrad")]
[JsonDerivedType(typeof(RmsProp), "rmsprop")]
[JsonDerivedType(typeof(Lion), "lion")]
[JsonDerivedType(typeof(Adafactor), "adafactor")]
[JsonDerivedType(typeof(TorchAdafactor), "torch_adafactor")]
[JsonDerivedType(typeof(Muon), "muon")]
public abstract record OptimizerOptions(double LearningRate)
{
    /// <summary>Climb the gradient instead of going down.</summary>
    public bool Maximize { get; init; }

    /// <summary>The parts for a parameter, in order. Most optimizers treat all parameters alike.</summary>
    /// <param name="use">What the model uses the parameter for.</param>
    public abstract IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix);

    /// <summary>The learning rate of parameters with a use.</summary>
    /// <param name="use">What the model uses the parameter for.</param>
    public virtual double RateOf(ParameterUse use) => LearningRate;
}

/// <summary>What a model uses a parameter for.</summary>
public enum ParameterUse
{
    /// <summary>A bias or the scale of a norm: fewer than two axes.</summary>
    Vector,

    /// <summary>The weight of a linear layer within the model, (out, in).</summary>
    Matrix,

    /// <summary>The weight of a linear layer within the model that lies (in, out).</summary>
    TransposedMatrix,

    /// <summary>A table of embeddings, or the output layer over the vocabulary.</summary>
    Table,
}

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019).</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Beta1">Decay of the first moment, in [0, 1).</param>
/// <param name="Beta2">Decay of the second moment, in [0, 1).</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0.</param>
/// <param name="DecayMatricesOnly">Leave out biases and the scales of norms.</param>
/// <param name="Amsgrad">Divide by the largest second moment so far (Reddi et al., "On the Convergence of Adam and Beyond", 2018).</param>
/// <param name="CautiousDecay">Decay only weights that the update moves towards zero (Chen et al., "Cautious Weight Decay", 2025).</param>
public sealed record AdamW(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 3e-4,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta1 = 0.9f,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta2 = 0.999f,
    float Epsilon = 1e-8f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0.01f,
    bool DecayMatricesOnly = true,
    bool Amsgrad = false,
    bool CautiousDecay = false)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) =>
        [
            Amsgrad ? new ScaleByAmsgrad(Beta1, Beta2, Epsilon) : new ScaleByAdam(Beta1, Beta2, Epsilon),
            new AddDecayedWeights(WeightDecay, DecayMatricesOnly, CautiousDecay),
            new ScaleByLearningRate(),
        ];
}

/// <summary>Adam with L2 regularization (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015).</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Beta1">Decay of the first moment, in [0, 1).</param>
/// <param name="Beta2">Decay of the second moment, in [0, 1).</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0.</param>
/// <param name="Amsgrad">Divide by the largest second moment so far (Reddi et al., 2018).</param>
public sealed record Adam(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 1e-3,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta1 = 0.9f,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta2 = 0.999f,
    float Epsilon = 1e-8f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0,
    bool Amsgrad = false)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) =>
        [
            new AddDecayedWeights(WeightDecay),
            Amsgrad ? new ScaleByAmsgrad(Beta1, Beta2, Epsilon) : new ScaleByAdam(Beta1, Beta2, Epsilon),
            new ScaleByLearningRate(),
        ];
}

/// <summary>Stochastic gradient descent, with momentum on request.</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Momentum">Decay of the running sum of updates, in [0, 1); 0 for none.</param>
/// <param name="Dampening">Share of a new gradient that momentum leaves out.</param>
/// <param name="Nesterov">Nesterov's momentum.</param>
/// <param name="WeightDecay">λ ≥ 0.</param>
public sealed record Sgd(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 1e-2,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Momentum = 0,
    float Dampening = 0,
    bool Nesterov = false,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix) => Momentum == 0
        ? [new AddDecayedWeights(WeightDecay), new ScaleByLearningRate()]
        : [new AddDecayedWeights(WeightDecay), new Trace(Momentum, Dampening, Nesterov), new ScaleByLearningRate()];
}
