using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>Falcon: attention and feed-forward layer in parallel, with one norm (7B) or two (40B) before them.</summary>
internal sealed class FalconFamily() : GgufFamily("falcon", "falcon", "FalconForCausalLM")
{
    /// <inheritdoc/>
    public override bool TiesByDefault => true;

    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        new("vocab_size", "vocab_size"),
        new("max_position_embeddings", "context_length", Default: 2048),
        new("hidden_size", "embedding_length"),
        new("num_hidden_layers", "block_count"),
        new("num_attention_heads", "attention.head_count"),
        new("ffn_hidden_size", "feed_forward_length"),
        new("layer_norm_epsilon", "attention.layer_norm_epsilon", MetadataType.Number, 1e-5),
        new("rope_theta", "rope.freq_base", MetadataType.Number, 10000.0),
    ];

    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["alibi"] = false, ["bias"] = false, ["parallel_attn"] = true, ["activation"] = "gelu" };

    /// <inheritdoc/>
    public override int Blocks(HyperParameters config) => config.Size("num_hidden_layers", "n_layer");

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config)
    {
        int heads = Heads(config), groups = Groups(config);
        config.Rows(3, config.Size("hidden_size"));
        int[] fused = FusedRows.Ungroup(groups, heads / groups, config.Size("hidden_size") / heads);
        bool twoNorms = config.Flag("new_decoder_architecture", false) && (config.Integer("num_ln_in_parallel_attn") ?? 2) == 2;
        return [.. FusedRows.Tensors(twoNorms ? "ln_mlp" : "input_layernorm", fused), new("transformer.h.{n}.ln_attn", "blk.{n}.attn_norm_2")];
    }

    /// <inheritdoc/>
    public override void Write(HyperParameters config, GgufMetadata metadata)
    {
        base.Write(config, metadata);
        metadata.Set(Key("block_count"), (uint)Blocks(config));
        metadata.Set(Key("attention.head_count"), (uint)Heads(config));
        metadata.Set(Key("attention.head_count_kv"), (uint)Groups(config));
        if (!config.Has("ffn_hidden_size"))
            metadata.Set(Key("feed_forward_length"), (uint)(4 * config.Size("hidden_size")));
        metadata.Set(Key("tensor_data_layout"), "jploski");
        GgufRope.Write(config, metadata, Architecture, takesFactors: false);
    }

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        int heads = Heads(new HyperParameters(config, file.Path));
        long groups = file.Values.TryGetInteger(Key("attention.head_count_kv"), out long given) ? given : heads;
        bool twoNorms = file.TryGet("blk.0.attn_norm_2.weight", out _);
        config["num_kv_heads"] = groups;
        config["multi_query"] = groups < heads;
        config["new_decoder_architecture"] = twoNorms || (groups > 1 && groups < heads);
        config["num_ln_in_parallel_attn"] = twoNorms ? 2 : 1;
        if (GgufRope.Read(file, Architecture, new HyperParameters(config, file.Path)) is { } scaling)
            config["rope_scaling"] = scaling;
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Deviations(HyperParameters config) => config.Flag("multi_query", true) || config.Flag("new_decoder_architecture", false)
        ? base.Deviations(config)
        : [.. base.Deviations(config), "blocks of RefinedWeb models with a key for each query are not read by llama.cpp"];

    private static int Heads(HyperParameters config) => config.Size("num_attention_heads", "n_head");

    // The 7B model has one key and value head, whatever num_kv_heads says.
    private static int Groups(HyperParameters config)
    {
        if (config.Flag("new_decoder_architecture", false))
            return config.Has("num_kv_heads") || config.Has("n_head_kv") ? config.Size("num_kv_heads", "n_head_kv") : Heads(config);
        return config.Flag("multi_query", true) ? 1 : Heads(config);
    }
}
