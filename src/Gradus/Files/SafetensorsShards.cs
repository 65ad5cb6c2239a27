using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gradus.Files;

/// <summary>
/// Writes a checkpoint as one <c>model.safetensors</c>, or, where it is larger than a shard may be, as
/// <c>model-00001-of-0000N.safetensors</c> and their index, the names and rules being those of Hugging Face.
/// </summary>
public static class SafetensorsShards
{
    /// <summary>Bytes of a shard unless told otherwise: 5 GB.</summary>
    public const long DefaultMaxShardBytes = 5_000_000_000;

    /// <summary>Writes all tensors into a folder.</summary>
    /// <param name="folder">The folder being written.</param>
    /// <param name="entries">The tensors; shards are filled in this order.</param>
    /// <param name="source">Called once for each tensor, file by file, in the order of the file.</param>
    /// <param name="stem">The file name without its ending: <c>model</c> or <c>adapter_model</c>.</param>
    /// <param name="maxShardBytes">The most bytes of data in one file; a larger tensor gets a file of its own.</param>
    /// <param name="metadata">The metadata of each file; null writes <c>{"format":"pt"}</c>.</param>
    /// <returns>The names of the files of tensors.</returns>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static IReadOnlyList<string> Write(
        AtomicFolder folder, IReadOnlyList<TensorEntry> entries, TensorFileWriter.Source source, string stem = "model",
        long maxShardBytes = DefaultMaxShardBytes, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(source);
        List<List<TensorEntry>> shards = ShardPlan.Fill(entries, maxShardBytes);
        List<string> names = [];
        for (int i = 0; i < shards.Count; i++)
        {
            string name = shards.Count == 1 ? $"{stem}.safetensors" : $"{stem}-{i + 1:D5}-of-{shards.Count:D5}.safetensors";
            names.Add(name);
            using SafetensorsWriter writer = new(folder.Create(name), shards[i], metadata);
            writer.WriteAll(source);
        }
        if (shards.Count > 1)
            WriteIndex(folder, $"{stem}.safetensors.index.json", shards, names);
        return names;
    }

    private static void WriteIndex(AtomicFolder folder, string name, List<List<TensorEntry>> shards, List<string> names)
    {
        using Stream stream = folder.Create(name);
        using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", shards.Sum(s => s.Sum(e => e.ByteLength)));
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach ((string tensor, string file) in shards.SelectMany((s, i) => s.Select(e => (e.Name, names[i]))).OrderBy(p => p.Name, StringComparer.Ordinal))
                json.WriteString(tensor, file);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
    }
}
