using System.Text;

namespace Gradus.Applications.Python;

/// <summary>The methods of str.</summary>
internal static class TextMethods
{
    private static readonly char[] Space = [.. Enumerable.Range(0, 0x3001).Select(i => (char)i).Where(c => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f')];

    private static bool IsSpace(char c) => c < 128 ? c is ' ' or >= '\t' and <= '\r' or >= '\u001c' and <= '\u001f' : char.IsWhiteSpace(c);

    public static void Fill()
    {
        Simple("upper", s => s.ToUpperInvariant().Replace("ß", "SS", StringComparison.Ordinal));
        Simple("lower", s => s.ToLowerInvariant());
        Simple("casefold", s => s.ToLowerInvariant().Replace("ß", "ss", StringComparison.Ordinal));
        Simple("capitalize", s => s.Length == 0 ? s : char.ToUpperInvariant(s[0]) + s[1..].ToLowerInvariant());
        Simple("title", s => Cased(s, (c, first) => first ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c)));
        Simple("swapcase", s => string.Concat(s.Select(c => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c))));
        Test("isalpha", s => s.All(char.IsLetter));
        Test("isdigit", s => s.All(c => char.IsDigit(c) || c is '²' or '³' or '¹' or >= '⁰' and <= '⁹'));
        Test("isdecimal", s => s.All(char.IsDigit));
        Test("isnumeric", s => s.All(char.IsNumber));
        Test("isalnum", s => s.All(c => char.IsLetter(c) || char.IsNumber(c)));
        Test("isspace", s => s.All(IsSpace));
        Test("isupper", s => s.Any(char.IsUpper) && !s.Any(char.IsLower));
        Test("islower", s => s.Any(char.IsLower) && !s.Any(char.IsUpper));
        Test("istitle", s => s.Any(char.IsLetter) && Cased(s, (c, first) => first ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c)) == s);
        Test("isidentifier", s => (char.IsLetter(s[0]) || s[0] == '_') && s.All(c => char.IsLetterOrDigit(c) || c == '_'));
        Add("isascii", (_, s, _, _) => Value.Of(s.All(char.IsAscii)), 0, 0);
        Add("isprintable", (_, s, _, _) => Value.Of(s.All(c => !char.IsControl(c) && (c == ' ' || !char.IsWhiteSpace(c)))), 0, 0);
        Strip("strip", left: true, right: true);
        Strip("lstrip", left: true, right: false);
        Strip("rstrip", left: false, right: true);
        Searching();
        Splitting();
        Filling();
    }

    private delegate Value TextMethod(Interpreter it, string self, Value[] args, Keywords? keywords);

    private static void Add(string name, TextMethod call, int least, int most = int.MaxValue) =>
        TypeMethods.Add(Types.Str, name, (it, a, k) => call(it, Operations.Unwrapped(a[0]).Text ?? throw Errors.Type($"descriptor '{name}' requires a 'str' object"), a[1..], k), least, most);

    private static void Simple(string name, Func<string, string> change) => Add(name, (_, s, _, _) => Value.Of(change(s)), 0, 0);

    private static void Test(string name, Func<string, bool> test) => Add(name, (_, s, _, _) => Value.Of(s.Length > 0 && test(s)), 0, 0);

    private static string Text(Value value) => Operations.Unwrapped(value).Text ?? throw Errors.Type($"must be str, not {value.Class.Name}");

    private static string Cased(string s, Func<char, bool, char> change)
    {
        StringBuilder text = new(s.Length);
        bool first = true;
        foreach (char c in s)
        {
            text.Append(change(c, first));
            first = !char.IsLetter(c);
        }
        return text.ToString();
    }

    private static void Strip(string name, bool left, bool right) => Add(name, (_, s, a, _) =>
    {
        char[] of = a.Length == 0 || a[0].IsNone ? Space : Text(a[0]).ToCharArray();
        if (of.Length == 0)
            return Value.Of(s);
        return Value.Of(left && right ? s.Trim(of) : left ? s.TrimStart(of) : s.TrimEnd(of));
    }, 0, 1);

    private static void Searching()
    {
        Find("find", last: false, fails: false);
        Find("rfind", last: true, fails: false);
        Find("index", last: false, fails: true);
        Find("rindex", last: true, fails: true);
        Add("count", (it, s, a, _) =>
        {
            (int start, int end) = Range(s, a);
            string part = Text(a[0]);
            if (start > end)
                return Value.Of(0L);
            if (part.Length == 0)
                return Value.Of(end - start + 1L);
            long n = 0;
            for (int at = s.IndexOf(part, start, end - start, StringComparison.Ordinal); at >= 0; at = s.IndexOf(part, at + part.Length, end - at - part.Length, StringComparison.Ordinal))
                n++;
            return Value.Of(n);
        }, 1, 3);
        Ends("startswith", (s, part) => s.StartsWith(part, StringComparison.Ordinal));
        Ends("endswith", (s, part) => s.EndsWith(part, StringComparison.Ordinal));
        Add("replace", (_, s, a, k) =>
        {
            string from = Text(a[0]), to = Text(a[1]);
            long most = a.Length > 2 ? Operations.ToIndexClamped(a[2]) : Operations.ToIndexClamped(Keywords.Take(k, "count", Value.Of(-1L)));
            if (from.Length > 0)
                Memory.Check(s.Length / from.Length * (long)to.Length * 2);
            return Value.Of(most < 0 && from.Length > 0 ? s.Replace(from, to, StringComparison.Ordinal) : Replace(s, from, to, most < 0 ? int.MaxValue : (int)most));
        }, 2, 3);
        Add("removeprefix", (_, s, a, _) => Value.Of(s.StartsWith(Text(a[0]), StringComparison.Ordinal) ? s[Text(a[0]).Length..] : s), 1, 1);
        Add("removesuffix", (_, s, a, _) => Value.Of(Text(a[0]).Length > 0 && s.EndsWith(Text(a[0]), StringComparison.Ordinal) ? s[..^Text(a[0]).Length] : s), 1, 1);
        Add("translate", (it, s, a, _) => Value.Of(string.Concat(new StrObject(s) is var text ? Enumerable.Range(0, text.Length).Select(i => Translated(it, text.At(i), a[0])) : [])), 1, 1);
        Types.Str.Attributes["maketrans"] = Value.Of(new WrappedMethod(Value.Of(new NativeFunction("maketrans", MakeTable, 1, 3)), ofClass: false));
    }

    private static string Replace(string s, string from, string to, int most)
    {
        StringBuilder text = new();
        int at = 0;
        while (most > 0)
        {
            int found = from.Length == 0 ? at : s.IndexOf(from, at, StringComparison.Ordinal);
            if (found < 0)
                break;
            text.Append(s, at, found - at).Append(to);
            most--;
            if (from.Length == 0)
            {
                if (at >= s.Length)
                    return text.ToString();
                text.Append(s[at]);
                at++;
            }
            else
            {
                at = found + from.Length;
            }
        }
        return text.Append(s, at, s.Length - at).ToString();
    }

    private static string Translated(Interpreter it, string character, Value table)
    {
        Value key = Value.Of((long)char.ConvertToUtf32(character, 0));
        if (Operations.TableOf(table) is not { } entries || !entries.TryGet(key, out Value to))
            return character;
        return to.IsNone ? "" : to.HasBits ? StrObject.OfCode((int)to.Bits) : Text(to);
    }

    private static Value MakeTable(Interpreter it, Value[] args, Keywords? keywords)
    {
        DictObject table = new();
        if (args.Length == 1)
        {
            foreach (Value pair in Operations.ToArray(it, Value.Of(new DictView(Operations.TableOf(args[0])!, DictPart.Items))))
            {
                Value key = ((TupleObject)pair.Ref!).Items[0];
                table.Table.Set(key.Text is { } text ? Value.Of((long)char.ConvertToUtf32(text, 0)) : key, ((TupleObject)pair.Ref).Items[1]);
            }
            return Value.Of(table);
        }
        StrObject from = (StrObject)args[0].Ref!, to = (StrObject)args[1].Ref!;
        if (from.Length != to.Length)
            throw Errors.Value("the first two maketrans arguments must have equal length");
        for (int i = 0; i < from.Length; i++)
            table.Table.Set(Value.Of((long)char.ConvertToUtf32(from.At(i), 0)), Value.Of((long)char.ConvertToUtf32(to.At(i), 0)));
        foreach (char c in args.Length > 2 ? Text(args[2]) : "")
            table.Table.Set(Value.Of((long)c), Value.None);
        return Value.Of(table);
    }

    private static (int Start, int End) Range(string s, Value[] args)
    {
        long start = args.Length > 1 && !args[1].IsNone ? Operations.ToIndexClamped(args[1]) : 0, end = args.Length > 2 && !args[2].IsNone ? Operations.ToIndexClamped(args[2]) : s.Length;
        start = start < 0 ? Math.Max(0, start + s.Length) : start;
        end = Math.Min(end < 0 ? Math.Max(0, end + s.Length) : end, s.Length);
        return ((int)start, (int)end);
    }

    private static void Find(string name, bool last, bool fails) => Add(name, (_, s, a, _) =>
    {
        (int start, int end) = Range(s, a);
        string part = Text(a[0]);
        int at = start > end ? -1 : last ? s[start..end].LastIndexOf(part, StringComparison.Ordinal) : s.IndexOf(part, start, end - start, StringComparison.Ordinal);
        if (at >= 0 && last)
            at += start;
        if (at < 0 && fails)
            throw Errors.Value("substring not found");
        // Indices count code points.
        return Value.Of(at <= 0 ? at : (long)new StrObject(s[..at]).Length);
    }, 1, 3);

    private static void Ends(string name, Func<string, string, bool> test) => Add(name, (_, s, a, _) =>
    {
        (int start, int end) = Range(s, a);
        if (start > end)
            return Value.False;
        string part = s[start..end];
        return Value.Of(a[0].Ref is TupleObject several ? Array.Exists(several.Items, t => test(part, Text(t))) : test(part, Text(a[0])));
    }, 1, 3);

    private static void Splitting()
    {
        Add("split", (_, s, a, k) => Split(s, a, k, fromRight: false), 0, 2);
        Add("rsplit", (_, s, a, k) => Split(s, a, k, fromRight: true), 0, 2);
        Add("splitlines", (it, s, a, k) =>
        {
            bool keep = Operations.Truth(it, a.Length > 0 ? a[0] : Keywords.Take(k, "keepends", Value.False));
            ListObject lines = new();
            int start = 0;
            for (int i = 0; i < s.Length; i++)
            {
                if (s[i] is not ('\n' or '\r' or '\v' or '\f' or '\u0085' or '\u2028' or '\u2029'))
                    continue;
                int end = i;
                if (s[i] == '\r' && i + 1 < s.Length && s[i + 1] == '\n')
                    i++;
                lines.Add(Value.Of(s[start..(keep ? i + 1 : end)]));
                start = i + 1;
            }
            if (start < s.Length)
                lines.Add(Value.Of(s[start..]));
            return Value.Of(lines);
        }, 0, 1);
        Add("partition", (_, s, a, _) => s.IndexOf(Separator(a[0]), StringComparison.Ordinal) is >= 0 and var at
            ? Tuple(s[..at], Text(a[0]), s[(at + Text(a[0]).Length)..]) : Tuple(s, "", ""), 1, 1);
        Add("rpartition", (_, s, a, _) => s.LastIndexOf(Separator(a[0]), StringComparison.Ordinal) is >= 0 and var at
            ? Tuple(s[..at], Text(a[0]), s[(at + Text(a[0]).Length)..]) : Tuple("", "", s), 1, 1);
        Add("join", (it, s, a, _) =>
        {
            Value[] items = Operations.ToArray(it, a[0]);
            string[] texts = new string[items.Length];
            for (int i = 0; i < items.Length; i++)
                texts[i] = Operations.Unwrapped(items[i]).Text ?? throw Errors.Type($"sequence item {i}: expected str instance, {items[i].Class.Name} found");
            Memory.Check((texts.Sum(t => (long)t.Length) + (s.Length * (long)texts.Length)) * 2);
            return Value.Of(string.Join(s, texts));
        }, 1, 1);
    }

    private static string Separator(Value value) => Text(value) is { Length: > 0 } text ? text : throw Errors.Value("empty separator");

    private static Value Tuple(params string[] texts) => Value.Of(new TupleObject([.. texts.Select(Value.Of)]));

    private static Value Split(string s, Value[] args, Keywords? keywords, bool fromRight)
    {
        Value separator = args.Length > 0 ? args[0] : Keywords.Take(keywords, "sep", Value.None);
        long most = Operations.ToIndexClamped(args.Length > 1 ? args[1] : Keywords.Take(keywords, "maxsplit", Value.Of(-1L)));
        if (most < 0)
            most = int.MaxValue;
        List<string> parts = separator.IsNone ? Words(s, most, fromRight) : Parts(s, Separator(separator), most, fromRight);
        return Value.Of(new ListObject([.. parts.Select(Value.Of)]));
    }

    private static List<string> Parts(string s, string separator, long most, bool fromRight)
    {
        List<string> parts = [];
        if (!fromRight)
        {
            int at = 0;
            for (int found; parts.Count < most && (found = s.IndexOf(separator, at, StringComparison.Ordinal)) >= 0; at = found + separator.Length)
                parts.Add(s[at..found]);
            parts.Add(s[at..]);
            return parts;
        }
        int end = s.Length;
        while (parts.Count < most && end >= separator.Length && s.LastIndexOf(separator, end - 1, StringComparison.Ordinal) is >= 0 and var found)
        {
            parts.Add(s[(found + separator.Length)..end]);
            end = found;
        }
        parts.Add(s[..end]);
        parts.Reverse();
        return parts;
    }

    private static List<string> Words(string s, long most, bool fromRight)
    {
        List<string> words = [];
        if (fromRight && most < int.MaxValue)
        {
            string rest = s.TrimEnd(Space);
            while (words.Count < most && rest.LastIndexOfAny(Space) is >= 0 and var gap)
            {
                words.Add(rest[(gap + 1)..]);
                rest = rest[..gap].TrimEnd(Space);
            }
            if (rest.TrimStart(Space) is { Length: > 0 } first)
                words.Add(first);
            words.Reverse();
            return words;
        }
        int at = 0;
        while (true)
        {
            while (at < s.Length && IsSpace(s[at]))
                at++;
            if (at == s.Length)
                break;
            int end = at;
            if (words.Count >= most)
                end = s.Length;
            while (end < s.Length && !IsSpace(s[end]))
                end++;
            words.Add(words.Count < most ? s[at..end] : s[at..].TrimEnd(Space));
            at = end;
        }
        return words;
    }

    private static void Filling()
    {
        Pad("ljust", (s, n, c) => s + new string(c, n));
        Pad("rjust", (s, n, c) => new string(c, n) + s);
        // The odd one goes left where the width is odd, as in CPython.
        Add("center", (_, s, a, _) => Value.Of(Missing(s, a, out int width, out char fill) is > 0 and var n ? new string(fill, (n / 2) + (n & width & 1)) + s + new string(fill, n - (n / 2) - (n & width & 1)) : s), 1, 2);
        Add("zfill", (_, s, a, _) =>
        {
            int n = Missing(s, a, out int _, out char _);
            if (n <= 0)
                return Value.Of(s);
            bool sign = s.Length > 0 && s[0] is '+' or '-' && s.Length > 0;
            return Value.Of(sign ? s[0] + new string('0', n) + s[1..] : new string('0', n) + s);
        }, 1, 1);
        Add("expandtabs", (_, s, a, _) =>
        {
            int size = a.Length > 0 ? (int)Operations.ToIndexClamped(a[0]) : 8, column = 0;
            StringBuilder text = new();
            foreach (char c in s)
            {
                int n = c == '\t' ? (size > 0 ? size - (column % size) : 0) : 1;
                text.Append(c == '\t' ? ' ' : c, n);
                column = c is '\n' or '\r' ? 0 : column + n;
            }
            return Value.Of(text.ToString());
        }, 0, 1);
        Add("format", (it, s, a, k) => Value.Of(Formatting.Apply(it, s, a, k)), 0);
        Add("format_map", (it, s, a, _) =>
        {
            Table table = Operations.TableOf(a[0]) ?? throw Errors.Type("format_map() needs a mapping");
            Value[] keys = table.Keys();
            return Value.Of(Formatting.Apply(it, s, [], new Keywords([.. keys.Select(key => key.Text ?? "")], [.. keys.Select(key => table.TryGet(key, out Value v) ? v : default)])));
        }, 1, 1);
        Add("encode", (_, s, a, _) => Value.Of(new BytesObject(TypeMethods.Encode(s, a.Length > 0 ? Text(a[0]) : "utf-8"))), 0, 2);
    }

    private static int Missing(string s, Value[] args, out int width, out char fill)
    {
        width = (int)Operations.ToIndexClamped(args[0]);
        fill = args.Length > 1 ? Text(args[1]) is { Length: 1 } c ? c[0] : throw Errors.Type("The fill character must be exactly one character long") : ' ';
        int missing = width - new StrObject(s).Length;
        Memory.Check(missing * 2L);
        return missing;
    }

    private static void Pad(string name, Func<string, int, char, string> fill) => Add(name, (_, s, a, _) => Value.Of(Missing(s, a, out int _, out char c) is > 0 and var n ? fill(s, n, c) : s), 1, 2);
}
