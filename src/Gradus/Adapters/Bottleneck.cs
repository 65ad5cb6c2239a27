using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// Bottleneck adapters: small networks where the parts of a block are added to the residual stream, after attention and feed-forward
/// layer (Houlsby et al., 2019), after the feed-forward layer alone (Pfeiffer et al., 2020), or beside it (He et al., 2021). Files and
/// names are those of adapter-hub (https://adapterhub.ml), version 1. Such an adapter cannot be merged. Left out, and refused where a
/// file asks for them: norms inside adapters, gates, learned scales, hypercomplex and invertible layers, reductions by layer.
/// </summary>
/// <param name="MhAdapter">Whether there is one after attention.</param>
/// <param name="OutputAdapter">Whether there is one at the feed-forward layer.</param>
/// <param name="CrossAdapter">Whether there is one after attention to a source.</param>
/// <param name="ReductionFactor">The width over the inner width.</param>
/// <param name="NonLinearity">The activation.</param>
/// <param name="OriginalLnBefore">Whether it reads the part's result with the residual added, and the block's norm applied where that follows.</param>
/// <param name="OriginalLnAfter">Always true: the residual is added, and the norm applied, after it.</param>
/// <param name="ResidualBeforeLn">Whether its own residual is the part's result alone.</param>
/// <param name="AdapterResidualBeforeLn">Only of use with a norm inside.</param>
/// <param name="IsParallel">Whether it reads what the part reads and is added to the part's result.</param>
/// <param name="Scaling">Factor of its result.</param>
/// <param name="InitWeights"><c>bert</c>: normal numbers; <c>mam_adapter</c>: nothing is added at first.</param>
/// <param name="Dropout">Dropout of its result in training, in [0, 1).</param>
/// <param name="LeaveOut">Numbers of blocks that get none.</param>
/// <param name="Name">The adapter's name, which stands in the names of tensors.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Only for the common form.</param>
[UnusedKeys(
    "factorized_phm_W", "factorized_phm_rule", "hypercomplex_nonlinearity", "init_weights_seed", "inv_adapter_reduction_factor", "learn_phm", "phm_bias",
    "phm_c_init", "phm_dim", "phm_init_range", "phm_rank", "shared_W_phm", "shared_phm_rule", "stochastic_depth")]
