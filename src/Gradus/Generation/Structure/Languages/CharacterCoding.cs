// How characters become bytes: as they are in UTF-8, or as a JSON string writes them, in all of its ways (\n, \u000a, surrogate
// pairs). A language of characters so becomes one of bytes; complements stay right because every way of writing a text is in it.

namespace Gradus.Generation.Structure.Languages;

/// <summary>Turns sets of characters into expressions over bytes.</summary>
internal abstract class CharacterCoding(RegexStore regex)
{
    private readonly Dictionary<string, int> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<int, int> _single = [];

    public RegexStore Regex => regex;

    /// <summary>One character of any kind.</summary>
    public int Any => Of(CodePoints.All);

    /// <summary>Any text.</summary>
    public int AnyText => regex.Repeat(Any, 0, RegexStore.Unlimited);

    /// <summary>One character of a set.</summary>
    public int Of(CodePoints set)
    {
        if (set.IsEmpty)
            return RegexStore.Empty;
        string key = string.Join(',', set.Ranges);
        return _known.TryGetValue(key, out int node) ? node : _known[key] = Make(set);
    }

    /// <summary>A fixed text.</summary>
    public int Literal(string text)
    {
        List<int> parts = [];
        foreach (System.Text.Rune rune in text.EnumerateRunes())
        {
            if (!_single.TryGetValue(rune.Value, out int node))
                _single[rune.Value] = node = Make(CodePoints.Of((rune.Value, rune.Value)));
            parts.Add(node);
        }
        return regex.Concat([.. parts]);
    }

    /// <summary>One of many fixed texts, as a tree of their common beginnings.</summary>
    public int Literals(IEnumerable<string> texts)
    {
        string[] sorted = [.. texts.Distinct().Order(StringComparer.Ordinal)];
        return Tree(sorted, 0);
    }

    protected abstract int Make(CodePoints set);

    private int Tree(ReadOnlySpan<string> sorted, int depth)
    {
        List<int> branches = [];
        for (int i = 0; i < sorted.Length;)
        {
            string text = sorted[i];
            if (text.Length == depth)
            {
                branches.Add(RegexStore.Epsilon);
                i++;
                continue;
            }
            int step = char.IsHighSurrogate(text[depth]) && depth + 1 < text.Length ? 2 : 1;
            int end = i + 1;
            while (end < sorted.Length && sorted[end].AsSpan(depth).StartsWith(text.AsSpan(depth, step)))
                end++;
            branches.Add(end == i + 1 ? Literal(text[depth..]) : regex.Concat(Literal(text.Substring(depth, step)), Tree(sorted[i..end], depth + step)));
            i = end;
        }
        return regex.Or([.. branches]);
    }

    /// <summary>UTF-8 of a range of characters.</summary>
    protected void AddUtf8(int from, int to, List<int> alternatives)
    {
        Span<byte> first = stackalloc byte[4];
        Span<byte> last = stackalloc byte[4];
        foreach (int limit in (ReadOnlySpan<int>)[0x7F, 0x7FF, 0xFFFF, 0x10FFFF])
        {
            if (from > to)
                return;
            if (from <= limit)
            {
                int end = Math.Min(to, limit);
                int n = Write(from, first);
                Write(end, last);
                alternatives.Add(Sequence(first[..n], last[..n]));
                from = end + 1;
            }
        }
    }

    /// <summary>All sequences of bytes between two of the same length, where each byte but the first runs over the continuation bytes.</summary>
    private int Sequence(ReadOnlySpan<byte> first, ReadOnlySpan<byte> last)
    {
        if (first.Length == 1)
            return regex.Set(ByteSet.Range(first[0], last[0]));
        if (first[0] == last[0])
            return regex.Concat(regex.Byte(first[0]), Sequence(first[1..], last[1..]));
        Span<byte> low = stackalloc byte[first.Length - 1];
        Span<byte> high = stackalloc byte[first.Length - 1];
        low.Fill(0x80);
        high.Fill(0xBF);
        List<int> parts = [];
        int from = first[0];
        int to = last[0];
        if (first[1..].IndexOfAnyExcept((byte)0x80) >= 0)
            parts.Add(regex.Concat(regex.Byte(from++), Sequence(first[1..], high)));
        if (last[1..].IndexOfAnyExcept((byte)0xBF) >= 0)
            parts.Add(regex.Concat(regex.Byte(to--), Sequence(low, last[1..])));
        if (from <= to)
            parts.Add(regex.Concat(regex.Set(ByteSet.Range(from, to)), Sequence(low, high)));
        return regex.Or([.. parts]);
    }

