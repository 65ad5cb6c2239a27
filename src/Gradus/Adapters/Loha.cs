using System.Text.Json.Nodes;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// LoHa (Hyeon-Woo et al., "FedPara: Low-Rank Hadamard Product for Communication-Efficient Federated Learning", 2022; LyCORIS): the
/// change of a weight is the element-wise product of two matrices of low rank, and so of a rank up to r².
/// </summary>
/// <param name="R">Rank r of both matrices, ≥ 1.</param>
/// <param name="Alpha">α: the change is scaled by α/r.</param>
/// <param name="RankDropout">Probability with which training leaves a row of the change out, in [0, 1).</param>
/// <param name="ModuleDropout">Probability with which training leaves a layer's change out, in [0, 1).</param>
/// <param name="InitWeights">Whether the change starts out as zero rather than random.</param>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="RankPattern">Other ranks: a regular expression for the end of a path → its rank; the first match counts.</param>
/// <param name="AlphaPattern">Other alphas, named alike.</param>
/// <param name="LayersToTransform">The numbers of the blocks whose layers get an adapter; all where null.</param>
/// <param name="LayersPattern">Names of the lists that those numbers count in; any where null.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public sealed record LohaConfig(
    int R = 8,
    double Alpha = 8,
    float RankDropout = 0,
    float ModuleDropout = 0,
    bool InitWeights = true,
    ModuleNames? TargetModules = null,
    IReadOnlyDictionary<string, int>? RankPattern = null,
    IReadOnlyDictionary<string, double>? AlphaPattern = null,
    LayerNumbers? LayersToTransform = null,
    ModuleNames? LayersPattern = null,
    ModuleNames? ExcludeModules = null,
    IReadOnlyList<string>? ModulesToSave = null,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : BlockTunerConfig(TargetModules, LayersToTransform, LayersPattern, ExcludeModules, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => base.Problems().Concat(new[]
    {
        AtLeastOne("r", R),
        Probability("rank_dropout", RankDropout),
        Probability("module_dropout", ModuleDropout),
        RankProblem("rank_pattern", RankPattern),
    }.OfType<string>());

    /// <inheritdoc/>
    public override Adapter Adapt(Linear layer, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        int rank = Pattern("rank_pattern", RankPattern, layer.Path, R);
        return new LohaAdapter(layer, rank, (float)(Pattern("alpha_pattern", AlphaPattern, layer.Path, Alpha) / rank), this, place);
    }

    /// <inheritdoc/>
    public override JsonObject ToJson() => WithPatterns(base.ToJson());
}

/// <summary>ΔW = s · (A₁·B₁) ∘ (A₂·B₂), A (out, r), B (r, in).</summary>
public sealed class LohaAdapter : DeltaAdapter
{
    private readonly Parameter _a1;
    private readonly Parameter _b1;
    private readonly Parameter _a2;
    private readonly Parameter _b2;
    private readonly float _scale;
    private readonly LohaConfig _config;

    /// <summary>Makes the adapter of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="rank">r.</param>
    /// <param name="scale">s.</param>
    /// <param name="config">The method.</param>
    /// <param name="place">Where the parameters come from.</param>
    public LohaAdapter(Linear layer, int rank, float scale, LohaConfig config, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(place);
        (_scale, _config) = (scale, config);
        Shape a = new(layer.Weight.Outputs, rank), b = new(rank, layer.Weight.Inputs);
        // PEFT's deviations; A₂ alone is zero, so that the change is and yet has a gradient.
        _a1 = place.Parameter("hada_w1_a", a, Init.Normal(0.1f));
        _b1 = place.Parameter("hada_w1_b", b, Init.Normal(1));
        _a2 = place.Parameter("hada_w2_a", a, config.InitWeights ? Init.Zeros : Init.Normal(0.1f));
        _b2 = place.Parameter("hada_w2_b", b, Init.Normal(1));
        Parameters = [_a1, _b1, _a2, _b2];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Delta(Workspace step) =>
        _a1.In(step).MatMul(_b1.In(step)).Multiply(_a2.In(step).MatMul(_b2.In(step))).Scale(_scale);

    private protected override Tensor? TrainedDelta(Workspace step, Pass pass) =>
        Drop(Delta(step), pass, _config.RankDropout, _config.ModuleDropout, grows: true);
}
