using System.CommandLine;
using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Files.Quantized;
using Gradus.Models;
using Gradus.Text;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus inspect</c>: what a model is, from its files' headers alone.</summary>
internal static class InspectVerb
{
    private static readonly Argument<string> Source = new("MODEL")
    {
        Description = "A model's folder, a run's, an adapter's, or one file of tensors (.safetensors, .gguf, .bin).",
    };

    private static readonly Option<bool> Tensors = new("--tensors") { Description = "List every tensor: name, stored type, shape, bytes." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print everything as one JSON object." };

    private static readonly Option<string?> Base = ModelFolder.BaseOption();

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("inspect", "Show what a model is: architecture, parameters, memory, tokenizer, chat template.") { Source, Tensors, Base, Json };
        verb.Examples = [("inspect runs/quickstart/3-pretrain --tensors", "shows a run's newest checkpoint with every tensor")];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        string path = parse.GetRequiredValue(Source);
        bool tensors = parse.GetValue(Tensors);
        JsonObject facts = File.Exists(path) ? DescribeFile(path, tensors) : DescribeModel(ModelFolder.Find(path, parse.GetValue(Base), context.Cancellation), tensors);
        if (parse.GetValue(Json))
            context.WriteJson(facts);
        else
            Print(context, facts);
        return ExitCode.Done;
    }

    private static JsonObject DescribeFile(string path, bool tensors)
    {
        using TensorFile file = TensorFile.Open(path);
        JsonObject facts = new() { ["file"] = path };
        if (file is GgufFile gguf)
            AddMetadata(facts, gguf, path);
        AddTensors(facts, file, file.Entries, tensors);
        return facts;
    }

    // A GGUF file is a whole model where its architecture is known; tensors and their types are shown as the file has them.
    private static void AddMetadata(JsonObject facts, GgufFile file, string path)
    {
        facts["metadata"] = new JsonObject(file.Metadata.Where(m => m.Key != GgufModel.ConfigKeyName && m.Key != "tokenizer.chat_template")
            .Select(m => KeyValuePair.Create<string, JsonNode?>(m.Key, m.Value)));
        if (!GgufModel.IsKnown(file))
            return;
        using GgufModel model = GgufModel.Open(path);
        AddConfig(facts, model.Config);
        if (file.Values.Contains("tokenizer.ggml.tokens"))
            AddTokenizer(facts, Tokenizer.Load(path));
    }

    private static void AddConfig(JsonObject facts, JsonObject config)
    {
        facts["architecture"] = (config["architectures"] as JsonArray)?.FirstOrDefault()?.DeepClone();
        facts["model_type"] = config["model_type"]?.DeepClone();
        // The names that the families have for the longest sequence.
        facts["context_length"] = new[] { "max_position_embeddings", "n_positions", "seq_length" }.Select(n => config[n]).FirstOrDefault(v => v is not null)?.DeepClone();
        facts["vocabulary_size"] = config["vocab_size"]?.DeepClone();
        facts["config"] = config.DeepClone();
    }

    private static JsonObject DescribeModel(ModelLocation location, bool tensors)
    {
        if (File.Exists(location.Folder))
            return DescribeFile(location.Folder, tensors);
        ModelConfig config = Checkpoint.ReadConfig(location.Folder);
        JsonObject raw = Architectures.ToJson(config);
        JsonObject facts = new()
        {
            ["folder"] = location.Folder,
            ["architecture"] = config.Architecture,
            ["model_type"] = raw["model_type"]?.DeepClone(),
            ["context_length"] = config.ContextLength,
            ["vocabulary_size"] = config.Vocabulary,
        };
        using (TensorFile file = Checkpoint.OpenTensors(location.Folder))
        {
            // A tied head is the embedding; some programs store it twice.
            bool tied = raw["tie_word_embeddings"] is JsonValue value && value.TryGetValue(out bool tie) && tie;
            AddTensors(facts, file, [.. file.Entries.Where(e => !tied || e.Name != "lm_head.weight" || !file.Entries.Any(o => o != e && o.Shape == e.Shape))], tensors);
        }
        if (Checkpoint.ReadObject(Path.Combine(location.Folder, Checkpoint.ConfigFile))[QuantizedCheckpoint.ConfigKey] is { } quantization)
            facts["quantization"] = quantization.DeepClone();
        if (location.Adapter is not null)
            facts["adapter"] = DescribeAdapter(location.Adapter);
        if (location.TryOpenTokenizer() is { } tokenizer)
        {
            ModelBundle.CheckFit(tokenizer, config, location);
            AddTokenizer(facts, tokenizer);
        }
        facts["config"] = raw;
        return facts;
    }

    private static void AddTensors(JsonObject facts, TensorFile file, IReadOnlyList<TensorEntry> entries, bool list)
    {
        long parameters = entries.Sum(e => e.Shape.Count);
        JsonObject types = [];
        foreach (IGrouping<string, TensorEntry> type in entries.GroupBy(e => e.TypeName).OrderByDescending(g => g.Sum(e => e.ByteLength)))
            types[type.Key] = type.Sum(e => e.Shape.Count);
        facts["parameters"] = parameters;
        facts["tensors"] = entries.Count;
        facts["stored_types"] = types;
        facts["stored_bytes"] = file.Entries.Sum(e => e.ByteLength);
        facts["memory"] = new JsonObject { ["f32"] = parameters * 4, ["bf16"] = parameters * 2, ["f16"] = parameters * 2 };
        if (list)
            facts["tensor_list"] = new JsonArray([.. file.Entries.Select(Describe)]);
    }

