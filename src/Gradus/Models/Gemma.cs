using System.Text.Json.Serialization;
using Gradus.Nn;

namespace Gradus.Models;

/// <summary>
/// Gemma (Mesnard et al., "Gemma: Open Models Based on Gemini Research and Technology", 2024): Llama's blocks with embeddings scaled by
/// √C, norms that store w − 1, and a GeGLU feed-forward layer. Tensor names of Hugging Face's GemmaForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward gate, where the next is null.</param>
/// <param name="HiddenActivation">Activation of the feed-forward gate.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
[OnlyUsual("use_bidirectional_attention", "false")]
public sealed record GemmaConfig(
    int VocabSize = 256000, int HiddenSize = 3072, int IntermediateSize = 24576, int NumHiddenLayers = 28,
    int NumAttentionHeads = 16, int? NumKeyValueHeads = 16, int? HeadDim = 256, string HiddenAct = "gelu_pytorch_tanh",
    string? HiddenActivation = null, int MaxPositionEmbeddings = 8192, float RmsNormEps = 1e-6f, double RopeTheta = 10000,
    RopeScaling? RopeScaling = null, bool AttentionBias = false, bool TieWordEmbeddings = true, float InitializerRange = 0.02f,
    int? BosTokenId = 2, TokenIds? EosTokenId = null)
    : LlamaStyleConfig(
        VocabSize, HiddenSize, IntermediateSize, NumHiddenLayers, NumAttentionHeads, NumKeyValueHeads, HeadDim, MaxPositionEmbeddings,
        RmsNormEps, RopeTheta, RopeScaling, TieWordEmbeddings, InitializerRange, BosTokenId, EosTokenId)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "GemmaForCausalLM";

    private protected override bool NeedsHeadDim => true;

    // The first files say "gelu", but the models were trained with the tanh form, which transformers therefore used for them.
    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenActivation ?? (HiddenAct == "gelu" ? "gelu_pytorch_tanh" : HiddenAct));
}

/// <inheritdoc cref="GemmaConfig"/>
public sealed class Gemma : LlamaStyleDecoder
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Gemma(GemmaConfig config, Scope scope)
        : base(config, scope, (layer, rotary, place) => Block(config, layer, rotary, place), normOffset: 1, embeddingScale: MathF.Sqrt(config.HiddenSize))
    {
    }

    private static PreNormBlock Block(GemmaConfig config, int layer, RotaryEmbedding rotary, Scope place) =>
        PreNorm(config, place, Attention(config, layer, rotary, place["self_attn"]), FeedForward(config, place["mlp"]), normOffset: 1);

    private static SelfAttention Attention(GemmaConfig config, int layer, RotaryEmbedding rotary, Scope place) =>
        new(layer, Projections(config, place, config.AttentionBias), Output(config, place, config.AttentionBias), Causal(config))
        {
            Rotary = rotary,
            Dropout = config.AttentionDropout,
        };
}
