using System.Text;
using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;

namespace Gradus.Files.Gguf;

/// <summary>
/// A language model in a GGUF file, seen as a checkpoint of transformers: its config.json and its tensors under transformers' names and in
/// its layout, converted when they are read. Source: llama.cpp (convert_hf_to_gguf.py, the other way round).
/// </summary>
public sealed class GgufModel : IDisposable
{
    /// <summary>
    /// The key under which this program keeps the config.json of a model that it wrote, since GGUF has no place for all of it (windows that
    /// llama.cpp does not apply, the name of the model type). Files of others lack it.
    /// </summary>
    public const string ConfigKeyName = "gradus.config";

    internal const string PoolingKeyName = "pooling_type";

    private GgufModel(GgufFile file, JsonObject config, MappedTensorFile tensors)
    {
        File = file;
        Config = config;
        Tensors = tensors;
    }

    /// <summary>The file itself.</summary>
    public GgufFile File { get; }

    /// <summary>The content of config.json.</summary>
    public JsonObject Config { get; }

    /// <summary>The tensors under the names of transformers; closed with this.</summary>
    public TensorFile Tensors { get; }

    /// <summary>How the model makes one vector of a text; null where the file does not say, or says that it makes none.</summary>
    public Pooling? Pooling => File.Values.TryGet("general.architecture", out string? architecture)
        && File.Values.TryGetInteger($"{architecture}.{PoolingKeyName}", out long number)
        ? number switch
        {
            1 => Nn.Pooling.Mean,
            2 => Nn.Pooling.First,
            3 => Nn.Pooling.Last,
            _ => null,
        }
        : null;

    /// <summary>The number of llama.cpp's enum llama_pooling_type.</summary>
    internal static uint PoolingNumber(Pooling pooling) => pooling switch
    {
        Nn.Pooling.Mean => 1,
        Nn.Pooling.First => 2,
        Nn.Pooling.Last => 3,
        _ => throw new ArgumentOutOfRangeException(nameof(pooling), pooling, null),
    };

    /// <summary>Whether a path is a GGUF file, by its first bytes.</summary>
    public static bool IsGguf(string path)
    {
        if (!System.IO.File.Exists(path))
            return false;
        byte[] head = new byte[4];
        using FileStream stream = System.IO.File.OpenRead(path);
        return stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == 4 && head.AsSpan().SequenceEqual("GGUF"u8);
    }

    /// <summary>Whether a file is a model of a family that is read here.</summary>
    public static bool IsKnown(GgufFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return file.Values.TryGet("general.architecture", out string? architecture)
            && (!file.Values.TryGet("general.type", out string? type) || type == "model")
            && GgufFamilies.All.Any(f => f.Architecture == architecture);
    }

    /// <summary>Opens a model; of one in shards, any shard opens all.</summary>
    /// <exception cref="InvalidDataException">It is damaged, of an unknown architecture, or no model; the message says why.</exception>
    public static GgufModel Open(string path)
    {
        GgufFile file = GgufFile.Open(path);
        try
        {
            if (file.Values.TryGet("general.type", out string? type) && type != "model")
                throw Malformed.File(path, $"is not a model but of the type {Malformed.Quote(type)}; give the model's file.");
            JsonObject? noted = Noted(file);
            GgufFamily family = GgufFamilies.OfFile(file.Values, path, noted is null ? null : Architectures.TypeOf(noted));
            JsonObject config = noted is not null && family.ModelType == Architectures.TypeOf(noted) ? noted : Parsed(ReadConfig(family, file));
            // The places of rows are tables made by these numbers: what no model can have is found before.
            if (Architectures.ModelTypes.Contains(Architectures.TypeOf(config) ?? ""))
                Architectures.Parse(config, path);
            HyperParameters parameters = new(config, path);
            if (noted != config)
                GgufKeys.CheckRead(family, file, parameters);
            return new GgufModel(file, config, MappedTensorFile.Create(file, GgufNames.FromGguf(family, parameters, file)));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The content of generation_config.json, as far as the file says it.</summary>
    public JsonObject GenerationConfig()
    {
        JsonObject config = [];
        foreach ((string name, string key) in SpecialIds)
        {
            if (GgufKeys.TryId(File.Values, key, out int id))
                config[name] = id;
        }
        int[] ends = [.. EndKeys.Select(key => GgufKeys.TryId(File.Values, key, out int id) ? id : -1).Where(id => id >= 0).Distinct()];
        if (ends.Length > 1)
            config["eos_token_id"] = new JsonArray([.. ends.Select(id => (JsonNode)id)]);
        else if (ends.Length == 1)
            config["eos_token_id"] = ends[0];
        return config;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => Tensors.Dispose();

    // The end of a text, of a turn, of a message.
    private static string[] EndKeys => ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

    private static (string Name, string Key)[] SpecialIds =>
    [
        ("bos_token_id", "tokenizer.ggml.bos_token_id"), ("eos_token_id", "tokenizer.ggml.eos_token_id"), ("pad_token_id", "tokenizer.ggml.padding_token_id"),
    ];

    /// <summary>The config.json that this program noted, or null.</summary>
    internal static JsonObject? Noted(GgufFile file)
    {
        if (!file.Values.TryGet(ConfigKeyName, out string? text))
            return null;
        try
        {
            JsonObject config = JsonFile.Parse(Encoding.UTF8.GetBytes(text), file.Path);
            return config["model_type"] is JsonValue type && type.TryGetValue(out string? _) ? config : null;
        }
        catch (InvalidDataException)
        {
            // The metadata of llama.cpp says as much.
            return null;
        }
    }

    // A number that was parsed answers to any type that holds it, one that was set only to its own.
    private static JsonObject Parsed(JsonObject config) => (JsonObject)JsonNode.Parse(config.ToJsonString())!;

    private static JsonObject ReadConfig(GgufFamily family, GgufFile file)
    {
        GgufKeys.Prepare(family, file);
        JsonObject config = new()
        {
            ["architectures"] = new JsonArray(family.ModelClass),
            ["model_type"] = family.ModelType,
            ["tie_word_embeddings"] = !file.TryGet("output.weight", out _),
        };
        foreach ((string name, string key) in SpecialIds)
        {
            if (GgufKeys.TryId(file.Values, key, out int id))
                config[name] = id;
        }
        family.Read(file, config);
        if (file.TryGet("token_embd.weight", out TensorEntry? embedding))
            config["vocab_size"] = embedding.Shape.Rows;
        return config;
    }
}
