using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>T5 v1.0 and v1.1 (FLAN-T5): encoder and decoder with relative positions.</summary>
internal sealed class T5Family() : GgufFamily("t5", "t5", "T5ForConditionalGeneration")
{
    /// <inheritdoc/>
    public override bool TiesByDefault => true;

    /// <inheritdoc/>
    public override IReadOnlyList<string> LeftOut => ["encoder.embed_tokens.", "decoder.embed_tokens."];

    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        new("vocab_size", "vocab_size"),
        new("n_positions", "context_length", Default: 512),
        new("d_model", "embedding_length"),
        new("d_ff", "feed_forward_length"),
        new("num_layers", "block_count"),
        new("num_decoder_layers", "decoder_block_count"),
        new("num_heads", "attention.head_count"),
        new("d_kv", "attention.key_length", Default: 64),
        new("layer_norm_epsilon", "attention.layer_norm_rms_epsilon", MetadataType.Number, 1e-6),
        new("relative_attention_num_buckets", "attention.relative_buckets_count", Default: 32),
        new("decoder_start_token_id", "decoder_start_token_id", Default: 0),
    ];

    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["relative_attention_max_distance"] = 128, ["is_encoder_decoder"] = true };

    /// <inheritdoc/>
    public override int Blocks(HyperParameters config) => Math.Max(config.Size("num_layers"), config.Integer("num_decoder_layers") ?? 0);

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config)
    {
        bool gated = (config.Text("feed_forward_proj") ?? "relu").StartsWith("gated-", StringComparison.Ordinal);
        return
        [
            new("shared", "token_embd"),
            new("lm_head", "output"),
            new("encoder.final_layer_norm", "enc.output_norm"),
            new("decoder.final_layer_norm", "dec.output_norm"),
            .. Attention("encoder.block.{n}.layer.0", "SelfAttention", "enc.blk.{n}.attn"),
            .. FeedForward("encoder.block.{n}.layer.1", "enc.blk.{n}", gated),
            .. Attention("decoder.block.{n}.layer.0", "SelfAttention", "dec.blk.{n}.attn"),
            .. Attention("decoder.block.{n}.layer.1", "EncDecAttention", "dec.blk.{n}.cross_attn"),
            .. FeedForward("decoder.block.{n}.layer.2", "dec.blk.{n}", gated),
        ];
    }

    /// <inheritdoc/>
    public override void Write(HyperParameters config, GgufMetadata metadata)
    {
        base.Write(config, metadata);
        metadata.Set(Key("attention.value_length"), (uint)(config.Integer("d_kv") ?? 64));
        metadata.Set(Key("attention.layer_norm_epsilon"), (float)(config.Number("layer_norm_epsilon") ?? 1e-6));
        if (!config.Has("num_decoder_layers"))
            metadata.Set(Key("decoder_block_count"), (uint)config.Size("num_layers"));
    }

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        if (!config.ContainsKey("num_decoder_layers"))
            config["num_decoder_layers"] = config["num_layers"]?.DeepClone();
        // llama.cpp takes GELU where there is a gate, and ReLU without.
        bool gated = file.TryGet("enc.blk.0.ffn_gate.weight", out _);
        config["feed_forward_proj"] = gated ? "gated-gelu" : "relu";
        config["dense_act_fn"] = gated ? "gelu_new" : "relu";
        config["is_gated_act"] = gated;
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Deviations(HyperParameters config)
    {
        foreach (string deviation in base.Deviations(config))
            yield return deviation;
        if (config.Text("feed_forward_proj") is { } kind and not ("relu" or "gated-gelu"))
            yield return $"feed_forward_proj is {kind}";
    }

    private static IEnumerable<TensorRule> Attention(string layer, string name, string gguf) =>
    [
        new($"{layer}.layer_norm", $"{gguf}_norm"),
        new($"{layer}.{name}.q", $"{gguf}_q"),
        new($"{layer}.{name}.k", $"{gguf}_k"),
        new($"{layer}.{name}.v", $"{gguf}_v"),
        new($"{layer}.{name}.o", $"{gguf}_o"),
        new($"{layer}.{name}.relative_attention_bias", $"{gguf}_rel_b"),
    ];

    private static IEnumerable<TensorRule> FeedForward(string layer, string gguf, bool gated) =>
    [
        new($"{layer}.layer_norm", $"{gguf}.ffn_norm"),
        new($"{layer}.DenseReluDense.{(gated ? "wi_0" : "wi")}", gated ? $"{gguf}.ffn_gate" : $"{gguf}.ffn_up"),
        .. gated ? new TensorRule[] { new($"{layer}.DenseReluDense.wi_1", $"{gguf}.ffn_up") } : [],
        new($"{layer}.DenseReluDense.wo", $"{gguf}.ffn_down"),
    ];
}
