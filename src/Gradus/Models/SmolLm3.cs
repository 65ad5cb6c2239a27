using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// SmolLM3 (Bakouch et al., "SmolLM3: smol, multilingual, long-context reasoner", 2025): Llama's blocks, some of them without positions
/// (Yang et al., "RoPE to NoPE and Back Again", 2025). Tensor names of Hugging Face's SmolLM3ForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward gate.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
/// <param name="MlpBias">Whether the feed-forward projections have biases.</param>
/// <param name="NoRopeLayers">For each layer 1 where it has rotary positions, 0 where it has none; by the interval where null.</param>
/// <param name="NoRopeLayerInterval">Every so manyth layer has no positions.</param>
/// <param name="UseSlidingWindow">Whether some layers' attention reaches back a limited number of tokens.</param>
/// <param name="SlidingWindow">Tokens that a token sees there, itself included.</param>
/// <param name="LayerTypes">How far each layer's attention reaches; where null, it is limited in layers without positions.</param>
public sealed record SmolLm3Config(
    int VocabSize = 128256, int HiddenSize = 2048, int IntermediateSize = 11008, int NumHiddenLayers = 36,
    int NumAttentionHeads = 16, int? NumKeyValueHeads = 4, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 32768, float RmsNormEps = 1e-6f, double RopeTheta = 2e6, RopeScaling? RopeScaling = null,
    bool AttentionBias = false, bool MlpBias = false, IReadOnlyList<int>? NoRopeLayers = null, int NoRopeLayerInterval = 4,
    bool UseSlidingWindow = false, int? SlidingWindow = null, IReadOnlyList<LayerType>? LayerTypes = null,
    bool TieWordEmbeddings = true, float InitializerRange = 0.02f, int? BosTokenId = 128000, TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "SmolLM3ForCausalLM";

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. base.Validate(validationContext),
        .. HasTypes(nameof(LayerTypes), LayerTypes),
        .. HasLayers(nameof(NoRopeLayers), NoRopeLayers?.Count),
        .. new[] { AtLeast(nameof(NoRopeLayerInterval), NoRopeLayerInterval, 1) }.OfType<ValidationResult>(),
    ];

    internal bool HasPositions(int layer) => NoRopeLayers is null ? (layer + 1) % NoRopeLayerInterval != 0 : NoRopeLayers[layer] != 0;

    internal int? Window(int layer) => UseSlidingWindow && Slides(LayerTypes, layer, !HasPositions(layer)) ? SlidingWindow : null;

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["k_proj", "v_proj", "down_proj"])
    {
        Residuals =
        [
            new ResidualSite("self_attn.o_proj", "attention_adapters", BlockPart.Attention),
            new ResidualSite("mlp.down_proj", "output_adapters", BlockPart.FeedForward),
        ],
    };

    internal override LanguageModel Build(Scope scope) => new SmolLm3(this, scope);
}

/// <inheritdoc cref="SmolLm3Config"/>
public sealed class SmolLm3 : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public SmolLm3(SmolLm3Config config, Scope scope)
        : base(config, scope, (i, rotary, layer) => Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps))
    {
    }

    private static PreNormBlock Block(SmolLm3Config config, int layer, RotaryEmbedding rotary, Scope scope) => PreNorm(
        config.HiddenSize, config.RmsNormEps, scope,
        Attention(
            config, layer, config.HasPositions(layer) ? rotary : null, scope["self_attn"], Causal(config, config.Window(layer)),
            config.AttentionBias, config.AttentionBias),
        FeedForward(config, scope["mlp"], config.MlpBias));
}
