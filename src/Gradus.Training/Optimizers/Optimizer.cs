using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Tensors;

namespace Gradus.Training.Optimizers;

/// <summary>An optimizer as a run's configuration names it.</summary>
/// <param name="LearningRate">The learning rate that the schedule's factor multiplies, &gt; 0.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(AdamW), "adamw")]
[JsonDerivedType(typeof(Adam), "adam")]
[JsonDerivedType(typeof(Sgd), "sgd")]
public abstract record OptimizerOptions(double LearningRate)
{
    /// <summary>The parts, in order.</summary>
    public abstract IReadOnlyList<UpdateRule> Rules();
}

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019).</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Beta1">Decay of the first moment, in [0, 1).</param>
/// <param name="Beta2">Decay of the second moment, in [0, 1).</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0.</param>
/// <param name="DecayMatricesOnly">Leave out biases and the scales of norms.</param>
public sealed record AdamW(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 3e-4,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta1 = 0.9f,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta2 = 0.999f,
    float Epsilon = 1e-8f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0.01f,
    bool DecayMatricesOnly = true)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules() =>
        [new ScaleByAdam(Beta1, Beta2, Epsilon), new AddDecayedWeights(WeightDecay, DecayMatricesOnly), new ScaleByLearningRate()];
}

/// <summary>Adam with L2 regularization (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015).</summary>
/// <param name="LearningRate">The learning rate, &gt; 0.</param>
/// <param name="Beta1">Decay of the first moment, in [0, 1).</param>
/// <param name="Beta2">Decay of the second moment, in [0, 1).</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0.</param>
public sealed record Adam(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 1e-3,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta1 = 0.9f,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Beta2 = 0.999f,
    float Epsilon = 1e-8f,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0)
    : OptimizerOptions(LearningRate)
{
    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules() =>
        [new AddDecayedWeights(WeightDecay), new ScaleByAdam(Beta1, Beta2, Epsilon), new ScaleByLearningRate()];
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
    public override IReadOnlyList<UpdateRule> Rules() => Momentum == 0
        ? [new AddDecayedWeights(WeightDecay), new ScaleByLearningRate()]
        : [new AddDecayedWeights(WeightDecay), new Trace(Momentum, Dampening, Nesterov), new ScaleByLearningRate()];
}

/// <summary>Applies the parts of an optimizer to parameters, and keeps what the parts remember.</summary>
public sealed class Optimizer : IDisposable
{
    private readonly IReadOnlyList<UpdateRule> _rules;
    private readonly IReadOnlyList<Parameter> _parameters;
    private readonly Device _device;
    private readonly Workspace _store;
    private readonly Tensor[][][] _state;
    private readonly UpdatePart[] _parts;
    private readonly UpdateTask[] _tasks;

    /// <summary>Prepares the parameters' state, all zeros.</summary>
    /// <param name="rules">The parts, in order.</param>
    /// <param name="parameters">The parameters to train.</param>
    /// <param name="device">The parameters' device.</param>
    public Optimizer(IReadOnlyList<UpdateRule> rules, IReadOnlyList<Parameter> parameters, Device device)
    {
        ArgumentNullException.ThrowIfNull(rules);
        ArgumentNullException.ThrowIfNull(parameters);
        _rules = rules;
        _parameters = parameters;
        _device = device;
        _store = new Workspace(device);
        _state = [.. parameters.Select(p => rules.Select(r => r.StateNames.Select(_ => _store.Zeros(p.Shape)).ToArray()).ToArray())];
        _parts = new UpdatePart[parameters.Count * rules.Count];
        _tasks = new UpdateTask[parameters.Count];
    }

    /// <summary>Updates made so far.</summary>
    public long Steps { get; set; }

    /// <summary>Bytes of the remembered tensors.</summary>
    public long StateBytes => _store.LiveBytes;

    /// <summary>The remembered tensors by name, <c>parameter.m</c> and so on: what a checkpoint must hold.</summary>
    public IReadOnlyDictionary<string, Tensor> State
    {
        get
        {
            Dictionary<string, Tensor> state = new(StringComparer.Ordinal);
            for (int p = 0; p < _parameters.Count; p++)
            {
                for (int r = 0; r < _rules.Count; r++)
                {
                    for (int i = 0; i < _state[p][r].Length; i++)
                        state[$"{_parameters[p].Name}.{_rules[r].StateNames[i]}"] = _state[p][r][i];
                }
            }
            return state;
        }
    }

    /// <summary>Updates all parameters that have a gradient, and clears the gradients.</summary>
    /// <param name="learningRate">The learning rate of this step.</param>
    /// <param name="gradientScale">Factor of all gradients first: what clipping asks for.</param>
    public void Step(double learningRate, float gradientScale = 1f)
    {
        Steps++;
        int count = 0;
        for (int p = 0; p < _parameters.Count; p++)
        {
            if (_parameters[p].Gradient is { } gradient)
                _tasks[count++] = new UpdateTask(_parameters[p].Value, gradient, gradientScale, Parts(p, learningRate));
        }
        _device.Update(_tasks.AsSpan(0, count));
        Array.Clear(_tasks);
        foreach (Parameter parameter in _parameters)
        {
            if (parameter.Gradient is null)
                continue;
            parameter.ClearGradient();
            parameter.MarkChanged();
        }
    }

    private ReadOnlyMemory<UpdatePart> Parts(int parameter, double learningRate)
    {
        Memory<UpdatePart> parts = _parts.AsMemory(parameter * _rules.Count, _rules.Count);
        for (int r = 0; r < _rules.Count; r++)
            parts.Span[r] = _rules[r].Part(new UpdateContext(_parameters[parameter], _state[parameter][r], Steps, learningRate));
        return parts;
    }

    /// <summary>Frees the remembered tensors.</summary>
    public void Dispose() => _store.Dispose();
}
