using System.Text.Json.Nodes;
using Gradus.Tensors;

namespace Gradus.Files.Gguf.Families;

/// <summary>Qwen 2 and 2.5 (biases of q, k and v) and Qwen 3 (norms of q and k).</summary>
internal class QwenFamily(string modelType, string architecture, string modelClass) : DecoderFamily(modelType, architecture, modelClass)
{
    private readonly bool _hasHeadNorms = modelType.StartsWith("qwen3", StringComparison.Ordinal);

    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["hidden_act"] = "silu" };

    /// <inheritdoc/>
    protected override int DefaultHeadWidth(HyperParameters config) => _hasHeadNorms ? 128 : base.DefaultHeadWidth(config);

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config) =>
    [
        .. Outer(),
        .. NormTensors(),
        .. AttentionTensors(),
        new("model.layers.{n}.self_attn.q_norm", "blk.{n}.attn_q_norm"),
        new("model.layers.{n}.self_attn.k_norm", "blk.{n}.attn_k_norm"),
        .. GatedTensors(),
    ];

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        config["use_sliding_window"] = false;
        if (_hasHeadNorms)
            config["attention_bias"] = file.TryGet("blk.0.attn_q.bias", out _);
        else
            config.Remove("head_dim");
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Deviations(HyperParameters config) =>
        config.Flag("use_sliding_window", false) ? [.. base.Deviations(config), .. WithoutWindow(config)] : base.Deviations(config);
}

/// <summary>Qwen with sparse experts; Qwen 2 has a shared expert besides.</summary>
internal sealed class QwenMoeFamily(string modelType, string architecture, string modelClass, bool normalizes) : QwenFamily(modelType, architecture, modelClass)
{
    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["hidden_act"] = "silu", ["norm_topk_prob"] = normalizes, ["decoder_sparse_step"] = 1 };

    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        .. base.Keys,
        new("num_experts", "expert_count"),
        new("num_experts_per_tok", "expert_used_count"),
        new("moe_intermediate_size", "expert_feed_forward_length"),
        new("shared_expert_intermediate_size", "expert_shared_feed_forward_length"),
    ];

    /// <inheritdoc/>
    public override int Experts(HyperParameters config) => config.Size("num_experts");

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config)
    {
        Shape gate = new(1, config.Size("hidden_size"));
        return
        [
            .. base.Rules(config),
            new("model.layers.{n}.mlp.gate", "blk.{n}.ffn_gate_inp"),
            new("model.layers.{n}.mlp.experts.{e}.gate_proj", "blk.{n}.ffn_gate_exps"),
            new("model.layers.{n}.mlp.experts.{e}.up_proj", "blk.{n}.ffn_up_exps"),
            new("model.layers.{n}.mlp.experts.{e}.down_proj", "blk.{n}.ffn_down_exps"),
            new("model.layers.{n}.mlp.shared_expert.gate_proj", "blk.{n}.ffn_gate_shexp"),
            new("model.layers.{n}.mlp.shared_expert.up_proj", "blk.{n}.ffn_up_shexp"),
            new("model.layers.{n}.mlp.shared_expert.down_proj", "blk.{n}.ffn_down_shexp"),
            new("model.layers.{n}.mlp.shared_expert_gate", "blk.{n}.ffn_gate_inp_shexp",
                TensorLayout.Reshaped(new Shape(gate.Columns)), TensorLayout.Reshaped(gate)),
        ];
    }

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        config["mlp_only_layers"] = new JsonArray([.. Enumerable.Range(0, Blocks(new HyperParameters(config, file.Path)))
            .Where(n => !file.TryGet($"blk.{n}.ffn_gate_inp.weight", out _))
            .Select(n => (JsonNode)n)]);
        if (!normalizes)
            config["qkv_bias"] = file.TryGet("blk.0.attn_q.bias", out _);
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Deviations(HyperParameters config) => config.Json["mlp_only_layers"] is JsonArray { Count: > 0 } dense
        ? [.. base.Deviations(config), $"blocks without experts ({dense.ToJsonString()}) are not read by llama.cpp"]
        : base.Deviations(config);
}
