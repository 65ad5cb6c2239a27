using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gradus.Nn;

namespace Gradus.Models;

/// <summary>The architectures by their <c>model_type</c>. A new one is a file beside this and a line here and in <see cref="ModelConfig"/>.</summary>
public static class Architectures
{
    private static readonly Dictionary<Type, Func<ModelConfig, Scope, LanguageModel>> Builders = new()
    {
        [typeof(GemmaConfig)] = (c, s) => new Gemma((GemmaConfig)c, s),
        [typeof(Gemma2Config)] = (c, s) => new Gemma2((Gemma2Config)c, s),
        [typeof(Gemma3TextConfig)] = (c, s) => new Gemma3Text((Gemma3TextConfig)c, s),
        [typeof(Gpt2Config)] = (c, s) => new Gpt2((Gpt2Config)c, s),
        [typeof(LlamaConfig)] = (c, s) => new Llama((LlamaConfig)c, s),
        [typeof(MistralConfig)] = (c, s) => new Mistral((MistralConfig)c, s),
        [typeof(MixtralConfig)] = (c, s) => new Mixtral((MixtralConfig)c, s),
        [typeof(Olmo2Config)] = (c, s) => new Olmo2((Olmo2Config)c, s),
        [typeof(Phi3Config)] = (c, s) => new Phi3((Phi3Config)c, s),
        [typeof(Qwen2Config)] = (c, s) => new Qwen2((Qwen2Config)c, s),
        [typeof(Qwen2MoeConfig)] = (c, s) => new Qwen2Moe((Qwen2MoeConfig)c, s),
        [typeof(Qwen3Config)] = (c, s) => new Qwen3((Qwen3Config)c, s),
        [typeof(Qwen3MoeConfig)] = (c, s) => new Qwen3Moe((Qwen3MoeConfig)c, s),
        [typeof(SmolLm3Config)] = (c, s) => new SmolLm3((SmolLm3Config)c, s),
    };

    /// <summary>The known model types, sorted.</summary>
    public static IReadOnlyList<string> ModelTypes { get; } = [.. typeof(ModelConfig)
        .GetCustomAttributes(typeof(JsonDerivedTypeAttribute), false)
        .Cast<JsonDerivedTypeAttribute>()
        .Select(a => (string)a.TypeDiscriminator!)
        .Order(StringComparer.Ordinal)];

    private static Type ConfigType(string modelType) => typeof(ModelConfig)
        .GetCustomAttributes<JsonDerivedTypeAttribute>(inherit: false)
        .First(a => (string)a.TypeDiscriminator! == modelType)
        .DerivedType;

    /// <summary>Reads a config.json. Keys that this code does not know are left alone, as everybody does with these files.</summary>
    /// <param name="json">The parsed file.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="InvalidDataException">The type is unknown, or a value is wrong; one line that names the file and the key.</exception>
    public static ModelConfig Parse(JsonObject json, string source)
    {
        ArgumentNullException.ThrowIfNull(json);
        string? type = json["model_type"] is JsonValue value && value.TryGetValue(out string? name) ? name : null;
        if (type is null || !ModelTypes.Contains(type))
            throw new InvalidDataException($"{source}: model_type {(type is null ? "is missing" : $"\"{type}\" is not supported")}; supported are {string.Join(", ", ModelTypes)}.");
        ModelConfig config;
        try
        {
            config = ConfigForms.Present(json, ConfigType(type)).Deserialize(ModelJson.Default.ModelConfig)!;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{source}: {e.Path?.TrimStart('$', '.')} has a wrong value: {e.InnerException?.Message ?? e.Message}", e);
        }
        Check(config, source);
        return config;
    }

    /// <summary>Checks the values of a configuration.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where it came from, for messages.</param>
    /// <exception cref="InvalidDataException">A value is wrong; one line that names the key.</exception>
    public static void Check(ModelConfig config, string source)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (config.Validate(new ValidationContext(config)).FirstOrDefault() is { } problem)
            throw new InvalidDataException($"{source}: {JsonNamingPolicy.SnakeCaseLower.ConvertName(problem.MemberNames.First())}: {problem.ErrorMessage}.");
    }

    /// <summary>Builds the model of a configuration with the parameters of a scope.</summary>
    public static LanguageModel Build(ModelConfig config, Scope scope)
    {
        ArgumentNullException.ThrowIfNull(config);
        return Builders.TryGetValue(config.GetType(), out Func<ModelConfig, Scope, LanguageModel>? build)
            ? build(config, scope)
            : throw new NotSupportedException($"No model is registered for {config.GetType().Name}.");
    }

    /// <summary>The configuration as transformers writes it.</summary>
    public static JsonObject ToJson(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        JsonObject json = (JsonObject)JsonSerializer.SerializeToNode(config, ModelJson.Default.ModelConfig)!;
        json["architectures"] = new JsonArray(config.ArchitectureClass);
        return json;
    }
}

/// <summary>Source-generated JSON of model configurations.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    AllowOutOfOrderMetadataProperties = true,
    NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(ModelConfig))]
internal sealed partial class ModelJson : JsonSerializerContext;
