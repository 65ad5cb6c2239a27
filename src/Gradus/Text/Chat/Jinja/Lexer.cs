using System.Globalization;
using System.Text;

namespace Gradus.Text.Chat.Jinja;

internal enum TokenKind
{
    Data,
    PrintBegin,
    PrintEnd,
    BlockBegin,
    BlockEnd,
    Name,
    String,
    Integer,
    Float,
    Operator,
    End,
}

/// <summary>A token; the text of strings is unescaped.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, Position Position)
{
    public bool Is(string op) => Kind == TokenKind.Operator && Text == op;

    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public override string ToString() => Kind switch
    {
        TokenKind.End => "the end of the template",
        TokenKind.PrintEnd => "'}}'",
        TokenKind.BlockEnd => "'%}'",
        TokenKind.Data => "text",
        _ => $"'{(Text.Length > 40 ? Text[..40] + "…" : Text)}'",
    };
}

/// <summary>
/// Splits a template into tokens by Jinja's rules, with trim_blocks and lstrip_blocks as the settings say; where they are on:
/// a line break after a block or comment tag is dropped, so is blank space before one from the start of its line;
/// '-' beside a delimiter drops all white space on that side and '+' keeps it; one line break at the end of the
/// template is dropped; all line breaks become \n. Reference: the Jinja template designer documentation.
/// </summary>
internal sealed class Lexer
{
    private static readonly string[] Operators =
        ["**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private readonly List<int> _lines = [0];
    private int _position;

    private readonly JinjaSettings _settings;

    private Lexer(string source, JinjaSettings settings)
    {
        _source = source;
        _settings = settings;
        for (int i = source.IndexOf('\n'); i >= 0; i = source.IndexOf('\n', i + 1))
            _lines.Add(i + 1);
    }

    public static List<Token> Tokenize(string template, JinjaSettings settings)
    {
        string source = template.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        Lexer lexer = new(source.EndsWith('\n') && !settings.KeepsLastLineBreak ? source[..^1] : source, settings);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_position < _source.Length)
        {
            int tag = NextTag(_position);
            if (tag < 0)
            {
                AddData(_position, _source.Length);
                break;
            }
            char kind = _source[tag + 1];
            int afterSign = tag + 2;
            char sign = afterSign < _source.Length && _source[afterSign] is '-' or '+' ? _source[afterSign++] : '\0';
            AddData(_position, TextEnd(_position, tag, sign, kind != '{'));
            _position = afterSign;
            if (kind == '#')
                SkipComment(tag);
            else if (kind == '{')
                ReadTag(tag, TokenKind.PrintBegin);
            else if (MatchKeywordTag(afterSign, "raw", false) is int rawStart and >= 0)
                ReadRaw(tag, rawStart);
            else
                ReadTag(tag, TokenKind.BlockBegin);
        }
        _position = _source.Length;
        Add(TokenKind.End, "", _source.Length);
    }

    private int NextTag(int from)
    {
        for (int i = _source.IndexOf('{', from); i >= 0 && i + 1 < _source.Length; i = _source.IndexOf('{', i + 1))
        {
            if (_source[i + 1] is '{' or '%' or '#')
                return i;
        }
        return -1;
    }

    /// <summary>Where the text before a tag ends once the tag's sign and lstrip_blocks are applied.</summary>
    private int TextEnd(int start, int tag, char sign, bool isBlock)
    {
        int end = tag;
        if (sign == '-')
        {
            while (end > start && PythonText.IsSpace(_source[end - 1]))
                end--;
            return end;
        }
        if (sign == '+' || !isBlock || !_settings.TrimsBlocks)
            return end;
        while (end > start && _source[end - 1] != '\n' && PythonText.IsSpace(_source[end - 1]))
            end--;
        bool atLineStart = end == 0 || _source[end - 1] == '\n';
        return atLineStart ? end : tag;
    }

    private void SkipComment(int tag)
    {
        int close = _source.IndexOf("#}", _position, StringComparison.Ordinal);
        if (close < 0)
            throw At(tag).Error("this comment is not closed; '#}' is missing");
        char sign = close > _position ? _source[close - 1] : '\0';
        _position = AfterTag(close + 2, sign, true);
    }

