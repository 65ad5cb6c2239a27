using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>OLMo 2: norms after the sub-layers rather than before them, and norms of q and k over all heads.</summary>
internal sealed class Olmo2Family() : DecoderFamily("olmo2", "olmo2", "Olmo2ForCausalLM")
{
    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["hidden_act"] = "silu", ["attention_bias"] = false };

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config) =>
    [
        .. Outer(),
        .. AttentionTensors(),
        new("model.layers.{n}.self_attn.q_norm", "blk.{n}.attn_q_norm"),
        new("model.layers.{n}.self_attn.k_norm", "blk.{n}.attn_k_norm"),
        new("model.layers.{n}.post_attention_layernorm", "blk.{n}.post_attention_norm"),
        new("model.layers.{n}.post_feedforward_layernorm", "blk.{n}.post_ffw_norm"),
        .. GatedTensors(),
    ];

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        config.Remove("head_dim");
    }
}
