using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// Qwen2 and Qwen2.5 (Yang et al., "Qwen2 Technical Report", 2024): Llama's blocks with biases on queries, keys and values. Tensor names
/// of Hugging Face's Qwen2ForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward gate.</param>
/// <param name="UseSlidingWindow">Whether some layers' attention reaches back a limited number of tokens.</param>
/// <param name="SlidingWindow">Tokens that a token sees there, itself included.</param>
/// <param name="MaxWindowLayers">The first layers, whose attention reaches back to the beginning all the same.</param>
/// <param name="LayerTypes">How far each layer's attention reaches; by the number above where null.</param>
public sealed record Qwen2Config(
    int VocabSize = 151936, int HiddenSize = 4096, int IntermediateSize = 22016, int NumHiddenLayers = 32,
    int NumAttentionHeads = 32, int? NumKeyValueHeads = 32, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 32768, float RmsNormEps = 1e-6f, double RopeTheta = 10000, RopeScaling? RopeScaling = null,
    bool UseSlidingWindow = false, int? SlidingWindow = 4096, int MaxWindowLayers = 28, IReadOnlyList<LayerType>? LayerTypes = null,
    bool TieWordEmbeddings = false, float InitializerRange = 0.02f, int? BosTokenId = null, TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Qwen2ForCausalLM";

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

    internal override LanguageModel Build(Scope scope) => new Qwen2(this, scope);
}

/// <inheritdoc cref="Qwen2Config"/>
public sealed class Qwen2 : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Qwen2(Qwen2Config config, Scope scope)
        : base(config, scope, (i, rotary, layer) => Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps))
    {
    }

    private static PreNormBlock Block(Qwen2Config config, int layer, RotaryEmbedding rotary, Scope scope) => PreNorm(
        config.HiddenSize, config.RmsNormEps, scope,
        Attention(config, layer, rotary, scope["self_attn"], Causal(config, config.Window(layer)), bias: true),
        FeedForward(config, scope["mlp"]));
}
