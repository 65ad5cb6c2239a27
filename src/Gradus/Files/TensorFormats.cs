namespace Gradus.Files;

/// <summary>Finds out of which format a path is, by name and by the first bytes, and opens it.</summary>
internal static class TensorFormats
{
    /// <summary>What a Hugging Face folder may hold, best first.</summary>
    private static readonly string[] InFolder =
    [
        "model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors",
    ];

    /// <summary>Opens a folder, an index or a file.</summary>
    public static TensorFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            string? name = Array.Find(InFolder, name => File.Exists(Path.Combine(path, name)));
            return name is null
                ? throw new FileNotFoundException($"{path}: no checkpoint in this folder (looked for {string.Join(", ", InFolder)}).", path)
                : Open(Path.Combine(path, name));
        }
        return path.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase) ? ShardedTensorFile.Open(path) : OpenSingle(path);
    }

    /// <summary>Opens one file of tensors, never an index: shards cannot nest.</summary>
    public static TensorFile OpenSingle(string path) => SafetensorsFile.Open(path);
}
