using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>Gemma: tied head, and norms applied as 1 + w, stored so in GGUF.</summary>
internal class GemmaFamily(string modelType, string architecture, string modelClass) : DecoderFamily(modelType, architecture, modelClass)
{
    /// <summary>The first Gemma.</summary>
    public GemmaFamily()
        : this("gemma", "gemma", "GemmaForCausalLM")
    {
    }

    /// <inheritdoc/>
    public override bool TiesByDefault => true;

    /// <inheritdoc/>
    protected override JsonObject Fixed => ModelType == "gemma"
        ? new() { ["hidden_act"] = "gelu_pytorch_tanh", ["attention_bias"] = false }
        : new() { ["hidden_activation"] = "gelu_pytorch_tanh", ["attention_bias"] = false };

    /// <inheritdoc/>
    protected override int DefaultHeadWidth(HyperParameters config) => 256;

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config) =>
    [
        new("model.embed_tokens", "token_embd"),
        TensorRule.PlusOne("model.norm", "output_norm"),
        TensorRule.PlusOne("model.layers.{n}.input_layernorm", "blk.{n}.attn_norm"),
        .. Norms(),
        .. AttentionTensors(),
        .. GatedTensors(),
    ];

    /// <summary>The norms but the first of a block.</summary>
    protected virtual IEnumerable<TensorRule> Norms() => [TensorRule.PlusOne("model.layers.{n}.post_attention_layernorm", "blk.{n}.ffn_norm")];
}

/// <summary>Gemma 2: norms after the sub-layers too, capped logits, and a window in every second block.</summary>
internal class Gemma2Family(string modelType, string architecture, string modelClass) : GemmaFamily(modelType, architecture, modelClass)
{
    /// <summary>Gemma 2.</summary>
    public Gemma2Family()
        : this("gemma2", "gemma2", "Gemma2ForCausalLM")
    {
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        .. base.Keys,
        new("attn_logit_softcapping", "attn_logit_softcapping", MetadataType.Number),
        new("final_logit_softcapping", "final_logit_softcapping", MetadataType.Number),
        new("sliding_window", "attention.sliding_window", Default: 4096),
    ];

    /// <summary>Each so many blocks one sees all tokens.</summary>
    protected virtual int Pattern => 2;

    /// <inheritdoc/>
    protected override IEnumerable<TensorRule> Norms() =>
    [
        TensorRule.PlusOne("model.layers.{n}.post_attention_layernorm", "blk.{n}.post_attention_norm"),
        TensorRule.PlusOne("model.layers.{n}.pre_feedforward_layernorm", "blk.{n}.ffn_norm"),
        TensorRule.PlusOne("model.layers.{n}.post_feedforward_layernorm", "blk.{n}.post_ffw_norm"),
    ];

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        HyperParameters read = new(config, file.Path);
        config["query_pre_attn_scalar"] = Scalar(read);
        config["layer_types"] = new JsonArray([.. LayerTypes(Blocks(read)).Select(t => (JsonNode)t)]);
        foreach (string cap in new[] { "attn_logit_softcapping", "final_logit_softcapping" })
        {
            if (!config.ContainsKey(cap))
                config[cap] = null;
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Deviations(HyperParameters config)
    {
        foreach (string deviation in base.Deviations(config))
            yield return deviation;
        if (config.Number("query_pre_attn_scalar") is { } scalar && scalar != Scalar(config))
            yield return $"query_pre_attn_scalar is {scalar}, llama.cpp takes {Scalar(config)}";
        if (config.Json["layer_types"] is JsonArray types && !types.Select(t => t!.GetValue<string>()).SequenceEqual(LayerTypes(types.Count)))
            yield return $"layer_types are others than full attention in every block of {Pattern}";
    }

    // llama.cpp takes C/H for the largest models, which it knows by their number of blocks.
    private int Scalar(HyperParameters config)
    {
        bool largest = Pattern == 2 ? Blocks(config) == 46 : Blocks(config) == 62;
        return largest ? config.Size("hidden_size") / Heads(config) : HeadWidth(config);
    }

    private IEnumerable<string> LayerTypes(int blocks) =>
        Enumerable.Range(1, blocks).Select(n => n % Pattern == 0 ? "full_attention" : "sliding_attention");
}

/// <summary>Gemma 3, text: norms of q and k, five windowed blocks between two that see all tokens, two bases of the rotation.</summary>
internal sealed class Gemma3Family() : Gemma2Family("gemma3_text", "gemma3", "Gemma3ForCausalLM")
{
    /// <inheritdoc/>
    protected override JsonObject Fixed
    {
        get
        {
            JsonObject all = base.Fixed;
            all["rope_local_base_freq"] = 10000.0;
            return all;
        }
    }

    /// <inheritdoc/>
    protected override int Pattern => 6;

    /// <inheritdoc/>
    protected override IEnumerable<TensorRule> Norms() =>
    [
        .. base.Norms(),
        TensorRule.PlusOne("model.layers.{n}.self_attn.q_norm", "blk.{n}.attn_q_norm"),
        TensorRule.PlusOne("model.layers.{n}.self_attn.k_norm", "blk.{n}.attn_k_norm"),
    ];
}
