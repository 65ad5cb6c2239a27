using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>Phi 1 to 2: parallel blocks with one norm, biases everywhere, rotation of a part of each head.</summary>
internal sealed class PhiFamily() : DecoderFamily("phi", "phi2", "PhiForCausalLM")
{
    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        .. base.Keys.Where(k => k.Name != "rms_norm_eps"),
        new("layer_norm_eps", "attention.layer_norm_epsilon", MetadataType.Number, 1e-5),
    ];

    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["hidden_act"] = "gelu_new", ["qk_layernorm"] = false };

    /// <inheritdoc/>
    protected override int RotaryWidth(HyperParameters config) => (int)((config.Number("partial_rotary_factor") ?? 0.5) * HeadWidth(config));

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config) =>
    [
        new("model.embed_tokens", "token_embd"),
        new("model.final_layernorm", "output_norm"),
        new("lm_head", "output"),
        new("model.layers.{n}.input_layernorm", "blk.{n}.attn_norm"),
        .. AttentionTensors().SkipLast(1),
        new("model.layers.{n}.self_attn.dense", "blk.{n}.attn_output"),
        new("model.layers.{n}.self_attn.q_layernorm", "blk.{n}.attn_q_norm"),
        new("model.layers.{n}.self_attn.k_layernorm", "blk.{n}.attn_k_norm"),
        new("model.layers.{n}.mlp.fc1", "blk.{n}.ffn_up"),
        new("model.layers.{n}.mlp.fc2", "blk.{n}.ffn_down"),
    ];

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        GgufRope.ReadPartial(file, Architecture, config);
        config["qk_layernorm"] = file.TryGet("blk.0.attn_q_norm.weight", out _);
    }
}

/// <summary>Phi 3 and 4: fused projections, and two lists of factors for the rotation of short and long texts.</summary>
internal sealed class Phi3Family() : DecoderFamily("phi3", "phi3", "Phi3ForCausalLM")
{
    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        .. base.Keys,
        new("original_max_position_embeddings", "rope.scaling.original_context_length"),
        new("sliding_window", "attention.sliding_window"),
    ];

    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["hidden_act"] = "silu" };

    /// <inheritdoc/>
    protected override int RotaryWidth(HyperParameters config) => (int)((config.Number("partial_rotary_factor") ?? 1) * HeadWidth(config));

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config) =>
    [
        .. Outer(),
        .. NormTensors(),
        new("model.layers.{n}.self_attn.qkv_proj", "blk.{n}.attn_qkv"),
        new("model.layers.{n}.self_attn.o_proj", "blk.{n}.attn_output"),
        new("model.layers.{n}.mlp.gate_up_proj", "blk.{n}.ffn_up"),
        new("model.layers.{n}.mlp.down_proj", "blk.{n}.ffn_down"),
    ];

    /// <inheritdoc/>
    public override IEnumerable<MappedTensor> Derived(HyperParameters config) => GgufRope.LongFactors(config, RotaryWidth(config));

    /// <inheritdoc/>
    public override void Write(HyperParameters config, GgufMetadata metadata)
    {
        base.Write(config, metadata);
        if (!config.Has("original_max_position_embeddings"))
            metadata.Set(Key("rope.scaling.original_context_length"), (uint)config.Size("max_position_embeddings"));
    }

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        config.Remove("head_dim");
        GgufRope.ReadPartial(file, Architecture, config);
        if (new HyperParameters(config, file.Path).Integer("sliding_window") == 0)
            config["sliding_window"] = null;
    }
}
