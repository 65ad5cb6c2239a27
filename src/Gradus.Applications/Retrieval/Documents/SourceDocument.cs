namespace Gradus.Applications.Retrieval.Documents;

/// <summary>A document as text: what chunks are cut from and citations are verified against.</summary>
/// <param name="Text">The text. Of Markdown, reStructuredText, plain text and code it is the file itself; of other formats what a reader of them would see.</param>
/// <param name="Sections">Where sections begin, ascending; the first begins at 0. Never empty.</param>
/// <param name="Metadata">What the document says about itself, for example <c>title</c> or <c>author</c>; keys in lower case.</param>
public sealed record SourceDocument(string Text, IReadOnlyList<Section> Sections, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>What was found wrong while reading and did not keep it from being read: a line each.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>The place in <see cref="Sections"/> of the section that holds a character.</summary>
    public int SectionAt(int position)
    {
        int low = 0, high = Sections.Count - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (Sections[middle].Start <= position)
                low = middle;
            else
                high = middle - 1;
        }
        return low;
    }

    /// <summary>Where a section ends: where the next begins, or the text's end.</summary>
    public int EndOf(int section) => section + 1 < Sections.Count ? Sections[section + 1].Start : Text.Length;
}

/// <summary>A part of a document from <paramref name="Start"/> to the next section.</summary>
/// <param name="Start">The first character, counted from 0.</param>
/// <param name="Headings">The headings it stands under, from the outermost to its own; empty before the first heading.</param>
/// <param name="Page">The page counted from 1, or null where the format has none.</param>
public sealed record Section(int Start, IReadOnlyList<string> Headings, int? Page = null);
