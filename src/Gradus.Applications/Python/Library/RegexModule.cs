// re: patterns are translated to .NET's and run there, with a limit of time. Every group gets a name, since .NET counts named groups behind the
// others and Python does not.
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Gradus.Applications.Python;

internal static class RegexModule
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>Patterns that an interpreter keeps compiled, as Python does.</summary>
    private const int MostKept = 256;

    private static readonly PyClass PatternClass = new("Pattern", [Types.Object], builtin: true), MatchClass = new("Match", [Types.Object], builtin: true);
    private static readonly PyClass RegexError = new("error", [Types.Exception]);

    static RegexModule()
    {
        foreach (string name in new[] { "match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split" })
            TypeMethods.Add(PatternClass, name, (it, a, k) => Call(it, name, (PatternObject)a[0].Ref!, a[1..], k), 1);
        PatternClass.Attributes["pattern"] = Property(v => Value.Of(((PatternObject)v.Ref!).Source));
        PatternClass.Attributes["flags"] = Property(v => Value.Of(((PatternObject)v.Ref!).Flags));
        PatternClass.Attributes["groups"] = Property(v => Value.Of((long)((PatternObject)v.Ref!).Groups));
        Method("group", (it, m, a) => a.Length == 0 ? Group(m, 0) : a.Length == 1 ? Group(m, Number(m, a[0])) : Library.Tuple([.. a.Select(g => Group(m, Number(m, g)))]));
        Method("__getitem__", (it, m, a) => Group(m, Number(m, a[0])));
        Method("groups", (it, m, a) => Library.Tuple([.. Enumerable.Range(1, m.Pattern.Groups).Select(i => Group(m, i, a.Length > 0 ? a[0] : Value.None))]));
        Method("groupdict", (it, m, a) =>
        {
            DictObject dict = new();
            foreach ((string name, int i) in m.Pattern.Names)
                dict.Table.Set(Value.Of(name), Group(m, i));
            return Value.Of(dict);
        });
        Method("start", (it, m, a) => Value.Of(Of(m, a) is { Success: true } g ? g.Index : -1L));
        Method("end", (it, m, a) => Value.Of(Of(m, a) is { Success: true } g ? g.Index + g.Length : -1L));
        Method("span", (it, m, a) => Of(m, a) is { Success: true } g ? Library.Tuple(Value.Of((long)g.Index), Value.Of((long)g.Index + g.Length)) : Library.Tuple(Value.Of(-1L), Value.Of(-1L)));
        Method("expand", (it, m, a) => Value.Of(Expand(m, a[0].Text!)));
        Method("__repr__", (it, m, a) => Value.Of($"<re.Match object; span=({m.Match.Index}, {m.Match.Index + m.Match.Length}), match={Operations.Repr(it, Value.Of(m.Match.Value))}>"));
        MatchClass.Attributes["string"] = Property(v => Value.Of(((MatchObject)v.Ref!).Text));
        MatchClass.Attributes["re"] = Property(v => Value.Of(((MatchObject)v.Ref!).Pattern));
        MatchClass.Attributes["lastindex"] = Property(v => ((MatchObject)v.Ref!) is var m && Enumerable.Range(1, m.Pattern.Groups).LastOrDefault(i => m.Match.Groups["g" + i].Success) is > 0 and var last ? Value.Of((long)last) : Value.None);
    }

    public static void Fill(Interpreter it, ModuleObject m)
    {
        Dictionary<(string, long), PatternObject> kept = [];
        foreach ((string name, long flag) in new[] { ("IGNORECASE", 2L), ("I", 2L), ("MULTILINE", 8L), ("M", 8L), ("DOTALL", 16L), ("S", 16L), ("VERBOSE", 64L), ("X", 64L), ("ASCII", 256L), ("A", 256L), ("UNICODE", 32L), ("U", 32L) })
            m[name] = Value.Of(flag);
        m["error"] = m["PatternError"] = Value.Of(RegexError);
        m["Pattern"] = Value.Of(PatternClass);
        m["Match"] = Value.Of(MatchClass);
        m.Add("compile", (_, a, k) => Value.Of(Compile(kept, a[0], a.Length > 1 ? a[1] : Keywords.Take(k, "flags", Value.Of(0L)))), 1, 2);
        m.Add("escape", (_, a, _) => Value.Of(string.Concat(a[0].Text!.Select(c => char.IsLetterOrDigit(c) || c is '_' or '"' or '\'' or ',' or '/' or ':' or ';' or '<' or '>' or '=' or '@' or '!' or '%' or '`' ? c.ToString() : "\\" + c))), 1, 1);
        m.Add("purge", (_, _, _) =>
        {
            kept.Clear();
            return Value.None;
        }, 0, 0);
        foreach (string name in new[] { "match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split" })
        {
            int own = name is "sub" or "subn" ? 4 : name == "split" ? 3 : 2;
            m.Add(name, (i, a, k) => Call(i, name, Compile(kept, a[0], a.Length > own ? a[own] : Keywords.Take(k, "flags", Value.Of(0L))), a[1..Math.Min(a.Length, own)], k), 2);
        }
    }

    private sealed class PatternObject(Regex regex, string source, long flags, int groups, IReadOnlyList<(string Name, int Number)> names) : PyObject
    {
        private Regex? _anchored;
        private Regex? _full;

        public Regex Regex { get; } = regex;

        /// <summary>The pattern where the text begins.</summary>
        public Regex Anchored => _anchored ??= new Regex($"\\G(?:{Regex})", Regex.Options, Limit);

        /// <summary>The pattern as the whole text.</summary>
        public Regex Full => _full ??= new Regex($"\\G(?:{Regex})\\z", Regex.Options, Limit);

        public string Source { get; } = source;

        public long Flags { get; } = flags;

        public int Groups { get; } = groups;

        public IReadOnlyList<(string Name, int Number)> Names { get; } = names;

        public override PyClass ClassOf => PatternClass;
    }

    private sealed class MatchObject(PatternObject pattern, Match match, string text) : PyObject
    {
        public PatternObject Pattern { get; } = pattern;

        public Match Match { get; } = match;

        public string Text { get; } = text;

        public override PyClass ClassOf => MatchClass;
    }

    private static Value Property(Func<Value, Value> get) => Value.Of(new PropertyObject(Value.Of(new NativeFunction("get", (_, a, _) => get(a[0]))), default, default));

    private static void Method(string name, Func<Interpreter, MatchObject, Value[], Value> call) => TypeMethods.Add(MatchClass, name, (it, a, _) => call(it, (MatchObject)a[0].Ref!, a[1..]));

    private static Group Of(MatchObject m, Value[] args) => args.Length == 0 || Number(m, args[0]) == 0 ? m.Match : m.Match.Groups["g" + Number(m, args[0])];

    private static int Number(MatchObject m, Value group)
    {
        if (group.Text is { } name)
            return m.Pattern.Names.FirstOrDefault(n => n.Name == name) is { Name: not null } found ? found.Number : throw Errors.Index("no such group");
        long number = Operations.ToIndex(group);
        return number >= 0 && number <= m.Pattern.Groups ? (int)number : throw Errors.Index("no such group");
    }

    private static Value Group(MatchObject m, int number, Value absent = default)
    {
        Group group = number == 0 ? m.Match : m.Match.Groups["g" + number];
        return group.Success ? Value.Of(group.Value) : absent.IsUnbound ? Value.None : absent;
    }

    private static PatternObject Compile(Dictionary<(string, long), PatternObject> kept, Value pattern, Value flags)
    {
        if (pattern.Ref is PatternObject known)
            return known;
        string source = pattern.Text ?? throw Errors.Type("first argument must be string or compiled pattern");
        long bits = flags.IsUnbound ? 0 : flags.Bits;
        if (kept.TryGetValue((source, bits), out PatternObject? compiled))
            return compiled;
        if (kept.Count == MostKept)
            kept.Clear();
        return kept[(source, bits)] = Compile(source, bits);
    }

    private static PatternObject Compile(string source, long bits)
    {
        RegexOptions options = RegexOptions.CultureInvariant;
        if ((bits & 2) != 0)
            options |= RegexOptions.IgnoreCase;
        if ((bits & 8) != 0)
            options |= RegexOptions.Multiline;
        if ((bits & 16) != 0)
            options |= RegexOptions.Singleline;
        if ((bits & 64) != 0)
            options |= RegexOptions.IgnorePatternWhitespace;
        (string translated, int groups, List<(string, int)> names) = Translate(source, (bits & 256) != 0);
        try
        {
            return new PatternObject(new Regex(translated, options, Limit), source, bits, groups, names);
        }
        catch (ArgumentException e)
        {
            throw Errors.Make(RegexError, Value.Of(e.Message));
        }
    }

    private static (string, int, List<(string, int)>) Translate(string source, bool ascii)
    {
        StringBuilder text = new();
        List<(string Name, int Number)> names = [];
        int groups = 0;
        bool inClass = false;
        for (int i = 0; i < source.Length; i++)
        {
            char c = source[i];
            if (c == '\\' && i + 1 < source.Length)
            {
                char n = source[++i];
                if (!inClass && n is >= '1' and <= '9')
                {
                    int number = n - '0';
                    if (i + 1 < source.Length && char.IsAsciiDigit(source[i + 1]))
                        number = (number * 10) + source[++i] - '0';
                    text.Append($"\\k<g{number}>");
                }
                else
                {
                    text.Append(n switch { 'Z' => "\\z", 'd' when ascii => inClass ? "0-9" : "[0-9]", 'w' when ascii => inClass ? "a-zA-Z0-9_" : "[a-zA-Z0-9_]", '"' or '\'' => n.ToString(), _ => "\\" + n });
                }
            }
            else if (inClass)
            {
                inClass = c != ']';
                text.Append(c == '[' ? "\\[" : c.ToString());
            }
            else if (c == '[')
            {
                inClass = true;
                text.Append(c);
                if (i + 1 < source.Length && source[i + 1] == '^')
                    text.Append(source[++i]);
                if (i + 1 < source.Length && source[i + 1] == ']')
                {
                    text.Append("\\]");
                    i++;
                }
            }
            else if (c == '(')
            {
                i = Open(source, i, text, names, ref groups);
            }
            else if (c == '{' && i + 1 < source.Length && source[i + 1] == ',')
            {
                text.Append("{0");
            }
            else
            {
                text.Append(c);
            }
        }
        return (text.ToString(), groups, names);
    }

    // Translates what opens a group; gives the index of its last character.
    private static int Open(string source, int i, StringBuilder text, List<(string, int)> names, ref int groups)
    {
        string rest = source[i..];
        if (rest.StartsWith("(?P<", StringComparison.Ordinal) && rest.IndexOf('>', StringComparison.Ordinal) is > 4 and var end)
        {
            names.Add((rest[4..end], ++groups));
            text.Append($"(?<g{groups}>");
            return i + end;
        }
        if (rest.StartsWith("(?P=", StringComparison.Ordinal) && rest.IndexOf(')', StringComparison.Ordinal) is > 4 and var close)
        {
            string name = rest[4..close];
            text.Append($"\\k<g{names.FirstOrDefault(n => n.Item1 == name).Item2}>");
            return i + close;
        }
        if (rest.StartsWith("(?#", StringComparison.Ordinal) && rest.IndexOf(')', StringComparison.Ordinal) is > 0 and var comment)
            return i + comment;
        if (rest.StartsWith("(?", StringComparison.Ordinal))
        {
            text.Append('(');
            return i;
        }
        text.Append($"(?<g{++groups}>");
        return i;
    }

    private static Value Call(Interpreter it, string name, PatternObject pattern, Value[] args, Keywords? keywords)
    {
        try
        {
            return Run(it, name, pattern, args, keywords);
        }
        catch (RegexMatchTimeoutException)
        {
            throw Errors.Make("TimeoutError", $"the pattern {Operations.Repr(it, Value.Of(pattern.Source))} took too long");
        }
    }

    private static string Subject(Value value) => value.Text ?? throw Errors.Type($"expected string or bytes-like object, got '{value.Class.Name}'");

    private static Value Run(Interpreter it, string name, PatternObject pattern, Value[] args, Keywords? keywords)
    {
        switch (name)
        {
            case "match" or "search" or "fullmatch":
                string text = Subject(args[0]);
                int start = args.Length > 1 ? (int)Math.Clamp(Operations.ToIndexClamped(args[1]), 0, text.Length) : 0;
                string until = args.Length > 2 ? text[..(int)Math.Clamp(Operations.ToIndexClamped(args[2]), start, text.Length)] : text;
                Regex regex = name switch { "match" => pattern.Anchored, "fullmatch" => pattern.Full, _ => pattern.Regex };
                Match match = regex.Match(until, start);
                return match.Success ? Value.Of(new MatchObject(pattern, match, text)) : Value.None;
            case "findall":
                return Value.Of(new ListObject([.. pattern.Regex.Matches(Subject(args[0])).Select(m => Found(pattern, m))]));
            case "finditer":
                string all = Subject(args[0]);
                return Builtins.Lazy(pattern.Regex.Matches(all).Select(m => Value.Of(new MatchObject(pattern, m, all))));
            case "split":
                return Split(pattern, Subject(args[0]), args.Length > 1 ? Operations.ToIndexClamped(args[1]) : Operations.ToIndexClamped(Keywords.Take(keywords, "maxsplit", Value.Of(0L))));
            default:
                long most = Operations.ToIndexClamped(args.Length > 2 ? args[2] : Keywords.Take(keywords, "count", Value.Of(0L)));
                string subject = Subject(args[1]);
                int count = 0;
                string result = pattern.Regex.Replace(
                    subject,
                    m =>
                    {
                        it.Burn();
                        count++;
                        MatchObject found = new(pattern, m, subject);
                        return args[0].Text is { } template ? Expand(found, template) : it.Call(args[0], Value.Of(found)).Text ?? "";
                    },
                    most <= 0 ? -1 : (int)most);
                return name == "sub" ? Value.Of(result) : Library.Tuple(Value.Of(result), Value.Of((long)count));
        }
    }

    private static Value Found(PatternObject pattern, Match match) => pattern.Groups switch
    {
        0 => Value.Of(match.Value),
        1 => Value.Of(match.Groups["g1"].Value),
        _ => Library.Tuple([.. Enumerable.Range(1, pattern.Groups).Select(i => Value.Of(match.Groups["g" + i].Value))]),
    };

    private static Value Split(PatternObject pattern, string text, long most)
    {
        ListObject parts = new();
        int at = 0;
        foreach (Match match in pattern.Regex.Matches(text))
        {
            if (most > 0 && parts.Count >= most * (1 + pattern.Groups))
                break;
            parts.Add(Value.Of(text[at..match.Index]));
            for (int i = 1; i <= pattern.Groups; i++)
                parts.Add(match.Groups["g" + i].Success ? Value.Of(match.Groups["g" + i].Value) : Value.None);
            at = match.Index + match.Length;
        }
        parts.Add(Value.Of(text[at..]));
        return Value.Of(parts);
    }

    // \1, \g<1>, \g<name> and the usual escapes.
    private static string Expand(MatchObject m, string template)
    {
        if (!template.Contains('\\', StringComparison.Ordinal))
            return template;
        StringBuilder text = new();
        for (int i = 0; i < template.Length; i++)
        {
            if (template[i] != '\\' || i + 1 == template.Length)
            {
                text.Append(template[i]);
                continue;
            }
            char c = template[++i];
            if (c == 'g' && i + 1 < template.Length && template[i + 1] == '<' && template.IndexOf('>', i) is > 0 and var end)
            {
                string name = template[(i + 2)..end];
                text.Append(Group(m, Number(m, int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? Value.Of((long)number) : Value.Of(name))).Text);
                i = end;
            }
            else if (char.IsAsciiDigit(c))
            {
                int number = c - '0';
                if (i + 1 < template.Length && char.IsAsciiDigit(template[i + 1]))
                    number = (number * 10) + template[++i] - '0';
                text.Append(Group(m, Number(m, Value.Of((long)number))).Text);
            }
            else
            {
                text.Append(c switch { 'n' => '\n', 't' => '\t', 'r' => '\r', _ => c });
            }
        }
        return text.ToString();
    }
}
