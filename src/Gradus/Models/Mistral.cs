using System.Text.Json.Serialization;
using Gradus.Nn;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// Mistral (Jiang et al., "Mistral 7B", 2023): Llama's blocks, whose attention reaches back a limited number of tokens. Tensor names of
/// Hugging Face's MistralForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward gate.</param>
/// <param name="SlidingWindow">Tokens that a token sees, itself included; all where null.</param>
public sealed record MistralConfig(
    int VocabSize = 32000, int HiddenSize = 4096, int IntermediateSize = 14336, int NumHiddenLayers = 32,
    int NumAttentionHeads = 32, int? NumKeyValueHeads = 8, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 131072, float RmsNormEps = 1e-6f, double RopeTheta = 10000, RopeScaling? RopeScaling = null,
    int? SlidingWindow = 4096, bool TieWordEmbeddings = false, float InitializerRange = 0.02f,
    int? BosTokenId = 1, TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "MistralForCausalLM";

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

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

    internal override LanguageModel Build(Scope scope) => new Mistral(this, scope);
}

/// <inheritdoc cref="MistralConfig"/>
public sealed class Mistral : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Mistral(MistralConfig config, Scope scope)
        : base(config, scope, (i, rotary, layer) => Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps))
    {
    }

    private static PreNormBlock Block(MistralConfig config, int layer, RotaryEmbedding rotary, Scope scope) => PreNorm(
        config.HiddenSize, config.RmsNormEps, scope,
        Attention(config, layer, rotary, scope["self_attn"], Causal(config, config.SlidingWindow)),
        FeedForward(config, scope["mlp"]));
}
