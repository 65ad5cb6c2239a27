using Gradus.Applications.Retrieval.Documents;
using Gradus.Text;

namespace Gradus.Applications.Retrieval.Chunking;

/// <summary>Chunks of so many tokens of a model's tokenizer, cut between tokens.</summary>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="Tokens">The most tokens of a chunk, 1 at least.</param>
/// <param name="Overlap">Tokens that the next chunk repeats, less than <paramref name="Tokens"/>.</param>
public sealed record TokenChunker(Tokenizer Tokenizer, int Tokens = 200, int Overlap = 0) : Chunker
{
    /// <inheritdoc/>
    public override string ToString() => $"TokenChunker {{ Vocabulary = {Tokenizer.VocabularySize}, Tokens = {Tokens}, Overlap = {Overlap} }}";

    /// <inheritdoc/>
    private protected override IEnumerable<(int Start, int End)> Ranges(SourceDocument document)
    {
        TokenEncoding encoding = Tokenizer.EncodeWithOffsets(document.Text, addSpecialTokens: false);
        for (int first = 0; first < encoding.Length; first += Tokens - Overlap)
        {
            int last = Math.Min(first + Tokens, encoding.Length) - 1;
            yield return (encoding.Offsets[first].Start, encoding.Offsets[last].End);
            if (last == encoding.Length - 1)
                yield break;
        }
    }

    /// <inheritdoc/>
    private protected override void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Tokens, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(Overlap);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Overlap, Tokens);
    }
}