    /// <summary>The position after a tag's end: '-' eats white space, else a block or comment eats one line break unless '+'.</summary>
    private int AfterTag(int position, char sign, bool trimsLine)
    {
        if (sign == '-')
        {
            while (position < _source.Length && PythonText.IsSpace(_source[position]))
                position++;
        }
        else if (trimsLine && _settings.TrimsBlocks && sign != '+' && position < _source.Length && _source[position] == '\n')
        {
            position++;
        }
        return position;
    }

    /// <summary>The position after a tag that holds only a keyword, from behind its opening sign; −1 where it is another tag.</summary>
    private int MatchKeywordTag(int from, string keyword, bool trimsLine)
    {
        int i = SkipSpace(from);
        if (string.CompareOrdinal(_source, i, keyword, 0, keyword.Length) != 0)
            return -1;
        i = SkipSpace(i + keyword.Length);
        char sign = i < _source.Length && (_source[i] == '-' || (_source[i] == '+' && trimsLine)) ? _source[i++] : '\0';
        return string.CompareOrdinal(_source, i, "%}", 0, 2) == 0 ? AfterTag(i + 2, sign, trimsLine) : -1;
    }

    private void ReadRaw(int tag, int start)
    {
        for (int i = _source.IndexOf("{%", start, StringComparison.Ordinal); i >= 0; i = _source.IndexOf("{%", i + 2, StringComparison.Ordinal))
        {
            int afterSign = i + 2;
            char sign = afterSign < _source.Length && _source[afterSign] is '-' or '+' ? _source[afterSign++] : '\0';
            int end = MatchKeywordTag(afterSign, "endraw", true);
            if (end < 0)
                continue;
            AddData(start, TextEnd(start, i, sign, true));
            _position = end;
            return;
        }
        throw At(tag).Error("this raw block is not closed; '{% endraw %}' is missing");
    }

    private void ReadTag(int tag, TokenKind begin)
    {
        bool isBlock = begin == TokenKind.BlockBegin;
        string close = isBlock ? "%}" : "}}";
        Add(begin, isBlock ? "{%" : "{{", tag);
        Stack<(char Close, int Position)> open = new();
        while (true)
        {
            _position = SkipSpace(_position);
            if (_position >= _source.Length)
            {
                throw open.Count > 0
                    ? At(open.Peek().Position).Error($"this bracket is not closed; '{open.Peek().Close}' is missing")
                    : At(tag).Error($"this tag is not closed; '{close}' is missing");
            }
            if (open.Count == 0 && TryReadEnd(close, isBlock))
                return;
            ReadToken(open);
        }
    }

    private bool TryReadEnd(string close, bool isBlock)
    {
        char sign = _source[_position] is var c && (c == '-' || (c == '+' && isBlock)) ? c : '\0';
        int end = sign == '\0' ? _position : _position + 1;
        if (string.CompareOrdinal(_source, end, close, 0, 2) != 0)
            return false;
        Add(isBlock ? TokenKind.BlockEnd : TokenKind.PrintEnd, close, _position);
        _position = AfterTag(end + 2, sign, isBlock);
        return true;
    }

    private void ReadToken(Stack<(char Close, int Position)> open)
    {
        int start = _position;
        char c = _source[start];
        if (char.IsAsciiDigit(c))
        {
            ReadNumber();
        }
        else if (PythonText.IsWord(c))
        {
            while (_position < _source.Length && PythonText.IsWord(_source[_position]))
                _position++;
            Add(TokenKind.Name, _source[start.._position], start);
        }
        else if (c is '"' or '\'')
        {
            ReadString(c);
        }
        else
        {
            string op = Array.Find(Operators, o => string.CompareOrdinal(_source, start, o, 0, o.Length) == 0)
                ?? throw At(start).Error($"'{c}' has no meaning in an expression");
            if (c is '(' or '[' or '{')
                open.Push((c == '(' ? ')' : c == '[' ? ']' : '}', start));
            else if (c is ')' or ']' or '}' && (open.Count == 0 || open.Pop().Close != c))
                throw At(start).Error($"'{c}' closes no open bracket");
            _position += op.Length;
            Add(TokenKind.Operator, op, start);
        }
    }

