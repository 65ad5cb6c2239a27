namespace Gradus.Models;

/// <summary>
/// Names under which checkpoints of transformers hold what the models here have once or not at all: token tables, the output layers that are tied to
/// them, and values that are computed. A new architecture adds its own here, where it has others.
/// </summary>
internal static class StoredNames
{
    private static readonly string[] TokenTables = ["embed_tokens", "wte", "word_embeddings", "word_embedding", "embed_in", "shared"];

    // What older versions of transformers stored beside the parameters: masks, rotary tables, versions, and T5's relative positions of
    // the attention to the source, which has none.
    private static readonly string[] Buffers =
    [
        "encoder.version", "decoder.version", ".EncDecAttention.relative_attention_bias.weight",
        ".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias",
    ];

    /// <summary>
    /// The tensors of output layers that may be a token table. Of tensors that share their memory safetensors keeps one, the first by name
    /// (<c>save_model</c>), which is the output layer's for most architectures.
    /// </summary>
    public static IReadOnlyList<string> TiedHeads { get; } =
    [
        "lm_head.weight", "embed_out.weight", "lm_head.decoder.weight", "cls.predictions.decoder.weight", "generator_lm_head.weight",
        "vocab_projector.weight", "lm_loss.weight",
    ];

    /// <summary>Whether a tensor is a table of the vocabulary: as a parameter, or, in an adapter's file, as that of the layer inside.</summary>
    public static bool IsTokenTable(string name) =>
        Array.Exists(TokenTables, t => IsAt(name, $"{t}.weight") || IsAt(name, $"{t}.base_layer.weight"));

    /// <summary>Whether a tensor is one that models compute rather than learn.</summary>
    public static bool IsBuffer(string name) => Array.Exists(Buffers, b => name.EndsWith(b, StringComparison.Ordinal));

    private static bool IsAt(string name, string end) => name == end || name.EndsWith($".{end}", StringComparison.Ordinal);
}
