using Gradus.Applications.Retrieval.Documents;

namespace Gradus.Applications.Retrieval.Chunking;

/// <summary>A chunk is a section; large ones are cut further, and small neighbours under one heading are joined.</summary>
/// <param name="Size">The most characters of a chunk, 20 at least.</param>
/// <param name="Least">Sections shorter than this are joined with the next while both fit; 0: never.</param>
public sealed record HeadingChunker(int Size = 1500, int Least = 200) : Chunker
{
    /// <inheritdoc/>
    private protected override IEnumerable<(int Start, int End)> Ranges(SourceDocument document)
    {
        int count = document.Sections.Count;
        for (int first = 0; first < count;)
        {
            int start = document.Sections[first].Start, last = first;
            while (last + 1 < count && document.EndOf(last) - start < Least && document.EndOf(last + 1) - start <= Size)
                last++;
            foreach ((int, int) range in Cut(document.Text, start, document.EndOf(last), Size, 0, RecursiveChunker.Separators))
                yield return range;
            first = last + 1;
        }
    }

    /// <inheritdoc/>
    private protected override void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Size, 20);
        ArgumentOutOfRangeException.ThrowIfNegative(Least);
    }
}
