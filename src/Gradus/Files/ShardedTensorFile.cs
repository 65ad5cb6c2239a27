using System.Text.Json;

namespace Gradus.Files;

/// <summary>
/// A checkpoint in several files with a Hugging Face index (<c>model.safetensors.index.json</c>: an object with a
/// <c>weight_map</c> from tensor name to file name). The index is untrusted: it can name only files of its own folder.
/// </summary>
public sealed class ShardedTensorFile : TensorFile
{
    private const int MostShards = 10_000;
    private readonly Dictionary<string, TensorFile> _shardOf;
    private readonly TensorFile[] _shards;

    private ShardedTensorFile(string path, TensorFile[] shards, List<TensorEntry> entries, Dictionary<string, TensorFile> shardOf, Dictionary<string, string> metadata)
        : base(path, entries, metadata)
    {
        _shards = shards;
        _shardOf = shardOf;
    }

    /// <summary>Opens an index and all files it names.</summary>
    /// <exception cref="InvalidDataException">The index or a shard is damaged, they do not fit, or the index names a file outside its folder.</exception>
    /// <exception cref="FileNotFoundException">There is no such index, or a shard is missing.</exception>
    public static new ShardedTensorFile Open(string path)
    {
        Dictionary<string, string> map = ReadIndex(path);
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        string[] names = [.. map.Values.Distinct().Order(StringComparer.Ordinal)];
        if (names.Length > MostShards)
            throw Malformed.File(path, $"names {names.Length} shards, more than the {MostShards} allowed; the index is damaged.");
        string[] absent = [.. names.Where(name => !File.Exists(System.IO.Path.Combine(folder, name)))];
        if (absent.Length > 0)
            throw new FileNotFoundException($"{path}: {absent.Length} of {names.Length} shards are missing, first {Malformed.Quote(absent[0])}; get them into {folder}.", absent[0]);

        return Open(folder, names, (shards, byFile) => Join(path, map, shards, byFile));
    }

    /// <summary>Opens files of a folder as one: all of their tensors, whichever file has them.</summary>
    /// <exception cref="InvalidDataException">A shard is damaged, or two have a tensor of the same name.</exception>
    internal static ShardedTensorFile Open(string folder, IReadOnlyList<string> names) => Open(folder, names, (shards, _) =>
    {
        Dictionary<string, TensorFile> shardOf = new(StringComparer.Ordinal);
        foreach ((TensorFile shard, TensorEntry entry) in shards.SelectMany(s => s.Entries.Select(e => (s, e))))
        {
            if (!shardOf.TryAdd(entry.Name, shard))
                throw Malformed.Tensor(shard.Path, entry.Name, $"is in {Malformed.Quote(System.IO.Path.GetFileName(shardOf[entry.Name].Path))} too; the shards do not belong together, get them again.");
        }
        return Join(folder, shardOf, shards);
    });

    private static ShardedTensorFile Open(string folder, IReadOnlyList<string> names, Func<TensorFile[], Dictionary<string, TensorFile>, ShardedTensorFile> join)
    {
        TensorFile[] shards = new TensorFile[names.Count];
        try
        {
            Dictionary<string, TensorFile> byFile = new(StringComparer.Ordinal);
            for (int i = 0; i < shards.Length; i++)
                byFile[names[i]] = shards[i] = TensorFormats.OpenSingle(System.IO.Path.Combine(folder, names[i]));
            return join(shards, byFile);
        }
        catch
        {
            foreach (TensorFile? shard in shards)
                shard?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    private protected override TensorBytes Locate(TensorEntry entry) => _shardOf[entry.Name].Bytes(entry);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        foreach (TensorFile shard in _shards)
            shard.Dispose();
    }

    private static ShardedTensorFile Join(string path, Dictionary<string, string> map, TensorFile[] shards, Dictionary<string, TensorFile> byFile)
    {
        Dictionary<string, TensorFile> shardOf = new(StringComparer.Ordinal);
        foreach ((string name, string file) in map)
        {
            if (!byFile[file].TryGet(name, out _))
                throw Malformed.Tensor(path, name, $"is not in {Malformed.Quote(file)}, where the index looks for it; index and shards do not belong together, get them again.");
            shardOf[name] = byFile[file];
        }
        return Join(path, shardOf, shards);
    }

    private static ShardedTensorFile Join(string path, Dictionary<string, TensorFile> shardOf, TensorFile[] shards)
    {
        // A shard may hold a tensor that the index places elsewhere or does not know: the index decides.
        List<TensorEntry> entries = [];
        Dictionary<string, string> metadata = new(StringComparer.Ordinal);
        foreach (TensorFile shard in shards)
        {
            entries.AddRange(shard.Entries.Where(e => shardOf.TryGetValue(e.Name, out TensorFile? owner) && owner == shard));
            foreach ((string key, string value) in shard.Metadata)
                metadata.TryAdd(key, value);
        }
        return new ShardedTensorFile(path, shards, entries, shardOf, metadata);
    }

    private static Dictionary<string, string> ReadIndex(string path)
    {
        using MappedFile file = new(path);
        if (file.Length > SafetensorsFile.LongestHeader)
            throw Malformed.File(path, $"has {file.Length} bytes, more than the {SafetensorsFile.LongestHeader} an index may have.");
        Dictionary<string, string> map = new(StringComparer.Ordinal);
        bool found = false;
        try
        {
            Utf8JsonReader reader = new(file.Span(0, (int)file.Length), new JsonReaderOptions { MaxDepth = 16 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                throw Malformed.File(path, "is not a JSON object; it is not an index of shards.");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isMap = reader.ValueTextEquals("weight_map");
                reader.Read();
                if (!isMap)
                    reader.Skip();
                else if (found)
                    throw Malformed.File(path, "has weight_map twice; the index is damaged, get it again.");
                else
                    ReadMap(path, ref reader, map);
                found |= isMap;
            }
            while (reader.Read()) { }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Malformed.File(path, $"is not valid JSON ({e.Message.Split('\r', '\n')[0]}); the index is damaged, get it again.");
        }
        return found ? map : throw Malformed.File(path, "has no weight_map; it is not an index of shards.");
    }

    private static void ReadMap(string path, ref Utf8JsonReader reader, Dictionary<string, string> map)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Malformed.File(path, "has a weight_map that is not an object; the index is damaged, get it again.");
        Dictionary<string, string> pool = new(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            string file = reader.TokenType == JsonTokenType.String ? reader.GetString()! : "";
            if (!IsPlainName(file))
                throw Malformed.Tensor(path, name, $"is said to be in {Malformed.Quote(file)}, which is not the plain name of a file beside the index; it is refused.");
            if (!pool.TryGetValue(file, out string? pooled))
                pool[file] = pooled = file;
            if (!map.TryAdd(name, pooled))
                throw Malformed.Tensor(path, name, "is in the weight_map twice; the index is damaged, get it again.");
        }
    }

    private static bool IsPlainName(string file) => file is not ("" or "." or "..")
        && file.AsSpan().IndexOfAny("/\\:") < 0 && !file.Any(char.IsControl);
}
