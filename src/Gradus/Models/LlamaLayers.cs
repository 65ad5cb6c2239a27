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

    /// <summary>Query, key and value projections.</summary>
    public static SeparateProjections Projections(RotaryDecoderConfig config, Scope scope, bool bias) =>
        new(scope, config.HiddenSize, config.NumAttentionHeads, config.KeyValueHeads, config.HeadWidth, bias, config.Init);

    /// <summary>The projection of attention's result.</summary>
    public static Linear Output(RotaryDecoderConfig config, Scope scope, bool bias) =>
        scope.Linear("o_proj", config.NumAttentionHeads * config.HeadWidth, config.HiddenSize, bias, config.Init);

    /// <summary>Causal attention, scaled by 1/√D, to at most <paramref name="window"/> tokens; 0 or null for all.</summary>
    public static AttentionOptions Causal(RotaryDecoderConfig config, int? window = null) =>
        new(1f / MathF.Sqrt(config.HeadWidth), Causal: true, Window: window ?? 0);
}
