// llama.cpp's notation of grammars: rules of literals, classes of characters, names of rules, groups and repetitions.
// Source: llama.cpp, grammars/README.md. Left out, with an error: tokens by number or name (<[…]>, <…>).

using System.Globalization;
using System.Text;
using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure;

/// <summary>What a rule says.</summary>
internal abstract record GbnfExpression
{
    /// <summary>A fixed text.</summary>
    public sealed record Literal(string Text) : GbnfExpression;

    /// <summary>One character of a set.</summary>
    public sealed record Class(CodePoints Set) : GbnfExpression;

    /// <summary>Another rule.</summary>
    public sealed record Reference(string Name, int Line) : GbnfExpression;

    /// <summary>One after another.</summary>
    public sealed record Sequence(IReadOnlyList<GbnfExpression> Parts) : GbnfExpression;

    /// <summary>Any of several.</summary>
    public sealed record Choice(IReadOnlyList<GbnfExpression> Parts) : GbnfExpression;

    /// <summary>A number of times.</summary>
    public sealed record Times(GbnfExpression Inner, int Min, int Max) : GbnfExpression;
}

/// <summary>Parses GBNF.</summary>
internal sealed class GbnfParser
{
    private const int MostNested = 200;
    private const int MostRepeats = 10_000;

    private readonly string _text;
    private int _at;
    private int _nested;

    private GbnfParser(string text) => _text = text;

    /// <summary>The rules by their names.</summary>
    public static Dictionary<string, GbnfExpression> Parse(string text)
    {
        GbnfParser parser = new(text);
        Dictionary<string, GbnfExpression> rules = new(StringComparer.Ordinal);
        parser.Skip(lines: true);
        while (!parser.AtEnd)
        {
            string name = parser.Name();
            parser.Skip(lines: false);
            if (!parser.Take("::="))
                throw parser.Wrong("expected ::= after the name of a rule");
            parser.Skip(lines: true);
            if (!rules.TryAdd(name, parser.Choice(lines: false)))
                throw parser.Wrong($"the rule {name} is there twice");
            if (!parser.AtEnd && parser._text[parser._at] is not ('\n' or '\r'))
                throw parser.Wrong("expected the end of the line");
            parser.Skip(lines: true);
        }
        return rules;
    }

    private bool AtEnd => _at >= _text.Length;

    private char Current => AtEnd ? '\0' : _text[_at];

    private GbnfExpression Choice(bool lines)
    {
        if (++_nested > MostNested)
            throw Wrong($"groups are nested deeper than {MostNested}");
        List<GbnfExpression> parts = [Sequence(lines)];
        while (Current == '|')
        {
            _at++;
            Skip(lines: true);
            parts.Add(Sequence(lines));
        }
        _nested--;
        return parts.Count == 1 ? parts[0] : new GbnfExpression.Choice(parts);
    }

    private GbnfExpression Sequence(bool lines)
    {
        List<GbnfExpression> parts = [];
        while (!AtEnd && Current is not ('|' or ')' or '\n' or '\r'))
        {
            parts.Add(Repeated(Atom(), lines));
            Skip(lines);
        }
        return parts.Count == 1 ? parts[0] : new GbnfExpression.Sequence(parts);
    }

    private GbnfExpression Repeated(GbnfExpression atom, bool lines)
    {
        while (true)
        {
            int before = _at;
            Skip(lines);
            (int Min, int Max)? times = Current switch { '*' => (0, RegexStore.Unlimited), '+' => (1, RegexStore.Unlimited), '?' => (0, 1), '{' => Counts(), _ => null };
            if (times is null)
            {
                _at = before;
                return atom;
            }
            _at++;
            atom = new GbnfExpression.Times(atom, times.Value.Min, times.Value.Max);
        }
    }

