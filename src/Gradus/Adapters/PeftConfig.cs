using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Gradus.Models;
using Gradus.Nn;

namespace Gradus.Adapters;

/// <summary>
/// A method of fine-tuning with few parameters, with the names of PEFT's adapter_config.json. A new method is a file beside this
/// and a line here. Source: https://huggingface.co/docs/peft, version 0.17.
/// </summary>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="TaskType">What the model is for: <c>CAUSAL_LM</c> and so on; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen; always true in files.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "peft_type")]
[JsonDerivedType(typeof(LoraConfig), "LORA")]
[JsonDerivedType(typeof(Ia3Config), "IA3")]
public abstract record PeftConfig(
    ModuleNames? TargetModules,
    ModuleNames? ExcludeModules,
    IReadOnlyList<string>? ModulesToSave,
    string? TaskType,
    string? BaseModelNameOrPath,
    bool InferenceMode)
{
    // Written by PEFT; they change nothing that is computed from the adapter's tensors.
    private static readonly HashSet<string> Ignored = ["auto_mapping", "megatron_core", "peft_version", "qalora_group_size", "revision"];

    /// <summary>The methods by their <c>peft_type</c>, sorted.</summary>
    public static IReadOnlyList<string> PeftTypes { get; } = [.. Methods().Select(m => m.Name).Order(StringComparer.Ordinal)];

    /// <summary>The layers that usually get an adapter of this method, by <c>model_type</c>.</summary>
    [JsonIgnore]
    public abstract IReadOnlyDictionary<string, string[]> UsualTargets { get; }

    /// <summary>What is wrong with the values, one line each, naming the key; empty when all is well.</summary>
    public virtual IEnumerable<string> Problems() =>
        TargetModules is { IsPattern: false, Values.Count: 0 } ? ["target_modules: names no layer."] : [];

    /// <summary>The adapter of a linear layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="place">The layer's place in the adapter's file, from which its parameters come.</param>
    public abstract Adapter Adapt(Linear layer, Scope place);

    /// <summary>The adapter of an embedding table.</summary>
    /// <param name="layer">The table.</param>
    /// <param name="place">The table's place in the adapter's file, from which its parameters come.</param>
    /// <exception cref="InvalidDataException">The method has none.</exception>
    public virtual EmbeddingAdapter Adapt(Embedding layer, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        throw new InvalidDataException($"target_modules: {layer.Path} is an embedding, which this method does not adapt; take it out, or name it in modules_to_save.");
    }

    /// <summary>Whether a layer gets an adapter, by PEFT's rules.</summary>
    public virtual bool Targets(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (ExcludeModules is { } excluded && Names("exclude_modules", excluded, path))
            return false;
        if (ModulesToSave?.Any(m => ModulePattern.Contains("modules_to_save", m, path)) == true)
            return false;
        return TargetModules is { } targets && Names("target_modules", targets, path);
    }

    /// <summary>Whether training also changes a layer's bias.</summary>
    /// <param name="adapted">Whether the layer has an adapter.</param>
    public virtual bool TrainsBias(bool adapted) => false;

    /// <summary>Whether names or an expression name a path.</summary>
    private protected static bool Names(string key, ModuleNames names, string path) => names.IsPattern
        ? ModulePattern.MatchesAll(key, names.Values[0], path)
        : names.Values.Any(n => path == n || path.EndsWith($".{n}", StringComparison.Ordinal));

    /// <summary>This configuration with its target layers named: the architecture's usual ones, or all linear ones.</summary>
    /// <exception cref="InvalidDataException">The architecture has no usual ones.</exception>
    internal virtual PeftConfig Resolve(LanguageModel model)
    {
        if (TargetModules is null)
        {
            string type = (string)Architectures.ToJson(model.Config)["model_type"]!;
            return UsualTargets.TryGetValue(type, out string[]? usual)
                ? this with { TargetModules = new ModuleNames(usual) }
                : throw new InvalidDataException($"target_modules: models of the type {type} have no usual targets; name the layers, or write \"{ModuleNames.AllLinearWord}\".");
        }
        if (!TargetModules.IsAllLinear)
            return this;
        Linear? head = model is GenerativeModel decoder ? decoder.Head : null;
        return this with { TargetModules = new ModuleNames([.. model.Parts.Linears.Where(l => l != head).Select(l => l.Path).Order(StringComparer.Ordinal)]) };
    }

    /// <summary>This configuration with what it says about the storage of the targets' weights set right.</summary>
    /// <param name="inOut">Whether they are stored as (in, out).</param>
    internal virtual PeftConfig WithLayout(bool inOut) => this;

    /// <summary>Reads an adapter_config.json.</summary>
    /// <param name="json">The parsed file.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="InvalidDataException">The method or a field that matters is not supported, or a value is wrong; one line that names the file and the key.</exception>
    public static PeftConfig Parse(JsonObject json, string source)
    {
        ArgumentNullException.ThrowIfNull(json);
        string? name = json["peft_type"] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
        if (Methods().FirstOrDefault(m => m.Name == name).Type is not { } type)
            throw new InvalidDataException($"{source}: peft_type {(name is null ? "is missing" : $"\"{name}\" is not supported")}; supported are {string.Join(", ", PeftTypes)}.");
        Dictionary<string, bool> known = PeftJson.Default.Options.GetTypeInfo(type).Properties.ToDictionary(p => p.Name, p => Nullable(p), StringComparer.Ordinal);
        JsonObject kept = [];
        foreach ((string key, JsonNode? field) in json)
        {
            if (known.TryGetValue(key, out bool nullable) || key == "peft_type")
            {
                // A null is a default, also where the record has no null.
                if (field is not null || nullable)
                    kept[key] = field?.DeepClone();
            }
            else if (!Ignored.Contains(key) && !IsOff(field))
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

/// <summary>Source-generated JSON of adapter configurations.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    AllowOutOfOrderMetadataProperties = true,
    NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(PeftConfig))]
internal sealed partial class PeftJson : JsonSerializerContext;