    private void ReadNumber()
    {
        int start = _position;
        bool afterDot = start > 0 && _source[start - 1] == '.';
        int radix = Peek(0) != '0' ? 10 : char.ToLowerInvariant(Peek(1)) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 };
        if (radix != 10)
        {
            _position += 2;
            while (char.IsAsciiLetterOrDigit(Peek(0)) || Peek(0) == '_')
                _position++;
        }
        else
        {
            SkipDigits();
            bool isFloat = !afterDot && Peek(0) == '.' && char.IsAsciiDigit(Peek(1));
            if (isFloat)
            {
                _position++;
                SkipDigits();
            }
            int exponent = Peek(1) is '+' or '-' ? 2 : 1;
            if (!afterDot && Peek(0) is 'e' or 'E' && char.IsAsciiDigit(Peek(exponent)))
            {
                _position += exponent;
                SkipDigits();
                isFloat = true;
            }
            if (isFloat)
            {
                Add(TokenKind.Float, _source[start.._position].Replace("_", "", StringComparison.Ordinal), start);
                return;
            }
        }
        string text = _source[start.._position];
        bool leadingZero = radix == 10 && text.Length > 1 && text[0] == '0' && text.AsSpan().ContainsAnyExcept('0', '_');
        if (leadingZero || !Numbers.TryParseInteger(text, radix, out _))
            throw At(start).Error($"'{text}' is not a number");
        Add(TokenKind.Integer, text, start);
    }

    private void ReadString(char quote)
    {
        int start = _position++;
        int content = _position;
        while (_position < _source.Length && _source[_position] != quote)
            _position += _source[_position] == '\\' ? 2 : 1;
        if (_position >= _source.Length)
            throw At(start).Error("this string is not closed");
        string raw = _source[content.._position++];
        Add(TokenKind.String, raw.Contains('\\') ? Unescape(raw, content) : raw, start);
    }

    /// <summary>Python's escapes. An unknown one stays as it is written.</summary>
    private string Unescape(string raw, int offset)
    {
        StringBuilder text = new(raw.Length);
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }
            char c = raw[++i];
            switch (c)
            {
                case '\n':
                    break;
                case 'x' or 'u' or 'U':
                    int digits = c switch { 'x' => 2, 'u' => 4, _ => 8 };
                    if (i + digits >= raw.Length
                        || !int.TryParse(raw.AsSpan(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int point)
                        || point is < 0 or > 0x10FFFF)
                        throw At(offset + i - 1).Error($"'\\{c}' needs {digits} hexadecimal digits of a code point");
                    text.Append(point > 0xFFFF ? char.ConvertFromUtf32(point) : ((char)point).ToString());
                    i += digits;
                    break;
                case >= '0' and <= '7':
                    int octal = 0, end = Math.Min(i + 3, raw.Length);
                    for (; i < end && raw[i] is >= '0' and <= '7'; i++)
                        octal = (octal * 8) + (raw[i] - '0');
                    i--;
                    text.Append((char)octal);
                    break;
                case 'N':
                    throw At(offset + i - 1).Error("characters by name (\\N{…}) are not supported; write the character itself");
                default:
                    int simple = "\\'\"abfnrtv".IndexOf(c);
                    // Python escapes what is not ASCII before it unescapes, so a backslash before it shows its code.
                    if (simple < 0)
                        text.Append('\\').Append(c < 0x80 || char.IsSurrogate(c) ? c.ToString() : c < 0x100 ? $"x{(int)c:x2}" : $"u{(int)c:x4}");
                    else
                        text.Append("\\'\"\a\b\f\n\r\t\v"[simple]);
                    break;
            }
        }
        return text.ToString();
    }

    private char Peek(int ahead) => _position + ahead < _source.Length ? _source[_position + ahead] : '\0';

    private void SkipDigits()
    {
        while (char.IsAsciiDigit(Peek(0)) || (Peek(0) == '_' && char.IsAsciiDigit(Peek(1))))
            _position++;
    }

    private int SkipSpace(int position)
    {
        while (position < _source.Length && PythonText.IsSpace(_source[position]))
            position++;
        return position;
    }

    private void AddData(int start, int end)
    {
        if (end > start)
            Add(TokenKind.Data, _source[start..end], start);
    }

    private void Add(TokenKind kind, string text, int start) => _tokens.Add(new Token(kind, text, At(start)));

    private Position At(int offset)
    {
        int line = _lines.BinarySearch(offset);
        line = line >= 0 ? line : ~line - 1;
        return new Position(line + 1, offset - _lines[line] + 1);
    }
}
