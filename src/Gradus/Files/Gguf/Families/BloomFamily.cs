using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>BLOOM: linear biases for positions (ALiBi), a norm after the embedding.</summary>
internal sealed class BloomFamily() : GgufFamily("bloom", "bloom", "BloomForCausalLM")
{
    /// <inheritdoc/>
    public override bool TiesByDefault => true;

    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        new("vocab_size", "vocab_size"),
        new("seq_length", "context_length", Default: 2048),
        new("hidden_size", "embedding_length"),
        new("n_layer", "block_count"),
        new("n_head", "attention.head_count"),
        new("layer_norm_epsilon", "attention.layer_norm_epsilon", MetadataType.Number, 1e-5),
    ];

    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["apply_residual_connection_post_layernorm"] = false };

    /// <inheritdoc/>
    public override int Blocks(HyperParameters config) => config.Size("n_layer", "num_hidden_layers");

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config)
    {
        int heads = config.Size("n_head", "num_attention_heads");
        config.Rows(3, config.Size("hidden_size"));
        int[] fused = FusedRows.Ungroup(heads, 1, Embedding(config) / heads);
        return [.. FusedRows.Tensors("input_layernorm", fused), new("transformer.word_embeddings_layernorm", "token_embd_norm")];
    }

    /// <inheritdoc/>
    public override void Write(HyperParameters config, GgufMetadata metadata)
    {
        base.Write(config, metadata);
        // Older files of the family use other names.
        metadata.Set(Key("embedding_length"), (uint)Embedding(config));
        metadata.Set(Key("block_count"), (uint)Blocks(config));
        metadata.Set(Key("attention.head_count"), (uint)config.Size("n_head", "num_attention_heads"));
        metadata.Set(Key("feed_forward_length"), (uint)(4 * Embedding(config)));
    }

    private static int Embedding(HyperParameters config) => config.Size("hidden_size", "n_embed");
}
