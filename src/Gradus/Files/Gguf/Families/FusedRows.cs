namespace Gradus.Files.Gguf.Families;

/// <summary>Fused projections of queries, keys and values: the order of their rows, and the tables of the families that BLOOM began.</summary>
internal static class FusedRows
{
    /// <summary>From q, k, v for each group of heads (as BLOOM, GPT-NeoX and Falcon are trained) to all q, then all k, then all v.</summary>
    /// <param name="groups">Key and value heads.</param>
    /// <param name="queries">Query heads in each group.</param>
    /// <param name="width">Values per head.</param>
    /// <returns>For each row of the result the row of the source.</returns>
    public static int[] Ungroup(int groups, int queries, int width)
    {
        List<int> origin = [];
        int group = (queries + 2) * width;
        for (int g = 0; g < groups; g++)
            origin.AddRange(Enumerable.Range(g * group, queries * width));
        for (int part = queries; part < queries + 2; part++)
        {
            for (int g = 0; g < groups; g++)
                origin.AddRange(Enumerable.Range((g * group) + (part * width), width));
        }
        return [.. origin];
    }

    /// <summary>The tensors that BLOOM and Falcon name alike: all but some norms.</summary>
    /// <param name="firstNorm">What the first norm of a block is called.</param>
    /// <param name="fused">The order of the fused projection's rows.</param>
    public static IEnumerable<TensorRule> Tensors(string firstNorm, int[] fused) =>
    [
        new("transformer.word_embeddings", "token_embd"),
        new("transformer.ln_f", "output_norm"),
        new("lm_head", "output"),
        new($"transformer.h.{{n}}.{firstNorm}", "blk.{n}.attn_norm"),
        TensorRule.Reordered("transformer.h.{n}.self_attention.query_key_value", "blk.{n}.attn_qkv", fused),
        new("transformer.h.{n}.self_attention.dense", "blk.{n}.attn_output"),
        new("transformer.h.{n}.post_attention_layernorm", "blk.{n}.ffn_norm"),
        new("transformer.h.{n}.mlp.dense_h_to_4h", "blk.{n}.ffn_up"),
        new("transformer.h.{n}.mlp.dense_4h_to_h", "blk.{n}.ffn_down"),
    ];
}
