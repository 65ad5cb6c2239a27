using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

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
    int? BosTokenId = null, TokenIds? EosTokenId = null)
    : LlamaStyleConfig(
        VocabSize, HiddenSize, IntermediateSize, NumHiddenLayers, NumAttentionHeads, NumKeyValueHeads, HeadDim, MaxPositionEmbeddings,
        RmsNormEps, RopeTheta, RopeScaling, TieWordEmbeddings, InitializerRange, BosTokenId, EosTokenId)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Olmo2ForCausalLM";

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);
}

/// <inheritdoc cref="Olmo2Config"/>
public sealed class Olmo2 : LlamaStyleDecoder
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Olmo2(Olmo2Config config, Scope scope)
        : base(config, scope, (layer, rotary, place) => new Block(config, layer, rotary, place))
    {
    }

    private static SelfAttention Attention(Olmo2Config config, int layer, RotaryEmbedding rotary, Scope place) =>
        new(layer, Projections(config, place, config.AttentionBias), Output(config, place, config.AttentionBias), Causal(config))
        {
            Rotary = rotary,
            Dropout = config.AttentionDropout,
            QueryNorm = place.RmsNorm("q_norm", config.NumAttentionHeads * config.HeadWidth, config.RmsNormEps),
            KeyNorm = place.RmsNorm("k_norm", config.KeyValueHeads * config.HeadWidth, config.RmsNormEps),
        };

    // x + norm(attention(x)), then x + norm(mlp(x)).
    private sealed class Block(Olmo2Config config, int layer, RotaryEmbedding rotary, Scope place) : IBlock
    {
        private readonly SelfAttention _attention = Attention(config, layer, rotary, place["self_attn"]);
        private readonly RmsNorm _attentionNorm = place.RmsNorm("post_attention_layernorm", config.HiddenSize, config.RmsNormEps);
        private readonly GatedMlp _mlp = FeedForward(config, place["mlp"]);
        private readonly RmsNorm _mlpNorm = place.RmsNorm("post_feedforward_layernorm", config.HiddenSize, config.RmsNormEps);

        public Tensor Forward(Tensor x, Pass pass)
        {
            x = x.Add(_attentionNorm.Forward(_attention.Forward(x, pass)));
            return x.Add(_mlpNorm.Forward(_mlp.Forward(x, pass)));
        }
    }
}
