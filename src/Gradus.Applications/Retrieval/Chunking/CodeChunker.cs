using Gradus.Applications.Retrieval.Documents;

namespace Gradus.Applications.Retrieval.Chunking;

/// <summary>
/// Chunks of source code: whole declarations as far as they fit. Cut at empty lines with the least indentation first, then at any line. Use it with
/// documents of <see cref="CodeReader"/>, whose headings are the lines that open blocks.
/// </summary>
/// <param name="Size">The most characters of a chunk, 20 at least.</param>
public sealed record CodeChunker(int Size = 1500) : Chunker
{
    // After a line that ends a block at the outermost level, then one level deeper, then paragraphs and lines.
    private static readonly string[] Separators = ["\n}\n", "\n\n\n", "\n    }\n", "\n\n", "\n", " "];

    /// <inheritdoc/>
    private protected override IEnumerable<(int Start, int End)> Ranges(SourceDocument document) => Cut(document.Text, 0, document.Text.Length, Size, 0, Separators);

    /// <inheritdoc/>
    private protected override void Validate() => ArgumentOutOfRangeException.ThrowIfLessThan(Size, 20);
}
