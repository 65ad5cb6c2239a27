using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gradus.Nn;

namespace Gradus.Models;

/// <summary>The architectures by their <c>model_type</c>. A new one is a file beside this and a line at <see cref="ModelConfig"/>.</summary>
public static class Architectures
{
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

    /// <summary>The <c>model_type</c> of a config.json; null where it has none, or one that is no text.</summary>
    public static string? TypeOf(JsonObject json)
    {
        ArgumentNullException.ThrowIfNull(json);
        return json["model_type"] is JsonValue value && value.TryGetValue(out string? type) ? type : null;
    }

    /// <summary>What a config.json of a type says that leaves out all it can.</summary>
    internal static JsonObject Defaults(string modelType) => (JsonObject)JsonSerializer.SerializeToNode(
        JsonSerializer.Deserialize($"{{\"model_type\":\"{modelType}\"}}", ModelJson.Default.ModelConfig)!, ModelJson.Default.ModelConfig)!;

    /// <summary>A config.json of any version of transformers in the form of version 4, whose keys this code reads; of an unknown type as it is.</summary>
    internal static JsonObject Present(JsonObject json) => TypeOf(json) is { } type && ModelTypes.Contains(type)
        ? ConfigForms.Present(json, ConfigType(type))
        : json;

    /// <summary>
    /// Reads a config.json. A key that changes numbers and is not understood is refused (<see cref="UnderstoodKeys"/>); others that this code does
    /// not know are left alone, as everybody does with these files.
    /// </summary>
    /// <param name="json">The parsed file.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="InvalidDataException">The type is unknown, or a value is wrong; one line that names the file and the key.</exception>
    public static ModelConfig Parse(JsonObject json, string source)
    {
        ArgumentNullException.ThrowIfNull(json);
        string? type = TypeOf(json);
        if (type is null || !ModelTypes.Contains(type))
            throw new InvalidDataException($"{source}: model_type {(type is null ? "is missing" : $"\"{type}\" is not supported")}; supported are {string.Join(", ", ModelTypes)}.");
        ModelConfig config;
        JsonObject present = ConfigForms.Present(json, ConfigType(type));
        ConfigForms.CheckUsual(present, ConfigType(type), source);
        try
        {
            config = present.Deserialize(ModelJson.Default.ModelConfig)!;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{source}: {e.Path?.TrimStart('$', '.')} has a wrong value: {e.InnerException?.Message ?? e.Message}", e);
        }
        Check(config, source);
        config = config with { Labels = LabelSet.Parse(json, source) };
        return json["architectures"] is JsonArray { Count: > 0 } classes && classes[0] is JsonValue first && first.TryGetValue(out string? named)
            ? config with { Architecture = Choose(config, named, source) }
            : config;
    }

    // What stands in the names of classes that have another head than a language model's.
    private static readonly string[] Tasks =
        ["ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice", "DoubleHeads", "EncoderModel"];

    // A decoder is read with its language-model head whatever else a file calls it: bodies and renamed classes have the same tensors.
    private static string Choose(ModelConfig config, string named, string source)
    {
        if (config is not EncoderConfig encoder)
        {
            if (named == ClassifierOf(config) && config is DecoderConfig)
                return named;
            return Tasks.FirstOrDefault(t => named.Contains(t, StringComparison.Ordinal)) is null
                ? config.ArchitectureClass
                : throw new InvalidDataException($"{source}: architectures: {named} is not supported; supported are {config.ArchitectureClass}{(config is DecoderConfig ? $", {ClassifierOf(config)}" : "")}.");
        }
        return encoder.ArchitectureClasses.Contains(named)
            ? named
            : throw new InvalidDataException($"{source}: architectures: {named} is not supported; supported are {string.Join(", ", encoder.ArchitectureClasses)}.");
    }

    /// <summary>The class that is a decoder's body with a head that judges whole sequences: GPT2ForSequenceClassification.</summary>
    /// <param name="config">A decoder's configuration.</param>
    public static string ClassifierOf(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        string usual = config.ArchitectureClass;
        foreach (string head in (string[])["ForCausalLM", "LMHeadModel"])
        {
            if (usual.EndsWith(head, StringComparison.Ordinal))
                return $"{usual[..^head.Length]}ForSequenceClassification";
        }
        return $"{usual}ForSequenceClassification";
    }

    /// <summary>Checks the values of a configuration.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where it came from, for messages.</param>
    /// <exception cref="InvalidDataException">A value is wrong; one line that names the key.</exception>
    public static void Check(ModelConfig config, string source)
    {
        ArgumentNullException.ThrowIfNull(config);
        foreach (PropertyInfo property in config.GetType().GetProperties())
        {
            if (property.GetIndexParameters().Length == 0 && property.GetValue(config) is float or double && !double.IsFinite(Convert.ToDouble(property.GetValue(config), CultureInfo.InvariantCulture)))
                throw new InvalidDataException($"{source}: {UnderstoodKeys.NameOf(property)}: is no finite number.");
        }
        if (config.Validate(new ValidationContext(config)).FirstOrDefault() is { } problem)
            throw new InvalidDataException($"{source}: {JsonNamingPolicy.SnakeCaseLower.ConvertName(problem.MemberNames.First())}: {problem.ErrorMessage}.");
    }

    /// <summary>A configuration for another class of the same family that has a task's head.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="architecture">The class: BertForTokenClassification, LlamaForSequenceClassification.</param>
    /// <param name="source">Where the configuration came from, for messages.</param>
    /// <exception cref="InvalidDataException">The family has no such class; the message lists those it has.</exception>
    public static ModelConfig ForTask(ModelConfig config, string architecture, string source)
    {
        ArgumentNullException.ThrowIfNull(config);
        IReadOnlyCollection<string> classes = config is EncoderConfig encoder
            ? [.. encoder.ArchitectureClasses.Where(c => !c.EndsWith("Model", StringComparison.Ordinal) || c.EndsWith("LMHeadModel", StringComparison.Ordinal))]
            : [ClassifierOf(config)];
        return classes.Contains(architecture)
            ? config with { Architecture = architecture }
            : throw new InvalidDataException($"{source}: a model of this family cannot be a {architecture}; it can be a {string.Join(" or ", classes)}.");
    }

    /// <summary>Whether models of a configuration predict the next token: encoders and classifiers do not.</summary>
    public static bool WritesText(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config is not EncoderConfig && config.Architecture == config.ArchitectureClass;
    }

    /// <summary>Builds the model of a configuration with the parameters of a scope.</summary>
    public static LanguageModel Build(ModelConfig config, Scope scope)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(scope);
        LanguageModel model = config.Build(scope);
        return config is EncoderConfig || config.Architecture != ClassifierOf(config) ? model : Classifier(model, scope.ForHead());
    }

    // The only token that has seen the whole text is the last one. A reward model is this with one label.
    private static TaskModel Classifier(LanguageModel model, Scope scope)
    {
        if (model is not DecoderModel decoder)
            throw new NotSupportedException($"{model.Config.Architecture}: only decoders and encoders can be classifiers.");
        LabelSet labels = decoder.Config.Labels;
        Linear score = scope.Linear("score", decoder.Head.Weight.Inputs, labels.Count, bias: false, Init.Normal(0.02f));
        return new TaskModel(decoder, scope, new SequenceHead((x, pass) => score.Forward(x.Pool(pass, Pooling.Last), pass), labels.Problem));
    }

    /// <summary>The configuration as transformers writes it.</summary>
    public static JsonObject ToJson(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        JsonObject json = (JsonObject)JsonSerializer.SerializeToNode(config, ModelJson.Default.ModelConfig)!;
        json["architectures"] = new JsonArray(config.Architecture);
        config.Labels.Write(json);
        // Some versions of transformers take a null for the number of values itself.
        if (json["head_dim"] is null)
            json.Remove("head_dim");
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
