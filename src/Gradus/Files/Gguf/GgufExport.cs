using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Text;

namespace Gradus.Files.Gguf;

/// <summary>How a model is written as GGUF.</summary>
/// <param name="Storage">The type of the matrices.</param>
/// <param name="Name">The model's name, <c>general.name</c>; null leaves it out.</param>
/// <param name="Pooling">How a sentence encoder makes one vector of a text; null where the model is none.</param>
/// <param name="KeepsBlocks">Whether tensors that are in blocks already keep theirs, of whatever format.</param>
public sealed record GgufExportOptions(GgufStorage Storage, string? Name = null, Pooling? Pooling = null, bool KeepsBlocks = false);

/// <summary>A checkpoint of transformers made ready to be written as GGUF: names, layout, types and metadata of llama.cpp.</summary>
public sealed class GgufExport : IDisposable
{
    private readonly MappedTensorFile _tensors;

    private GgufExport(MappedTensorFile tensors, GgufMetadata metadata, IReadOnlyList<TensorEntry> entries, IReadOnlyList<string> deviations)
    {
        _tensors = tensors;
        Metadata = metadata;
        Entries = entries;
        Deviations = deviations;
    }

    /// <summary>The key-value pairs.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The tensors, in the order of the file.</summary>
    public IReadOnlyList<TensorEntry> Entries { get; }

    /// <summary>What llama.cpp computes otherwise than the checkpoint asks for; empty for nearly every model.</summary>
    public IReadOnlyList<string> Deviations { get; }

    /// <summary>Plans the file: reads nothing but headers.</summary>
    /// <param name="config">The content of config.json.</param>
    /// <param name="tensors">The tensors under transformers' names; closed with this.</param>
    /// <param name="tokenizer">The tokenizer, or null for a file without one.</param>
    /// <param name="options">How to write.</param>
    /// <param name="generation">The content of generation_config.json, or null.</param>
    /// <exception cref="InvalidDataException">GGUF has no form for this model, or a tensor is missing or has no place; the message names it.</exception>
    public static GgufExport Plan(JsonObject config, TensorFile tensors, Tokenizer? tokenizer, GgufExportOptions options, JsonObject? generation = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(options);
        HyperParameters parameters = new(Architectures.Present(config), tensors.Path);
        GgufFamily family = GgufFamilies.OfCheckpoint(parameters);
        MappedTensorFile mapped = MappedTensorFile.Create(tensors, GgufNames.ToGguf(family, parameters, tensors));
        bool hasHead = mapped.TryGet("output.weight", out _);
        List<TensorEntry> entries = [.. mapped.Entries.Select(e => options.KeepsBlocks && e.Packed is not null ? e : options.Storage.Plan(e, e.Name == (hasHead ? "output.weight" : "token_embd.weight")))];
        GgufMetadata metadata = new();
        metadata.Set("general.architecture", family.Architecture);
        metadata.Set("general.type", "model");
        if (options.Name is { Length: > 0 } name)
            metadata.Set("general.name", name);
        metadata.Set("general.file_type", options.Storage.FileType);
        if (options.Storage.IsPacked)
            metadata.Set("general.quantization_version", 2u);
        family.Write(parameters, metadata);
        if (options.Pooling is { } pooling)
            metadata.Set($"{family.Architecture}.{GgufModel.PoolingKeyName}", GgufModel.PoolingNumber(pooling));
        metadata.Set(GgufModel.ConfigKeyName, family.Note(new HyperParameters(config, tensors.Path)).ToJsonString());
        WriteTokenizer(metadata, tokenizer, parameters, generation);
        return new GgufExport(mapped, metadata, entries, [.. family.Deviations(parameters)]);
    }

    /// <summary>Where each tensor of the checkpoint goes whose rows stay whole: for its name the tensor of the file, and which of those stacked in it.</summary>
    public IReadOnlyDictionary<string, (TensorEntry Tensor, int Part)> Targets => Entries
        .SelectMany(e => _tensors.Origin(_tensors[e.Name]) is var mapped && (mapped.Layout.KeepsRows || mapped.Layout == TensorLayout.Transposed)
            ? mapped.Sources.Select((s, i) => (s.Name, Target: (e, i)))
            : [])
        .GroupBy(t => t.Name, StringComparer.Ordinal)
        .ToDictionary(g => g.Key, g => g.First().Target, StringComparer.Ordinal);

    /// <summary>Writes the file, tensor by tensor.</summary>
    /// <param name="stream">Where to; stays open.</param>
    public void Write(Stream stream)
    {
        using GgufWriter writer = new(stream, Metadata, Entries, leaveOpen: true);
        writer.WriteAll(Copy);
    }

    /// <summary>Writes the model as one file, or as several of a limited size.</summary>
    /// <param name="path">The file; shards get their numbers before its ending.</param>
    /// <param name="maxShardBytes">The most bytes of data in one file; a larger tensor gets a file of its own.</param>
    /// <param name="beforeTensor">Called before each tensor; may throw to stop.</param>
    /// <returns>The paths of the files.</returns>
    public IReadOnlyList<string> Write(string path, long maxShardBytes, Action? beforeTensor = null) => GgufShards.Write(
        path,
        Metadata,
        Entries,
        (entry, writer) =>
        {
            beforeTensor?.Invoke();
            Copy(entry, writer);
        },
        maxShardBytes);

    /// <summary>Closes the source.</summary>
    public void Dispose() => _tensors.Dispose();

    private void Copy(TensorEntry entry, TensorFileWriter writer)
    {
        TensorEntry source = _tensors[entry.Name];
        if (source.Packed is { } packed && packed.Name == entry.Packed?.Name)
            writer.Write(entry.Name, _tensors.Bytes(source));
        else
            _tensors.Copy(source, writer, entry.Name);
    }

    private static void WriteTokenizer(GgufMetadata metadata, Tokenizer? tokenizer, HyperParameters config, JsonObject? generation)
    {
        if (tokenizer is null)
        {
            metadata.Set("tokenizer.ggml.model", "no_vocab");
        }
        else
        {
            foreach ((string key, object value) in GgufVocabulary.Write(tokenizer, config.Size("vocab_size")))
                metadata.Set(key, value);
        }
        // The tokenizer does not always say what config.json does.
        foreach ((string name, string key) in new[] { ("bos_token_id", "bos"), ("eos_token_id", "eos"), ("pad_token_id", "padding") })
        {
            JsonNode? id = config.Json[name] is JsonArray list ? list.FirstOrDefault() : config.Json[name];
            if (id is JsonValue value && value.TryGetValue(out int number) && number >= 0 && !metadata.Contains($"tokenizer.ggml.{key}_token_id"))
                metadata.Set($"tokenizer.ggml.{key}_token_id", (uint)number);
        }
        // A chat model ends its turns with another token than its texts.
        if (generation?["eos_token_id"] is JsonArray ends && metadata.TryGetInteger("tokenizer.ggml.eos_token_id", out long eos))
        {
            int? turn = ends.OfType<JsonValue>().Select(e => e.TryGetValue(out int end) ? end : -1).FirstOrDefault(e => e >= 0 && e != eos, -1);
            if (turn >= 0)
                metadata.Set("tokenizer.ggml.eot_token_id", (uint)turn.Value);
        }
    }
}
