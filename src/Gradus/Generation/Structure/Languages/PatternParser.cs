// Regular expressions as ECMA-262 writes them with the u flag, which JSON Schema asks for. Repetitions may be lazy: that changes no
// language. Left out, with an error that names it: back references, look-behind, word boundaries, scripts and flags.

using System.Globalization;

namespace Gradus.Generation.Structure.Languages;

/// <summary>Parses a regular expression.</summary>
internal sealed class PatternParser
{
    private const int MostNested = 200;
    private const int MostRepeats = 1_000_000;

    private readonly string _text;
    private readonly string _place;
    private int _at;
    private int _nested;

    private PatternParser(string text, string place) => (_text, _place) = (text, place);

    /// <summary>Parses an expression.</summary>
    /// <param name="text">The expression.</param>
    /// <param name="place">What errors call it.</param>
    /// <exception cref="StructureException">It is not well formed, or cannot be enforced.</exception>
    public static Pattern Parse(string text, string place)
    {
        PatternParser parser = new(text, place);
        Pattern pattern = parser.Choice();
        return parser._at == text.Length ? pattern : throw parser.Wrong("there is a ) without a (");
    }

    private char Current => _at < _text.Length ? _text[_at] : '\0';

    private bool AtEnd => _at >= _text.Length;

    private Pattern Choice()
    {
        if (++_nested > MostNested)
            throw Wrong($"groups are nested deeper than {MostNested}");
        List<Pattern> parts = [Sequence()];
        while (Current == '|' && !AtEnd)
        {
            _at++;
            parts.Add(Sequence());
        }
        _nested--;
        return parts.Count == 1 ? parts[0] : new Pattern.Choice(parts);
    }

    private Pattern Sequence()
    {
        List<Pattern> parts = [];
        while (!AtEnd && Current is not ('|' or ')'))
            parts.Add(Quantified());
        return parts.Count == 1 ? parts[0] : new Pattern.Sequence(parts);
    }

    private Pattern Quantified()
    {
        Pattern atom = Atom();
        (int Min, int Max)? count = Current switch
        {
            '*' => (0, RegexStore.Unlimited),
            '+' => (1, RegexStore.Unlimited),
            '?' => (0, 1),
            '{' => null,
            _ => (1, 1),
        };
        if (AtEnd || count == (1, 1))
            return atom;
        if (count is null)
            count = Counts();
        else
            _at++;
        if (Current == '?' && !AtEnd)
            _at++;
        if (Current is '*' or '+' && !AtEnd)
            throw Wrong("a repetition is repeated");
        return new Pattern.Times(atom, count.Value.Min, count.Value.Max);
    }

    private (int Min, int Max) Counts()
    {
        _at++;
        int min = Number();
        int max = min;
        if (Current == ',')
        {
            _at++;
            max = Current == '}' ? RegexStore.Unlimited : Number();
        }
        if (Current != '}' || max < min)
            throw Wrong("a repetition is not of the form {n}, {n,} or {n,m} with n up to m");
        _at++;
        return (min, max);
    }

