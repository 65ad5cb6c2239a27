namespace Gradus.Files;

/// <summary>
/// Writes a GGUF model as one file, or, where it is larger than a shard may be, as <c>stem-00001-of-0000N.gguf</c> …. Source: llama.cpp
/// (gguf-split): the first shard has the whole metadata, the others only which one they are.
/// </summary>
public static class GgufShards
{
    /// <summary>The most files that a model is written as; all of them are open at once.</summary>
    public const int MostShards = 500;

    /// <summary>
    /// Writes all tensors. Every shard is whole on the disk before the first of them gets its name, and the first shard gets its name last:
    /// what was there before stays readable until then.
    /// </summary>
    /// <param name="path">The file to write, whose name ends with <c>.gguf</c>; shards get their numbers before the ending.</param>
    /// <param name="metadata">The key-value pairs; not changed.</param>
    /// <param name="entries">The tensors; shards are filled in this order.</param>
    /// <param name="source">Called once for each tensor, in this order.</param>
    /// <param name="maxShardBytes">The most bytes of data in one file; a larger tensor gets a file of its own.</param>
    /// <returns>The paths of the files.</returns>
    /// <exception cref="ArgumentException">There would be more than <see cref="MostShards"/> files.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static IReadOnlyList<string> Write(
        string path, GgufMetadata metadata, IReadOnlyList<TensorEntry> entries, TensorFileWriter.Source source, long maxShardBytes = long.MaxValue)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(entries);
        List<List<TensorEntry>> shards = ShardPlan.Fill(entries, maxShardBytes);
        if (shards.Count > MostShards)
            throw new ArgumentException($"{path}: shards of {maxShardBytes} bytes would be {shards.Count} files, more than {MostShards}; allow larger ones.", nameof(maxShardBytes));
        string stem = path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) ? path[..^".gguf".Length] : path;
        string[] paths = shards.Count == 1 ? [path] : [.. Enumerable.Range(1, shards.Count).Select(i => $"{stem}-{i:D5}-of-{shards.Count:D5}.gguf")];
        Write(0);
        return paths;

        void Write(int shard) => AtomicFile.Write(paths[shard], stream =>
        {
            using (GgufWriter writer = new(stream, shards.Count == 1 ? metadata : OfShard(metadata, shard, shards.Count, entries.Count), shards[shard], leaveOpen: true))
                writer.WriteAll(source);
            if (shard + 1 < shards.Count)
                Write(shard + 1);
        });
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
