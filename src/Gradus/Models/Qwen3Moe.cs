using System.Text.Json.Serialization;
using Gradus.Nn;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// Qwen3-MoE (Yang et al., "Qwen3 Technical Report", 2025): Qwen3's blocks with small sparse experts. Tensor names of Hugging Face's
/// Qwen3MoeForCausalLM.
/// </summary>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
[FormerName("num_experts", "num_local_experts")]
public sealed record Qwen3MoeConfig(
    int VocabSize = 151936, int HiddenSize = 2048, int IntermediateSize = 6144, int NumHiddenLayers = 24,
    int NumAttentionHeads = 32, int? NumKeyValueHeads = 4, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 32768, float RmsNormEps = 1e-6f, double RopeTheta = 10000, RopeScaling? RopeScaling = null,
    bool AttentionBias = false, bool UseSlidingWindow = false, int? SlidingWindow = 4096,
    int MoeIntermediateSize = 768, int NumExperts = 128, int NumExpertsPerTok = 8, bool NormTopkProb = false,
    int DecoderSparseStep = 1, IReadOnlyList<int>? MlpOnlyLayers = null, bool OutputRouterLogits = false,
    float RouterAuxLossCoef = 0.001f, bool TieWordEmbeddings = false, float InitializerRange = 0.02f,
    int? BosTokenId = null, TokenIds? EosTokenId = null) : QwenMoeConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Qwen3MoeForCausalLM";

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["q_proj", "v_proj", "down_proj"]);

    internal override LanguageModel Build(Scope scope) => new Qwen3Moe(this, scope);
}

/// <inheritdoc cref="Qwen3MoeConfig"/>
public sealed class Qwen3Moe : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Qwen3Moe(Qwen3MoeConfig config, Scope scope)
        : base(config, scope, (i, rotary, layer) => Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps))
    {
        LoadBalancing = config.Balancing;
    }

    private static PreNormBlock Block(Qwen3MoeConfig config, int layer, RotaryEmbedding rotary, Scope scope) => PreNorm(
        config.HiddenSize, config.RmsNormEps, scope,
        Attention(
            config, layer, rotary, scope["self_attn"], Causal(config, config.Window), config.AttentionBias, config.AttentionBias,
            (name, _) => scope["self_attn"].RmsNorm(name, config.HeadWidth, config.RmsNormEps)),
        config.IsSparse(layer) ? config.Experts(scope["mlp"]) : FeedForward(config, scope["mlp"]));
}
