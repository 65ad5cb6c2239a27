using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// AdaLoRA (Zhang et al., "AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning", 2023): updates in the form of a
/// singular value decomposition, of which training gives up the least important parts, so that layers come to have different ranks
/// (<see cref="AdaLoraAllocator"/>).
/// </summary>
/// <param name="TargetR">The mean rank that is left in the end, ≥ 1.</param>
/// <param name="InitR">The rank of every layer at first.</param>
/// <param name="Tinit">Steps before ranks begin to fall.</param>
/// <param name="Tfinal">Steps at the end in which they stay.</param>
/// <param name="DeltaT">Steps from one choice of ranks to the next, ≥ 1.</param>
/// <param name="Beta1">Smoothing of the sensitivity, in (0, 1).</param>
/// <param name="Beta2">Smoothing of its uncertainty, in (0, 1).</param>
/// <param name="OrthRegWeight">Weight of the penalty that keeps both factors orthogonal, ≥ 0.</param>
/// <param name="TotalStep">Steps of the whole training.</param>
/// <param name="LoraAlpha">α: the update is scaled by α over the first rank; by 1 where it is not above 0.</param>
/// <param name="LoraDropout">Dropout of the adapter's input in training, in [0, 1).</param>
/// <param name="RankPattern">Which parts are left, by the name of the layer's singular values; all where null.</param>
/// <param name="InitLoraWeights">Whether the singular values start out as zeros rather than at random.</param>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="Bias">Which biases of the base model are trained along.</param>
/// <param name="LayersToTransform">The numbers of the blocks whose layers get an adapter; all where null.</param>
/// <param name="LayersPattern">Names of the lists that those numbers count in; any where null.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="FanInFanOut">Whether the targets store their weights as (in, out); here the model itself knows, and files are written right.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
[UnusedKeys("alpha_pattern", "r", "use_dora", "use_rslora")]
public sealed record AdaLoraConfig(
    int TargetR = 8,
    int InitR = 12,
    int Tinit = 0,
    int Tfinal = 0,
    [property: JsonPropertyName("deltaT")] int DeltaT = 1,
    double Beta1 = 0.85,
    double Beta2 = 0.85,
    float OrthRegWeight = 0.5f,
    int? TotalStep = null,
    double LoraAlpha = 8,
    float LoraDropout = 0,
    IReadOnlyDictionary<string, bool[]>? RankPattern = null,
    bool InitLoraWeights = true,
    ModuleNames? TargetModules = null,
    LoraBias Bias = LoraBias.None,
    LayerNumbers? LayersToTransform = null,
    ModuleNames? LayersPattern = null,
    ModuleNames? ExcludeModules = null,
    IReadOnlyList<string>? ModulesToSave = null,
    bool FanInFanOut = false,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : BlockTunerConfig(TargetModules, LayersToTransform, LayersPattern, ExcludeModules, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => base.Problems().Concat(new[]
    {
        AtLeastOne("target_r", TargetR),
        InitR >= TargetR ? null : $"init_r: must be at least target_r, {TargetR}, but is {InitR}.",
        AtLeastOne("deltaT", DeltaT),
        Beta1 is > 0 and < 1 ? null : $"beta1: must lie in (0, 1), but is {Beta1}.",
        Beta2 is > 0 and < 1 ? null : $"beta2: must lie in (0, 1), but is {Beta2}.",
        OrthRegWeight >= 0 ? null : $"orth_reg_weight: must be at least 0, but is {OrthRegWeight}.",
        Probability("lora_dropout", LoraDropout),
        Tinit >= 0 && Tfinal >= 0 && (TotalStep is not { } total || Tinit < total - Tfinal)
            ? null : $"total_step: {TotalStep} steps leave none between tinit, {Tinit}, and tfinal, {Tfinal}.",
    }.OfType<string>());

    /// <inheritdoc/>
    public override bool TrainsBias(bool adapted) => Bias == LoraBias.All || (Bias == LoraBias.LoraOnly && adapted);

    /// <inheritdoc/>
    public override Adapter Adapt(Linear layer, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return new AdaLoraAdapter(layer, this, place);
    }

    /// <summary>The rank of a layer: how many parts are left of it.</summary>
    public int RankOf(string path) => RankPattern?.GetValueOrDefault($"{path}.lora_E")?.Count(left => left) ?? InitR;

    internal override PeftConfig WithLayout(bool inOut) => this with { FanInFanOut = inOut };
}

/// <summary>y = W·x + b + s·B·(E ∘ A·drop(x)): A (r, in), E (r, 1), B (out, r).</summary>
public sealed class AdaLoraAdapter : AddingAdapter
{
    private readonly float _scale;
    private readonly float _dropout;

    /// <summary>Makes the adapter of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="config">The method.</param>
    /// <param name="place">Where the parameters come from.</param>
    public AdaLoraAdapter(Linear layer, AdaLoraConfig config, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(place);
        int rank = config.RankOf(layer.Path);
        Path = layer.Path;
        _scale = (float)((config.LoraAlpha > 0 ? config.LoraAlpha : config.InitR) / (config.InitR + 1e-5));
        _dropout = config.LoraDropout;
        Init init = config.InitLoraWeights ? Init.Normal(0.02f) : Init.Normal(1);
        A = place.Parameter("lora_A", new Shape(rank, layer.Weight.Inputs), init);
        E = place.Parameter("lora_E", new Shape(rank, 1), config.InitLoraWeights ? Init.Zeros : Init.Normal(1));
        B = place.Parameter("lora_B", new Shape(layer.Weight.Outputs, rank), init);
        Parameters = [A, B, E];
    }

    /// <summary>The path of the layer.</summary>
    public string Path { get; }

    /// <summary>(r, in): right singular vectors.</summary>
    public Parameter A { get; }

    /// <summary>(r, 1): singular values.</summary>
    public Parameter E { get; }

    /// <summary>(out, r): left singular vectors.</summary>
    public Parameter B { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor? Change(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        return A.Shape[0] == 0 ? null : pass.Dropout(x, _dropout).Linear(A.Value).Multiply(E.Value).Linear(B.Value).Scale(_scale);
    }

    /// <inheritdoc/>
    public override Tensor Merge(Linear layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        Tensor dense = layer.Weight.Dense(workspace);
        return A.Shape[0] == 0
            ? dense
            : dense.Add(workspace.Adopt(B.Value).MatMul(workspace.Adopt(A.Value).ScaleRows(workspace.Adopt(E.Value))).Scale(_scale));
    }

    /// <summary>‖A·Aᵀ − I‖ + ‖Bᵀ·B − I‖ (Frobenius), one value: how far both factors are from orthogonal.</summary>
    internal Tensor Skewness(Workspace step)
    {
        Tensor a = A.In(step), b = B.In(step);
        return Distance(a.MatMul(a, transposeB: true)).Add(Distance(b.MatMul(b, transposeA: true)));
    }

    private static Tensor Distance(Tensor gram)
    {
        int n = gram.Shape[0];
        Tensor identity = gram.Workspace.Zeros(gram.Shape);
        for (int i = 0; i < n; i++)
            identity.Span()[(i * n) + i] = 1;
        return gram.Subtract(identity).Activate(Activation.Square).Sum().Activate(Activation.Sqrt);
    }
}

/// <summary>
/// Decides which parts of AdaLoRA's updates are kept: those whose values and vectors have mattered most to the loss, |p · dp| smoothed,
/// times its uncertainty. The number of parts falls with the cube of the time that is left, from the first rank to the target.
/// </summary>
public sealed class AdaLoraAllocator : IDisposable
{
    private readonly AdaLoraConfig _config;
    private readonly AdaLoraAdapter[] _adapters;
    private readonly Dictionary<Parameter, (Tensor Sensitivity, Tensor Uncertainty)> _scores = [];
    private readonly Workspace _store;
    private readonly int _firstBudget;
    private readonly int _lastBudget;

    /// <summary>Prepares for the training of an adapter.</summary>
    /// <param name="adapter">An adapter of AdaLoRA.</param>
    /// <exception cref="ArgumentException">It is of another method, or does not know how many steps there are.</exception>
    public AdaLoraAllocator(ModelAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        _config = adapter.Config as AdaLoraConfig ?? throw new ArgumentException("Only AdaLoRA gives up ranks while it trains.", nameof(adapter));
        if (_config.TotalStep is null)
            throw new ArgumentException("total_step: is missing; AdaLoRA has to know how many steps the training has.", nameof(adapter));
        _adapters = [.. adapter.Model.Parts.Linears.Select(l => l.Adapter).OfType<AdaLoraAdapter>().OrderBy(a => a.Path, StringComparer.Ordinal)];
        _firstBudget = _adapters.Sum(a => a.A.Shape[0]);
        _lastBudget = _config.TargetR * _adapters.Length;
        _store = new Workspace(adapter.Model.Device);
        foreach (Parameter parameter in _adapters.SelectMany(a => a.Parameters))
            _scores[parameter] = (_store.Zeros(parameter.Shape), _store.Zeros(parameter.Shape));
    }

    /// <summary>What the choice of parts remembers from step to step, by name.</summary>
    public IReadOnlyDictionary<string, Tensor> State => _scores
        .SelectMany(s => new[] { KeyValuePair.Create($"{s.Key.Name}.sensitivity", s.Value.Sensitivity), KeyValuePair.Create($"{s.Key.Name}.uncertainty", s.Value.Uncertainty) })
        .ToDictionary(StringComparer.Ordinal);

    /// <summary>Frees what it remembers.</summary>
    public void Dispose() => _store.Dispose();

    /// <summary>The penalty that training adds to the loss, one value, or null where its weight is 0.</summary>
    /// <param name="step">The step's workspace.</param>
    public Tensor? Penalty(Workspace step)
    {
        if (_config.OrthRegWeight == 0 || _adapters.Length == 0)
            return null;
        Tensor? sum = null;
        foreach (AdaLoraAdapter adapter in _adapters)
            sum = sum?.Add(adapter.Skewness(step)) ?? adapter.Skewness(step);
        return sum!.Scale(_config.OrthRegWeight / (2 * _adapters.Length));
    }

    /// <summary>Parts that may be left after a step, and whether the step chooses which.</summary>
    public (int Budget, bool Chooses) Budget(long step)
    {
        int total = _config.TotalStep!.Value;
        if (step <= _config.Tinit)
            return (_firstBudget, false);
        if (step > total - _config.Tfinal)
            return (_lastBudget, true);
        double left = 1 - ((double)(step - _config.Tinit) / (total - _config.Tfinal - _config.Tinit));
        return ((int)(((_firstBudget - _lastBudget) * left * left * left) + _lastBudget), step % _config.DeltaT == 0);
    }

    /// <summary>To be called after every step's update, while the gradients are still there: sets the singular values that are given up to zero.</summary>
    /// <param name="step">The step's number, from 1.</param>
    /// <returns>The parts that are left, by layers, where the step chose; else null.</returns>
    public IReadOnlyDictionary<string, bool[]>? Update(long step)
    {
        if (step < _config.TotalStep - _config.Tfinal)
            Observe();
        (int budget, bool chooses) = Budget(step);
        if (!chooses)
            return null;
        double[][] scores = [.. _adapters.Select(Scores)];
        double[] all = [.. scores.SelectMany(s => s).Order()];
        // Nothing has been observed: nothing is known to matter less.
        if (all.Length == 0 || all[^1] == 0)
            return null;
        int dropped = Math.Clamp(_firstBudget - budget, 0, all.Length);
        double threshold = dropped == 0 ? double.NegativeInfinity : all[dropped - 1];
        Dictionary<string, bool[]> left = new(StringComparer.Ordinal);
        for (int i = 0; i < _adapters.Length; i++)
        {
            bool[] kept = [.. scores[i].Select(s => s > threshold)];
            for (int k = 0; k < kept.Length; k++)
            {
                if (!kept[k])
                    _adapters[i].E.Value.Span()[k] = 0;
            }
            _adapters[i].E.MarkChanged();
            left[$"{_adapters[i].Path}.lora_E"] = kept;
        }
        return left;
    }

    private void Observe()
    {
        foreach (Parameter parameter in _adapters.SelectMany(a => a.Parameters))
        {
            if (parameter.Gradient is not { } gradient)
                continue;
            ReadOnlySpan<float> p = parameter.Value.Span(), dp = gradient.Span();
            Span<float> sensitivity = _scores[parameter].Sensitivity.Span(), uncertainty = _scores[parameter].Uncertainty.Span();
            for (int i = 0; i < p.Length; i++)
            {
                double now = Math.Abs((double)p[i] * dp[i]);
                sensitivity[i] = (float)((_config.Beta1 * sensitivity[i]) + ((1 - _config.Beta1) * now));
                uncertainty[i] = (float)((_config.Beta2 * uncertainty[i]) + ((1 - _config.Beta2) * Math.Abs(now - sensitivity[i])));
            }
        }
    }

    // Of every part: its value's score and the mean of its vectors'.
    private double[] Scores(AdaLoraAdapter adapter)
    {
        int rank = adapter.A.Shape[0], inputs = adapter.A.Shape[1], outputs = adapter.B.Shape[0];
        double[] a = Score(adapter.A), b = Score(adapter.B), e = Score(adapter.E), scores = new double[rank];
        for (int k = 0; k < rank; k++)
        {
            double right = 0, left = 0;
            for (int i = 0; i < inputs; i++)
                right += a[(k * inputs) + i];
            for (int o = 0; o < outputs; o++)
                left += b[(o * rank) + k];
            scores[k] = e[k] + (right / inputs) + (left / outputs);
        }
        return scores;
    }

    private double[] Score(Parameter parameter) =>
        [.. _scores[parameter].Sensitivity.ToArray().Zip(_scores[parameter].Uncertainty.ToArray(), (s, u) => (double)s * u)];
}
