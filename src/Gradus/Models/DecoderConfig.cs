using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Gradus.Models;

/// <summary>
/// The hyperparameters that decoders have in common under the same names. They are abstract so that each architecture's record, whose
/// parameters they are, has them once and with its own defaults.
/// </summary>
public abstract record DecoderConfig : ModelConfig
{
    /// <summary>Token ids; 0 in a recipe lets the tokenizer decide.</summary>
    public abstract int VocabSize { get; init; }

    /// <summary>Whether the head uses the token table.</summary>
    public abstract bool TieWordEmbeddings { get; init; }

    /// <summary>Token that begins a text.</summary>
    public abstract int? BosTokenId { get; init; }

    /// <summary>Token that ends a text, or several.</summary>
    public abstract TokenIds? EosTokenId { get; init; }

    /// <summary>Token that fills up batches elsewhere; in the families that transformers gives a padding row to, its row of the token table is not trained by lookups.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? PadTokenId { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <summary>Whether the model judges whole sequences (<see cref="Architectures.ClassifierOf"/>) and so has no language-model head.</summary>
    internal bool IsClassifier => Architecture == Architectures.ClassifierOf(this);

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    internal override (ModelConfig Config, float HeadScale)? Untie() => TieWordEmbeddings ? (this with { TieWordEmbeddings = false }, 1) : null;

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
