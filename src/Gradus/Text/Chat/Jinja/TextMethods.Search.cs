using System.Buffers;
using System.Numerics;

namespace Gradus.Text.Chat.Jinja;

/// <summary>The methods of Python's str that search and cut.</summary>
internal static partial class TextMethods
{
    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029");

    private static ListValue Split(RenderContext context, Value self, Arguments arguments, bool fromRight)
    {
        string name = fromRight ? "rsplit" : "split";
        Value?[] bound = arguments.Bind(context, name, 0, "sep", "maxsplit");
        TextValue text = (TextValue)self;
        int limit = Limit(context, bound[1], name);
        context.Charge(1 + (text.Text.Length / 16));
        List<Value> parts = [];
        if (bound[0] is null or NoneValue)
        {
            SplitWords(context, text, limit < 0 ? int.MaxValue : limit, fromRight, parts);
        }
        else
        {
            string separator = Text(context, bound[0]!, name);
            if (separator.Length == 0)
                throw context.Error($"{name}: the separator is empty");
            SplitAt(context, text, separator, limit < 0 ? int.MaxValue : limit, fromRight, parts);
        }
        if (fromRight)
            parts.Reverse();
        return new ListValue([.. parts], text.Message);
    }

    private static void SplitAt(RenderContext context, TextValue text, string separator, int limit, bool fromRight, List<Value> parts)
    {
        int start = 0, end = text.Text.Length;
        context.ChargeSearch(end, separator.Length);
        while (parts.Count < limit)
        {
            int found = fromRight
                ? text.Text.AsSpan(0, end).LastIndexOf(separator)
                : text.Text.IndexOf(separator, start, StringComparison.Ordinal);
            if (found < 0)
                break;
            context.Charge(1);
            if (fromRight)
            {
                parts.Add(text.Part(context, found + separator.Length, end - found - separator.Length));
                end = found;
            }
            else
            {
                parts.Add(text.Part(context, start, found - start));
                start = found + separator.Length;
            }
        }
        parts.Add(text.Part(context, start, end - start));
    }

    /// <summary>Words between white space; what is left after the last allowed split keeps its inner and far white space.</summary>
    private static void SplitWords(RenderContext context, TextValue text, int limit, bool fromRight, List<Value> parts)
    {
        string s = text.Text;
        int start = 0, end = s.Length;
        while (true)
        {
            (start, end) = fromRight ? (start, PythonTrim(s, start, end, false).End) : (PythonTrim(s, start, end, true).Start, end);
            if (start >= end)
                return;
            context.Charge(1);
            if (parts.Count >= limit)
            {
                parts.Add(text.Part(context, start, end - start));
                return;
            }
            int word = fromRight ? end : start;
            if (fromRight)
            {
                while (word > start && !PythonText.IsSpace(s[word - 1]))
                    word--;
                parts.Add(text.Part(context, word, end - word));
                end = word;
            }
            else
            {
                while (word < end && !PythonText.IsSpace(s[word]))
                    word++;
                parts.Add(text.Part(context, start, word - start));
                start = word;
            }
        }
    }

    private static (int Start, int End) PythonTrim(string text, int start, int end, bool left)
    {
        while (left && start < end && PythonText.IsSpace(text[start]))
            start++;
        while (!left && end > start && PythonText.IsSpace(text[end - 1]))
            end--;
        return (start, end);
    }

    private static ListValue SplitLines(RenderContext context, Value self, Arguments arguments)
    {
        bool keepEnds = arguments.Bind(context, "splitlines", 0, "keepends")[0]?.IsTrue ?? false;
        return new ListValue([.. SplitLines(context, (TextValue)self, keepEnds)], self.Message);
    }

    /// <summary>Lines by all of Unicode's line ends, as Python's splitlines.</summary>
    public static List<TextValue> SplitLines(RenderContext context, TextValue value, bool keepEnds)
    {
        string text = value.Text;
        context.Charge(1 + (text.Length / 16));
        List<TextValue> lines = [];
        int start = 0;
        while (start < text.Length)
        {
            int found = text.AsSpan(start).IndexOfAny(LineEnds);
            int end = found < 0 ? text.Length : start + found;
            int next = end == text.Length ? end : end + (text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? 2 : 1);
            context.Charge(1);
            lines.Add(value.Part(context, start, (keepEnds ? next : end) - start));
            start = next;
        }
        return lines;
    }

