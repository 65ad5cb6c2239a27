using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>GPT-2: learned positions, fused q, k and v, and matrices stored (in, out) by transformers.</summary>
internal sealed class Gpt2Family() : GgufFamily("gpt2", "gpt2", "GPT2LMHeadModel")
{
    /// <inheritdoc/>
    public override bool TiesByDefault => true;

    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        new("vocab_size", "vocab_size"),
        new("n_positions", "context_length", Default: 1024),
        new("n_embd", "embedding_length"),
        new("n_layer", "block_count"),
        new("n_head", "attention.head_count"),
        new("n_inner", "feed_forward_length"),
        new("layer_norm_epsilon", "attention.layer_norm_epsilon", MetadataType.Number, 1e-5),
    ];

    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["activation_function"] = "gelu_new", ["scale_attn_weights"] = true, ["scale_attn_by_inverse_layer_idx"] = false };

    /// <inheritdoc/>
    public override int Blocks(HyperParameters config) => config.Size("n_layer");

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config) =>
    [
        new("transformer.wte", "token_embd"),
        new("transformer.wpe", "position_embd"),
        new("transformer.ln_f", "output_norm"),
        new("lm_head", "output"),
        new("transformer.h.{n}.ln_1", "blk.{n}.attn_norm"),
        TensorRule.Transposed("transformer.h.{n}.attn.c_attn", "blk.{n}.attn_qkv"),
        TensorRule.Transposed("transformer.h.{n}.attn.c_proj", "blk.{n}.attn_output"),
        new("transformer.h.{n}.ln_2", "blk.{n}.ffn_norm"),
        TensorRule.Transposed("transformer.h.{n}.mlp.c_fc", "blk.{n}.ffn_up"),
        TensorRule.Transposed("transformer.h.{n}.mlp.c_proj", "blk.{n}.ffn_down"),
    ];

    /// <inheritdoc/>
    public override void Write(HyperParameters config, GgufMetadata metadata)
    {
        base.Write(config, metadata);
        if (!config.Has("n_inner"))
            metadata.Set(Key("feed_forward_length"), (uint)(4 * config.Size("n_embd")));
    }
}
