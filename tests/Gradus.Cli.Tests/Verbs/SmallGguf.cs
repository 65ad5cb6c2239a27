using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Tensors;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>A Llama of two layers in GGUF as other programs write it: its metadata is llama.cpp's alone, its tokens are bytes.</summary>
internal static class SmallGguf
{
    /// <summary>The number of tokens: the bytes, and the end of a text, of a turn, and of a message.</summary>
    public const int Vocabulary = 259;

    /// <summary>The configuration.</summary>
    public static LlamaConfig Config { get; } = new(
        Vocabulary, HiddenSize: 16, IntermediateSize: 24, NumHiddenLayers: 2, NumAttentionHeads: 2, NumKeyValueHeads: 1, MaxPositionEmbeddings: 64, InitializerRange: 0.4f);

    /// <summary>Writes it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="change">Changes the metadata.</param>
    /// <param name="tensors">Whether the file has tensors.</param>
    public static string Write(string path, Action<GgufMetadata>? change = null, bool tensors = true)
    {
        using LanguageModel model = Checkpoint.Create(Config, 6, ReferenceDevice.Instance);
        using GgufExport export = GgufExport.Plan(Architectures.ToJson(Config), new ParameterFile(path, model), null, new GgufExportOptions(GgufStorage.Get("f32"), "small"));
        export.Metadata.Remove(GgufModel.ConfigKeyName);
        foreach ((string key, object value) in Tokens())
            export.Metadata.Set($"tokenizer.ggml.{key}", value);
        change?.Invoke(export.Metadata);
        using FileStream stream = File.Create(path);
        if (tensors)
        {
            export.Write(stream);
            return path;
        }
        using GgufWriter writer = new(stream, export.Metadata, [], leaveOpen: true);
        writer.WriteAll((_, _) => throw new InvalidOperationException());
        return path;
    }

    private static Dictionary<string, object> Tokens()
    {
        // GPT-2's alphabet: a visible character for each byte.
        List<string> tokens = [];
        for (int b = 0, other = 256; b < 256; b++)
            tokens.Add(((char)(b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? b : other++)).ToString());
        string[] all = [.. tokens, "<end>", "<turn>", "<message>"];
        return new()
        {
            ["model"] = "gpt2",
            ["pre"] = "gpt-2",
            ["tokens"] = all,
            ["token_type"] = all.Select((_, i) => i < 256 ? 1 : 3).ToArray(),
            ["merges"] = Array.Empty<string>(),
            ["eos_token_id"] = 256u,
        };
    }
}
