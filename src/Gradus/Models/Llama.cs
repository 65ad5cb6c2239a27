using System.Text.Json.Serialization;
using Gradus.Nn;

namespace Gradus.Models;

/// <summary>
/// Llama (Touvron et al., 2023; Grattafiori et al., "The Llama 3 Herd of Models", 2024): pre-norm blocks with RMS norm, rotary
/// positions, grouped-query attention and a SwiGLU feed-forward layer. Tensor names of Hugging Face's LlamaForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward gate.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
/// <param name="MlpBias">Whether the feed-forward projections have biases.</param>
public sealed record LlamaConfig(
    int VocabSize = 32000, int HiddenSize = 4096, int IntermediateSize = 11008, int NumHiddenLayers = 32,
    int NumAttentionHeads = 32, int? NumKeyValueHeads = null, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 2048, float RmsNormEps = 1e-6f, double RopeTheta = 10000, RopeScaling? RopeScaling = null,
    bool AttentionBias = false, bool MlpBias = false, bool TieWordEmbeddings = false, float InitializerRange = 0.02f,
    int? BosTokenId = null, TokenIds? EosTokenId = null)
    : LlamaStyleConfig(
        VocabSize, HiddenSize, IntermediateSize, NumHiddenLayers, NumAttentionHeads, NumKeyValueHeads, HeadDim, MaxPositionEmbeddings,
        RmsNormEps, RopeTheta, RopeScaling, TieWordEmbeddings, InitializerRange, BosTokenId, EosTokenId)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "LlamaForCausalLM";

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);
}

/// <inheritdoc cref="LlamaConfig"/>
public sealed class Llama : LlamaStyleDecoder
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Llama(LlamaConfig config, Scope scope)
        : base(config, scope, (layer, rotary, place) => Block(config, layer, rotary, place))
    {
    }

    // x + attention(norm(x)), then x + mlp(norm(x)).
    private static PreNormBlock Block(LlamaConfig config, int layer, RotaryEmbedding rotary, Scope place) =>
        PreNorm(config, place, Attention(config, layer, rotary, place["self_attn"]), FeedForward(config, place["mlp"], config.MlpBias));

    private static SelfAttention Attention(LlamaConfig config, int layer, RotaryEmbedding rotary, Scope place) =>
        new(layer, Projections(config, place, config.AttentionBias), Output(config, place, config.AttentionBias), Causal(config))
        {
            Rotary = rotary,
            Dropout = config.AttentionDropout,
        };
}
