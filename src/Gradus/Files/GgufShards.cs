namespace Gradus.Files;

/// <summary>Writes a GGUF model as one file, or, where it is larger than a shard may be, as <c>stem-00001-of-0000N.gguf</c> ….</summary>
public static class GgufShards
{
    /// <summary>Writes all tensors into a folder. The first shard has the whole metadata, the others only their number.</summary>
    /// <param name="folder">The folder being written.</param>
    /// <param name="stem">The file name without its ending.</param>
    /// <param name="metadata">The key-value pairs; not changed.</param>
    /// <param name="entries">The tensors; shards are filled in this order.</param>
    /// <param name="source">Called once for each tensor, in this order.</param>
    /// <param name="maxShardBytes">The most bytes of data in one file; a larger tensor gets a file of its own.</param>
    /// <returns>The names of the files.</returns>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static IReadOnlyList<string> Write(
        AtomicFolder folder, string stem, GgufMetadata metadata, IReadOnlyList<TensorEntry> entries, TensorFileWriter.Source source,
        long maxShardBytes = long.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(entries);
        List<List<TensorEntry>> shards = ShardPlan.Fill(entries, maxShardBytes);
        List<string> names = [];
        for (int i = 0; i < shards.Count; i++)
        {
            string name = shards.Count == 1 ? $"{stem}.gguf" : $"{stem}-{i + 1:D5}-of-{shards.Count:D5}.gguf";
            names.Add(name);
            using GgufWriter writer = new(folder.Create(name), shards.Count == 1 ? metadata : OfShard(metadata, i, shards.Count, entries.Count), shards[i]);
            writer.WriteAll(source);
        }
        return names;
    }

    private static GgufMetadata OfShard(GgufMetadata metadata, int number, int count, int tensors)
    {
        GgufMetadata own = new();
        foreach ((string key, object value) in metadata.Pairs)
        {
            // The alignment holds for each file by itself.
            if (number == 0 || key == "general.alignment")
                own.Set(key, value);
        }
        own.Set("split.no", checked((ushort)number));
        own.Set("split.count", checked((ushort)count));
        own.Set("split.tensors.count", tensors);
        return own;
    }
}
