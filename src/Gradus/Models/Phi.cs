using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Phi-1, Phi-1.5 and Phi-2 (Gunasekar et al., "Textbooks Are All You Need", 2023): attention and feed-forward layer side by side behind
/// one norm, rotary positions of a part of each head, a head with a bias. Tensor names of Hugging Face's PhiForCausalLM.
/// </summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="HiddenSize">Width C.</param>
/// <param name="IntermediateSize">Width of the feed-forward layer.</param>
/// <param name="NumHiddenLayers">Blocks.</param>
/// <param name="NumAttentionHeads">Query heads H; divides the width.</param>
/// <param name="NumKeyValueHeads">Key/value heads, dividing H; H where null.</param>
/// <param name="ResidPdrop">Dropout of what is added to the residual stream, in [0, 1).</param>
/// <param name="EmbdPdrop">Dropout of the embeddings, in [0, 1).</param>
/// <param name="HiddenAct">Activation of the feed-forward layer.</param>
/// <param name="MaxPositionEmbeddings">Longest sequence, in tokens.</param>
/// <param name="LayerNormEps">ε of the norms.</param>
/// <param name="RopeTheta">Base of the rotary frequencies.</param>
/// <param name="RopeScaling">Change of the rotary frequencies for long contexts, or null.</param>
/// <param name="PartialRotaryFactor">The share of a head's values that are turned, in (0, 1].</param>
/// <param name="QkLayernorm">Whether every query and key head is normalized.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
/// <param name="TieWordEmbeddings">Whether the head uses the token table.</param>
/// <param name="BosTokenId">Token that begins a text.</param>
/// <param name="EosTokenId">Token that ends a text, or several.</param>
public sealed record PhiConfig(
    int VocabSize = 51200,
    int HiddenSize = 2048,
    int IntermediateSize = 8192,
    int NumHiddenLayers = 24,
    int NumAttentionHeads = 32,
    int? NumKeyValueHeads = null,
    float ResidPdrop = 0,
    float EmbdPdrop = 0,
    string HiddenAct = "gelu_new",
    int MaxPositionEmbeddings = 2048,
    float LayerNormEps = 1e-5f,
    double RopeTheta = 10000,
    RopeScaling? RopeScaling = null,
    double PartialRotaryFactor = 0.5,
    bool QkLayernorm = false,
    float InitializerRange = 0.02f,
    bool TieWordEmbeddings = false,
    int? BosTokenId = 1,
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
    public override string ArchitectureClass => "PhiForCausalLM";

    internal Init Init => Init.Normal(InitializerRange);

    internal int KeyValueHeads => NumKeyValueHeads ?? NumAttentionHeads;

    internal int HeadWidth => HiddenSize / NumAttentionHeads;

    internal int RotaryWidth => (int)(HeadWidth * PartialRotaryFactor);

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
        NumAttentionHeads < 1 ? null : Rotates(nameof(PartialRotaryFactor), RotaryWidth, HeadWidth),
        NumAttentionHeads < 1 ? null : Scales(nameof(RopeScaling), RopeScaling, RotaryWidth),
    }.OfType<ValidationResult>();
}

/// <inheritdoc cref="PhiConfig"/>
public sealed class Phi : StackedDecoder
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Phi(PhiConfig config, Scope scope)
        : base(config, scope, Build(config, scope))
    {
        EmbeddingDropout = config.EmbdPdrop;
        ShortLimit = config.RopeScaling?.ShortLimit(config.MaxPositionEmbeddings);
    }

    /// <inheritdoc/>
    public override int? ShortLimit { get; }

    private static DecoderStack Build(PhiConfig config, Scope scope)
    {
        Scope body = scope["model"];
        RotaryEmbedding rotary = RopeScaling.Rotary(
            scope.Parts.Store, config.RotaryWidth, config.RopeTheta, config.MaxPositionEmbeddings, config.RopeScaling);
        Embedding tokens = body.Embedding("embed_tokens", config.VocabSize, config.HiddenSize, config.Init);
        return new DecoderStack(
            tokens,
            Repeat(config.NumHiddenLayers, body["layers"], (i, place) => Block(config, i, rotary, place)),
            body.LayerNorm("final_layernorm", config.HiddenSize, config.LayerNormEps),
            scope.OutputLinear(
                "lm_head", config.HiddenSize, scope.Parameter("lm_head.bias", new Shape(config.VocabSize), Init.Zeros), config.TieWordEmbeddings ? tokens.Table : null, config.Init),
            config.KeyValueHeads,
            config.HeadWidth);
    }

    // x + attention(norm(x)) + mlp(norm(x)).
    private static ParallelBlock Block(PhiConfig config, int layer, RotaryEmbedding rotary, Scope place)
    {
        LayerNorm norm = place.LayerNorm("input_layernorm", config.HiddenSize, config.LayerNormEps);
        Mlp mlp = new(
            place["mlp"].Linear("fc1", config.HiddenSize, config.IntermediateSize, bias: true, config.Init),
            place["mlp"].Linear("fc2", config.IntermediateSize, config.HiddenSize, bias: true, config.Init),
            Activations.Parse(config.HiddenAct));
        return new ParallelBlock(norm, Attention(config, layer, rotary, place["self_attn"]), norm, mlp, config.ResidPdrop);
    }

    private static SelfAttention Attention(PhiConfig config, int layer, RotaryEmbedding rotary, Scope place)
    {
        int c = config.HiddenSize, heads = config.NumAttentionHeads, d = config.HeadWidth;
        return new SelfAttention(
            layer,
            new SeparateProjections(place, c, heads, config.KeyValueHeads, d, bias: true, config.Init),
            place.Linear("dense", heads * d, c, bias: true, config.Init),
            new AttentionOptions(1f / MathF.Sqrt(d), Causal: true))
        {
            Rotary = rotary,
            QueryNorm = config.QkLayernorm ? place.LayerNorm("q_layernorm", d, config.LayerNormEps) : null,
            KeyNorm = config.QkLayernorm ? place.LayerNorm("k_layernorm", d, config.LayerNormEps) : null,
        };
    }
}
