using Gradus.Tensors;

namespace Gradus.Training.Optimizers;

/// <summary>
/// Applies the parts of optimizers to parameters, and keeps what the parts remember. Parameters whose parts are all element-wise are
/// updated together in one pass over memory; the others one by one, their element-wise parts still in one pass each.
/// </summary>
public sealed class Optimizer : IDisposable
{
    private readonly IReadOnlyList<ParameterPlan> _plans;
    private readonly Func<Parameter, bool>? _owned;
    private readonly Device _device;
    private readonly Workspace _store;
    private readonly Workspace _scratch;
    private readonly Tensor[][][] _state;
    private readonly UpdatePart[][] _parts;
    private readonly bool[] _elementwise;
    private readonly UpdateTask[] _tasks;

    /// <summary>Prepares the parameters' state.</summary>
    /// <param name="plans">The parameters to train, and how.</param>
    /// <param name="device">The parameters' device.</param>
    /// <param name="precision">How products of matrices round their operands.</param>
    /// <param name="owned">Which parameters are updated here, and their state kept; null for all. The others are somebody else's.</param>
    public Optimizer(IReadOnlyList<ParameterPlan> plans, Device device, Precision precision = Precision.F32, Func<Parameter, bool>? owned = null)
    {
        ArgumentNullException.ThrowIfNull(plans);
        _plans = plans;
        _owned = owned;
        _device = device;
        _store = new Workspace(device);
        _scratch = new Workspace(device, precision);
        _state = [.. plans.Select(plan => Owns(plan.Parameter) ? plan.Rules.Select(r => r.State(plan.Parameter.Shape).Select(Make).ToArray()).ToArray() : [])];
        // One part more for clipping by value.
        _parts = [.. plans.Select(plan => new UpdatePart[plan.Rules.Count + 1])];
        _elementwise = [.. plans.Select(plan => plan.Rules.All(r => r is ElementwiseRule))];
        _tasks = new UpdateTask[plans.Count];
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
            for (int p = 0; p < _plans.Count; p++)
            {
                for (int r = 0; r < _state[p].Length; r++)
                {
                    IReadOnlyList<StateTensor> about = _plans[p].Rules[r].State(_plans[p].Parameter.Shape);
                    for (int i = 0; i < _state[p][r].Length; i++)
                        state[$"{_plans[p].Parameter.Name}.{about[i].Name}"] = _state[p][r][i];
                }
            }
            return state;
        }
    }

    /// <summary>Updates all parameters that have a gradient, and clears the gradients unless they are to be kept.</summary>
    /// <param name="rateFactor">What the schedule multiplies learning rates by in this step.</param>
    /// <param name="gradientScale">Factor of all gradients first: what clipping by norm asks for.</param>
    /// <param name="clipValue">The largest size of a gradient's element; 0 for any.</param>
    /// <param name="keepGradients">Whether the caller clears the gradients (<see cref="ClearGradients"/>).</param>
    public void Step(double rateFactor, float gradientScale = 1f, float clipValue = 0, bool keepGradients = false)
    {
        Steps++;
        int count = 0;
        for (int p = 0; p < _plans.Count; p++)
        {
            if (_elementwise[p] && _plans[p].Parameter.Gradient is { } gradient && Owns(_plans[p].Parameter))
                _tasks[count++] = new UpdateTask(_plans[p].Parameter.Value, gradient, gradientScale * _plans[p].Sign, Parts(p, 0, _plans[p].Rules.Count, rateFactor, clipValue));
        }
        _device.Update(_tasks.AsSpan(0, count));
        Array.Clear(_tasks);
        for (int p = 0; p < _plans.Count; p++)
        {
            if (_plans[p].Parameter.Gradient is not { } gradient)
                continue;
            if (!_elementwise[p] && Owns(_plans[p].Parameter))
                StepAlone(p, gradient, rateFactor, gradientScale * _plans[p].Sign, clipValue);
            _plans[p].Parameter.MarkChanged();
        }
        if (!keepGradients)
            ClearGradients();
    }

    /// <summary>Clears the gradients of all parameters.</summary>
    public void ClearGradients()
    {
        foreach (ParameterPlan plan in _plans)
            plan.Parameter.ClearGradient();
    }

    private void StepAlone(int p, Tensor update, double rateFactor, float scale, float clipValue)
    {
        ParameterPlan plan = _plans[p];
        for (int first = 0; first <= plan.Rules.Count; first++)
        {
            int end = first;
            while (end < plan.Rules.Count && plan.Rules[end] is ElementwiseRule)
                end++;
            Tensor? output = end < plan.Rules.Count ? _scratch.Empty(update.Shape) : null;
            _device.Update([new UpdateTask(plan.Parameter.Value, update, scale, Parts(p, first, end, rateFactor, clipValue)) { Output = output }]);
            if (output is null)
                break;
            update = ((TensorRule)plan.Rules[end]).Apply(output, Context(p, end, rateFactor), _scratch);
            (first, scale, clipValue) = (end, 1, 0);
        }
        _scratch.Reset();
    }

    private ReadOnlyMemory<UpdatePart> Parts(int p, int first, int end, double rateFactor, float clipValue)
    {
        Span<UpdatePart> parts = _parts[p];
        int count = 0;
        if (clipValue > 0)
            parts[count++] = UpdatePart.Clamp(clipValue);
        for (int r = first; r < end; r++)
            parts[count++] = ((ElementwiseRule)_plans[p].Rules[r]).Part(Context(p, r, rateFactor));
        return _parts[p].AsMemory(0, count);
    }

    private UpdateContext Context(int p, int rule, double rateFactor) => new(_plans[p].Parameter, _state[p][rule], Steps, _plans[p].LearningRate * rateFactor);

    private bool Owns(Parameter parameter) => _owned?.Invoke(parameter) ?? true;

    private Tensor Make(StateTensor about)
    {
        Tensor tensor = _store.Zeros(about.Shape);
        if (about.Initial != 0)
            _device.Fill(tensor, about.Initial);
        return tensor;
    }

    /// <summary>Frees the remembered tensors.</summary>
    public void Dispose()
    {
        _scratch.Dispose();
        _store.Dispose();
    }
}