public sealed record BottleneckConfig(
    bool MhAdapter = false,
    bool OutputAdapter = true,
    bool CrossAdapter = false,
    double ReductionFactor = 16,
    string NonLinearity = "relu",
    bool OriginalLnBefore = true,
    bool OriginalLnAfter = true,
    bool ResidualBeforeLn = true,
    bool AdapterResidualBeforeLn = false,
    bool IsParallel = false,
    float Scaling = 1,
    string InitWeights = "bert",
    float Dropout = 0,
    IReadOnlyList<int>? LeaveOut = null,
    string Name = "default",
    string? TaskType = null,
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : PeftConfig(null, TaskType, BaseModelNameOrPath, InferenceMode)
{
    private static readonly string[] NotOfHub = ["base_model_name_or_path", "inference_mode", "modules_to_save", "name", "peft_type", "task_type"];

    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => new[]
    {
        ReductionFactor > 0 ? null : $"reduction_factor: must be above 0, but is {ReductionFactor}.",
        Activations.IsKnown(NonLinearity) ? null : $"non_linearity: \"{NonLinearity}\" is not known.",
        OriginalLnAfter ? null : "original_ln_after: false is not supported; the residual is added after the adapter.",
        Probability("dropout", Dropout),
        MhAdapter || OutputAdapter || CrossAdapter ? null : "output_adapter: there is no adapter at all; set it, mh_adapter or cross_adapter.",
        Name.Length > 0 && !Name.Contains('.', StringComparison.Ordinal) ? null : $"name: \"{Name}\" is no name of an adapter.",
    }.OfType<string>();

    /// <summary>Whether a file is adapter-hub's rather than PEFT's.</summary>
    internal static bool IsHub(JsonObject json) => json["config"] is JsonObject && json["peft_type"] is null;

    /// <summary>The configuration of adapter-hub's file in the common form.</summary>
    /// <exception cref="InvalidDataException">It is of another method than bottleneck adapters.</exception>
    internal static JsonObject FromHub(JsonObject json, string source)
    {
        JsonObject config = (JsonObject)json["config"]!.DeepClone();
        if (config["architecture"] is { } other)
            throw new InvalidDataException($"{source}: config.architecture: {other.ToJsonString()} is not supported of adapter-hub's files; supported are bottleneck adapters.");
        config.Remove("architecture");
        config["peft_type"] = "BOTTLENECK";
        config["name"] = json["name"]?.DeepClone() ?? "default";
        config["base_model_name_or_path"] = json["model_name"]?.DeepClone();
        return config;
    }

    /// <summary>The file of adapter-hub.</summary>
    public override JsonObject ToFile(LanguageModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        JsonObject config = ToJson();
        foreach (string key in NotOfHub)
            config.Remove(key);
        config["inv_adapter"] = null;
        config["leave_out"] ??= new JsonArray();
        foreach (string key in (string[])["ln_after", "ln_before", "phm_layer", "use_gating"])
            config[key] = false;
        JsonObject described = Architectures.ToJson(model.Config);
        return new JsonObject
        {
            ["config"] = config,
            ["hidden_size"] = TokenVectors.InputTable(model, "output_adapter").Width,
            ["model_class"] = model.Config.Architecture,
            ["model_name"] = BaseModelNameOrPath,
            ["model_type"] = (string)described["model_type"]!,
            ["name"] = Name,
            ["version"] = "adapters.1.2.0",
        };
    }

    internal override void Build(AdapterParts parts)
    {
        IReadOnlyList<ResidualSite> sites = parts.Model.Config.UsualTargets?.Residuals ?? [];
        int made = 0;
        foreach (Linear layer in parts.Model.Parts.Linears)
        {
            // The longer end first: BERT's attention ends in output.dense too.
            ResidualSite? site = sites.Where(s => layer.Path.EndsWith(s.Linear, StringComparison.Ordinal)).MaxBy(s => s.Linear.Length);
            if (site is null || !Has(site.Part) || ModulePattern.LayerNumber(null, layer.Path) is { } number && LeaveOut?.Contains(number) == true)
                continue;
            string block = layer.Path[..^site.Linear.Length];
            INorm? norm = site.Norm is null ? null : parts.Model.Parts.FindNorm(block + site.Norm)
                ?? throw new InvalidDataException($"original_ln_before: the model has no norm {block}{site.Norm}.");
            parts.Add(layer, new BottleneckAdapter(layer, this, norm, parts.File[block + site.Adapter]["adapters"][Name]));
            made++;
        }
        if (made == 0)
            throw new InvalidDataException($"output_adapter: bottleneck adapters have no form for {parts.Model.Config.Architecture}; choose another method.");
    }

    private bool Has(BlockPart part) => part switch
    {
        BlockPart.Attention => MhAdapter,
        BlockPart.SourceAttention => CrossAdapter,
        _ => OutputAdapter,
    };
}

/// <summary>h + r becomes s·up(f(down(z))) + h + r, where h is the part's result and r the residual: z = h, h + r, its norm, or r itself.</summary>
public sealed class BottleneckAdapter : Adapter
{
    private readonly BottleneckConfig _config;
    private readonly INorm? _norm;
    private readonly Parameter _down;
    private readonly Parameter _downBias;
    private readonly Parameter _up;
    private readonly Parameter _upBias;
    private readonly Activation _activation;

    /// <summary>Makes the adapter at the end of a part.</summary>
    /// <param name="layer">The part's last linear layer.</param>
    /// <param name="config">The method.</param>
    /// <param name="norm">The norm that follows, in post-norm blocks; else null.</param>
    /// <param name="place">Where the parameters come from.</param>
    public BottleneckAdapter(Linear layer, BottleneckConfig config, INorm? norm, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(place);
        (_config, _norm, _activation) = (config, norm, Activations.Parse(config.NonLinearity));
        int width = layer.Weight.Outputs, inner = Math.Max(1, (int)(width / config.ReductionFactor));
        bool quiet = config.InitWeights == "mam_adapter";
        Init normal = Init.Normal(0.02f);
        _down = place.Parameter("adapter_down.0.weight", new Shape(inner, width), quiet ? Init.Uniform(1f / MathF.Sqrt(width)) : normal);
        _downBias = place.Parameter("adapter_down.0.bias", new Shape(inner), Init.Zeros);
        _up = place.Parameter("adapter_up.weight", new Shape(width, inner), quiet ? Init.Zeros : normal);
        _upBias = place.Parameter("adapter_up.bias", new Shape(width), Init.Zeros);
        Parameters = [_down, _downBias, _up, _upBias];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override Tensor Forward(Linear layer, Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(layer);
        throw new InvalidOperationException($"{layer.Path}: is not added to the residual stream, where a bottleneck adapter stands.");
    }

    /// <inheritdoc/>
    public override Tensor AddTo(Linear layer, Tensor residual, Tensor x, Pass pass, float dropout)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(residual);
        ArgumentNullException.ThrowIfNull(pass);
        Tensor h = pass.Dropout(layer.Base(x), dropout);                                  // (N, C)
        if (_config.IsParallel)
            return residual.Add(h.Add(Network(residual, pass)));
        Tensor input = h;
        if (_config.OriginalLnBefore)
        {
            input = h.Add(residual);
            input = _norm?.Forward(input) ?? input;
        }
        return residual.Add(Network(input, pass).Add(_config.ResidualBeforeLn ? h : input));
    }

    /// <inheritdoc/>
    public override Tensor Merge(Linear layer, Workspace workspace) => throw new NotSupportedException("A bottleneck adapter is a network of its own, which no weight can hold.");

    private Tensor Network(Tensor z, Pass pass)
    {
        Tensor y = pass.Dropout(z.Linear(_down.Value, _downBias.Value).Activate(_activation).Linear(_up.Value, _upBias.Value), _config.Dropout);
        return _config.Scaling == 1 ? y : y.Scale(_config.Scaling);
    }
}
