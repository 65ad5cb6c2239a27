using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Gradus.Models;

namespace Gradus.Adapters;

/// <summary>
/// A method of fine-tuning with few parameters, with the names of PEFT's adapter_config.json. A new method is a file beside this
/// and a line here. Source: https://huggingface.co/docs/peft, versions 0.17 to 0.20.
/// </summary>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="TaskType">What the model is for: <c>CAUSAL_LM</c> and so on; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen; always true in files.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "peft_type")]
[JsonDerivedType(typeof(AdaLoraConfig), "ADALORA")]
[JsonDerivedType(typeof(BottleneckConfig), "BOTTLENECK")]
[JsonDerivedType(typeof(Ia3Config), "IA3")]
[JsonDerivedType(typeof(LnTuningConfig), "LN_TUNING")]
[JsonDerivedType(typeof(LohaConfig), "LOHA")]
[JsonDerivedType(typeof(LokrConfig), "LOKR")]
[JsonDerivedType(typeof(LoraConfig), "LORA")]
[JsonDerivedType(typeof(MissConfig), "MISS")]
[JsonDerivedType(typeof(MultitaskPromptTuningConfig), "MULTITASK_PROMPT_TUNING")]
[JsonDerivedType(typeof(OftConfig), "OFT")]
[JsonDerivedType(typeof(PrefixTuningConfig), "PREFIX_TUNING")]
[JsonDerivedType(typeof(PromptTuningConfig), "PROMPT_TUNING")]
[JsonDerivedType(typeof(PTuningConfig), "P_TUNING")]
[JsonDerivedType(typeof(TrainableTokensConfig), "TRAINABLE_TOKENS")]
[JsonDerivedType(typeof(VeraConfig), "VERA")]
public abstract record PeftConfig(
    IReadOnlyList<string>? ModulesToSave,
    string? TaskType,
    string? BaseModelNameOrPath,
    bool InferenceMode)
{
    // Written by PEFT; they change nothing that is computed from the adapter's tensors, or only beside a key that is refused (eps: coft).
    private static readonly HashSet<string> Ignored = ["auto_mapping", "eps", "megatron_core", "peft_version", "qalora_group_size", "revision", "use_effective_conv2d"];

    /// <summary>The methods by their <c>peft_type</c>, sorted.</summary>
    public static IReadOnlyList<string> PeftTypes { get; } = [.. Methods().Select(m => m.Name).Order(StringComparer.Ordinal)];

    /// <summary>The method's <c>peft_type</c>.</summary>
    [JsonIgnore]
    public string PeftType => Methods().First(m => m.Type == GetType()).Name;

    /// <summary>What is wrong with the values, one line each, naming the key; empty when all is well.</summary>
    public virtual IEnumerable<string> Problems() => [];

    /// <summary>This configuration with all that it leaves to the model filled in.</summary>
    /// <exception cref="InvalidDataException">The architecture does not say.</exception>
    internal virtual PeftConfig Resolve(LanguageModel model) => this;

    /// <summary><see cref="Resolve"/>, with what it says about the storage of the model's weights set right.</summary>
    internal virtual PeftConfig For(LanguageModel model) => Resolve(model);

    /// <summary>Makes what the method adds to a model.</summary>
    /// <exception cref="InvalidDataException">The configuration does not fit the model.</exception>
    internal abstract void Build(AdapterParts parts);

    /// <summary>Reads an adapter_config.json.</summary>
    /// <param name="json">The parsed file.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="InvalidDataException">The method or a field that matters is not supported, or a value is wrong; one line that names the file and the key.</exception>
    public static PeftConfig Parse(JsonObject json, string source)
    {
        ArgumentNullException.ThrowIfNull(json);
        if (BottleneckConfig.IsHub(json))
            json = BottleneckConfig.FromHub(json, source);
        string? name = json["peft_type"] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
        if (Methods().FirstOrDefault(m => m.Name == name).Type is not { } type)
            throw new InvalidDataException($"{source}: peft_type {(name is null ? "is missing" : $"\"{name}\" is not supported")}; supported are {string.Join(", ", PeftTypes)}.");
        Dictionary<string, bool> known = PeftJson.Default.Options.GetTypeInfo(type).Properties.ToDictionary(p => p.Name, p => Nullable(p), StringComparer.Ordinal);
        string[] unused = type.GetCustomAttribute<UnusedKeysAttribute>()?.Keys ?? [];
        JsonObject kept = [];
        foreach ((string key, JsonNode? field) in json)
        {
            if (known.TryGetValue(key, out bool nullable) || key == "peft_type")
            {
                // A null is a default, also where the record has no null.
                if (field is not null || nullable)
                    kept[key] = field?.DeepClone();
            }
            else if (!Ignored.Contains(key) && !unused.Contains(key) && !IsOff(field))
            {
                throw new InvalidDataException($"{source}: {key}: {Shorten(field!.ToJsonString())} is not supported here; only adapters without {key} can be used.");
            }
        }
        PeftConfig config;
        try
        {
            config = kept.Deserialize(PeftJson.Default.PeftConfig)!;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{source}: {e.Path?.TrimStart('$', '.')} has a wrong value: {e.InnerException?.Message ?? e.Message}", e);
        }
        return config.Problems().FirstOrDefault() is { } problem ? throw new InvalidDataException($"{source}: {problem}") : config;
    }

    /// <summary>The configuration as PEFT writes it, fields at their defaults included.</summary>
    public virtual JsonObject ToJson() => (JsonObject)JsonSerializer.SerializeToNode(this, PeftJson.Default.PeftConfig)!;

    /// <summary>The content of the file for an adapter of a model: adapter-hub's methods have one of their own.</summary>
    public virtual JsonObject ToFile(LanguageModel model) => (this with { InferenceMode = true }).ToJson();

    private protected static string? AtLeastOne(string key, int value) => value >= 1 ? null : $"{key}: must be at least 1, but is {value}.";

    private protected static string? Probability(string key, float value) => value is >= 0 and < 1 ? null : $"{key}: must lie in [0, 1), but is {value}.";

    private static IEnumerable<(string Name, Type Type)> Methods() => typeof(PeftConfig)
        .GetCustomAttributes(typeof(JsonDerivedTypeAttribute), false)
        .Cast<JsonDerivedTypeAttribute>()
        .Select(a => ((string)a.TypeDiscriminator!, a.DerivedType));

    private static bool Nullable(JsonPropertyInfo property) =>
        !property.PropertyType.IsValueType || System.Nullable.GetUnderlyingType(property.PropertyType) is not null;

    private static bool IsOff(JsonNode? value) => value switch
    {
        null => true,
        JsonObject o => o.Count == 0,
        JsonArray a => a.Count == 0,
        _ => value.GetValueKind() == JsonValueKind.False,
    };

    private static string Shorten(string text) => text.Length <= 60 ? text : $"{text[..60]}…";
}

/// <summary>Keys that PEFT writes for a method, or reads when it starts one, that change nothing that is computed from the adapter's tensors.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class UnusedKeysAttribute(params string[] keys) : Attribute
{
    public string[] Keys { get; } = keys;
}

/// <summary>Source-generated JSON of adapter configurations.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    AllowOutOfOrderMetadataProperties = true,
    NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(PeftConfig))]
internal sealed partial class PeftJson : JsonSerializerContext;
