using System.Text.Json.Serialization;
using Gradus.Nn;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// Gemma (Mesnard et al., "Gemma: Open Models Based on Gemini Research and Technology", 2024): Llama's blocks with embeddings scaled by
/// √C, norms that store w − 1, and a GeGLU feed-forward layer. Tensor names of Hugging Face's GemmaForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward gate, where the next is null.</param>
/// <param name="HiddenActivation">Activation of the feed-forward gate.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
[OnlyUsual("use_bidirectional_attention", "false")]
public sealed record GemmaConfig(
    int VocabSize = 256000, int HiddenSize = 3072, int IntermediateSize = 24576, int NumHiddenLayers = 28,
    int NumAttentionHeads = 16, int? NumKeyValueHeads = 16, int? HeadDim = 256, string HiddenAct = "gelu_pytorch_tanh",
    string? HiddenActivation = null, int MaxPositionEmbeddings = 8192, float RmsNormEps = 1e-6f, double RopeTheta = 10000,
    RopeScaling? RopeScaling = null, bool AttentionBias = false, bool TieWordEmbeddings = true, float InitializerRange = 0.02f,
    int? BosTokenId = 2, TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "GemmaForCausalLM";

    private protected override bool NeedsHeadDim => true;

    // The first files say "gelu", but the models were trained with the tanh form, which transformers therefore used for them.
    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenActivation ?? (HiddenAct == "gelu" ? "gelu_pytorch_tanh" : HiddenAct));

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

    internal override LanguageModel Build(Scope scope) => new Gemma(this, scope);
}

/// <inheritdoc cref="GemmaConfig"/>
public sealed class Gemma : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Gemma(GemmaConfig config, Scope scope)
        : base(config, scope, (i, rotary, layer) => Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps, offset: 1))
    {
        EmbeddingScale = MathF.Sqrt(config.HiddenSize);
    }

    private static PreNormBlock Block(GemmaConfig config, int layer, RotaryEmbedding rotary, Scope scope) => PreNorm(
        config.HiddenSize, config.RmsNormEps, scope,
        Attention(config, layer, rotary, scope["self_attn"], Causal(config), config.AttentionBias, config.AttentionBias),
        FeedForward(config, scope["mlp"]),
        normOffset: 1);
}