    private int Number()
    {
        int start = _at;
        while (char.IsAsciiDigit(Current))
            _at++;
        return int.TryParse(_text.AsSpan(start, _at - start), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= MostRepeats
            ? number
            : throw Wrong($"a repetition has no number up to {MostRepeats:N0}");
    }

    private Pattern Atom()
    {
        char c = Current;
        switch (c)
        {
            case '^':
                _at++;
                return new Pattern.Start();
            case '$':
                _at++;
                return new Pattern.End();
            case '.':
                _at++;
                return new Pattern.Character(CodePoints.Dot);
            case '(':
                return Group();
            case '[':
                return new Pattern.Character(Class());
            case '\\':
                return new Pattern.Character(Escape(inClass: false));
            case '*' or '+' or '?' or '{':
                throw Wrong($"{c} has nothing to repeat");
            default:
                return new Pattern.Character(Single(Literal()));
        }
    }

    private Pattern Group()
    {
        _at++;
        bool? negative = null;
        if (Current == '?')
        {
            string rest = _text[_at..];
            if (rest.StartsWith("?:", StringComparison.Ordinal))
                _at += 2;
            else if (rest.StartsWith("?=", StringComparison.Ordinal) || rest.StartsWith("?!", StringComparison.Ordinal))
                (negative, _at) = (rest[1] == '!', _at + 2);
            else if (rest.StartsWith("?<=", StringComparison.Ordinal) || rest.StartsWith("?<!", StringComparison.Ordinal))
                throw Wrong("a look-behind cannot be enforced");
            else if (rest.IndexOf('>', StringComparison.Ordinal) is > 0 and var end && (rest.StartsWith("?<", StringComparison.Ordinal) || rest.StartsWith("?P<", StringComparison.Ordinal)))
                _at += end + 1;
            else
                throw Wrong("flags and other special groups cannot be enforced");
        }
        Pattern inner = Choice();
        if (Current != ')' || AtEnd)
            throw Wrong("a ( has no )");
        _at++;
        return negative is { } not ? new Pattern.Ahead(inner, not) : inner;
    }

    private CodePoints Class()
    {
        _at++;
        bool negative = Current == '^';
        if (negative)
            _at++;
        CodePoints set = CodePoints.Of();
        while (Current != ']')
        {
            if (AtEnd)
                throw Wrong("a [ has no ]");
            CodePoints first = Current == '\\' ? Escape(inClass: true) : Single(Literal());
            if (Current == '-' && _at + 1 < _text.Length && _text[_at + 1] != ']' && IsSingle(first))
            {
                _at++;
                CodePoints last = Current == '\\' ? Escape(inClass: true) : Single(Literal());
                if (!IsSingle(last))
                {
                    // A class after the hyphen: the hyphen is a character.
                    set = set.Union(first).Union(Single('-')).Union(last);
                    continue;
                }
                if (last.Ranges[0].From < first.Ranges[0].From)
                    throw Wrong("a range of characters goes backwards");
                first = CodePoints.Of((first.Ranges[0].From, last.Ranges[0].From));
            }
            set = set.Union(first);
        }
        _at++;
        return negative ? set.Complement() : set;
    }

    private static bool IsSingle(CodePoints set) => set.Ranges.Count == 1 && set.Ranges[0].From == set.Ranges[0].To;

    private static CodePoints Single(int c) => CodePoints.Of((c, c));

    private int Literal()
    {
        int c = char.IsHighSurrogate(Current) && _at + 1 < _text.Length && char.IsLowSurrogate(_text[_at + 1]) ? char.ConvertToUtf32(Current, _text[_at + 1]) : Current;
        _at += c > 0xFFFF ? 2 : 1;
        return c;
    }

    private CodePoints Escape(bool inClass)
    {
        _at++;
        if (AtEnd)
            throw Wrong("it ends with a backslash");
        int c = Literal();
        switch (c)
        {
            case 'd':
                return CodePoints.Digits;
            case 'D':
                return CodePoints.Digits.Complement();
            case 'w':
                return CodePoints.Word;
            case 'W':
                return CodePoints.Word.Complement();
            case 's':
                return CodePoints.Space;
            case 'S':
                return CodePoints.Space.Complement();
            case 'p' or 'P':
                return c == 'p' ? Property() : Property().Complement();
            case 'b' when inClass:
                return Single(8);
            case 'b' or 'B':
                throw Wrong("a word boundary cannot be enforced");
            case 'n':
                return Single(10);
            case 'r':
                return Single(13);
            case 't':
                return Single(9);
            case 'v':
                return Single(11);
            case 'f':
                return Single(12);
            case 'x':
                return Single(Hex(2));
            case 'u':
                return Single(Unicode());
            case 'c' when char.IsAsciiLetter(Current):
                return Single(_text[_at++] & 31);
            case '0' when !char.IsAsciiDigit(Current):
                return Single(0);
            case >= '0' and <= '9' or 'k':
                throw Wrong("a back reference cannot be enforced");
            case 'A' or 'Z' or 'z' or 'G':
                throw Wrong($"\\{(char)c} cannot be enforced; write ^ or $");
            default:
                return c < 128 && char.IsAsciiLetter((char)c) ? throw Wrong($"\\{(char)c} is not known") : Single(c);
        }
    }

    private CodePoints Property()
    {
        int end = Current == '{' ? _text.IndexOf('}', _at) : -1;
        if (end < 0)
            throw Wrong("\\p needs a name in braces");
        string name = _text[(_at + 1)..end];
        _at = end + 1;
        if (name.IndexOf('=', StringComparison.Ordinal) is > 0 and var equals && name[..equals] is "gc" or "General_Category")
            name = name[(equals + 1)..];
        return CodePoints.Category(name) ?? throw Wrong($"the property {name} cannot be enforced; general categories can");
    }

    private int Unicode()
    {
        if (Current == '{')
        {
            int end = _text.IndexOf('}', _at);
            if (end < 0 || !int.TryParse(_text.AsSpan(_at + 1, end - _at - 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out int code) || code is < 0 or > 0x10FFFF)
                throw Wrong("\\u{…} has no character");
            _at = end + 1;
            return code;
        }
        int high = Hex(4);
        if (high is >= 0xD800 and < 0xDC00 && _at + 5 < _text.Length && _text[_at] == '\\' && _text[_at + 1] == 'u')
        {
            _at += 2;
            int low = Hex(4);
            return low is >= 0xDC00 and < 0xE000 ? char.ConvertToUtf32((char)high, (char)low) : throw Wrong("half a surrogate pair");
        }
        return high;
    }

    private int Hex(int digits)
    {
        if (_at + digits > _text.Length || !int.TryParse(_text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code))
            throw Wrong($"an escape needs {digits} hexadecimal digits");
        _at += digits;
        return code;
    }

    private StructureException Wrong(string reason)
    {
        string shown = _text.Length > 60 ? _text[..60] + "…" : _text;
        return new StructureException($"{_place}: the pattern {shown}: {reason} (character {Math.Min(_at, _text.Length) + 1}).");
    }
}
