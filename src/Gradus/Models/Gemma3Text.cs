using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// The text model of Gemma 3 (Kamath et al., "Gemma 3 Technical Report", 2025): Gemma 2 with norms of query and key heads, five layers of
/// limited reach to each one without limit, and a rotary base for either kind. Tensor names of Hugging Face's Gemma3ForCausalLM.
/// Left out: images, and the bidirectional attention of EmbeddingGemma.
/// </summary>
/// <param name="HiddenActivation">Activation of the feed-forward gate.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
/// <param name="QueryPreAttnScalar">Scores are divided by the root of this.</param>
/// <param name="SlidingWindow">Tokens that a token sees in some layers, itself included.</param>
/// <param name="LayerTypes">How far each layer's attention reaches; by the pattern where null.</param>
/// <param name="SlidingWindowPattern">Every so manyth layer reaches back to the beginning.</param>
/// <param name="RopeLocalBaseFreq">Base of the rotary frequencies in layers of limited reach; <c>rope_theta</c> and <c>rope_scaling</c> are for the others.</param>
/// <param name="FinalLogitSoftcapping">Cap of the output scores, or null.</param>
/// <param name="AttnLogitSoftcapping">Kept for other programs: transformers has the key for this model, but does not cap its attention scores.</param>
/// <param name="UseBidirectionalAttention">Whether tokens see those behind them; not supported.</param>
[FormerName("sliding_window_pattern", "_sliding_window_pattern")]
public sealed record Gemma3TextConfig(
    int VocabSize = 262208, int HiddenSize = 2304, int IntermediateSize = 9216, int NumHiddenLayers = 26,
    int NumAttentionHeads = 8, int? NumKeyValueHeads = 4, int? HeadDim = 256, string HiddenActivation = "gelu_pytorch_tanh",
    int MaxPositionEmbeddings = 131072, float RmsNormEps = 1e-6f, double RopeTheta = 1e6, RopeScaling? RopeScaling = null,
    bool AttentionBias = false, float QueryPreAttnScalar = 256, int? SlidingWindow = 4096, IReadOnlyList<LayerType>? LayerTypes = null,
    int SlidingWindowPattern = 6, double RopeLocalBaseFreq = 10000, float? FinalLogitSoftcapping = null, float? AttnLogitSoftcapping = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool UseBidirectionalAttention = false,
    bool TieWordEmbeddings = true, float InitializerRange = 0.02f, int? BosTokenId = 2, TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Gemma3ForCausalLM";

    private protected override bool NeedsHeadDim => true;

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenActivation), HiddenActivation);

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. base.Validate(validationContext),
        .. HasTypes(nameof(LayerTypes), LayerTypes),
        .. new[]
        {
            AtLeast(nameof(SlidingWindowPattern), SlidingWindowPattern, 1),
            UseBidirectionalAttention ? new ValidationResult("attention in both directions is not supported", [nameof(UseBidirectionalAttention)]) : null,
        }.OfType<ValidationResult>(),
    ];

    internal bool IsLocal(int layer) => Slides(LayerTypes, layer, (layer + 1) % SlidingWindowPattern != 0);

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["q_proj", "v_proj", "down_proj"]);

    internal override LanguageModel Build(Scope scope) => new Gemma3Text(this, scope);
}

/// <inheritdoc cref="Gemma3TextConfig"/>
public sealed class Gemma3Text : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Gemma3Text(Gemma3TextConfig config, Scope scope)
        : this(config, scope, RopeScaling.Rotary(scope.Parts.Store, config.HeadWidth, config.RopeLocalBaseFreq, config.MaxPositionEmbeddings, scaling: null))
    {
    }

    private Gemma3Text(Gemma3TextConfig config, Scope scope, RotaryEmbedding local)
        : base(
            config,
            scope,
            (i, rotary, layer) => Block(config, i, config.IsLocal(i) ? local : rotary, layer),
            body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps, offset: 1))
    {
        EmbeddingScale = MathF.Sqrt(config.HiddenSize);
        LogitSoftCap = config.FinalLogitSoftcapping ?? 0;
    }

    private static SandwichBlock Block(Gemma3TextConfig config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        AttentionOptions options = new(1f / MathF.Sqrt(config.QueryPreAttnScalar), Causal: true, config.IsLocal(layer) ? config.SlidingWindow ?? 0 : 0);
        return Sandwich(
            config.HiddenSize, config.RmsNormEps, scope,
            Attention(config, layer, rotary, scope["self_attn"], options, config.AttentionBias, config.AttentionBias, Norm),
            FeedForward(config, scope["mlp"]),
            normOffset: 1);

        INorm Norm(string name, int heads) => scope["self_attn"].RmsNorm(name, config.HeadWidth, config.RmsNormEps, offset: 1);
    }
}
