using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// Gemma 2 (Rivière et al., "Gemma 2: Improving Open Language Models at a Practical Size", 2024): Gemma with norms on both sides of
/// attention and feed-forward layer, soft caps of attention and output scores, and attention that reaches back a limited number of
/// tokens in every other layer. Tensor names of Hugging Face's Gemma2ForCausalLM.
/// </summary>
/// <param name="HiddenActivation">Activation of the feed-forward gate.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
/// <param name="QueryPreAttnScalar">Scores are divided by the root of this.</param>
/// <param name="SlidingWindow">Tokens that a token sees in some layers, itself included.</param>
/// <param name="LayerTypes">How far each layer's attention reaches; where null it is limited in the first, third, … layer.</param>
/// <param name="FinalLogitSoftcapping">Cap of the output scores, or null.</param>
/// <param name="AttnLogitSoftcapping">Cap of the attention scores, or null.</param>
[OnlyUsual("use_bidirectional_attention", "false")]
public sealed record Gemma2Config(
    int VocabSize = 256000, int HiddenSize = 2304, int IntermediateSize = 9216, int NumHiddenLayers = 26,
    int NumAttentionHeads = 8, int? NumKeyValueHeads = 4, int? HeadDim = 256, string HiddenActivation = "gelu_pytorch_tanh",
    int MaxPositionEmbeddings = 8192, float RmsNormEps = 1e-6f, double RopeTheta = 10000, RopeScaling? RopeScaling = null,
    bool AttentionBias = false, float QueryPreAttnScalar = 256, int? SlidingWindow = 4096, IReadOnlyList<LayerType>? LayerTypes = null,
    float? FinalLogitSoftcapping = 30, float? AttnLogitSoftcapping = 50, bool TieWordEmbeddings = true, float InitializerRange = 0.02f,
    int? BosTokenId = 2, TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Gemma2ForCausalLM";

    private protected override bool NeedsHeadDim => true;

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenActivation), HiddenActivation);

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        [.. base.Validate(validationContext), .. HasTypes(nameof(LayerTypes), LayerTypes)];

    internal int? Window(int layer) => Slides(LayerTypes, layer, layer % 2 == 0) ? SlidingWindow : null;

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["q_proj", "v_proj", "down_proj"]);

    internal override LanguageModel Build(Scope scope) => new Gemma2(this, scope);
}

/// <inheritdoc cref="Gemma2Config"/>
public sealed class Gemma2 : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Gemma2(Gemma2Config config, Scope scope)
        : base(config, scope, (i, rotary, layer) => Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps, offset: 1))
    {
        EmbeddingScale = MathF.Sqrt(config.HiddenSize);
        LogitSoftCap = config.FinalLogitSoftcapping ?? 0;
    }

    private static SandwichBlock Block(Gemma2Config config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        AttentionOptions options = new(1f / MathF.Sqrt(config.QueryPreAttnScalar), Causal: true, config.Window(layer) ?? 0, config.AttnLogitSoftcapping ?? 0);
        return Sandwich(
            config.HiddenSize, config.RmsNormEps, scope,
            Attention(config, layer, rotary, scope["self_attn"], options, config.AttentionBias, config.AttentionBias),
            FeedForward(config, scope["mlp"]),
            normOffset: 1);
    }
}