    private (int, int) Counts()
    {
        int end = _text.IndexOf('}', _at);
        string[] parts = end < 0 ? [] : _text[(_at + 1)..end].Split(',');
        if (parts.Length is 0 or > 2 || !TryCount(parts[0], 0, out int min))
            throw Wrong("expected {n}, {n,} or {n,m}");
        int max = min;
        if (parts.Length == 2 && !TryCount(parts[1], RegexStore.Unlimited, out max))
            throw Wrong("expected {n}, {n,} or {n,m}");
        if (max < min || min > MostRepeats || (max > MostRepeats && max != RegexStore.Unlimited))
            throw Wrong($"a repetition runs from n up to m, at most {MostRepeats:N0}");
        _at = end;
        return (min, max);

        static bool TryCount(string text, int whenEmpty, out int count)
        {
            count = whenEmpty;
            return text.Trim().Length == 0 || int.TryParse(text, NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out count);
        }
    }

    private GbnfExpression Atom()
    {
        switch (Current)
        {
            case '"':
                return Literal();
            case '[':
                return new GbnfExpression.Class(Class());
            case '.':
                _at++;
                return new GbnfExpression.Class(CodePoints.All);
            case '(':
                _at++;
                Skip(lines: true);
                GbnfExpression inner = Choice(lines: true);
                if (!Take(")"))
                    throw Wrong("a ( has no )");
                return inner;
            case '<':
                throw Wrong("tokens by number or name cannot be enforced; write their text");
            default:
                return new GbnfExpression.Reference(Name(), Line());
        }
    }

    private GbnfExpression.Literal Literal()
    {
        _at++;
        StringBuilder text = new();
        while (Current != '"')
        {
            if (AtEnd || Current == '\n')
                throw Wrong("a text has no closing quote");
            text.Append(new Rune(Character()));
        }
        _at++;
        return new GbnfExpression.Literal(text.ToString());
    }

    private CodePoints Class()
    {
        _at++;
        bool negative = Take("^");
        CodePoints set = CodePoints.Of();
        while (Current != ']')
        {
            if (AtEnd)
                throw Wrong("a [ has no ]");
            int from = Character();
            int to = from;
            if (Current == '-' && _at + 1 < _text.Length && _text[_at + 1] != ']')
            {
                _at++;
                to = Character();
            }
            if (to < from)
                throw Wrong("a range of characters goes backwards");
            set = set.Union(CodePoints.Of((from, to)));
        }
        _at++;
        return negative ? set.Complement() : set;
    }

    private int Character()
    {
        char c = Current;
        if (c != '\\')
        {
            int plain = char.IsHighSurrogate(c) && _at + 1 < _text.Length && char.IsLowSurrogate(_text[_at + 1]) ? char.ConvertToUtf32(c, _text[_at + 1]) : c;
            _at += plain > 0xFFFF ? 2 : 1;
            return char.IsSurrogate(c) && plain <= 0xFFFF ? throw Wrong("half a surrogate pair") : plain;
        }
        _at++;
        char escape = Current;
        _at++;
        return escape switch
        {
            'x' => Hex(2),
            'u' => Hex(4),
            'U' => Hex(8),
            't' => '\t',
            'r' => '\r',
            'n' => '\n',
            '\\' or '"' or '[' or ']' or '-' or '^' => escape,
            _ => throw Wrong($"the escape \\{escape} is not known"),
        };
    }

    private int Hex(int digits)
    {
        if (_at + digits > _text.Length || !int.TryParse(_text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code) || !Rune.IsValid(code))
            throw Wrong($"an escape needs {digits} hexadecimal digits of a character");
        _at += digits;
        return code;
    }

    private string Name()
    {
        int start = _at;
        while (!AtEnd && (char.IsAsciiLetterOrDigit(Current) || Current is '-' or '_'))
            _at++;
        return _at > start ? _text[start.._at] : throw Wrong("expected the name of a rule");
    }

    private bool Take(string text)
    {
        if (!_text.AsSpan(_at).StartsWith(text, StringComparison.Ordinal))
            return false;
        _at += text.Length;
        return true;
    }

    private void Skip(bool lines)
    {
        while (!AtEnd)
        {
            if (Current == '#')
            {
                while (!AtEnd && Current is not ('\n' or '\r'))
                    _at++;
            }
            else if (Current is ' ' or '\t' || (lines && Current is '\n' or '\r'))
            {
                _at++;
            }
            else
            {
                return;
            }
        }
    }

    private int Line() => _text.AsSpan(0, Math.Min(_at, _text.Length)).Count('\n') + 1;

    private StructureException Wrong(string reason) => new($"grammar, line {Line()}: {reason}.");
}