    private static int Write(int c, Span<byte> utf8) => new System.Text.Rune(c).EncodeToUtf8(utf8);
}

/// <summary>Characters as they are.</summary>
internal sealed class PlainCoding(RegexStore regex) : CharacterCoding(regex)
{
    protected override int Make(CodePoints set)
    {
        List<int> parts = [];
        foreach ((int from, int to) in set.Ranges)
            AddUtf8(from, to, parts);
        return Regex.Or([.. parts]);
    }
}

/// <summary>Characters as they stand between the quotes of a JSON string.</summary>
internal sealed class JsonCoding(RegexStore regex) : CharacterCoding(regex)
{
    private static readonly CodePoints Unescaped = CodePoints.Of((0, 0x1F), ('"', '"'), ('\\', '\\')).Complement();

    private static readonly (char Letter, int Character)[] Short =
        [('"', '"'), ('\\', '\\'), ('/', '/'), ('b', 8), ('f', 12), ('n', 10), ('r', 13), ('t', 9)];

    protected override int Make(CodePoints set)
    {
        List<int> parts = [];
        foreach ((int from, int to) in set.Intersect(Unescaped).Ranges)
            AddUtf8(from, to, parts);
        ByteSet letters = default;
        List<int> escapes = [];
        foreach ((char letter, int character) in Short)
        {
            if (set.Ranges.Any(r => r.From <= character && character <= r.To))
                letters |= ByteSet.Of((byte)letter);
        }
        escapes.Add(Regex.Set(letters));
        List<int> hex = [];
        foreach ((int from, int to) in set.Ranges)
        {
            if (from <= 0xFFFF)
                hex.Add(Hex(from, Math.Min(to, 0xFFFF), 4));
            if (to > 0xFFFF)
                AddPairs(Math.Max(from, 0x10000) - 0x10000, to - 0x10000, hex);
        }
        escapes.Add(Regex.Concat(Regex.Byte('u'), Regex.Or([.. hex])));
        parts.Add(Regex.Concat(Regex.Byte('\\'), Regex.Or([.. escapes])));
        return Regex.Or([.. parts]);
    }

    /// <summary>Characters beyond the first 65,536, as two numbers of ten bits.</summary>
    private void AddPairs(int from, int to, List<int> hex)
    {
        while (from <= to)
        {
            int high = from >> 10;
            // As many whole rows of low halves as there are, else a part of one.
            bool whole = (from & 0x3FF) == 0 && to - from >= 0x3FF;
            int lastHigh = whole ? ((to + 1) >> 10) - 1 : high;
            int end = whole ? (lastHigh << 10) | 0x3FF : Math.Min(to, (high << 10) | 0x3FF);
            int low = Hex(0xDC00 + (from & 0x3FF), 0xDC00 + (end & 0x3FF), 4);
            hex.Add(Regex.Concat(Hex(0xD800 + high, 0xD800 + lastHigh, 4), Regex.Literal("\\u"u8), low));
            from = end + 1;
        }
    }

    /// <summary>Numbers of some hexadecimal digits.</summary>
    private int Hex(int from, int to, int digits)
    {
        int shift = (digits - 1) * 4;
        int first = from >> shift;
        int last = to >> shift;
        if (digits == 1)
            return Digit(first, last);
        int rest = (1 << shift) - 1;
        if (first == last)
            return Regex.Concat(Digit(first, first), Hex(from & rest, to & rest, digits - 1));
        List<int> parts = [];
        if ((from & rest) != 0)
        {
            parts.Add(Regex.Concat(Digit(first, first), Hex(from & rest, rest, digits - 1)));
            first++;
        }
        if ((to & rest) != rest)
        {
            parts.Add(Regex.Concat(Digit(last, last), Hex(0, to & rest, digits - 1)));
            last--;
        }
        if (first <= last)
            parts.Add(Regex.Concat(Digit(first, last), Hex(0, rest, digits - 1)));
        return Regex.Or([.. parts]);
    }

    private int Digit(int from, int to)
    {
        ByteSet set = default;
        for (int d = from; d <= to; d++)
            set |= d < 10 ? ByteSet.Of((byte)('0' + d)) : ByteSet.Of((byte)('a' + d - 10)) | ByteSet.Of((byte)('A' + d - 10));
        return Regex.Set(set);
    }
}
