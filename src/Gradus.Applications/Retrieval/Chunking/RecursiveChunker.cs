// Source: the recursive character splitter that the field uses as its baseline (LangChain's RecursiveCharacterTextSplitter), in a form of our own.

using Gradus.Applications.Retrieval.Documents;

namespace Gradus.Applications.Retrieval.Chunking;

/// <summary>
/// Cuts at the largest separators that give pieces of at most <paramref name="Size"/> characters (paragraphs, lines, sentences, words), and joins
/// neighbours while they fit.
/// </summary>
/// <param name="Size">The most characters of a chunk, 20 at least.</param>
/// <param name="Overlap">The most characters of a chunk's end that the next begins with; less than half of <paramref name="Size"/>.</param>
public sealed record RecursiveChunker(int Size = 1000, int Overlap = 200) : Chunker
{
    internal static readonly string[] Separators = ["\n\n", "\n", ". ", "。", "! ", "? ", "; ", ", ", " "];

    /// <inheritdoc/>
    private protected override IEnumerable<(int Start, int End)> Ranges(SourceDocument document) => Cut(document.Text, 0, document.Text.Length, Size, Overlap, Separators);

    /// <inheritdoc/>
    private protected override void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Size, 20);
        ArgumentOutOfRangeException.ThrowIfNegative(Overlap);
        if (Overlap * 2 >= Size)
            throw new ArgumentException($"chunks of {Size} characters cannot overlap by {Overlap}: give less than half.");
    }
}