    private static TupleValue Partition(RenderContext context, Value self, Arguments arguments, bool fromRight)
    {
        TextValue text = (TextValue)self;
        string separator = Text(context, arguments.Bind(context, "partition", 1, "sep")[0]!, "partition");
        if (separator.Length == 0)
            throw context.Error("partition: the separator is empty");
        context.ChargeSearch(text.Text.Length, separator.Length);
        int found = fromRight
            ? text.Text.LastIndexOf(separator, StringComparison.Ordinal)
            : text.Text.IndexOf(separator, StringComparison.Ordinal);
        if (found < 0)
            return fromRight ? new TupleValue(TextValue.Empty, TextValue.Empty, text) : new TupleValue(text, TextValue.Empty, TextValue.Empty);
        int after = found + separator.Length;
        return new TupleValue(
            text.Part(context, 0, found),
            text.Part(context, found, separator.Length),
            text.Part(context, after, text.Text.Length - after));
    }

    private static TextValue Remove(RenderContext context, Value self, Arguments arguments, bool prefix)
    {
        TextValue text = (TextValue)self;
        string affix = Text(context, arguments.Bind(context, "removeprefix", 1, "affix")[0]!, prefix ? "removeprefix" : "removesuffix");
        bool has = prefix ? text.Text.StartsWith(affix, StringComparison.Ordinal) : text.Text.EndsWith(affix, StringComparison.Ordinal);
        return has ? text.Part(context, prefix ? affix.Length : 0, text.Text.Length - affix.Length) : text;
    }

    private static BoolValue HasAffix(RenderContext context, Value self, Arguments arguments, bool prefix)
    {
        string name = prefix ? "startswith" : "endswith";
        Value?[] bound = arguments.Bind(context, name, 1, "affix", "start", "end");
        if (!TryWindow(context, (TextValue)self, bound[1], bound[2], out int start, out int end))
            return BoolValue.False;
        Value[] affixes = bound[0] is TupleValue tuple ? tuple.Elements : [bound[0]!];
        foreach (Value affix in affixes)
        {
            string wanted = Text(context, affix, name);
            context.Charge(1 + (wanted.Length / 64));
            ReadOnlySpan<char> window = ((TextValue)self).Text.AsSpan(start, end - start);
            if (prefix ? window.StartsWith(wanted) : window.EndsWith(wanted))
                return BoolValue.True;
        }
        return BoolValue.False;
    }

    private static int Find(RenderContext context, Value self, Arguments arguments, string name, bool fromRight)
    {
        Value?[] bound = arguments.Bind(context, name, 1, "sub", "start", "end");
        TextValue text = (TextValue)self;
        string wanted = Text(context, bound[0]!, name);
        if (!TryWindow(context, text, bound[1], bound[2], out int start, out int end))
            return -1;
        context.ChargeSearch(text.Text.Length, wanted.Length);
        ReadOnlySpan<char> window = text.Text.AsSpan(start, end - start);
        int found = fromRight ? window.LastIndexOf(wanted) : window.IndexOf(wanted);
        if (found < 0)
            return -1;
        return text.HasSurrogatePairs ? PythonText.CountCodePoints(text.Text[..(start + found)]) : start + found;
    }

    private static IntValue Index(RenderContext context, int found) =>
        found < 0 ? throw context.Error("index: the substring is not in the string") : new IntValue(found);

    private static IntValue Count(RenderContext context, Value self, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "count", 1, "sub", "start", "end");
        TextValue text = (TextValue)self;
        string wanted = Text(context, bound[0]!, "count");
        if (!TryWindow(context, text, bound[1], bound[2], out int start, out int end))
            return new IntValue(0);
        context.ChargeSearch(text.Text.Length, wanted.Length);
        ReadOnlySpan<char> window = text.Text.AsSpan(start, end - start);
        return new IntValue(wanted.Length == 0 ? PythonText.CountCodePoints(window.ToString()) + 1 : window.Count(wanted));
    }

    /// <summary>The UTF-16 window of the optional start and end; false where it is empty because start lies behind end.</summary>
    private static bool TryWindow(RenderContext context, TextValue text, Value? start, Value? end, out int from, out int to)
    {
        int length = text.CodePoints;
        int first = Bound(context, start, 0, length), last = Bound(context, end, length, length);
        (from, to) = (0, 0);
        if (first > last || (start is not null && Numbers.TryInteger(start, out BigInteger given) && given > length))
            return false;
        (from, to) = (text.Utf16Position(first), text.Utf16Position(last));
        return true;
    }

    private static int Bound(RenderContext context, Value? value, int missing, int length)
    {
        if (value is null or NoneValue)
            return missing;
        if (!Numbers.TryInteger(value, out BigInteger bound))
            throw context.Error($"an index is a whole number, not {value.TypeName}");
        return (int)BigInteger.Max(0, BigInteger.Min(bound.Sign < 0 ? bound + length : bound, length));
    }
}
