using Gradus.Applications.Retrieval.Documents;

namespace Gradus.Applications.Retrieval.Chunking;

/// <summary>Cuts documents into chunks; its text form names all that decides where. Every character that is no space at a chunk's edge lies in one chunk at least.</summary>
public abstract record Chunker
{
    /// <summary>Cuts a document, in the order of the text.</summary>
    public IReadOnlyList<Chunk> Split(SourceDocument document)
    {
        ArgumentNullException.ThrowIfNull(document);
        Validate();
        List<Chunk> chunks = [];
        foreach ((int start, int end) in Ranges(document))
        {
            int first = start, last = end;
            while (first < last && char.IsWhiteSpace(document.Text[first]))
                first++;
            while (last > first && char.IsWhiteSpace(document.Text[last - 1]))
                last--;
            if (first == last)
                continue;
            Section section = document.Sections[document.SectionAt(first)];
            chunks.Add(new Chunk(first, last - first, section.Headings, section.Page));
        }
        return [.. chunks.OrderBy(c => c.Start).ThenBy(c => c.Length)];
    }

    /// <summary>The ranges of the chunks, ascending; spaces at their edges are taken away.</summary>
    private protected abstract IEnumerable<(int Start, int End)> Ranges(SourceDocument document);

    /// <summary>Refuses values out of range.</summary>
    private protected abstract void Validate();

    /// <summary>A range cut into pieces of <paramref name="size"/> characters at most, see <see cref="RecursiveChunker"/>.</summary>
    private protected static IEnumerable<(int Start, int End)> Cut(string text, int start, int end, int size, int overlap, string[] separators)
    {
        List<(int Start, int End)> pieces = [];
        Divide(text, start, end, size, separators, 0, pieces);
        for (int first = 0; first < pieces.Count;)
        {
            int last = first;
            while (last + 1 < pieces.Count && pieces[last + 1].End - pieces[first].Start <= size)
                last++;
            yield return (pieces[first].Start, pieces[last].End);
            if (last + 1 >= pieces.Count)
                yield break;
            // The next chunk begins with the pieces at this one's end that fit into the overlap, and room for one new piece.
            int next = last + 1;
            while (next - 1 > first && pieces[last].End - pieces[next - 1].Start <= overlap && pieces[last + 1].End - pieces[next - 1].Start <= size)
                next--;
            first = next;
        }
    }

    private static void Divide(string text, int start, int end, int size, string[] separators, int level, List<(int Start, int End)> pieces)
    {
        if (end - start <= size)
        {
            pieces.Add((start, end));
            return;
        }
        if (level == separators.Length)
        {
            for (int at = start; at < end;)
            {
                int stop = Math.Min(end, at + size);
                // Both halves of a surrogate pair stay together.
                if (stop < end && stop - at > 1 && char.IsLowSurrogate(text[stop]))
                    stop--;
                pieces.Add((at, stop));
                at = stop;
            }
            return;
        }
        string separator = separators[level];
        for (int at = start; at < end;)
        {
            int found = text.IndexOf(separator, at, end - at, StringComparison.Ordinal);
            int stop = found < 0 ? end : found + separator.Length;
            Divide(text, at, stop, size, separators, level + 1, pieces);
            at = stop;
        }
    }
}
