using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// Qwen1.5-MoE and Qwen2-MoE (Yang et al., "Qwen2 Technical Report", 2024): Qwen2's blocks with small sparse experts and one that every
/// token goes to, behind a gate. Tensor names of Hugging Face's Qwen2MoeForCausalLM.
/// </summary>
/// <param name="QkvBias">Whether queries, keys and values have biases.</param>
/// <param name="MaxWindowLayers">Only handed on.</param>
/// <param name="SharedExpertIntermediateSize">Width of the expert that every token goes to.</param>
[FormerName("num_experts", "num_local_experts")]
public sealed record Qwen2MoeConfig(
    int VocabSize = 151936, int HiddenSize = 2048, int IntermediateSize = 5632, int NumHiddenLayers = 24,
    int NumAttentionHeads = 16, int? NumKeyValueHeads = 16, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 32768, float RmsNormEps = 1e-6f, double RopeTheta = 10000, RopeScaling? RopeScaling = null,
    bool QkvBias = true, bool UseSlidingWindow = false, int? SlidingWindow = 4096, int MaxWindowLayers = 28,
    int MoeIntermediateSize = 1408, int SharedExpertIntermediateSize = 5632, int NumExperts = 60, int NumExpertsPerTok = 4,
    bool NormTopkProb = false, int DecoderSparseStep = 1, IReadOnlyList<int>? MlpOnlyLayers = null, bool OutputRouterLogits = false,
    float RouterAuxLossCoef = 0.001f, bool TieWordEmbeddings = false, float InitializerRange = 0.02f,
    int? BosTokenId = null, TokenIds? EosTokenId = null) : QwenMoeConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Qwen2MoeForCausalLM";

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        [.. base.Validate(validationContext), .. new[] { AtLeast(nameof(SharedExpertIntermediateSize), SharedExpertIntermediateSize, 1) }.OfType<ValidationResult>()];

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["q_proj", "v_proj", "down_proj"]);

    internal override LanguageModel Build(Scope scope) => new Qwen2Moe(this, scope);
}

/// <inheritdoc cref="Qwen2MoeConfig"/>
public sealed class Qwen2Moe : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Qwen2Moe(Qwen2MoeConfig config, Scope scope)
        : base(config, scope, (i, rotary, layer) => Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps))
    {
        LoadBalancing = config.Balancing;
    }

    private static PreNormBlock Block(Qwen2MoeConfig config, int layer, RotaryEmbedding rotary, Scope scope) => PreNorm(
        config.HiddenSize, config.RmsNormEps, scope,
        Attention(config, layer, rotary, scope["self_attn"], Causal(config, config.Window), config.QkvBias),
        config.IsSparse(layer) ? new SharedAndSparse(config, scope["mlp"]) : FeedForward(config, scope["mlp"]));

    // experts(x) + σ(gate(x)) · shared(x).
    private sealed class SharedAndSparse(Qwen2MoeConfig config, Scope scope) : IBlock
    {
        private readonly SparseExperts _experts = config.Experts(scope);

        private readonly GatedMlp _shared = new(
            scope["shared_expert"], config.HiddenSize, config.SharedExpertIntermediateSize, config.Activation, config.Init);

        private readonly Linear _gate = scope.Linear("shared_expert_gate", config.HiddenSize, 1, bias: false, config.Init);

        public Tensor Forward(Tensor x, Pass pass) => _experts.Forward(x, pass)
            .Add(_shared.Forward(x, pass).ScaleRows(_gate.Forward(x, pass).Activate(Activation.Sigmoid)));
    }
}
