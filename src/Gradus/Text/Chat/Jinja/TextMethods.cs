using System.Collections.Frozen;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// The methods of Python's str. Title case is mapped one character to one (ß stays ß).
/// Left out: encode, maketrans, translate, format_map, expandtabs.
/// </summary>
internal static partial class TextMethods
{
    public static FrozenDictionary<string, NativeFunction> Table { get; } = new Dictionary<string, NativeFunction>(StringComparer.Ordinal)
    {
        ["strip"] = static (c, s, a) => Strip(c, s, a, "strip", true, true),
        ["lstrip"] = static (c, s, a) => Strip(c, s, a, "lstrip", true, false),
        ["rstrip"] = static (c, s, a) => Strip(c, s, a, "rstrip", false, true),
        ["split"] = static (c, s, a) => Split(c, s, a, false),
        ["rsplit"] = static (c, s, a) => Split(c, s, a, true),
        ["splitlines"] = SplitLines,
        ["partition"] = static (c, s, a) => Partition(c, s, a, false),
        ["rpartition"] = static (c, s, a) => Partition(c, s, a, true),
        ["replace"] = static (c, s, a) => Replace(c, (TextValue)s, a.Bind(c, "replace", 2, "old", "new", "count")),
        ["removeprefix"] = static (c, s, a) => Remove(c, s, a, true),
        ["removesuffix"] = static (c, s, a) => Remove(c, s, a, false),
        ["join"] = static (c, s, a) => Join(c, (TextValue)s, a.Bind(c, "join", 1, "iterable")[0]!),
        ["format"] = PythonFormat.Format,
        ["startswith"] = static (c, s, a) => HasAffix(c, s, a, true),
        ["endswith"] = static (c, s, a) => HasAffix(c, s, a, false),
        ["find"] = static (c, s, a) => Value.Of(Find(c, s, a, "find", false)),
        ["rfind"] = static (c, s, a) => Value.Of(Find(c, s, a, "rfind", true)),
        ["index"] = static (c, s, a) => Index(c, Find(c, s, a, "index", false)),
        ["rindex"] = static (c, s, a) => Index(c, Find(c, s, a, "rindex", true)),
        ["count"] = Count,
        ["upper"] = static (c, s, a) => Mapped(c, s, a, "upper", TextCase.Upper),
        ["lower"] = static (c, s, a) => Mapped(c, s, a, "lower", TextCase.Lower),
        ["casefold"] = static (c, s, a) => Mapped(c, s, a, "casefold", static t => TextCase.Lower(t).Replace("ß", "ss", StringComparison.Ordinal)),
        ["title"] = static (c, s, a) => Mapped(c, s, a, "title", Title),
        ["capitalize"] = static (c, s, a) => Mapped(c, s, a, "capitalize", Capitalize),
        ["swapcase"] = static (c, s, a) => Mapped(c, s, a, "swapcase", SwapCase),
        ["center"] = static (c, s, a) => Pad(c, s, a, "center"),
        ["ljust"] = static (c, s, a) => Pad(c, s, a, "ljust"),
        ["rjust"] = static (c, s, a) => Pad(c, s, a, "rjust"),
        ["zfill"] = ZeroFill,
        ["isspace"] = static (c, s, a) => All(c, s, a, "isspace", static r => r.IsBmp && PythonText.IsSpace((char)r.Value)),
        ["isalpha"] = static (c, s, a) => All(c, s, a, "isalpha", Rune.IsLetter),
        ["isalnum"] = static (c, s, a) => All(c, s, a, "isalnum", static r => Rune.IsLetter(r) || Rune.IsNumber(r)),
        ["isdigit"] = static (c, s, a) => All(c, s, a, "isdigit", static r => CharUnicodeInfo.GetDigitValue(r.ToString(), 0) >= 0),
        ["isdecimal"] = static (c, s, a) => All(c, s, a, "isdecimal", Rune.IsDigit),
        ["isnumeric"] = static (c, s, a) => All(c, s, a, "isnumeric", static r => Rune.GetNumericValue(r) >= 0),
        ["isprintable"] = static (c, s, a) => Value.Of(((TextValue)s).Text.Length == 0 || All(c, s, a, "isprintable", PythonText.IsPrintable).IsTrue),
        ["isascii"] = static (c, s, a) => Value.Of(((TextValue)s).Text.Length == 0 || All(c, s, a, "isascii", static r => r.IsAscii).IsTrue),
        ["islower"] = static (c, s, a) => Value.Of(IsCased(Self(c, s, a, "islower"), Rune.IsLower)),
        ["isupper"] = static (c, s, a) => Value.Of(IsCased(Self(c, s, a, "isupper"), Rune.IsUpper)),
        ["istitle"] = static (c, s, a) => Value.Of(Self(c, s, a, "istitle") is var t && Title(t) == t && t.EnumerateRunes().Any(Rune.IsUpper)),
        ["isidentifier"] = static (c, s, a) => Value.Of(Self(c, s, a, "isidentifier") is { Length: > 0 } t && !char.IsDigit(t[0]) && t.All(PythonText.IsWord)),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Whether there are letters with case and all of them have the one asked for.</summary>
    public static bool IsCased(string text, Func<Rune, bool> hasCase)
    {
        bool any = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool wanted = hasCase(rune);
            if (!wanted && (Rune.IsLower(rune) || Rune.IsUpper(rune)))
                return false;
            any |= wanted;
        }
        return any;
    }

