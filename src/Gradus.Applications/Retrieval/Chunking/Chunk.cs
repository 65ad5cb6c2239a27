namespace Gradus.Applications.Retrieval.Chunking;

/// <summary>A piece of a document's text that is found as a whole.</summary>
/// <param name="Start">The first character, counted from 0.</param>
/// <param name="Length">Characters, 1 at least.</param>
/// <param name="Headings">The headings over its beginning, from the outermost.</param>
/// <param name="Page">The page of its beginning counted from 1, or null.</param>
public sealed record Chunk(int Start, int Length, IReadOnlyList<string> Headings, int? Page = null)
{
    /// <summary>One behind the last character.</summary>
    public int End => Start + Length;
}
