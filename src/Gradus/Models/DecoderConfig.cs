using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>The hyperparameters that decoders have in common under the same names.</summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="TieWordEmbeddings">Whether the head uses the token table.</param>
/// <param name="BosTokenId">Token that begins a text.</param>
/// <param name="EosTokenId">Token that ends a text, or several.</param>
public abstract record DecoderConfig(int VocabSize, bool TieWordEmbeddings, int? BosTokenId, TokenIds? EosTokenId) : ModelConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <summary>Token that fills up batches elsewhere; in the families that transformers gives a padding row to, its row of the token table is not trained by lookups.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? PadTokenId { get; init; }

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    /// <summary>What is wrong with the measures that all decoders have, whatever they are called.</summary>
    private protected IEnumerable<ValidationResult> Measures(
        (string Name, int Value) width, (string Name, int Value) layers, (string Name, int Value) heads, (string Name, int Value) context) => new[]
    {
        AtLeast(nameof(VocabSize), VocabSize, 1),
        AtLeast(width.Name, width.Value, 1),
        CountOf(layers.Name, layers.Value, 0),
        CountOf(heads.Name, heads.Value, 1),
        ContextOf(context.Name, context.Value),
    }.OfType<ValidationResult>();
}

/// <summary>The hyperparameters that decoders with rotary positions and grouped-query attention have in common under the same names.</summary>
/// <param name="HiddenSize">Width C.</param>
/// <param name="IntermediateSize">Width of the feed-forward layer.</param>
/// <param name="NumHiddenLayers">Blocks.</param>
/// <param name="NumAttentionHeads">Query heads H.</param>
/// <param name="NumKeyValueHeads">Key/value heads, dividing H; H where null.</param>
/// <param name="MaxPositionEmbeddings">Longest sequence, in tokens.</param>
/// <param name="RopeTheta">Base of the rotary frequencies.</param>
/// <param name="RopeScaling">Change of the rotary frequencies for long contexts, or null.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
public abstract record RotaryDecoderConfig(
    int VocabSize,
    int HiddenSize,
    int IntermediateSize,
    int NumHiddenLayers,
    int NumAttentionHeads,
    int? NumKeyValueHeads,
    int MaxPositionEmbeddings,
    double RopeTheta,
    RopeScaling? RopeScaling,
    bool TieWordEmbeddings,
    float InitializerRange,
    int? BosTokenId,
    TokenIds? EosTokenId) : DecoderConfig(VocabSize, TieWordEmbeddings, BosTokenId, EosTokenId)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => RopeScaling.ContextLength(MaxPositionEmbeddings, Scaling);

    /// <summary>Dropout of attention probabilities, in [0, 1).</summary>
    public float AttentionDropout { get; init; }

    internal int KeyValueHeads => NumKeyValueHeads ?? NumAttentionHeads;

    internal Init Init => Init.Normal(InitializerRange);

    /// <summary>Values per head D.</summary>
    internal virtual int HeadWidth => HiddenSize / NumAttentionHeads;

    /// <summary>Values of a head that are turned by its position.</summary>
    internal virtual int RotaryWidth => HeadWidth;

    /// <summary>The property that decides on that number.</summary>
    internal virtual string RotaryProperty => nameof(NumAttentionHeads);

    /// <summary>The change of the rotary frequencies with all that is known of it.</summary>
    internal virtual RopeScaling? Scaling => RopeScaling;

    /// <summary>The activation of the feed-forward layer, and the property that names it.</summary>
    internal abstract (string Property, string Name) ActivationChoice { get; }

    internal Activation Activation => Activations.Parse(ActivationChoice.Name);

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. Measures(
            (nameof(HiddenSize), HiddenSize),
            (nameof(NumHiddenLayers), NumHiddenLayers),
            (nameof(NumAttentionHeads), NumAttentionHeads),
            (nameof(MaxPositionEmbeddings), MaxPositionEmbeddings)),
        .. new[]
        {
            AtLeast(nameof(IntermediateSize), IntermediateSize, 1),
            CountOf(nameof(NumKeyValueHeads), NumKeyValueHeads ?? 1, 1),
            Divides(nameof(NumKeyValueHeads), NumKeyValueHeads ?? 1, NumAttentionHeads, "num_attention_heads"),
            Knows(ActivationChoice.Property, ActivationChoice.Name),
            Probability(nameof(AttentionDropout), AttentionDropout),
        }.OfType<ValidationResult>(),
        .. NumAttentionHeads < 1 ? [] : HeadProblems(),
    ];

    /// <summary>The rotary embedding of a model.</summary>
    internal RotaryEmbedding Rotary(Scope scope) =>
        RopeScaling.Rotary(scope.Parts.Store, RotaryWidth, RopeTheta, MaxPositionEmbeddings, Scaling);

    private protected virtual IEnumerable<ValidationResult> HeadProblems() => new[]
    {
        HeadWidth * NumAttentionHeads == HiddenSize ? null : Divides(nameof(NumAttentionHeads), NumAttentionHeads, HiddenSize, "hidden_size"),
        Rotates(RotaryProperty, RotaryWidth, HeadWidth),
        Scales(nameof(RopeScaling), Scaling, RotaryWidth),
    }.OfType<ValidationResult>();
}
