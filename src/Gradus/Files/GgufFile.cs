using System.Globalization;
using System.Text.RegularExpressions;

namespace Gradus.Files;

/// <summary>
/// A GGUF model (version 2 or 3, little-endian), memory-mapped, in one file or in shards <c>name-00001-of-0000N.gguf</c>. Source:
/// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Shapes are given outermost axis first, the reverse of the file.
/// Left out: version 1, big-endian files, and decoding of the code-book types IQ1 to IQ3 (their bytes can be copied).
/// </summary>
public sealed partial class GgufFile : TensorFile
{
    private readonly List<GgufPart> _parts;
    private readonly Dictionary<string, GgufPart> _partOf;

    private GgufFile(string path, List<GgufPart> parts, Dictionary<string, GgufPart> partOf)
        : base(path, [.. parts.SelectMany(p => p.Entries)], parts[0].Metadata.ToText())
    {
        _parts = parts;
        _partOf = partOf;
    }

    /// <summary>The typed metadata (of the first shard, which has it all).</summary>
    public GgufMetadata Values => _parts[0].Metadata;

    /// <summary>Opens and checks a file; of a model in shards, any shard opens all of them.</summary>
    /// <exception cref="InvalidDataException">A file is truncated, its header is wrong in any way, or shards do not fit together.</exception>
    /// <exception cref="FileNotFoundException">There is no such file, or a shard is missing.</exception>
    public static new GgufFile Open(string path)
    {
        List<GgufPart> parts = [];
        try
        {
            parts.Add(GgufPart.Open(path));
            if (parts[0].Metadata.TryGetInteger("split.count", out long count) && count > 1)
                OpenShards(path, count, parts);
            Dictionary<string, GgufPart> partOf = new(StringComparer.Ordinal);
            foreach (GgufPart part in parts)
            {
                foreach (TensorEntry entry in part.Entries)
                {
                    if (!partOf.TryAdd(entry.Name, part))
                        throw Malformed.Tensor(part.File.Path, entry.Name, "occurs twice; the file is damaged, get it again.");
                }
            }
            if (parts.Count > 1 && parts[0].Metadata.TryGetInteger("split.tensors.count", out long tensors) && tensors != partOf.Count)
                throw Malformed.File(path, $"has {partOf.Count} tensors in its shards instead of {tensors}; they do not belong together, get them again.");
            return new GgufFile(path, parts, partOf);
        }
        catch
        {
            parts.ForEach(p => p.Dispose());
            throw;
        }
    }

    /// <inheritdoc/>
    private protected override TensorBytes Locate(TensorEntry entry) => _partOf[entry.Name].File.Bytes(entry.Offset, entry.ByteLength);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _parts.ForEach(p => p.Dispose());
    }

    /// <summary>Replaces the one opened part by all shards, in order.</summary>
    private static void OpenShards(string path, long count, List<GgufPart> parts)
    {
        Match name = ShardName().Match(path);
        if (!name.Success || long.Parse(name.Groups[3].ValueSpan, CultureInfo.InvariantCulture) != count)
            throw Malformed.File(path, $"is one of {count} shards but is not named …-00001-of-{count:D5}.gguf; give it back its name, or get it again.");
        parts[0].Dispose();
        parts.Clear();
        for (int i = 1; i <= count; i++)
        {
            string shard = $"{name.Groups[1].Value}-{i:D5}-of-{count:D5}.gguf";
            if (!File.Exists(shard))
                throw new FileNotFoundException($"{path}: shard {i} of {count} is missing; get {System.IO.Path.GetFileName(shard)} into the same folder.", shard);
            GgufPart part = GgufPart.Open(shard);
            parts.Add(part);
            bool fits = part.Metadata.TryGetInteger("split.no", out long number) && number == i - 1
                && part.Metadata.TryGetInteger("split.count", out long own) && own == count;
            if (!fits)
                throw Malformed.File(shard, $"does not say that it is shard {i} of {count}; the shards do not belong together, get them again.");
        }
    }

    [GeneratedRegex(@"^(.*)-(\d{5})-of-(\d{5})\.gguf$", RegexOptions.Singleline)]
    private static partial Regex ShardName();
}
