using System.Buffers.Binary;
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
            string name = Array.Find(InFolder, name => File.Exists(Path.Combine(path, name))) ?? FindGguf(path);
            return Open(Path.Combine(path, name));
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
            0 => throw Nothing(folder),
            _ => throw new InvalidDataException($"{folder}: has {models.Length} GGUF models ({models[0]}, {models[1]} …); choose one by its path."),
        };
    }

    private static FileNotFoundException Nothing(string folder)
    {
        string[] shards = [.. Directory.EnumerateFiles(folder).Select(f => Path.GetFileName(f)).Where(f => ShardName().IsMatch(f)).Order(StringComparer.Ordinal)];
        if (shards.Length == 0)
            return new FileNotFoundException($"{folder}: no checkpoint in this folder (looked for {string.Join(", ", InFolder)}, *.gguf).", folder);
        string index = $"{ShardName().Match(shards[0]).Groups[1].Value}{Path.GetExtension(shards[0])}.index.json";
        return new FileNotFoundException($"{folder}: has {shards.Length} shards ({shards[0]} …) but not their index, {index}; get it from where the shards are from.", folder);
    }

    [GeneratedRegex(@"^(.+)-[0-9]{5}-of-[0-9]{5}\.(safetensors|bin)$", RegexOptions.CultureInvariant)]
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
