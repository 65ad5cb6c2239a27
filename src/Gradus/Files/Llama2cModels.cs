using Gradus.Text;

namespace Gradus.Files;

/// <summary>Models of llama2.c: a file of weights, with its tokenizer in another file beside it.</summary>
public static class Llama2cModels
{
    /// <summary>Whether a file is such a model.</summary>
    public static bool IsModel(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (!File.Exists(path) || !path.EndsWith(".bin", StringComparison.OrdinalIgnoreCase))
            return false;
        try
        {
            using Llama2cFile file = Llama2cFile.Open(path);
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    /// <summary>The one model of a folder, or null.</summary>
    /// <exception cref="InvalidDataException">There are several.</exception>
    public static string? FindIn(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        string[] models = [.. Directory.GetFiles(folder, "*.bin").Where(IsModel).Order(StringComparer.Ordinal)];
        return models.Length > 1
            ? throw new InvalidDataException($"{folder}: has {models.Length} llama2.c models ({string.Join(", ", models.Select(m => Path.GetFileName(m)))}); choose one by its path.")
            : models.FirstOrDefault();
    }

    /// <summary>The tokenizer beside a model: <c>tokenizer.bin</c> or <c>tok512.bin</c>, by its number of pieces; or null.</summary>
    /// <param name="model">The file of weights.</param>
    /// <param name="vocabulary">The number of pieces.</param>
    public static Tokenizer? FindTokenizer(string model, int vocabulary)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(model))!;
        foreach (string name in new[] { $"tok{vocabulary}.bin", "tokenizer.bin" })
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path) && Tokenizer.Load(path) is { } tokenizer && tokenizer.VocabularySize == vocabulary)
                return tokenizer;
        }
        return null;
    }
}
