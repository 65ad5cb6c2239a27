using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gradus.Nn;

namespace Gradus.Adapters;

/// <summary>
/// LoRA (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021), with rank stabilization (Kalajdzievski, 2023) and
/// DoRA (Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024). Left out, and refused where a file asks for them: biases
/// on B, LoftQ, EVA, CorDA, QA-LoRA, replicated layers, single parameters and tokens as targets.
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
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
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
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : PeftConfig(TargetModules, ExcludeModules, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    private static readonly string[] QueryValue = ["q_proj", "v_proj"];

    // PEFT's own (TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING), and for families that it has none for the layers of the same part.
    private static readonly Dictionary<string, string[]> Usual = new()
    {
        ["bart"] = QueryValue,
        ["bert"] = ["query", "value"],
        ["bloom"] = ["query_key_value"],
        ["distilbert"] = ["q_lin", "v_lin"],
        ["electra"] = ["query", "value"],
        ["falcon"] = ["query_key_value"],
        ["gemma"] = QueryValue,
        ["gemma2"] = QueryValue,
        ["gemma3_text"] = QueryValue,
        ["gpt2"] = ["c_attn"],
        ["gpt_neox"] = ["query_key_value"],
        ["gptj"] = QueryValue,
        ["llama"] = QueryValue,
        ["mistral"] = QueryValue,
        ["mixtral"] = QueryValue,
        ["olmo2"] = QueryValue,
        ["opt"] = QueryValue,
        ["phi"] = ["q_proj", "v_proj", "fc1", "fc2"],
        ["phi3"] = ["qkv_proj"],
        ["qwen2"] = QueryValue,
        ["qwen2_moe"] = QueryValue,
        ["qwen3"] = QueryValue,
        ["qwen3_moe"] = QueryValue,
        ["roberta"] = ["query", "value"],
        ["smollm3"] = QueryValue,
        ["starcoder2"] = QueryValue,
        ["t5"] = ["q", "v"],
    };

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyDictionary<string, string[]> UsualTargets => Usual;

    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => base.Problems().Concat(new[]
    {
        R < 1 ? $"r: must be at least 1, but is {R}." : null,
        double.IsFinite(LoraAlpha) ? null : $"lora_alpha: must be a number, but is {LoraAlpha}.",
        LoraDropout is >= 0 and < 1 ? null : $"lora_dropout: must lie in [0, 1), but is {LoraDropout}.",
        RankPattern?.Where(p => p.Value < 1).Select(p => $"rank_pattern.{p.Key}: must be at least 1, but is {p.Value}.").FirstOrDefault(),
        TargetModules is { IsPattern: true, IsAllLinear: false } && LayersToTransform is not null
            ? "layers_to_transform: works with a list of target_modules only, not with a regular expression." : null,
        LayersPattern is { Values.Count: > 0 } && LayersToTransform is not { Values.Count: > 0 }
            ? "layers_pattern: needs layers_to_transform beside it." : null,
    }.OfType<string>());

    /// <summary>The rank of a layer's adapter.</summary>
    public int RankOf(string path) => Of("rank_pattern", RankPattern, path, R);

    /// <summary>The factor s of a layer's adapter: α/r, or α/√r.</summary>
    public float ScaleOf(string path)
    {
        double alpha = Of("alpha_pattern", AlphaPattern, path, LoraAlpha), rank = RankOf(path);
        return (float)(alpha / (UseRslora ? Math.Sqrt(rank) : rank));
    }

    /// <inheritdoc/>
    public override bool Targets(string path)
    {
        if (!base.Targets(path))
            return false;
        // A path that is written out in full is meant whatever its number.
        bool byNumber = LayersToTransform is { Values.Count: > 0 } && !TargetModules!.Values.Contains(path);
        return !byNumber || (ModulePattern.LayerNumber(LayersPattern?.Values, path) is { } layer && LayersToTransform!.Values.Contains(layer));
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
        JsonObject json = base.ToJson();
        // PEFT reads no nulls here.
        json["rank_pattern"] ??= new JsonObject();
        json["alpha_pattern"] ??= new JsonObject();
        json["init_lora_weights"] ??= true;
        return json;
    }

    internal override PeftConfig WithLayout(bool inOut) => this with { FanInFanOut = inOut };

    private static T Of<T>(string key, IReadOnlyDictionary<string, T>? patterns, string path, T other)
    {
        foreach ((string pattern, T value) in patterns ?? new Dictionary<string, T>())
        {
            if (ModulePattern.MatchesEnd(key, pattern, path))
                return value;
        }
        return other;
    }
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

/// <summary>How the matrices of LoRA start out; in files true, false or a name.</summary>
[JsonConverter(typeof(Converter))]
public sealed record LoraInit
{
    private LoraInit(string name)
    {
        Name = name;
    }

    /// <summary>A even in ±1/√in, B zero: the adapted model begins as the base model.</summary>
    public static LoraInit Default { get; } = new("true");

    /// <summary>A and B both random: for tests, since the model then begins elsewhere.</summary>
    public static LoraInit Random { get; } = new("false");

    /// <summary>A normal with deviation 1/r, B zero.</summary>
    public static LoraInit Gaussian { get; } = new("gaussian");

    /// <summary>The largest singular values of the weight, which the adapter takes over from it (Meng et al., "PiSSA", 2024).</summary>
    public static LoraInit Pissa { get; } = new("pissa");

    /// <summary>What files call it.</summary>
    public string Name { get; }

    internal sealed class Converter : JsonConverter<LoraInit>
    {
        public override LoraInit Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
        {
            JsonTokenType.True => Default,
            JsonTokenType.False => Random,
            JsonTokenType.String when reader.ValueTextEquals("gaussian") => Gaussian,
            JsonTokenType.String when reader.ValueTextEquals("pissa") => Pissa,
            _ => throw new JsonException("expected true, false, \"gaussian\" or \"pissa\""),
        };

        public override void Write(Utf8JsonWriter writer, LoraInit value, JsonSerializerOptions options)
        {
            if (bool.TryParse(value.Name, out bool flag))
                writer.WriteBooleanValue(flag);
            else
                writer.WriteStringValue(value.Name);
        }
    }
}