    private static JsonNode Describe(TensorEntry entry) => new JsonObject
    {
        ["name"] = entry.Name,
        ["type"] = entry.TypeName,
        ["shape"] = new JsonArray([.. Enumerable.Range(0, entry.Shape.Rank).Select(i => (JsonNode)entry.Shape[i])]),
        ["bytes"] = entry.ByteLength,
    };

    private static JsonObject DescribeAdapter(string folder)
    {
        PeftConfig config = PeftFolder.ReadConfig(folder);
        using TensorFile file = TensorFile.Open(folder);
        return new JsonObject
        {
            ["folder"] = folder,
            ["type"] = config.PeftType,
            ["parameters"] = file.Entries.Sum(e => e.Shape.Count),
            ["config"] = config.ToJson(),
        };
    }

    private static void AddTokenizer(JsonObject facts, Tokenizer tokenizer)
    {
        JsonObject described = TokenizerInspectVerb.Describe(tokenizer, 0);
        facts["tokenizer"] = new JsonObject
        {
            ["type"] = described["type"]?.DeepClone(),
            ["vocabulary_size"] = tokenizer.VocabularySize,
            ["roles"] = described["roles"]?.DeepClone(),
        };
        facts["chat_template"] = tokenizer.Parts.ChatTemplate;
    }

    private static void Print(CommandContext context, JsonObject facts)
    {
        Facts list = new(context);
        long parameters = facts["parameters"]!.GetValue<long>();
        if (facts["file"] is { } file)
            list.Add("file", file.GetValue<string>());
        if (facts["folder"] is { } folder)
        {
            list.Add("folder", folder.GetValue<string>());
        }
        if (facts["architecture"] is { } architecture)
        {
            list.Add("architecture", $"{(string?)architecture} ({(string?)facts["model_type"]})");
            // What a GGUF file says is as wide as its writer chose.
            if (long.TryParse(facts["context_length"]?.ToJsonString(), out long length))
                list.Add("context", $"{length:N0} tokens");
        }
        list.Add("parameters", $"{parameters:N0} in {facts["tensors"]!.GetValue<int>():N0} tensors");
        list.Add("stored", $"{Facts.Bytes(facts["stored_bytes"]!.GetValue<long>())}: {string.Join(", ", facts["stored_types"]!.AsObject().Select(t => $"{t.Value!.GetValue<long>():N0} {t.Key}"))}");
        list.Add("memory", $"{Facts.Bytes(parameters * 4)} in f32, {Facts.Bytes(parameters * 2)} in bf16 or f16 (weights alone)");
        if (facts["quantization"] is JsonObject quantization)
            list.Add("quantization", $"{quantization["quant_method"]}, read as the floats that it stands for");
        if (facts["adapter"] is JsonObject adapter)
            list.Add("adapter", $"{(string?)adapter["type"]}, {adapter["parameters"]!.GetValue<long>():N0} parameters, {(string?)adapter["folder"]}");
        if (facts["architecture"] is not null)
            PrintTokenizer(list, facts);
        if (facts["metadata"] is JsonObject metadata)
            PrintMetadata(list, metadata);
        if (facts["tensor_list"] is JsonArray tensors)
            PrintTensors(context, list, tensors);
    }

    private static void PrintTokenizer(Facts list, JsonObject facts)
    {
        list.Add("tokenizer", facts["tokenizer"] is JsonObject tokenizer
            ? $"{(string?)tokenizer["type"]}, {tokenizer["vocabulary_size"]!.GetValue<int>():N0} tokens"
            : "none");
        list.Add("chat template", facts["chat_template"] is null ? "none" : "yes");
        list.Headline("config");
        (string Key, string Value)[] config = [.. facts["config"]!.AsObject().Where(v => v.Value is JsonValue).Select(v => (v.Key, v.Value!.ToJsonString()))];
        foreach ((string key, string value) in config)
            list.Add($"  {key}", value, 2 + config.Max(c => c.Key.Length));
    }

    private static void PrintMetadata(Facts list, JsonObject metadata)
    {
        list.Headline("metadata");
        foreach ((string key, JsonNode? value) in metadata)
            list.Add($"  {key}", (string)value!, 2 + metadata.Max(m => m.Key.Length));
    }

    private static void PrintTensors(CommandContext context, Facts list, JsonArray tensors)
    {
        list.Headline("tensors");
        int width = tensors.Select(t => ((string)t!["name"]!).Length).DefaultIfEmpty().Max();
        foreach (JsonNode? tensor in tensors)
        {
            string shape = string.Join(" × ", tensor!["shape"]!.AsArray());
            context.Out.WriteLine(Failures.OneLine($"  {((string)tensor["name"]!).PadRight(width)}  {(string)tensor["type"]!,-5} {shape,-18} {Facts.Bytes(tensor["bytes"]!.GetValue<long>())}"));
        }
    }
}
