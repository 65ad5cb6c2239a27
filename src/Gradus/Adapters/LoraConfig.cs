using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gradus.Nn;

namespace Gradus.Adapters;

/// <summary>
/// LoRA (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021), with rank stabilization (Kalajdzievski, 2023) and
/// DoRA (Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024). Left out, and refused where a file asks for them: biases
/// on B, CorDA, LoRA-GA, QA-LoRA, replicated layers, single parameters as targets.
/// </summary>
/// <param name="R">Rank r, ≥ 1.</param>
/// <param name="LoraAlpha">α: the adapter's output is scaled by α/r.</param>
/// <param name="LoraDropout">Dropout of the adapter's input in training, in [0, 1).</param>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="Bias">Which biases of the base model are trained along.</param>
/// <param name="UseRslora">Scale by α/√r instead.</param>
/// <param name="UseDora">Train the length of every row of the weight apart from its direction.</param>
/// <param name="InitLoraWeights">How A and B start out.</param>
/// <param name="RankPattern">Other ranks: a regular expression for the end of a path → its rank; the first match counts.</param>
/// <param name="AlphaPattern">Other alphas, named alike.</param>
/// <param name="LayersToTransform">The numbers of the blocks whose layers get an adapter; all where null.</param>
/// <param name="LayersPattern">Names of the lists that those numbers count in; any where null.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="FanInFanOut">Whether the targets store their weights as (in, out), as GPT-2 does; here the model itself knows, and files are written right.</param>
/// <param name="LoftqConfig">How LoftQ quantizes.</param>
/// <param name="TrainableTokenIndices">Tokens whose vectors are trained beside the adapters.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
[UnusedKeys("eva_config")]
public sealed record LoraConfig(
    int R = 8,
    double LoraAlpha = 8,
    float LoraDropout = 0,
    ModuleNames? TargetModules = null,
    LoraBias Bias = LoraBias.None,
    bool UseRslora = false,
    bool UseDora = false,
    LoraInit? InitLoraWeights = null,
    IReadOnlyDictionary<string, int>? RankPattern = null,
    IReadOnlyDictionary<string, double>? AlphaPattern = null,
    LayerNumbers? LayersToTransform = null,
    ModuleNames? LayersPattern = null,
    ModuleNames? ExcludeModules = null,
    IReadOnlyList<string>? ModulesToSave = null,
    bool FanInFanOut = false,
    LoftqConfig? LoftqConfig = null,
    TokenIndices? TrainableTokenIndices = null,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : BlockTunerConfig(TargetModules, LayersToTransform, LayersPattern, ExcludeModules, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <summary>Whether A stays as it was drawn and only B is trained: LoRA-FA (Zhang et al., 2023). Files do not say.</summary>
    [JsonIgnore]
    public bool FreezeA { get; init; }

    /// <summary>What A starts out with, by the paths of layers (<see cref="EvaStart"/>); needed where <see cref="LoraInit.Eva"/> starts a new adapter.</summary>
    [JsonIgnore]
    public EvaStart? Start { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => base.Problems().Concat(new[]
    {
        AtLeastOne("r", R),
        double.IsFinite(LoraAlpha) ? null : $"lora_alpha: must be a number, but is {LoraAlpha}.",
        Probability("lora_dropout", LoraDropout),
        RankProblem("rank_pattern", RankPattern),
        LoftqConfig is { LoftqBits: not 4 } ? $"loftq_config.loftq_bits: only 4 bits (NF4) are quantized here, not {LoftqConfig.LoftqBits}." : null,
        LoftqConfig is { LoftqIter: < 1 } ? $"loftq_config.loftq_iter: must be at least 1, but is {LoftqConfig.LoftqIter}." : null,
    }.OfType<string>());

    /// <summary>The rank of a layer's adapter.</summary>
    public int RankOf(string path) => Pattern("rank_pattern", RankPattern, path, R);

    /// <summary>The factor s of a layer's adapter: α/r, or α/√r.</summary>
    public float ScaleOf(string path)
    {
        double alpha = Pattern("alpha_pattern", AlphaPattern, path, LoraAlpha), rank = RankOf(path);
        return (float)(alpha / (UseRslora ? Math.Sqrt(rank) : rank));
    }

    /// <inheritdoc/>
    public override bool TrainsBias(bool adapted) => Bias == LoraBias.All || (Bias == LoraBias.LoraOnly && adapted);

    /// <inheritdoc/>
    public override Adapter Adapt(Linear layer, Scope place) => new LoraAdapter(layer, this, place);

    /// <inheritdoc/>
    public override EmbeddingAdapter Adapt(Embedding layer, Scope place) => new LoraEmbeddingAdapter(layer, this, place);

    /// <inheritdoc/>
    public override JsonObject ToJson()
    {
        JsonObject json = WithPatterns(base.ToJson());
        json["init_lora_weights"] ??= true;
        if (InitLoraWeights != LoraInit.Loftq || LoftqConfig is null)
            json["loftq_config"] = new JsonObject();
        return json;
    }

    internal override void Build(AdapterParts parts)
    {
        LoraInit init = InitLoraWeights ?? LoraInit.Default;
        if (parts.IsNew && init == LoraInit.Eva && Start is null)
            throw new InvalidDataException("init_lora_weights: \"eva\" starts from what the layers read of the data; give some (EvaStart.Observe).");
        if (init == LoraInit.Loftq)
        {
            LoftqStart start = new(parts, this);
            BuildWith(parts, (layer, place) => new LoraAdapter(layer, this, place, start.Factors(layer)));
        }
        else
        {
            base.Build(parts);
        }
        foreach ((string name, int[] tokens) in TrainableTokenIndices?.Tables ?? new Dictionary<string, int[]>())
        {
            Embedding table = name.Length == 0
                ? TokenVectors.InputTable(parts.Model, "trainable_token_indices")
                : parts.Model.Parts.Embeddings.FirstOrDefault(e => e.Path == name || e.Path.EndsWith($".{name}", StringComparison.Ordinal))
                    ?? throw new InvalidDataException($"trainable_token_indices: no embedding table of the model is called {name}; there are {string.Join(", ", parts.Model.Parts.Embeddings.Select(e => e.Path))}.");
            if (parts.Embeddings.Any(e => e.Layer == table))
                throw new InvalidDataException($"trainable_token_indices: {table.Path} is a target or saved as a whole already.");
            TokenVectors vectors = new(table, tokens, copies: true, parts.At(table.Path)["token_adapter"], "trainable_token_indices");
            parts.Add(table, vectors);
            vectors.FollowIn(parts, table);
        }
    }

    internal override PeftConfig WithLayout(bool inOut) => this with { FanInFanOut = inOut };
}

/// <summary>Which biases of the base model LoRA trains along.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LoraBias>))]
public enum LoraBias
{
    /// <summary>None.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>All of them.</summary>
    [JsonStringEnumMemberName("all")]
    All,

    /// <summary>Those of the layers with an adapter.</summary>
    [JsonStringEnumMemberName("lora_only")]
    LoraOnly,
}
