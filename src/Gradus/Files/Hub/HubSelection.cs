namespace Gradus.Files.Hub;

/// <summary>Which of a repository's files a model needs.</summary>
public static class HubSelection
{
    private static readonly string[] TextEndings = [".json", ".txt", ".model", ".jinja"];

    /// <summary>
    /// Configuration, tokenizer and template files of the top folder, and the weights once: safetensors, else PyTorch files, else
    /// the GGUF file if there is just one model. Copies for other programs (TensorFlow, ONNX, original formats) are left out.
    /// </summary>
    public static IEnumerable<string> Default(IReadOnlyList<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        string[] top = [.. names.Where(n => !n.Contains('/', StringComparison.Ordinal))];
        return [.. top.Where(IsText), .. Weights(top)];
    }

    private static bool IsText(string name) => Array.Exists(TextEndings, ending => name.EndsWith(ending, StringComparison.Ordinal))
        && !name.EndsWith(".index.json", StringComparison.Ordinal);

    private static string[] Weights(string[] top)
    {
        string[] safetensors = With(top, "", ".safetensors");
        // Mistral publishes its weights a second time as consolidated*.safetensors.
        string[] named = [.. safetensors.Where(n => !n.StartsWith("consolidated", StringComparison.Ordinal))];
        if (safetensors.Length > 0)
            return [.. named.Length > 0 ? named : safetensors, .. With(top, "", ".safetensors.index.json")];
        string[] pickles = [.. With(top, "pytorch_model", ".bin"), .. With(top, "adapter_model", ".bin")];
        if (pickles.Length > 0)
            return [.. pickles, .. With(top, "pytorch_model", ".bin.index.json")];
        string[] gguf = With(top, "", ".gguf");
        int models = gguf.Count(n => !n.Contains("-of-", StringComparison.Ordinal) || n.Contains("-00001-of-", StringComparison.Ordinal));
        return models == 1 ? gguf : [];
    }

    private static string[] With(string[] names, string start, string ending) =>
        [.. names.Where(n => n.StartsWith(start, StringComparison.Ordinal) && n.EndsWith(ending, StringComparison.Ordinal))];
}
