// Tokens that are found in the text before anything else is done to it. Source: Hugging Face tokenizers, added_vocabulary.

using System.Buffers;

namespace Gradus.Text;

/// <summary>A token that is recognized in the text as a whole, such as <c>&lt;|endoftext|&gt;</c>.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text, at least one character.</param>
/// <param name="Special">Whether it carries no text of its own, and is left out when decoding says so.</param>
/// <param name="SingleWord">Whether it is found only where no word character stands next to it.</param>
/// <param name="LeftStrip">Whether it takes the white space before it.</param>
/// <param name="RightStrip">Whether it takes the white space after it.</param>
/// <param name="Normalized">Whether it is looked for in the normalized text rather than in the original.</param>
public sealed record AddedToken(int Id, string Content, bool Special = true, bool SingleWord = false, bool LeftStrip = false, bool RightStrip = false, bool Normalized = false);

/// <summary>Finds added tokens: of those that match at the leftmost place, the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly Dictionary<int, int> _edges = [];
    private readonly List<AddedToken?> _nodes = [null];

    // What tokens begin with: one byte nearly always, or several.
    private readonly byte _firstByte;
    private readonly SearchValues<byte>? _firstBytes;

    public AddedTokenMatcher(IEnumerable<(AddedToken Token, byte[] Pattern)> tokens)
    {
        bool[] isFirst = new bool[256];
        foreach ((AddedToken token, byte[] pattern) in tokens)
        {
            if (pattern.Length == 0)
                continue;
            isFirst[pattern[0]] = true;
            int node = 0;
            foreach (byte b in pattern)
            {
                if (!_edges.TryGetValue((node << 8) | b, out int next))
                {
                    next = _nodes.Count;
                    _nodes.Add(null);
                    _edges[(node << 8) | b] = next;
                }
                node = next;
            }
            _nodes[node] ??= token;
        }
        List<int> first = [];
        for (int b = 0; b < isFirst.Length; b++)
        {
            if (isFirst[b])
                first.Add(b);
        }
        if (first.Count == 1)
            _firstByte = (byte)first[0];
        else
            _firstBytes = SearchValues.Create(first.ConvertAll(b => (byte)b).ToArray());
    }

    /// <summary>
    /// The next token at or after <paramref name="from"/>, with the white space it takes, but nothing before <paramref name="from"/>.
    /// </summary>
    public AddedToken? Find(ReadOnlySpan<byte> text, int from, bool findSpecial, out int start, out int end)
    {
        int i = from;
        while (true)
        {
            int skip = _firstBytes is null ? text[i..].IndexOf(_firstByte) : text[i..].IndexOfAny(_firstBytes);
            if (skip < 0)
            {
                start = end = text.Length;
                return null;
            }
            i += skip;
            AddedToken? token = LongestAt(text, i, out int length);
            if (token is null)
            {
                i++;
                continue;
            }
            if ((token.SingleWord && !StandsAlone(text, i, i + length)) || (token.Special && !findSpecial))
            {
                i += length;
                continue;
            }
            start = i;
            end = i + length;
            if (token.LeftStrip)
            {
                while (start > from)
                {
                    int previous = CharacterClasses.Previous(text, start);
                    if (previous < from || (CharacterClasses.At(text, previous, out _) & CharacterClasses.Space) == 0)
                        break;
                    start = previous;
                }
            }
            if (token.RightStrip)
                end = CharacterClasses.Run(text, end, CharacterClasses.Space);
            return token;
        }
    }

    private AddedToken? LongestAt(ReadOnlySpan<byte> text, int i, out int length)
    {
        AddedToken? found = null;
        length = 0;
        int node = 0;
        for (int k = i; k < text.Length && _edges.TryGetValue((node << 8) | text[k], out node); k++)
        {
            if (_nodes[node] is { } token)
            {
                found = token;
                length = k + 1 - i;
            }
        }
        return found;
    }

    private static bool StandsAlone(ReadOnlySpan<byte> text, int start, int end)
    {
        bool before = start > 0 && CharacterClasses.IsWord(CharacterClasses.Decode(text, CharacterClasses.Previous(text, start), out _));
        bool after = end < text.Length && CharacterClasses.IsWord(CharacterClasses.Decode(text, end, out _));
        return !before && !after;
    }
}
