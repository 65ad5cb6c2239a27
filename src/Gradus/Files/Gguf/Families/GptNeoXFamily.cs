using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>GPT-NeoX (Pythia): rotation of a part of each head, parallel or sequential blocks, and a head of its own.</summary>
internal sealed class GptNeoXFamily() : GgufFamily("gpt_neox", "gptneox", "GPTNeoXForCausalLM")
{
    /// <inheritdoc/>
    public override string HeadName => "embed_out";

    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        new("vocab_size", "vocab_size"),
        new("max_position_embeddings", "context_length"),
        new("hidden_size", "embedding_length"),
        new("num_hidden_layers", "block_count"),
        new("intermediate_size", "feed_forward_length"),
        new("num_attention_heads", "attention.head_count"),
        new("use_parallel_residual", "use_parallel_residual", MetadataType.Flag, true),
        new("layer_norm_eps", "attention.layer_norm_epsilon", MetadataType.Number, 1e-5),
        new("rotary_emb_base", "rope.freq_base", MetadataType.Number, 10000.0),
    ];

    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["hidden_act"] = "gelu", ["attention_bias"] = true };

    /// <inheritdoc/>
    public override int Blocks(HyperParameters config) => config.Size("num_hidden_layers");

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config) =>
    [
        new("gpt_neox.embed_in", "token_embd"),
        new("gpt_neox.final_layer_norm", "output_norm"),
        new("embed_out", "output"),
        new("gpt_neox.layers.{n}.input_layernorm", "blk.{n}.attn_norm"),
        TensorRule.Reordered("gpt_neox.layers.{n}.attention.query_key_value", "blk.{n}.attn_qkv", FusedRows.Ungroup(config.Size("num_attention_heads"), 1, Width(config))),
        new("gpt_neox.layers.{n}.attention.dense", "blk.{n}.attn_output"),
        new("gpt_neox.layers.{n}.post_attention_layernorm", "blk.{n}.ffn_norm"),
        new("gpt_neox.layers.{n}.mlp.dense_h_to_4h", "blk.{n}.ffn_up"),
        new("gpt_neox.layers.{n}.mlp.dense_4h_to_h", "blk.{n}.ffn_down"),
    ];

    /// <inheritdoc/>
    public override void Write(HyperParameters config, GgufMetadata metadata)
    {
        base.Write(config, metadata);
        metadata.Set(Key("rope.dimension_count"), (uint)((config.Number("rotary_pct") ?? 0.25) * Width(config)));
        GgufRope.Write(config, metadata, Architecture, takesFactors: false);
    }

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        int width = Width(new HyperParameters(config, file.Path));
        if (file.Values.TryGetInteger(Key("rope.dimension_count"), out long rotated))
            config["rotary_pct"] = GgufRope.Fraction((int)rotated, width);
        if (GgufRope.Read(file, Architecture, new HyperParameters(config, file.Path)) is { } scaling)
            config["rope_scaling"] = scaling;
    }

    private static int Width(HyperParameters config) => config.Rows(3, config.Size("hidden_size")) / 3 / config.Size("num_attention_heads");
}
