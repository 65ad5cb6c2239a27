// Purpose: ast.literal_eval for what templates of task files print: lists, tuples, dicts, strings, numbers, True, False, None.
// Source: https://docs.python.org/3/library/ast.html#ast.literal_eval and the lexical analysis chapter of the language reference.
// Left out, with an error: bytes, sets, complex numbers, characters by name (\N{…}), comments.

using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json.Nodes;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>Reads Python literals.</summary>
public sealed class PythonLiteral
{
    private const int MaxDepth = 100;
    private readonly string _text;
    private int _at;
    private int _depth;

    private PythonLiteral(string text) => _text = text;

    /// <summary>The value of a literal: tuples become lists, whole numbers stay whole, other numbers are doubles.</summary>
    /// <param name="text">The literal.</param>
    /// <exception cref="FormatException">It is none; the message shows it.</exception>
    public static JsonNode? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        PythonLiteral reader = new(text);
        JsonNode? value = reader.Value();
        reader.SkipSpace();
        return reader._at == text.Length ? value : throw reader.Error();
    }

    private JsonNode? Value()
    {
        if (++_depth > MaxDepth)
            throw Error();
        SkipSpace();
        JsonNode? value = Peek() switch
        {
            '[' => List(']'),
            '(' => Parenthesis(),
            '{' => Dict(),
            '\'' or '"' => Strings(),
            '-' or '+' => Signed(),
            >= '0' and <= '9' or '.' => Number(false),
            _ => Word(),
        };
        _depth--;
        return value;
    }

    private JsonArray List(char close)
    {
        JsonArray list = [];
        _at++;
        while (!Closes(close))
        {
            list.Add(Value());
            if (!Skip(',') && !Follows(close))
                throw Error();
        }
        return list;
    }

    // (1) is 1, (1,) a tuple.
    private JsonNode? Parenthesis()
    {
        int start = _at;
        JsonArray list = List(')');
        if (list.Count != 1 || _text[start.._at].TrimEnd(')', ' ', '\n', '\t').EndsWith(','))
            return list;
        JsonNode? only = list[0];
        list.RemoveAt(0);
        return only;
    }

    private JsonObject Dict()
    {
        JsonObject dict = [];
        _at++;
        while (!Closes('}'))
        {
            JsonNode? key = Value();
            if (!Skip(':'))
                throw Error();
            dict[key is JsonValue value && value.TryGetValue(out string? name) ? name : Text.PythonStrings.Str(key)] = Value();
            if (!Skip(',') && !Follows('}'))
                throw Error();
        }
        return dict;
    }

    private JsonValue Strings()
    {
        StringBuilder text = new();
        do
            OneString(text, raw: false);
        while (StartsString());
        return JsonValue.Create(text.ToString());
    }

    private bool StartsString()
    {
        SkipSpace();
        return Peek() is '\'' or '"';
    }

    private void OneString(StringBuilder target, bool raw)
    {
        char quote = _text[_at];
        string end = string.CompareOrdinal(_text, _at, new string(quote, 3), 0, 3) == 0 ? new string(quote, 3) : quote.ToString();
        _at += end.Length;
        while (true)
        {
            if (_at >= _text.Length || (end.Length == 1 && _text[_at] == '\n'))
                throw Error();
            if (string.CompareOrdinal(_text, _at, end, 0, end.Length) == 0)
                break;
            if (_text[_at] == '\\' && !raw)
                Escape(target);
            else
                target.Append(_text[_at++]);
        }
        _at += end.Length;
    }

    private void Escape(StringBuilder target)
    {
        if (++_at >= _text.Length)
            throw Error();
        char c = _text[_at++];
        switch (c)
        {
            case '\n':
                break;
            case 'x' or 'u' or 'U':
                int digits = c switch { 'x' => 2, 'u' => 4, _ => 8 };
                if (_at + digits > _text.Length || !int.TryParse(_text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int point) || point is < 0 or > 0x10FFFF)
                    throw Error();
                target.Append(point > 0xFFFF ? char.ConvertFromUtf32(point) : ((char)point).ToString());
                _at += digits;
                break;
            case >= '0' and <= '7':
                int octal = c - '0';
                for (int n = 1; n < 3 && Peek() is >= '0' and <= '7'; n++)
                    octal = (octal * 8) + (_text[_at++] - '0');
                target.Append((char)octal);
                break;
            case 'N':
                throw Error();
            default:
                int simple = "\\'\"abfnrtv".IndexOf(c);
                target.Append(simple < 0 ? $"\\{c}" : "\\'\"\a\b\f\n\r\t\v"[simple].ToString());
                break;
        }
    }

    private JsonNode Signed()
    {
        bool negative = _text[_at++] == '-';
        SkipSpace();
        return char.IsAsciiDigit(Peek()) || Peek() == '.' ? Number(negative) : throw Error();
    }

    private JsonNode Number(bool negative)
    {
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '_' or '.' || (_text[_at] is '+' or '-' && _text[_at - 1] is 'e' or 'E' && !IsHex(start))))
            _at++;
        string digits = _text[start.._at].Replace("_", "", StringComparison.Ordinal);
        string sign = negative ? "-" : "";
        int radix = digits.Length > 2 && digits[0] == '0' ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 } : 10;
        if (radix != 10)
        {
            BigInteger value = 0;
            foreach (char c in digits.AsSpan(2))
            {
                int digit = char.IsAsciiHexDigit(c) ? Convert.ToInt32(c.ToString(), 16) : 99;
                value = digit < radix ? (value * radix) + digit : throw Error();
            }
            return JsonNode.Parse(sign + value.ToString(CultureInfo.InvariantCulture))!;
        }
        if (digits.All(char.IsAsciiDigit))
        {
            return digits.Length > 1 && digits[0] == '0' && digits.Any(c => c != '0')
                ? throw Error()
                : JsonNode.Parse(sign + BigInteger.Parse(digits, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture))!;
        }
        return double.TryParse(digits, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double real)
            ? JsonValue.Create(negative ? -real : real)
            : throw Error();
    }

    private bool IsHex(int start) => start + 1 < _text.Length && _text[start] == '0' && _text[start + 1] is 'x' or 'X';

    private JsonValue? Word()
    {
        int start = _at;
        while (char.IsAsciiLetter(Peek()))
            _at++;
        string word = _text[start.._at];
        if (Peek() is '\'' or '"' && word.ToUpperInvariant() is "R" or "U")
        {
            StringBuilder text = new();
            OneString(text, raw: word is "r" or "R");
            return JsonValue.Create(text.ToString());
        }
        return word switch
        {
            "True" => JsonValue.Create(true),
            "False" => JsonValue.Create(false),
            "None" => null,
            _ => throw Error(),
        };
    }

    private bool Closes(char close)
    {
        if (!Follows(close))
            return false;
        _at++;
        return true;
    }

    private bool Follows(char c)
    {
        SkipSpace();
        return Peek() == c;
    }

    private bool Skip(char c)
    {
        if (!Follows(c))
            return false;
        _at++;
        return true;
    }

    private char Peek() => _at < _text.Length ? _text[_at] : '\0';

    private void SkipSpace()
    {
        while (Peek() is ' ' or '\t' or '\n' or '\r' or '\f')
            _at++;
    }

    private FormatException Error() => new($"not a Python literal: {(_text.Length > 60 ? _text[..60] + "…" : _text)}");
}
