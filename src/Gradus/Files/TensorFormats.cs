using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Gradus.Files;

/// <summary>Finds out of which format a path is, by name and by the first bytes, and opens it.</summary>
internal static partial class TensorFormats
{
    /// <summary>What a Hugging Face folder may hold, best first.</summary>
    private static readonly string[] InFolder =
    [
        "model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors",
        "pytorch_model.bin", "pytorch_model.bin.index.json", "adapter_model.bin",
    ];

    private enum Format
    {
        Safetensors,
        Llama2c,
        PyTorch,
        Gguf,
    }

    /// <summary>Opens a folder, an index or a file.</summary>
    public static TensorFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            return Array.Find(InFolder, name => File.Exists(Path.Combine(path, name))) is { } name
                ? Open(Path.Combine(path, name))
                : OpenShards(path) ?? Open(Path.Combine(path, FindGguf(path)));
        }
        return path.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase) ? ShardedTensorFile.Open(path) : OpenSingle(path);
    }

    /// <summary>Opens one file of tensors, never an index: shards cannot nest.</summary>
    public static TensorFile OpenSingle(string path) => Recognise(path) switch
    {
        Format.Llama2c => Llama2cFile.Open(path),
        Format.PyTorch => PyTorchFile.Open(path),
        Format.Gguf => GgufFile.Open(path),
        _ => SafetensorsFile.Open(path),
    };

    /// <summary>The one GGUF model of a folder, which may be in shards.</summary>
    private static string FindGguf(string folder)
    {
        string[] names = [.. Directory.EnumerateFiles(folder, "*.gguf").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
        string[] models = [.. names.Where(n => !n.Contains("-of-", StringComparison.Ordinal) || n.Contains("-00001-of-", StringComparison.Ordinal))];
        return models.Length switch
        {
            1 => models[0],
            0 => throw new FileNotFoundException($"{folder}: no checkpoint in this folder (looked for {string.Join(", ", InFolder)}, their shards, *.gguf).", folder),
            _ => throw new InvalidDataException($"{folder}: has {models.Length} GGUF models ({models[0]}, {models[1]} …); choose one by its path."),
        };
    }

    // Shards say themselves how many there are, so that they are read without their index too; null where there are none.
    private static ShardedTensorFile? OpenShards(string folder)
    {
        (string File, Match Name)[] shards =
            [.. Directory.EnumerateFiles(folder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal).Select(f => (f, ShardName().Match(f))).Where(f => f.Item2.Success)];
        // Safetensors before PyTorch's files, as for whole files.
        string[] sets = [.. shards.Select(s => SetOf(s.Name)).Distinct().OrderByDescending(s => s.EndsWith(".safetensors", StringComparison.Ordinal))];
        if (sets.Length == 0)
            return null;
        if (sets.Length > 1 && Path.GetExtension(sets[0]) == Path.GetExtension(sets[1]))
            throw new InvalidDataException($"{folder}: has shards of several files ({sets[0]}, {sets[1]}{(sets.Length > 2 ? " …" : "")}) and no index that names those of the model; keep those of one.");
        HashSet<string> present = [.. shards.Where(s => SetOf(s.Name) == sets[0]).Select(s => s.File)];
        Match first = shards.First(s => SetOf(s.Name) == sets[0]).Name;
        int count = int.Parse(first.Groups[2].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture);
        string[] all = [.. Enumerable.Range(1, count).Select(i => $"{first.Groups[1].Value}-{i:D5}-of-{count:D5}.{first.Groups[3].Value}")];
        string[] missing = [.. all.Where(s => !present.Contains(s))];
        return missing.Length == 0 && present.Count == count
            ? ShardedTensorFile.Open(folder, all)
            : throw new FileNotFoundException(
                $"{folder}: {(missing.Length == 0 ? $"has {present.Count} shards of {count}" : $"{missing.Length} of {count} shards are missing, first {missing[0]}")}; get them from where the others are from.", missing.FirstOrDefault());

        static string SetOf(Match name) => $"{name.Groups[1].Value}-*-of-{name.Groups[2].Value}.{name.Groups[3].Value}";
    }

    [GeneratedRegex(@"^(.+)-[0-9]{5}-of-([0-9]{5})\.(safetensors|bin)$", RegexOptions.CultureInvariant)]
    private static partial Regex ShardName();

    private static Format Recognise(string path)
    {
        using MappedFile file = new(path);
        if (file.Length >= 4)
        {
            uint magic = BinaryPrimitives.ReadUInt32BigEndian(file.Span(0, 4));
            // A zip archive, or the pickled magic number of PyTorch before 1.6.
            if (magic is 0x504B_0304 or 0x8002_8A0A)
                return Format.PyTorch;
            if (magic is 0x4747_5546)
                return Format.Gguf;
        }
        return Llama2cFile.IsRecognised(file) ? Format.Llama2c : Format.Safetensors;
    }
}
