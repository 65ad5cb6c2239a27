using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// OLMo 2 (Walsh et al., "2 OLMo 2 Furious", 2025): Llama's layers with the norms behind attention and feed-forward layer rather than
/// before them, and norms of all queries and all keys. Tensor names of Hugging Face's Olmo2ForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward gate.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
public sealed record Olmo2Config(
    int VocabSize = 50304, int HiddenSize = 4096, int IntermediateSize = 11008, int NumHiddenLayers = 32,
    int NumAttentionHeads = 32, int? NumKeyValueHeads = null, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 2048, float RmsNormEps = 1e-5f, double RopeTheta = 10000, RopeScaling? RopeScaling = null,
    bool AttentionBias = false, bool TieWordEmbeddings = false, float InitializerRange = 0.02f,
    int? BosTokenId = null, TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Olmo2ForCausalLM";

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["k_proj", "v_proj", "down_proj"]);

    internal override LanguageModel Build(Scope scope) => new Olmo2(this, scope);
}

/// <inheritdoc cref="Olmo2Config"/>
public sealed class Olmo2 : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Olmo2(Olmo2Config config, Scope scope)
        : base(config, scope, (i, rotary, layer) => new Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps))
    {
    }

    // x + norm(attention(x)), then x + norm(mlp(x)).
    private sealed class Block(Olmo2Config config, int layer, RotaryEmbedding rotary, Scope scope) : IBlock
    {
        private readonly SelfAttention _attention = Attention(
            config, layer, rotary, scope["self_attn"], Causal(config), config.AttentionBias, config.AttentionBias,
            (name, heads) => scope["self_attn"].RmsNorm(name, heads * config.HeadWidth, config.RmsNormEps));

        private readonly RmsNorm _attentionNorm = scope.RmsNorm("post_attention_layernorm", config.HiddenSize, config.RmsNormEps);
        private readonly GatedMlp _mlp = FeedForward(config, scope["mlp"]);
        private readonly RmsNorm _mlpNorm = scope.RmsNorm("post_feedforward_layernorm", config.HiddenSize, config.RmsNormEps);

        public Tensor Forward(Tensor x, Pass pass)
        {
            x = x.Add(_attentionNorm.Forward(_attention.Forward(x, pass)));
            return x.Add(_mlpNorm.Forward(_mlp.Forward(x, pass)));
        }
    }
}
