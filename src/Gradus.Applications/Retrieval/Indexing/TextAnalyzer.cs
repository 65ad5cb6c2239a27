// Sources: M. F. Porter, "An algorithm for suffix stripping", 1980; P. McNamee and J. Mayfield, "Character N-Gram Tokenization for European
// Language Text Retrieval", 2004 (n-grams within words do without a stemmer for each language). Chinese, Japanese, Thai, Lao, Khmer and Burmese have no
// spaces: their runs become overlapping pairs of characters. Left out: dictionaries of any language.

using System.Globalization;
using Gradus.Evaluation.Metrics;

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>What becomes of a word in the keyword index.</summary>
public enum WordForm
{
    /// <summary>Decided from the first documents: <see cref="Porter"/> for English, <see cref="Grams"/> for other languages.</summary>
    Auto,

    /// <summary>The word in lower case.</summary>
    Exact,

    /// <summary>Its English stem; the most common English words are left out.</summary>
    Porter,

    /// <summary>Its sequences of four characters, with its edges: inflections and compounds of any language meet. The index is about five times as large.</summary>
    Grams,
}

/// <summary>Takes a word of a text, in lower case.</summary>
public delegate void WordVisitor(ReadOnlySpan<char> word);

/// <summary>Cuts text into the terms of a keyword index: the same for documents and queries.</summary>
/// <param name="form">What becomes of a word; not <see cref="WordForm.Auto"/>.</param>
public sealed class TextAnalyzer(WordForm form)
{
    private const int GramLength = 4;
    private const int LongestWord = 64;

    /// <summary>What becomes of a word.</summary>
    public WordForm Form { get; } = form is WordForm.Auto or < 0 or > WordForm.Grams ? throw new ArgumentException("an analyzer needs a form of words: exact, porter or grams.", nameof(form)) : form;

    /// <summary>The words of a text, before <see cref="Terms"/>: runs of letters, marks and digits, pairs of characters where a script has no spaces.</summary>
    public static void Words(ReadOnlySpan<char> text, WordVisitor visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        Span<char> word = stackalloc char[LongestWord];
        for (int i = 0; i < text.Length;)
        {
            if (!IsWord(text[i]))
            {
                i++;
                continue;
            }
            int start = i;
            bool paired = IsUnspaced(text[i]);
            while (i < text.Length && IsWord(text[i]) && IsUnspaced(text[i]) == paired)
                i++;
            ReadOnlySpan<char> run = text[start..i];
            if (!paired)
            {
                run = run[..Math.Min(run.Length, LongestWord)];
                int length = run.ToLowerInvariant(word);
                visit(word[..length]);
            }
            else if (run.Length == 1)
            {
                visit(run);
            }
            else
            {
                for (int p = 0; p + 2 <= run.Length; p++)
                    visit(run.Slice(p, 2));
            }
        }
    }

    /// <summary>The terms of a word: none for a stop word, one for most forms, several for <see cref="WordForm.Grams"/>.</summary>
    public IReadOnlyList<string> Terms(ReadOnlySpan<char> word)
    {
        if (word.Length == 0)
            return [];
        if (Form == WordForm.Exact || IsUnspaced(word[0]))
            return [word.ToString()];
        string text = word.ToString();
        return Form == WordForm.Porter ? StopWords.English.Contains(text) ? [] : [PorterStemmer.Stem(text)] : GramsOf(text);
    }

    /// <summary>The terms of a query with how often each is asked for, in the order of their first appearance.</summary>
    public IReadOnlyList<(string Term, double Weight)> Query(string query)
    {
        ArgumentNullException.ThrowIfNull(query);
        List<string> order = [];
        Dictionary<string, double> counts = [];
        Words(query, word =>
        {
            foreach (string term in Terms(word))
            {
                if (!counts.TryAdd(term, 1))
                    counts[term]++;
                else
                    order.Add(term);
            }
        });
        return [.. order.Select(t => (t, counts[t]))];
    }

    /// <summary>The form that suits a text: <see cref="WordForm.Porter"/> where English function words abound.</summary>
    public static WordForm Suitable(IEnumerable<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        long all = 0, english = 0;
        foreach (string text in texts)
        {
            Words(text.AsSpan(0, Math.Min(text.Length, 20_000)), word =>
            {
                all++;
                english += word is "the" or "of" or "and" or "is" or "that" or "for" or "with" or "this" ? 1 : 0;
            });
        }
        return all > 0 && english * 100 >= all * 5 ? WordForm.Porter : WordForm.Grams;
    }

    /// <summary>Whether a character belongs to a script that is written without spaces.</summary>
    public static bool IsUnspaced(char c) => c >= '\u0E00' && (c
        is (>= '\u0E00' and <= '\u0EFF') // Thai, Lao
        or (>= '\u1000' and <= '\u109F') or (>= '\u1780' and <= '\u17FF') // Burmese, Khmer
        or (>= '\u3040' and <= '\u30FF') or (>= '\u3400' and <= '\u4DBF') or (>= '\u4E00' and <= '\u9FFF') or (>= '\uF900' and <= '\uFAFF') // kana, Han
        || char.IsSurrogate(c));

    private static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || (c >= '\u0080' && (char.IsLetterOrDigit(c) || char.IsSurrogate(c)
        || CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark));

    private static string[] GramsOf(string word)
    {
        string edged = $"_{word}_";
        string[] grams = new string[Math.Max(1, edged.Length - GramLength + 1)];
        for (int i = 0; i < grams.Length; i++)
            grams[i] = edged.Substring(i, Math.Min(GramLength, edged.Length));
        return grams;
    }
}
