using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;

namespace Gradus.Models;

/// <summary>The hyperparameters that BERT and its descendants have in common under the same names.</summary>
[OnlyUsual("position_embedding_type", "\"absolute\"")]
public abstract record BertStyleConfig : EncoderConfig
{
    /// <summary>Token ids; 0 in a recipe lets the tokenizer decide.</summary>
    public abstract int VocabSize { get; init; }

    /// <summary>Width C.</summary>
    public abstract int HiddenSize { get; init; }

    /// <summary>Blocks.</summary>
    public abstract int NumHiddenLayers { get; init; }

    /// <summary>Attention heads H; divides the width.</summary>
    public abstract int NumAttentionHeads { get; init; }

    /// <summary>Width of the feed-forward layer.</summary>
    public abstract int IntermediateSize { get; init; }

    /// <summary>Activation of the feed-forward layer.</summary>
    public abstract string HiddenAct { get; init; }

    /// <summary>Dropout of the embeddings and of what is added to the residual stream, in [0, 1).</summary>
    public abstract float HiddenDropoutProb { get; init; }

    /// <summary>Dropout of attention probabilities, in [0, 1).</summary>
    public abstract float AttentionProbsDropoutProb { get; init; }

    /// <summary>Rows of the position table.</summary>
    public abstract int MaxPositionEmbeddings { get; init; }

    /// <summary>Token types: sentences that a sequence may consist of.</summary>
    public abstract int TypeVocabSize { get; init; }

    /// <summary>Standard deviation of new weights.</summary>
    public abstract float InitializerRange { get; init; }

    /// <summary>ε of the norms.</summary>
    public abstract float LayerNormEps { get; init; }

    /// <summary>Dropout before a classifier, in [0, 1); the hidden one where null.</summary>
    public abstract float? ClassifierDropout { get; init; }

    /// <summary>Whether the masked-language head uses the token table.</summary>
    public abstract bool TieWordEmbeddings { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => MaxPositionEmbeddings;

    internal Init Init => Init.Normal(InitializerRange);

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => new[]
    {
        AtLeast(nameof(VocabSize), VocabSize, 1),
        AtLeast(nameof(HiddenSize), HiddenSize, 1),
        CountOf(nameof(NumHiddenLayers), NumHiddenLayers, 0),
        CountOf(nameof(NumAttentionHeads), NumAttentionHeads, 1),
        AtLeast(nameof(IntermediateSize), IntermediateSize, 1),
        AtLeast(nameof(MaxPositionEmbeddings), MaxPositionEmbeddings, 1),
        AtLeast(nameof(TypeVocabSize), TypeVocabSize, 1),
        Knows(nameof(HiddenAct), HiddenAct),
        Probability(nameof(HiddenDropoutProb), HiddenDropoutProb),
        Probability(nameof(AttentionProbsDropoutProb), AttentionProbsDropoutProb),
        Probability(nameof(ClassifierDropout), ClassifierDropout ?? 0),
        Divides(nameof(NumAttentionHeads), NumAttentionHeads, HiddenSize, "hidden_size"),
    }.OfType<ValidationResult>();
}
