// Purpose: a citation is a quote in the answer, [n: "words"], and only stands if passage n holds these words. Spaces and line ends are the same, kinds of quotation
// marks and hyphens too; letters are not. What is shown is what stands in the document, not what the model wrote.

using System.Text;
using System.Text.RegularExpressions;
using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Retrieval.Answers;

/// <summary>Checks the citations of an answer against the passages that were shown.</summary>
public static partial class CitationVerifier
{
    /// <summary>Replaces citations that stand in their passage by numbers, and takes the others out.</summary>
    /// <param name="answer">What the model wrote.</param>
    /// <param name="passages">The passages, numbered from 1 in the model's prompt.</param>
    /// <returns>The text, the citations, and how many were taken out.</returns>
    public static (string Text, IReadOnlyList<Citation> Citations, int Removed) Verify(string answer, IReadOnlyList<StoredChunk> passages)
    {
        ArgumentNullException.ThrowIfNull(answer);
        ArgumentNullException.ThrowIfNull(passages);
        List<Citation> citations = [];
        int removed = 0;
        string text = Marks().Replace(answer, match =>
        {
            string quote = match.Groups["quote"].Value;
            int named = int.TryParse(match.Groups["number"].Value, out int number) ? number : 0;
            if (Locate(quote, named, passages) is not var (chunk, start, length))
            {
                removed++;
                return "";
            }
            string words = chunk.Text.Substring(start, length);
            int known = citations.FindIndex(c => c.Document == chunk.Document && c.Start == chunk.Start + start && c.Quote == words);
            if (known < 0)
            {
                citations.Add(new Citation(citations.Count + 1, words, chunk.Document, chunk.Start + start, chunk.Source));
                known = citations.Count - 1;
            }
            return $"[{known + 1}]";
        });
        return (Tidy().Replace(text, "$1").Trim(), citations, removed);
    }

    // The passage that was named first; a model that mixes numbers up still quotes what is there.
    private static (StoredChunk Chunk, int Start, int Length)? Locate(string quote, int number, IReadOnlyList<StoredChunk> passages)
    {
        string wanted = Normalize(quote, out _);
        if (wanted.Length == 0)
            return null;
        IEnumerable<StoredChunk> order = number >= 1 && number <= passages.Count ? [passages[number - 1], .. passages.Where((_, i) => i != number - 1)] : passages;
        foreach (StoredChunk passage in order)
        {
            string text = Normalize(passage.Text, out List<int> places);
            int found = text.IndexOf(wanted, StringComparison.Ordinal);
            if (found >= 0)
                return (passage, places[found], places[found + wanted.Length - 1] + 1 - places[found]);
        }
        return null;
    }

    // Each character of what comes out, with its place in the text.
    private static string Normalize(string text, out List<int> places)
    {
        StringBuilder normal = new(text.Length);
        places = [];
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i] switch { '“' or '”' or '„' or '«' or '»' => '"', '‘' or '’' => '\'', '‐' or '‑' or '–' or '—' => '-', _ => text[i] };
            if (char.IsWhiteSpace(c))
            {
                if (normal.Length == 0 || normal[^1] == ' ')
                    continue;
                c = ' ';
            }
            normal.Append(c);
            places.Add(i);
        }
        if (normal.Length > 0 && normal[^1] == ' ')
        {
            normal.Length--;
            places.RemoveAt(places.Count - 1);
        }
        return normal.ToString();
    }

    [GeneratedRegex("\\[\\s*(?<number>\\d{1,3})\\s*[:,]?\\s*[\"“](?<quote>[^\"“”]*)[\"”]\\s*\\]|\\[\\s*(?<number>\\d{1,3})\\s*(?<quote>)\\]")]
    private static partial Regex Marks();

    [GeneratedRegex(@"[ \t]+([.,;:!?])")]
    private static partial Regex Tidy();
}
