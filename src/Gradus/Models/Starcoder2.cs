using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// StarCoder2 (Lozhkov et al., "StarCoder 2 and The Stack v2", 2024): pre-norm blocks with layer norm and biases, grouped-query attention
/// that reaches back a limited number of tokens, rotary positions. Tensor names of Hugging Face's Starcoder2ForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward layer.</param>
/// <param name="NormEpsilon">ε of the norms.</param>
/// <param name="SlidingWindow">Tokens that a token sees, itself included; all where null.</param>
/// <param name="ResidualDropout">Dropout of what is added to the residual stream, in [0, 1).</param>
/// <param name="EmbeddingDropout">Dropout of the embeddings, in [0, 1).</param>
/// <param name="UseBias">Whether the linear layers have biases.</param>
public sealed record Starcoder2Config(
    int VocabSize = 49152,
    int HiddenSize = 3072,
    int IntermediateSize = 12288,
    int NumHiddenLayers = 30,
    int NumAttentionHeads = 24,
    int? NumKeyValueHeads = 2,
    string HiddenAct = "gelu_pytorch_tanh",
    int MaxPositionEmbeddings = 4096,
    float InitializerRange = 0.018042f,
    float NormEpsilon = 1e-5f,
    double RopeTheta = 10000,
    RopeScaling? RopeScaling = null,
    int? SlidingWindow = null,
    float ResidualDropout = 0,
    float EmbeddingDropout = 0,
    bool UseBias = true,
    bool TieWordEmbeddings = true,
    int? BosTokenId = 50256,
    TokenIds? EosTokenId = null,
    int? HeadDim = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Starcoder2ForCausalLM";

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["k_proj", "v_proj", "c_proj"])
    {
        Residuals =
        [
            new ResidualSite("self_attn.o_proj", "attention_adapters", BlockPart.Attention),
            new ResidualSite("mlp.c_proj", "output_adapters", BlockPart.FeedForward),
        ],
    };

    internal override LanguageModel Build(Scope scope) => new Starcoder2(this, scope);
}

/// <inheritdoc cref="Starcoder2Config"/>
public sealed class Starcoder2 : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Starcoder2(Starcoder2Config config, Scope scope)
        : base(
            config,
            scope,
            (i, rotary, layer) => Block(config, i, rotary, layer),
            body => body.LayerNorm("norm", config.HiddenSize, config.NormEpsilon))
    {
        EmbeddingDropout = config.EmbeddingDropout;
    }

    // x + attention(norm(x)), then x + mlp(norm(x)).
    private static PreNormBlock Block(Starcoder2Config config, int layer, RotaryEmbedding rotary, Scope scope) => new(
        scope.LayerNorm("input_layernorm", config.HiddenSize, config.NormEpsilon),
        Attention(config, layer, rotary, scope["self_attn"]),
        scope.LayerNorm("post_attention_layernorm", config.HiddenSize, config.NormEpsilon),
        new Mlp(
            scope["mlp"].Linear("c_fc", config.HiddenSize, config.IntermediateSize, config.UseBias, config.Init),
            scope["mlp"].Linear("c_proj", config.IntermediateSize, config.HiddenSize, config.UseBias, config.Init),
            config.Activation),
        config.ResidualDropout);

    private static SelfAttention Attention(Starcoder2Config config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        int c = config.HiddenSize, heads = config.NumAttentionHeads, d = config.HeadWidth;
        return new SelfAttention(
            layer,
            new SeparateProjections(scope, c, heads, config.KeyValueHeads, d, config.UseBias, config.Init),
            scope.Linear("o_proj", heads * d, c, config.UseBias, config.Init),
            new AttentionOptions(1f / MathF.Sqrt(d), Causal: true, config.SlidingWindow ?? 0))
        {
            Rotary = rotary,
            Dropout = config.AttentionDropout,
        };
    }
}
