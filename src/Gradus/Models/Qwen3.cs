using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// Qwen3 (Yang et al., "Qwen3 Technical Report", 2025): Llama's blocks with a norm of every query and key head. Tensor names of Hugging
/// Face's Qwen3ForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward gate.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
/// <param name="UseSlidingWindow">Whether some layers' attention reaches back a limited number of tokens.</param>
/// <param name="SlidingWindow">Tokens that a token sees there, itself included.</param>
/// <param name="MaxWindowLayers">The first layers, whose attention reaches back to the beginning all the same.</param>
/// <param name="LayerTypes">How far each layer's attention reaches; by the number above where null.</param>
public sealed record Qwen3Config(
    int VocabSize = 151936, int HiddenSize = 4096, int IntermediateSize = 22016, int NumHiddenLayers = 32,
    int NumAttentionHeads = 32, int? NumKeyValueHeads = 32, int? HeadDim = 128, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 32768, float RmsNormEps = 1e-6f, double RopeTheta = 10000, RopeScaling? RopeScaling = null,
    bool AttentionBias = false, bool UseSlidingWindow = false, int? SlidingWindow = 4096, int MaxWindowLayers = 28,
    IReadOnlyList<LayerType>? LayerTypes = null, bool TieWordEmbeddings = false, float InitializerRange = 0.02f,
    int? BosTokenId = null, TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Qwen3ForCausalLM";

    private protected override bool NeedsHeadDim => true;

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        [.. base.Validate(validationContext), .. HasTypes(nameof(LayerTypes), LayerTypes)];

    internal int? Window(int layer) => UseSlidingWindow && Slides(LayerTypes, layer, layer >= MaxWindowLayers) ? SlidingWindow : null;

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["q_proj", "v_proj", "down_proj"])
    {
        Residuals =
        [
            new ResidualSite("self_attn.o_proj", "attention_adapters", BlockPart.Attention),
            new ResidualSite("mlp.down_proj", "output_adapters", BlockPart.FeedForward),
        ],
    };

    internal override LanguageModel Build(Scope scope) => new Qwen3(this, scope);
}

/// <inheritdoc cref="Qwen3Config"/>
public sealed class Qwen3 : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Qwen3(Qwen3Config config, Scope scope)
        : base(config, scope, (i, rotary, layer) => Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps))
    {
    }

    private static PreNormBlock Block(Qwen3Config config, int layer, RotaryEmbedding rotary, Scope scope) => PreNorm(
        config.HiddenSize, config.RmsNormEps, scope,
        Attention(
            config, layer, rotary, scope["self_attn"], Causal(config, config.Window(layer)), config.AttentionBias, config.AttentionBias,
            (name, _) => scope["self_attn"].RmsNorm(name, config.HeadWidth, config.RmsNormEps)),
        FeedForward(config, scope["mlp"]));
}
