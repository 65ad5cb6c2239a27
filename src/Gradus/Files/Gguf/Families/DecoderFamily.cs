using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>What decoders with rotary positions and names like Llama's have in common.</summary>
internal abstract class DecoderFamily(string modelType, string architecture, string modelClass) : GgufFamily(modelType, architecture, modelClass)
{
    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        new("vocab_size", "vocab_size"),
        new("max_position_embeddings", "context_length"),
        new("hidden_size", "embedding_length"),
        new("num_hidden_layers", "block_count"),
        new("intermediate_size", "feed_forward_length"),
        new("num_attention_heads", "attention.head_count"),
        new("rms_norm_eps", "attention.layer_norm_rms_epsilon", MetadataType.Number, 1e-6),
        new("rope_theta", "rope.freq_base", MetadataType.Number, 10000.0),
    ];

    /// <summary>Values per head where config.json says nothing.</summary>
    protected virtual int DefaultHeadWidth(HyperParameters config) => config.Size("hidden_size") / config.Size("num_attention_heads");

    /// <inheritdoc/>
    public override int Blocks(HyperParameters config) => config.Size("num_hidden_layers");

    /// <summary>Values per head.</summary>
    protected int HeadWidth(HyperParameters config) => config.Integer("head_dim") ?? DefaultHeadWidth(config);

    /// <summary>Query heads.</summary>
    protected static int Heads(HyperParameters config) => config.Size("num_attention_heads");

    /// <summary>Key and value heads.</summary>
    protected static int KeyValueHeads(HyperParameters config) => config.Integer("num_key_value_heads") ?? Heads(config);

    /// <summary>The rotated values of a head.</summary>
    protected virtual int RotaryWidth(HyperParameters config) => HeadWidth(config);

    /// <inheritdoc/>
    public override int? RotatedWidth(HyperParameters config) => RotaryWidth(config);

    /// <inheritdoc/>
    public override void Write(HyperParameters config, GgufMetadata metadata)
    {
        base.Write(config, metadata);
        metadata.Set(Key("attention.head_count_kv"), (uint)KeyValueHeads(config));
        metadata.Set(Key("attention.key_length"), (uint)HeadWidth(config));
        metadata.Set(Key("attention.value_length"), (uint)HeadWidth(config));
        metadata.Set(Key("rope.dimension_count"), (uint)RotaryWidth(config));
        GgufRope.Write(config, metadata, Architecture);
    }

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        HyperParameters read = new(config, file.Path);
        config["num_key_value_heads"] = file.Values.TryGetInteger(Key("attention.head_count_kv"), out long heads) ? heads : Heads(read);
        if (file.Values.TryGetInteger(Key("attention.key_length"), out long width))
            config["head_dim"] = width;
        if (GgufRope.Read(file, Architecture, read) is { } scaling)
            config["rope_scaling"] = scaling;
    }

    /// <inheritdoc/>
    public override IEnumerable<MappedTensor> Derived(HyperParameters config) => GgufRope.Factors(config, HeadWidth(config));

    /// <summary>Embedding, head and last norm.</summary>
    protected static IEnumerable<TensorRule> Outer() =>
    [
        new("model.embed_tokens", "token_embd"),
        new("model.norm", "output_norm"),
        new("lm_head", "output"),
    ];

    /// <summary>Attention in halves, as all but llama's architecture store it.</summary>
    protected static IEnumerable<TensorRule> AttentionTensors() =>
    [
        new("model.layers.{n}.self_attn.q_proj", "blk.{n}.attn_q"),
        new("model.layers.{n}.self_attn.k_proj", "blk.{n}.attn_k"),
        new("model.layers.{n}.self_attn.v_proj", "blk.{n}.attn_v"),
        new("model.layers.{n}.self_attn.o_proj", "blk.{n}.attn_output"),
    ];

    /// <summary>The norms before attention and feed-forward layer.</summary>
    protected static IEnumerable<TensorRule> NormTensors() =>
    [
        new("model.layers.{n}.input_layernorm", "blk.{n}.attn_norm"),
        new("model.layers.{n}.post_attention_layernorm", "blk.{n}.ffn_norm"),
    ];

    /// <summary>The gated feed-forward layer.</summary>
    protected static IEnumerable<TensorRule> GatedTensors() =>
    [
        new("model.layers.{n}.mlp.gate_proj", "blk.{n}.ffn_gate"),
        new("model.layers.{n}.mlp.up_proj", "blk.{n}.ffn_up"),
        new("model.layers.{n}.mlp.down_proj", "blk.{n}.ffn_down"),
    ];

    /// <summary>A deviation for each window that llama.cpp does not apply.</summary>
    protected static IEnumerable<string> WithoutWindow(HyperParameters config)
    {
        bool off = config.Has("use_sliding_window") && !config.Flag("use_sliding_window", false);
        if (!off && config.Integer("sliding_window") is { } window && window < config.Integer("max_position_embeddings"))
            yield return $"the sliding window of {window} tokens is left out";
    }
}
