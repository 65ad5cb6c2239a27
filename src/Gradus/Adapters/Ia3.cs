using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// IA³ (Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning", 2022): one trained
/// factor for every output of an attention projection, or for every input of a feed-forward layer.
/// </summary>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="FeedforwardModules">Those targets whose inputs are scaled rather than their outputs; where null, the usual ones.</param>
/// <param name="InitIa3Weights">Whether the factors start out as ones rather than as normal numbers.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="FanInFanOut">Whether the targets store their weights as (in, out); here the model itself knows, and files are written right.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public sealed record Ia3Config(
    ModuleNames? TargetModules = null,
    ModuleNames? FeedforwardModules = null,
    bool InitIa3Weights = true,
    ModuleNames? ExcludeModules = null,
    IReadOnlyList<string>? ModulesToSave = null,
    bool FanInFanOut = false,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : TunerConfig(TargetModules, ExcludeModules, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <inheritdoc/>
    private protected override IReadOnlyList<string>? UsualOf(UsualTargets usual) => usual.Scaled;

    /// <inheritdoc/>
    public override Adapter Adapt(Linear layer, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        bool inputs = FeedforwardModules is { } modules && (modules.IsPattern
            ? ModulePattern.MatchesAll("feedforward_modules", modules.Values[0], layer.Path)
            : modules.Values.Any(m => layer.Path.EndsWith(m, StringComparison.Ordinal)));
        return new Ia3Adapter(layer, inputs, InitIa3Weights, place);
    }

    internal override PeftConfig Resolve(LanguageModel model)
    {
        Ia3Config resolved = (Ia3Config)base.Resolve(model);
        if (FeedforwardModules is not null)
            return resolved;
        return TargetModules is null
            ? resolved with { FeedforwardModules = ModuleNames.Of(resolved.TargetModules!.Values[^1]) }
            : throw new InvalidDataException("feedforward_modules: is missing; name those of the target_modules whose inputs are scaled, or write [].");
    }

    internal override PeftConfig WithLayout(bool inOut) => this with { FanInFanOut = inOut };
}

/// <summary>y = (W·x + b)∘l, or y = W·(x∘l) + b.</summary>
public sealed class Ia3Adapter : Adapter
{
    private readonly bool _scalesInputs;

    /// <summary>Makes the adapter of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="scalesInputs">Whether the layer's inputs are scaled rather than its outputs.</param>
    /// <param name="ones">Whether the factors start out as ones rather than as normal numbers.</param>
    /// <param name="place">Where the parameter comes from.</param>
    public Ia3Adapter(Linear layer, bool scalesInputs, bool ones, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(place);
        _scalesInputs = scalesInputs;
        Shape shape = scalesInputs ? new Shape(1, layer.Weight.Inputs) : new Shape(layer.Weight.Outputs, 1);
        Factors = place.Parameter("ia3_l", shape, ones ? Init.Ones : Init.Normal(1));
        Parameters = [Factors];
    }

    /// <summary>l: (1, in) or (out, 1).</summary>
    public Parameter Factors { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Forward(Linear layer, Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(x);
        return _scalesInputs ? layer.Base(x.Multiply(Factors.Value)) : layer.Base(x).Multiply(Factors.Value);
    }

    /// <inheritdoc/>
    public override Tensor Merge(Linear layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        Tensor dense = layer.Weight.Dense(workspace), factors = workspace.Adopt(Factors.Value);   // (out, in)
        return _scalesInputs ? dense.Multiply(factors) : dense.SwapAxes().Multiply(factors).SwapAxes();
    }

    /// <inheritdoc/>
    public override Tensor? MergeBias(Linear layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        return layer.Bias is null || _scalesInputs
            ? null
            : workspace.Adopt(layer.Bias.Value).ToF32().Multiply(workspace.Adopt(Factors.Value));
    }
}
