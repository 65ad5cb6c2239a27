using Gradus.Applications.Retrieval.Documents;

namespace Gradus.Applications.Retrieval.Chunking;

/// <summary>Windows of whole sentences, which do not cross headings.</summary>
/// <param name="Sentences">Sentences of a chunk, 1 at least.</param>
/// <param name="Overlap">Sentences that the next chunk repeats, less than <paramref name="Sentences"/>.</param>
/// <param name="Size">The most characters; longer sentences are cut.</param>
public sealed record SentenceChunker(int Sentences = 5, int Overlap = 1, int Size = 2000) : Chunker
{
    /// <inheritdoc/>
    private protected override IEnumerable<(int Start, int End)> Ranges(SourceDocument document)
    {
        for (int s = 0; s < document.Sections.Count; s++)
        {
            int offset = document.Sections[s].Start;
            List<(int Start, int End)> sentences = SentenceBoundaries.Find(document.Text[offset..document.EndOf(s)]);
            for (int first = 0; first < sentences.Count; first += Sentences - Overlap)
            {
                int last = Math.Min(first + Sentences, sentences.Count) - 1;
                foreach ((int, int) range in Cut(document.Text, offset + sentences[first].Start, offset + sentences[last].End, Size, 0, RecursiveChunker.Separators))
                    yield return range;
                if (last == sentences.Count - 1)
                    break;
            }
        }
    }

    /// <inheritdoc/>
    private protected override void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Sentences, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(Overlap);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Overlap, Sentences);
        ArgumentOutOfRangeException.ThrowIfLessThan(Size, 20);
    }
}