    public static string Capitalize(string text)
    {
        int first = text.Length > 1 && char.IsSurrogatePair(text, 0) ? 2 : Math.Min(1, text.Length);
        // The whole text decides what a sigma becomes.
        return TitleCase(text[..first]) + TextCase.Lower(text)[TextCase.Lower(text[..first]).Length..];
    }

    // Digraphs of one character (ǆ) and Greek letters with an iota below have forms of their own, Georgian ones have none; of an expanded letter (ß) the beginning stays large.
    private static string TitleCase(string letter)
    {
        string upper = TextCase.Upper(letter);
        return letter.Length == 0 ? "" : letter[0] switch
        {
            >= '\u01C4' and <= '\u01CC' => $"{(char)('\u01C5' + ((letter[0] - '\u01C4') / 3 * 3))}",
            >= '\u01F1' and <= '\u01F3' => "\u01F2",
            '\u0149' => upper,
            >= '\u10D0' and <= '\u10FF' => letter,
            >= '\u1F80' and <= '\u1FAF' => $"{(char)(letter[0] | 8)}",
            '\u1FB3' or '\u1FC3' or '\u1FF3' or '\u1FBC' or '\u1FCC' or '\u1FFC' => $"{(char)(letter[0] >= '\u1FF0' ? '\u1FFC' : (letter[0] & 0xFFF0) | 0xC)}",
            >= '\u1FB0' and <= '\u1FFF' when upper.Length > 1 && upper[^1] == '\u0399' => upper[..^1] + '\u0345',
            _ => upper.Length > letter.Length ? upper[..1] + upper[1..].ToLowerInvariant() : upper,
        };
    }

    public static TextValue Strip(RenderContext context, TextValue text, Value? characters, bool left = true, bool right = true)
    {
        string? set = characters is null or NoneValue ? null : Text(context, characters, "strip");
        context.Charge(1 + (text.Text.Length / 64));
        (int start, int end) = PythonText.TrimRange(text.Text, set, left, right);
        return text.Part(context, start, end - start);
    }

    public static TextValue Join(RenderContext context, TextValue separator, Value elements)
    {
        MarkedBuilder target = context.NewBuilder();
        bool first = true;
        foreach (Value element in context.Iterate(elements))
        {
            if (!first)
                target.Append(separator);
            first = false;
            context.Step();
            target.Append(element as TextValue ?? throw context.Error($"join needs strings, not {element.TypeName}"));
        }
        return target.ToValue();
    }

    /// <summary>Replaces from the left; bound are old, new and, where given, the largest number of replacements.</summary>
    public static TextValue Replace(RenderContext context, TextValue text, Value?[] bound)
    {
        string old = Text(context, bound[0]!, "replace");
        TextValue replacement = bound[1] as TextValue ?? Value.Of(Text(context, bound[1]!, "replace"));
        if (text.IsMarkup)
            (old, replacement) = (((TextValue)bound[0]!).Escape(context).Text, replacement.Escape(context));
        int limit = Limit(context, bound[2], "replace");
        context.ChargeSearch(text.Text.Length, old.Length);
        MarkedBuilder target = context.NewBuilder();
        int position = 0, search = 0;
        for (; limit != 0 && search <= text.Text.Length; limit--)
        {
            int found = text.Text.IndexOf(old, search, StringComparison.Ordinal);
            if (found < 0)
                break;
            context.Charge(1);
            target.Append(text.Part(context, position, found - position));
            target.Append(replacement);
            position = found + old.Length;
            // An empty string is found once before every character and once at the end.
            search = old.Length > 0 ? position : found + (found + 1 < text.Text.Length && char.IsSurrogatePair(text.Text, found) ? 2 : 1);
        }
        if (position == 0 && target.Length == 0)
            return text;
        target.Append(text.Part(context, position, text.Text.Length - position));
        return target.ToValue().AsMarkup(text.IsMarkup);
    }

