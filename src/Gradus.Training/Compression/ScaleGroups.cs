using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Compression;

/// <summary>
/// Linear layers whose inputs can be scaled without changing what a block computes, because what stands before them can be scaled the other way.
/// </summary>
/// <param name="Before">A norm, or the linear layer that makes the inputs; its name in the block.</param>
/// <param name="IsNorm">Whether it is a norm.</param>
/// <param name="Layers">The linear layers: all that read those inputs.</param>
/// <param name="Output">The linear layer whose result shows the error; empty: the block's own result.</param>
/// <param name="Offset">What is added to the norm's weight where it is applied.</param>
public sealed record ScaleGroup(string Before, bool IsNorm, IReadOnlyList<string> Layers, string Output, float Offset = 0);

/// <summary>The scale groups of the architectures, by <c>model_type</c>. A new architecture is a line here; without one nothing is scaled.</summary>
public static class ScaleGroups
{
    private static readonly string[] Attention = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
    private static readonly string[] Gated = ["mlp.gate_proj", "mlp.up_proj"];

    private static readonly ScaleGroup Queries = new("input_layernorm", true, Attention, "self_attn.o_proj");
    private static readonly ScaleGroup Values = new("self_attn.v_proj", false, ["self_attn.o_proj"], "self_attn.o_proj");
    private static readonly ScaleGroup Gates = new("post_attention_layernorm", true, Gated, "mlp.down_proj");
    private static readonly ScaleGroup Products = new("mlp.up_proj", false, ["mlp.down_proj"], "mlp.down_proj");

    private static readonly ScaleGroup[] Llama = [Queries, Values, Gates, Products];
    private static readonly ScaleGroup[] Sandwich = [Queries with { Offset = 1 }, Values, Gates with { Before = "pre_feedforward_layernorm", Offset = 1 }, Products];

    private static readonly Dictionary<string, ScaleGroup[]> ByType = new(StringComparer.Ordinal)
    {
        ["llama"] = Llama,
        ["mistral"] = Llama,
        ["qwen2"] = Llama,
        ["qwen3"] = Llama,
        ["smollm3"] = Llama,
        ["gemma"] = [Queries with { Offset = 1 }, Values, Gates with { Offset = 1 }, Products],
        ["gemma2"] = Sandwich,
        ["gemma3_text"] = Sandwich,
        ["olmo2"] = [Values, Products],
        ["mixtral"] = [Queries, Values],
        ["qwen2_moe"] = [Queries, Values],
        ["qwen3_moe"] = [Queries, Values],
        ["phi3"] =
        [
            new("input_layernorm", true, ["self_attn.qkv_proj"], "self_attn.o_proj"),
            new("post_attention_layernorm", true, ["mlp.gate_up_proj"], "mlp.down_proj"),
        ],
        ["phi"] = [new("input_layernorm", true, [.. Attention, "mlp.fc1"], "")],
        ["starcoder2"] = [Queries, Values, new("post_attention_layernorm", true, ["mlp.c_fc"], "mlp.c_proj")],
        ["gpt2"] = [new("ln_1", true, ["attn.c_attn"], "attn.c_proj"), new("ln_2", true, ["mlp.c_fc"], "mlp.c_proj")],
        ["gpt_neox"] =
        [
            new("input_layernorm", true, ["attention.query_key_value"], "attention.dense"),
            new("post_attention_layernorm", true, ["mlp.dense_h_to_4h"], "mlp.dense_4h_to_h"),
        ],
        ["bloom"] =
        [
            new("input_layernorm", true, ["self_attention.query_key_value"], "self_attention.dense"),
            new("post_attention_layernorm", true, ["mlp.dense_h_to_4h"], "mlp.dense_4h_to_h"),
        ],
        ["opt"] =
        [
            new("self_attn_layer_norm", true, Attention, "self_attn.out_proj"),
            new("self_attn.v_proj", false, ["self_attn.out_proj"], "self_attn.out_proj"),
            new("final_layer_norm", true, ["fc1"], "fc2"),
        ],
    };

    /// <summary>The groups of an architecture that are whole in a block, in the order in which they run.</summary>
    /// <param name="config">The architecture.</param>
    /// <param name="layers">The block's linear layers.</param>
    /// <param name="parts">The model's parts.</param>
    internal static IReadOnlyList<BoundGroup> In(ModelConfig config, IReadOnlyCollection<Linear> layers, ModelParts parts)
    {
        string? type = Architectures.TypeOf(Architectures.ToJson(config));
        if (type is null || !ByType.TryGetValue(type, out ScaleGroup[]? groups))
            return [];
        // Where a norm comes after its layers, or its result goes on beside them, scaling it would change more.
        bool keepsNorms = config is OptConfig { DoLayerNormBefore: false } or BloomConfig { ApplyResidualConnectionPostLayernorm: true };
        List<BoundGroup> found = [];
        foreach (ScaleGroup group in groups.Where(g => !g.IsNorm || !keepsNorms))
        {
            if (layers.FirstOrDefault(l => l.Path.EndsWith("." + group.Layers[0], StringComparison.Ordinal)) is not { } first)
                continue;
            string prefix = first.Path[..^group.Layers[0].Length];
            Linear[] bound = [.. group.Layers.Select(n => Find(prefix + n)).OfType<Linear>()];
            Linear? output = group.Output.Length == 0 ? null : Find(prefix + group.Output);
            if (bound.Length != group.Layers.Count || (output is null && group.Output.Length > 0))
                continue;
            Parameter? weight = group.IsNorm ? parts.Find($"{prefix}{group.Before}.weight") : null;
            Linear? before = group.IsNorm ? null : Find(prefix + group.Before);
            // With fewer heads of values than of queries one column of values is several of the output's inputs.
            if (group.IsNorm ? weight is null : before is null || before.Weight.Outputs != bound[0].Weight.Inputs)
                continue;
            found.Add(new BoundGroup(group, bound, output, before, weight, group.IsNorm ? parts.Find($"{prefix}{group.Before}.bias") : null));
        }
        return found;

        Linear? Find(string path) => layers.FirstOrDefault(l => l.Path == path);
    }
}

/// <summary>A group with the layers of one block.</summary>
/// <param name="Group">The group.</param>
/// <param name="Layers">Its layers.</param>
/// <param name="Output">The layer whose result shows the error, or null: the block's own.</param>
/// <param name="Before">The layer that makes the inputs, or null: a norm does.</param>
/// <param name="NormWeight">The norm's weight.</param>
/// <param name="NormBias">The norm's bias.</param>
internal sealed record BoundGroup(ScaleGroup Group, Linear[] Layers, Linear? Output, Linear? Before, Parameter? NormWeight, Parameter? NormBias)
{
    /// <summary>Multiplies the inputs' columns of the layers by scales, and divides what makes them.</summary>
    /// <param name="scales">One for each input, positive.</param>
    public void Apply(float[] scales)
    {
        foreach (Linear layer in Layers)
            LayerWeights.ScaleInputs(layer, scales);
        if (Before is not null)
        {
            LayerWeights.DivideOutputs(Before, scales);
            return;
        }
        Span<float> weight = NormWeight!.Value.Span();
        for (int i = 0; i < weight.Length; i++)
            weight[i] = ((weight[i] + Group.Offset) / scales[i]) - Group.Offset;
        if (NormBias is null)
            return;
        Span<float> bias = NormBias.Value.Span();
        for (int i = 0; i < bias.Length; i++)
            bias[i] /= scales[i];
    }
}
