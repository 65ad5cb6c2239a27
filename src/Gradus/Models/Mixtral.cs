using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// Mixtral (Jiang et al., "Mixtral of Experts", 2024): Mistral's blocks, whose feed-forward layer is a sparse mixture of experts. Tensor
/// names of Hugging Face's MixtralForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the experts' gates.</param>
/// <param name="SlidingWindow">Tokens that a token sees, itself included; all where null.</param>
/// <param name="NumLocalExperts">Experts of a layer.</param>
/// <param name="NumExpertsPerTok">Experts that a token goes to.</param>
/// <param name="OutputRouterLogits">Whether training adds the load-balancing loss.</param>
/// <param name="RouterAuxLossCoef">What that loss is multiplied by.</param>
/// <param name="RouterJitterNoise">In training, the input of router and experts is multiplied by numbers from 1 ± this; ≥ 0.</param>
[FormerName("num_local_experts", "num_experts")]
public sealed record MixtralConfig(
    int VocabSize = 32000, int HiddenSize = 4096, int IntermediateSize = 14336, int NumHiddenLayers = 32,
    int NumAttentionHeads = 32, int? NumKeyValueHeads = 8, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 131072, float RmsNormEps = 1e-5f, double RopeTheta = 1e6, RopeScaling? RopeScaling = null,
    int? SlidingWindow = null, int NumLocalExperts = 8, int NumExpertsPerTok = 2, bool OutputRouterLogits = false,
    float RouterAuxLossCoef = 0.001f, float RouterJitterNoise = 0, bool TieWordEmbeddings = false, float InitializerRange = 0.02f,
    int? BosTokenId = 1, TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "MixtralForCausalLM";

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. base.Validate(validationContext),
        .. Chooses(nameof(NumExpertsPerTok), NumExpertsPerTok, NumLocalExperts),
        .. RouterJitterNoise is >= 0 and < 1 ? [] : new[] { new ValidationResult($"is a noise, at least 0 and under 1, but is {RouterJitterNoise}", [nameof(RouterJitterNoise)]) },
    ];

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["k_proj", "v_proj", "w2"]);

    internal override LanguageModel Build(Scope scope) => new Mixtral(this, scope);
}

/// <inheritdoc cref="MixtralConfig"/>
public sealed class Mixtral : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Mixtral(MixtralConfig config, Scope scope)
        : base(config, scope, (i, rotary, layer) => Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps))
    {
        LoadBalancing = new LoadBalancing(config.NumExpertsPerTok, config.RouterAuxLossCoef, config.OutputRouterLogits);
    }

    private static PreNormBlock Block(MixtralConfig config, int layer, RotaryEmbedding rotary, Scope scope) => PreNorm(
        config.HiddenSize, config.RmsNormEps, scope,
        Attention(config, layer, rotary, scope["self_attn"], Causal(config, config.SlidingWindow)),
        Experts(config, scope["block_sparse_moe"]));

    private static SparseExperts Experts(MixtralConfig config, Scope scope) => new(
        scope.Linear("gate", config.HiddenSize, config.NumLocalExperts, bias: false, config.Init),
        Repeat(config.NumLocalExperts, scope["experts"], (_, expert) => Expert(config, expert)),
        config.NumExpertsPerTok,
        renormalize: true)
    {
        Jitter = config.RouterJitterNoise,
    };

    private static GatedMlp Expert(MixtralConfig config, Scope scope) => new(
        gate: scope.Linear("w1", config.HiddenSize, config.IntermediateSize, bias: false, config.Init),
        up: scope.Linear("w3", config.HiddenSize, config.IntermediateSize, bias: false, config.Init),
        down: scope.Linear("w2", config.IntermediateSize, config.HiddenSize, bias: false, config.Init),
        config.Activation);
}