    private static string Self(RenderContext context, Value self, Arguments arguments, string name)
    {
        arguments.Bind(context, name, 0);
        string text = ((TextValue)self).Text;
        context.Charge(1 + (text.Length / 16));
        return text;
    }

    private static string Text(RenderContext context, Value value, string method) => value switch
    {
        TextValue text => text.Text,
        UndefinedValue undefined => throw context.Error(undefined.Reason),
        _ => throw context.Error($"{method} needs a string, not {value.TypeName}"),
    };

    private static int Limit(RenderContext context, Value? value, string method)
    {
        if (value is null or NoneValue)
            return -1;
        return Numbers.TryInteger(value, out BigInteger limit)
            ? (int)BigInteger.Max(-1, BigInteger.Min(limit, int.MaxValue))
            : throw context.Error($"{method} needs a whole number, not {value.TypeName}");
    }

    private static TextValue Strip(RenderContext context, Value self, Arguments arguments, string name, bool left, bool right) =>
        Strip(context, (TextValue)self, arguments.Bind(context, name, 0, "chars")[0], left, right);

    private static TextValue Mapped(RenderContext context, Value self, Arguments arguments, string name, Func<string, string> map) =>
        ((TextValue)self).Derive(context, map(Self(context, self, arguments, name)));

    private static BoolValue All(RenderContext context, Value self, Arguments arguments, string name, Func<Rune, bool> test)
    {
        string text = Self(context, self, arguments, name);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (!test(rune))
                return BoolValue.False;
        }
        return Value.Of(text.Length > 0);
    }

    private static string Title(string text)
    {
        StringBuilder target = new(text.Length);
        bool inWord = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            target.Append(inWord ? Rune.ToLowerInvariant(rune) : Rune.ToUpperInvariant(rune));
            inWord = Rune.IsLetter(rune);
        }
        return target.ToString();
    }

    private static string SwapCase(string text)
    {
        StringBuilder target = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            target.Append(Rune.IsUpper(rune) ? TextCase.Lower(rune.ToString()) : TextCase.Upper(rune.ToString()));
        return target.ToString();
    }

    private static TextValue Pad(RenderContext context, Value self, Arguments arguments, string name)
    {
        Value?[] bound = arguments.Bind(context, name, 1, "width", "fillchar");
        string fill = bound[1] is null ? " " : Text(context, bound[1]!, name);
        if (PythonText.CountCodePoints(fill) != 1)
            throw context.Error($"{name} needs one fill character");
        return Pad(context, (TextValue)self, Limit(context, bound[0], name), fill, name);
    }

    /// <summary>Fills up to a width in code points; center puts the odd one where Python does.</summary>
    public static TextValue Pad(RenderContext context, TextValue text, int width, string fill, string name)
    {
        int missing = width - text.CodePoints;
        if (missing <= 0)
            return text;
        context.ChargeCharacters((long)missing * fill.Length);
        int left = name switch { "rjust" => missing, "ljust" => 0, _ => (missing / 2) + (missing & width & 1) };
        TextValue padded = TextValue.Concat(context, Value.Of(string.Concat(Enumerable.Repeat(fill, left))), text);
        return TextValue.Concat(context, padded, Value.Of(string.Concat(Enumerable.Repeat(fill, missing - left)))).AsMarkup(text.IsMarkup);
    }

    private static TextValue ZeroFill(RenderContext context, Value self, Arguments arguments)
    {
        TextValue text = (TextValue)self;
        int sign = text.Text.StartsWith('-') || text.Text.StartsWith('+') ? 1 : 0;
        int width = Limit(context, arguments.Bind(context, "zfill", 1, "width")[0], "zfill");
        TextValue digits = text.Part(context, sign, text.Text.Length - sign);
        return TextValue.Concat(context, text.Part(context, 0, sign), Pad(context, digits, width - sign, "0", "rjust"));
    }
}
