using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>
/// Llama and what shares its architecture in GGUF. llama.cpp turns neighbouring values (2i, 2i + 1) of a head, transformers the halves
/// (i, i + D/2), so that the rows of q and k are permuted.
/// </summary>
internal class LlamaFamily(string modelType, string architecture, string modelClass) : DecoderFamily(modelType, architecture, modelClass)
{
    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["hidden_act"] = "silu" };

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config)
    {
        int width = HeadWidth(config);
        config.Rows(Math.Max(Heads(config), KeyValueHeads(config)), width);
        return
        [
            .. Outer(),
            .. NormTensors(),
            TensorRule.Reordered("model.layers.{n}.self_attn.q_proj", "blk.{n}.attn_q", PairsFromHalves(Heads(config), width)),
            TensorRule.Reordered("model.layers.{n}.self_attn.k_proj", "blk.{n}.attn_k", PairsFromHalves(KeyValueHeads(config), width)),
            .. AttentionTensors().Skip(2),
            .. GatedTensors(),
        ];
    }

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        config["attention_bias"] = file.TryGet("blk.0.attn_q.bias", out _);
        config["mlp_bias"] = file.TryGet("blk.0.ffn_up.bias", out _);
    }

    // Row (h, i, j) of pairs is row (h, j, i) of halves.
    private static int[] PairsFromHalves(int heads, int width) => [.. Enumerable.Range(0, heads * width).Select(row =>
    {
        (int head, int within) = Math.DivRem(row, width);
        return (head * width) + (within % 2 * (width / 2)) + (within / 2);
    })];
}

/// <summary>Mistral: Llama with a sliding window, which llama.cpp leaves out.</summary>
internal sealed class MistralFamily() : LlamaFamily("mistral", "llama", "MistralForCausalLM")
{
    /// <inheritdoc/>
    public override IEnumerable<string> Deviations(HyperParameters config) => [.. base.Deviations(config), .. WithoutWindow(config)];
}

/// <summary>Mixtral: Llama with sparse experts, which are stacked in GGUF.</summary>
internal sealed class MixtralFamily() : LlamaFamily("mixtral", "llama", "MixtralForCausalLM")
{
    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        .. base.Keys,
        new("num_local_experts", "expert_count", Default: 8),
        new("num_experts_per_tok", "expert_used_count", Default: 2),
    ];

    /// <inheritdoc/>
    public override bool Reads(GgufMetadata metadata) => metadata.TryGetInteger("llama.expert_count", out long experts) && experts > 0;

    /// <inheritdoc/>
    public override int Experts(HyperParameters config) => config.Integer("num_local_experts") ?? 8;

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config) =>
    [
        .. base.Rules(config).SkipLast(3),
        new("model.layers.{n}.block_sparse_moe.gate", "blk.{n}.ffn_gate_inp"),
        new("model.layers.{n}.block_sparse_moe.experts.{e}.w1", "blk.{n}.ffn_gate_exps"),
        new("model.layers.{n}.block_sparse_moe.experts.{e}.w2", "blk.{n}.ffn_down_exps"),
        new("model.layers.{n}.block_sparse_moe.experts.{e}.w3", "blk.{n}.ffn_up_exps"),
    ];

    /// <inheritdoc/>
    public override IEnumerable<string> Deviations(HyperParameters config) => [.. base.Deviations(config), .. WithoutWindow(config)];
}

/// <summary>SmolLM3: Llama with every fourth block without rotary positions.</summary>
internal sealed class SmolLm3Family() : LlamaFamily("smollm3", "smollm3", "SmolLM3ForCausalLM")
{
    // llama.cpp leaves the rotation out in every fourth block, whatever the configuration says.
    private const int Interval = 4;

    /// <inheritdoc/>
    public override bool TiesByDefault => true;

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        config["no_rope_layer_interval"] = Interval;
        config["no_rope_layers"] = new JsonArray([.. Enumerable.Range(1, Blocks(new HyperParameters(config, file.Path))).Select(n => (JsonNode)(n % Interval == 0 ? 0 : 1))]);
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Deviations(HyperParameters config)
    {
        foreach (string deviation in base.Deviations(config).Concat(WithoutWindow(config)))
            yield return deviation;
        float[] rotated = config.Numbers("no_rope_layers") ?? [];
        if (rotated.Select((r, i) => r == 0 == ((i + 1) % Interval == 0)).Any(same => !same) || (rotated.Length == 0 && (config.Integer("no_rope_layer_interval") ?? Interval) != Interval))
            yield return "no_rope_layers are others than every fourth";
    }
}
