// Purpose: where sentences end, for any language without a model: a mark of the end, closing quotes, then space (Latin, Cyrillic, Devanagari …) or
// nothing (Chinese, Japanese), or an empty line. Source: the rules of Unicode TR29 §5 in spirit. Left out: lists of abbreviations of languages; what
// looks like an initial, a number, or goes on in lower case ends no sentence.

namespace Gradus.Applications.Retrieval.Chunking;

/// <summary>Finds sentences.</summary>
internal static class SentenceBoundaries
{
    /// <summary>The ranges of the sentences, one behind the other without a gap.</summary>
    public static List<(int Start, int End)> Find(string text)
    {
        List<(int, int)> sentences = [];
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (!Ends(text, i, out int next))
                continue;
            sentences.Add((start, next));
            start = next;
            i = next - 1;
        }
        if (start < text.Length)
            sentences.Add((start, text.Length));
        return sentences;
    }

    private static bool Ends(string text, int i, out int next)
    {
        char c = text[i];
        next = i + 1;
        if (c == '\n')
            return next < text.Length && text[next] == '\n';
        if (c is not ('.' or '!' or '?' or '…' or '。' or '！' or '？' or '।' or '؟'))
            return false;
        while (next < text.Length && text[next] is '.' or '!' or '?' or '"' or '\'' or ')' or ']' or '”' or '’' or '»' or '」' or '』' or '。' or '！' or '？')
            next++;
        if (c is '。' or '！' or '？')
            return true;
        if (next < text.Length && !char.IsWhiteSpace(text[next]))
            return false;
        while (next < text.Length && text[next] is ' ' or '\t')
            next++;
        return c != '.' || next >= text.Length || !(IsInitial(text, i) || char.IsLower(text[next]));
    }

    private static bool IsInitial(string text, int dot) => dot > 0 && char.IsUpper(text[dot - 1]) && (dot == 1 || !char.IsLetterOrDigit(text[dot - 2]));
}
