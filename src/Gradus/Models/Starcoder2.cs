using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// StarCoder2 (Lozhkov et al., "StarCoder 2 and The Stack v2", 2024): pre-norm blocks with layer norm and biases, grouped-query attention
/// that reaches back a limited number of tokens, rotary positions. Tensor names of Hugging Face's Starcoder2ForCausalLM.
/// </summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="HiddenSize">Width C.</param>
/// <param name="IntermediateSize">Width of the feed-forward layer.</param>
/// <param name="NumHiddenLayers">Blocks.</param>
/// <param name="NumAttentionHeads">Query heads H; divides the width.</param>
/// <param name="NumKeyValueHeads">Key/value heads, dividing H; H where null.</param>
/// <param name="HiddenAct">Activation of the feed-forward layer.</param>
/// <param name="MaxPositionEmbeddings">Longest sequence, in tokens.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
/// <param name="NormEpsilon">ε of the norms.</param>
/// <param name="RopeTheta">Base of the rotary frequencies.</param>
/// <param name="RopeScaling">Change of the rotary frequencies for long contexts, or null.</param>
/// <param name="SlidingWindow">Tokens that a token sees, itself included; all where null.</param>
/// <param name="ResidualDropout">Dropout of what is added to the residual stream, in [0, 1).</param>
/// <param name="EmbeddingDropout">Dropout of the embeddings, in [0, 1).</param>
/// <param name="UseBias">Whether the linear layers have biases.</param>
/// <param name="TieWordEmbeddings">Whether the head uses the token table.</param>
/// <param name="BosTokenId">Token that begins a text.</param>
/// <param name="EosTokenId">Token that ends a text, or several.</param>
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
    TokenIds? EosTokenId = null) : ModelConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => MaxPositionEmbeddings;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Starcoder2ForCausalLM";

    internal Init Init => Init.Normal(InitializerRange);

    internal int KeyValueHeads => NumKeyValueHeads ?? NumAttentionHeads;

    internal int HeadWidth => HiddenSize / NumAttentionHeads;

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => new[]
    {
        AtLeast(nameof(VocabSize), VocabSize, 1),
        AtLeast(nameof(HiddenSize), HiddenSize, 1),
        AtLeast(nameof(IntermediateSize), IntermediateSize, 1),
        AtLeast(nameof(NumHiddenLayers), NumHiddenLayers, 0),
        AtLeast(nameof(NumAttentionHeads), NumAttentionHeads, 1),
        AtLeast(nameof(NumKeyValueHeads), NumKeyValueHeads ?? 1, 1),
        AtLeast(nameof(MaxPositionEmbeddings), MaxPositionEmbeddings, 1),
        Divides(nameof(NumAttentionHeads), NumAttentionHeads, HiddenSize, "hidden_size"),
        Divides(nameof(NumKeyValueHeads), NumKeyValueHeads ?? 1, NumAttentionHeads, "num_attention_heads"),
        Knows(nameof(HiddenAct), HiddenAct),
        NumAttentionHeads < 1 ? null : Rotates(nameof(NumAttentionHeads), HeadWidth, HeadWidth),
        NumAttentionHeads < 1 ? null : Scales(nameof(RopeScaling), RopeScaling, HeadWidth),
    }.OfType<ValidationResult>();
}

/// <inheritdoc cref="Starcoder2Config"/>
public sealed class Starcoder2 : StackedDecoder
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Starcoder2(Starcoder2Config config, Scope scope)
        : base(config, scope, Build(config, scope))
    {
        EmbeddingDropout = config.EmbeddingDropout;
        ShortLimit = config.RopeScaling?.ShortLimit(config.MaxPositionEmbeddings);
    }

    /// <inheritdoc/>
    public override int? ShortLimit { get; }

    private static DecoderStack Build(Starcoder2Config config, Scope scope)
    {
        Scope body = scope["model"];
        RotaryEmbedding rotary = RopeScaling.Rotary(
            scope.Parts.Store, config.HeadWidth, config.RopeTheta, config.MaxPositionEmbeddings, config.RopeScaling);
        Embedding tokens = body.Embedding("embed_tokens", config.VocabSize, config.HiddenSize, config.Init);
        return new DecoderStack(
            tokens,
            Repeat(config.NumHiddenLayers, body["layers"], (i, place) => Block(config, i, rotary, place)),
            body.LayerNorm("norm", config.HiddenSize, config.NormEpsilon),
            config.TieWordEmbeddings
                ? scope.TiedLinear("lm_head", tokens.Table)
                : scope.Linear("lm_head", config.HiddenSize, config.VocabSize, bias: false, config.Init),
            config.KeyValueHeads,
            config.HeadWidth);
    }

    // x + attention(norm(x)), then x + mlp(norm(x)).
    private static PreNormBlock Block(Starcoder2Config config, int layer, RotaryEmbedding rotary, Scope place) => new(
        place.LayerNorm("input_layernorm", config.HiddenSize, config.NormEpsilon),
        Attention(config, layer, rotary, place["self_attn"]),
        place.LayerNorm("post_attention_layernorm", config.HiddenSize, config.NormEpsilon),
        new Mlp(
            place["mlp"].Linear("c_fc", config.HiddenSize, config.IntermediateSize, config.UseBias, config.Init),
            place["mlp"].Linear("c_proj", config.IntermediateSize, config.HiddenSize, config.UseBias, config.Init),
            Activations.Parse(config.HiddenAct)),
        config.ResidualDropout);

    private static SelfAttention Attention(Starcoder2Config config, int layer, RotaryEmbedding rotary, Scope place)
    {
        int c = config.HiddenSize, heads = config.NumAttentionHeads, d = config.HeadWidth;
        return new SelfAttention(
            layer,
            new SeparateProjections(place, c, heads, config.KeyValueHeads, d, config.UseBias, config.Init),
            place.Linear("o_proj", heads * d, c, config.UseBias, config.Init),
            new AttentionOptions(1f / MathF.Sqrt(d), Causal: true, config.SlidingWindow ?? 0))
        {
            Rotary = rotary,
        };
    }
}
