using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Qwen3-MoE (Yang et al., "Qwen3 Technical Report", 2025): Qwen3's blocks with small sparse experts. Tensor names of Hugging Face's
/// Qwen3MoeForCausalLM.
/// </summary>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
public sealed record Qwen3MoeConfig(
    int VocabSize = 151936, int HiddenSize = 2048, int IntermediateSize = 6144, int NumHiddenLayers = 24,
    int NumAttentionHeads = 32, int? NumKeyValueHeads = 4, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 32768, float RmsNormEps = 1e-6f, double RopeTheta = 10000, RopeScaling? RopeScaling = null,
    bool AttentionBias = false, bool UseSlidingWindow = false, int? SlidingWindow = 4096,
    int MoeIntermediateSize = 768, int NumExperts = 128, int NumExpertsPerTok = 8, bool NormTopkProb = false,
    int DecoderSparseStep = 1, IReadOnlyList<int>? MlpOnlyLayers = null, bool OutputRouterLogits = false,
    float RouterAuxLossCoef = 0.001f, bool TieWordEmbeddings = false, float InitializerRange = 0.02f,
    int? BosTokenId = null, TokenIds? EosTokenId = null)
    : QwenMoeConfig(
        VocabSize, HiddenSize, IntermediateSize, NumHiddenLayers, NumAttentionHeads, NumKeyValueHeads, HeadDim, HiddenAct, MaxPositionEmbeddings,
        RmsNormEps, RopeTheta, RopeScaling, UseSlidingWindow, SlidingWindow, MoeIntermediateSize, NumExperts, NumExpertsPerTok, NormTopkProb,
        DecoderSparseStep, MlpOnlyLayers, OutputRouterLogits, RouterAuxLossCoef, TieWordEmbeddings, InitializerRange, BosTokenId, EosTokenId)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Qwen3MoeForCausalLM";
}

/// <inheritdoc cref="Qwen3MoeConfig"/>
public sealed class Qwen3Moe : QwenMoeDecoder
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Qwen3Moe(Qwen3MoeConfig config, Scope scope)
        : base(config, scope, (layer, rotary, place) => Block(config, layer, rotary, place))
    {
    }

    private static PreNormBlock Block(Qwen3MoeConfig config, int layer, RotaryEmbedding rotary, Scope place) => PreNorm(
        config,
        place,
        Attention(config, layer, rotary, place["self_attn"]),
        config.IsSparse(layer) ? Experts(config, place["mlp"]) : FeedForward(config, place["mlp"]));

    private static SelfAttention Attention(Qwen3MoeConfig config, int layer, RotaryEmbedding rotary, Scope place)
    {
        AttentionOptions options = Causal(config, config.Window);
        return new(layer, Projections(config, place, config.AttentionBias), Output(config, place, config.AttentionBias), options)
        {
            Rotary = rotary,
            Dropout = config.AttentionDropout,
            QueryNorm = place.RmsNorm("q_norm", config.HeadWidth, config.RmsNormEps),
            KeyNorm = place.RmsNorm("k_norm", config.HeadWidth, config.RmsNormEps),
        };
    }
}
