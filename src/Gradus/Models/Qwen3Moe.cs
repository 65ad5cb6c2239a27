using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Qwen3-MoE (Yang et al., "Qwen3 Technical Report", 2025): Qwen3's blocks with small sparse experts. Tensor names of Hugging Face's
/// Qwen3MoeForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward gates.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
/// <param name="UseSlidingWindow">Whether some layers' attention reaches back a limited number of tokens.</param>
/// <param name="SlidingWindow">Tokens that a token sees there, itself included.</param>
/// <param name="MoeIntermediateSize">Width of an expert.</param>
/// <param name="NumExperts">Experts of a sparse layer.</param>
/// <param name="NumExpertsPerTok">Experts that a token goes to.</param>
/// <param name="NormTopkProb">Whether the weights of a token's experts sum to 1.</param>
/// <param name="DecoderSparseStep">Every so manyth layer is sparse.</param>
/// <param name="MlpOnlyLayers">The layers, from 0, that are not sparse all the same.</param>
/// <param name="OutputRouterLogits">Whether training adds the load-balancing loss.</param>
/// <param name="RouterAuxLossCoef">What that loss is multiplied by.</param>
public sealed record Qwen3MoeConfig(
    int VocabSize = 151936, int HiddenSize = 2048, int IntermediateSize = 6144, int NumHiddenLayers = 24,
    int NumAttentionHeads = 32, int? NumKeyValueHeads = 4, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 32768, float RmsNormEps = 1e-6f, double RopeTheta = 10000, RopeScaling? RopeScaling = null,
    bool AttentionBias = false, bool UseSlidingWindow = false, int? SlidingWindow = 4096,
    int MoeIntermediateSize = 768, int NumExperts = 128, int NumExpertsPerTok = 8, bool NormTopkProb = false,
    int DecoderSparseStep = 1, IReadOnlyList<int>? MlpOnlyLayers = null, bool OutputRouterLogits = false,
    float RouterAuxLossCoef = 0.001f, bool TieWordEmbeddings = false, float InitializerRange = 0.02f,
    int? BosTokenId = null, TokenIds? EosTokenId = null)
    : LlamaStyleConfig(
        VocabSize, HiddenSize, IntermediateSize, NumHiddenLayers, NumAttentionHeads, NumKeyValueHeads, HeadDim, MaxPositionEmbeddings,
        RmsNormEps, RopeTheta, RopeScaling, TieWordEmbeddings, InitializerRange, BosTokenId, EosTokenId)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Qwen3MoeForCausalLM";

    internal override string ActivationName => HiddenAct;

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        [.. base.Validate(validationContext), .. Chooses(nameof(NumExpertsPerTok), NumExpertsPerTok, NumExperts)];

    internal bool IsSparse(int layer) => MlpOnlyLayers?.Contains(layer) != true && (layer + 1) % DecoderSparseStep == 0;
}

/// <inheritdoc cref="Qwen3MoeConfig"/>
public sealed class Qwen3Moe : LlamaStyleDecoder
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Qwen3Moe(Qwen3MoeConfig config, Scope scope)
        : base(config, scope, (layer, rotary, place) => Block(config, layer, rotary, place))
    {
        LoadBalancing = new LoadBalancing(config.NumExpertsPerTok, config.RouterAuxLossCoef, config.OutputRouterLogits);
    }

    /// <inheritdoc/>
    public override LoadBalancing LoadBalancing { get; }

    private static PreNormBlock Block(Qwen3MoeConfig config, int layer, RotaryEmbedding rotary, Scope place) => PreNorm(
        config,
        place,
        Attention(config, layer, rotary, place["self_attn"]),
        config.IsSparse(layer)
            ? Experts(config, place["mlp"], config.NumExperts, config.MoeIntermediateSize, config.NumExpertsPerTok, config.NormTopkProb)
            : FeedForward(config, place["mlp"]));

    private static SelfAttention Attention(Qwen3MoeConfig config, int layer, RotaryEmbedding rotary, Scope place)
    {
        AttentionOptions options = Causal(config, config.UseSlidingWindow ? config.SlidingWindow : null);
        return new(layer, Projections(config, place, config.AttentionBias), Output(config, place, config.AttentionBias), options)
        {
            Rotary = rotary,
            QueryNorm = place.RmsNorm("q_norm", config.HeadWidth, config.RmsNormEps),
            KeyNorm = place.RmsNorm("k_norm", config.HeadWidth, config.RmsNormEps),
        };
    }
}
