using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Gradus.Models;

/// <summary>The hyperparameters that BERT and its descendants have in common under the same names.</summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="HiddenSize">Width C.</param>
/// <param name="NumHiddenLayers">Blocks.</param>
/// <param name="NumAttentionHeads">Attention heads H; divides the width.</param>
/// <param name="IntermediateSize">Width of the feed-forward layer.</param>
/// <param name="HiddenAct">Activation of the feed-forward layer.</param>
/// <param name="HiddenDropoutProb">Dropout of the embeddings and of what is added to the residual stream, in [0, 1).</param>
/// <param name="AttentionProbsDropoutProb">Dropout of attention probabilities, in [0, 1).</param>
/// <param name="MaxPositionEmbeddings">Rows of the position table.</param>
/// <param name="TypeVocabSize">Token types: sentences that a sequence may consist of.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
/// <param name="LayerNormEps">ε of the norms.</param>
/// <param name="PositionEmbeddingType">How positions enter; only "absolute" is supported.</param>
/// <param name="ClassifierDropout">Dropout before a classifier, in [0, 1); the hidden one where null.</param>
/// <param name="IsDecoder">Whether the model is used as a decoder; not supported.</param>
/// <param name="TieWordEmbeddings">Whether the masked-language head uses the token table.</param>
public abstract record BertStyleConfig(
    int VocabSize,
    int HiddenSize,
    int NumHiddenLayers,
    int NumAttentionHeads,
    int IntermediateSize,
    string HiddenAct,
    float HiddenDropoutProb,
    float AttentionProbsDropoutProb,
    int MaxPositionEmbeddings,
    int TypeVocabSize,
    float InitializerRange,
    float LayerNormEps,
    string PositionEmbeddingType,
    float? ClassifierDropout,
    bool IsDecoder,
    bool TieWordEmbeddings) : EncoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => MaxPositionEmbeddings;

    internal BertSizes Sizes => new(
        HiddenSize, NumHiddenLayers, NumAttentionHeads, IntermediateSize, HiddenAct, HiddenDropoutProb, AttentionProbsDropoutProb, LayerNormEps, InitializerRange);

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
        PositionEmbeddingType == "absolute"
            ? null
            : new ValidationResult($"\"{PositionEmbeddingType}\" is not supported, only \"absolute\"", [nameof(PositionEmbeddingType)]),
        IsDecoder ? new ValidationResult("this model as a decoder is not supported", [nameof(IsDecoder)]) : null,
    }.OfType<ValidationResult>();
}
