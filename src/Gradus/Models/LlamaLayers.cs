// What the descendants of Llama put together otherwise than Llama.cs does: layers under the names of its tensors.

using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>Layers under the names of LlamaForCausalLM.</summary>
internal static class LlamaLayers
{
    /// <summary>The pre-norm block with the names that all descendants but Gemma 2, Gemma 3 and OLMo 2 use.</summary>
    public static PreNormBlock PreNorm(int width, float epsilon, Scope scope, IBlock attention, IBlock mlp, float normOffset = 0, float dropout = 0) => new(
        scope.RmsNorm("input_layernorm", width, epsilon, normOffset),
        attention,
        scope.RmsNorm("post_attention_layernorm", width, epsilon, normOffset),
        mlp,
        dropout);

    /// <summary>The block of Gemma 2 and Gemma 3, with norms on both sides.</summary>
    public static SandwichBlock Sandwich(int width, float epsilon, Scope scope, IBlock attention, IBlock mlp, float normOffset) => new(
        scope.RmsNorm("input_layernorm", width, epsilon, normOffset),
        attention,
        scope.RmsNorm("post_attention_layernorm", width, epsilon, normOffset),
        scope.RmsNorm("pre_feedforward_layernorm", width, epsilon, normOffset),
        mlp,
        scope.RmsNorm("post_feedforward_layernorm", width, epsilon, normOffset));

    /// <summary>The gated feed-forward layer of a block.</summary>
    public static GatedMlp FeedForward(RotaryDecoderConfig config, Scope scope, bool bias = false) =>
        new(scope, config.HiddenSize, config.IntermediateSize, config.Activation, config.Init, bias);

    /// <summary>Attention with rotary positions.</summary>
    /// <param name="config">The hyperparameters.</param>
    /// <param name="layer">The layer's number.</param>
    /// <param name="rotary">Its positions, or null for none.</param>
    /// <param name="scope">Where its projections are.</param>
    /// <param name="options">Scale, window and soft cap.</param>
    /// <param name="bias">Whether queries, keys and values have biases.</param>
    /// <param name="outputBias">Whether the output has.</param>
    /// <param name="norm">The norms of queries and keys, each of its name and the number of its heads; null for none.</param>
    public static SelfAttention Attention(
        RotaryDecoderConfig config, int layer, RotaryEmbedding? rotary, Scope scope, AttentionOptions options,
        bool bias = false, bool outputBias = false, Func<string, int, INorm>? norm = null)
    {
        int heads = config.NumAttentionHeads, keyValueHeads = config.KeyValueHeads, width = config.HeadWidth;
        return new SelfAttention(
            layer,
            new SeparateProjections(scope, config.HiddenSize, heads, keyValueHeads, width, bias, config.Init),
            Output(config, scope, outputBias),
            options)
        {
            Rotary = rotary,
            Dropout = config.AttentionDropout,
            QueryNorm = norm?.Invoke("q_norm", heads),
            KeyNorm = norm?.Invoke("k_norm", keyValueHeads),
        };
    }

    /// <summary>The projection of attention's result.</summary>
    public static Linear Output(RotaryDecoderConfig config, Scope scope, bool bias) =>
        scope.Linear("o_proj", config.NumAttentionHeads * config.HeadWidth, config.HiddenSize, bias, config.Init);

    /// <summary>Causal attention, scaled by 1/√D, to at most <paramref name="window"/> tokens; 0 or null for all.</summary>
    public static AttentionOptions Causal(RotaryDecoderConfig config, int? window = null) =>
        new(1f / MathF.Sqrt(config.HeadWidth), Causal: true, Window: window ?? 0);
}
