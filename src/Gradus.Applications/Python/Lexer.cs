// Python's lexical structure (The Python Language Reference, chapter 2): lines, indentation, names, numbers, strings with their
// prefixes. f-strings stay one token; the parser reads the expressions in them. Left out: complex numbers, form feeds, encodings.
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Gradus.Applications.Python;

internal enum TokenKind { Name, Keyword, Integer, Float, Text, Bytes, Formatted, Operator, NewLine, Indent, Dedent, End }

/// <summary>One token, with where it begins.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">The name, operator or literal; of a string its content.</param>
/// <param name="Position">Line and column.</param>
internal readonly record struct Token(TokenKind Kind, string Text, Position Position)
{
    /// <summary>The value of a number.</summary>
    public object? Number { get; init; }

    /// <summary>Whether an f-string takes backslashes as they are.</summary>
    public bool Raw { get; init; }
}

/// <summary>A place in a program, both from 1.</summary>
internal readonly record struct Position(int Line, int Column);

/// <summary>Cuts a program into tokens.</summary>
internal sealed class Lexer
{
    private static readonly HashSet<string> Keywords = new(
        "False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield".Split(' '),
        StringComparer.Ordinal);

    // Longest first.
    private static readonly string[] Operators =
    [
        "**=", "//=", ">>=", "<<=", "...", "!=", "->", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=", ":=", "==", "<=", ">=", "<<", ">>", "**", "//",
        "+", "-", "*", "/", "%", "@", "&", "|", "^", "~", "<", ">", "(", ")", "[", "]", "{", "}", ",", ":", ".", ";", "=",
    ];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private readonly Stack<int> _indents = new([0]);
    private readonly int _firstLine;
    private int _at;
    private int _line;
    private int _lineStart;
    private int _depth;

    private Lexer(string source, int firstLine)
    {
        _source = source;
        _firstLine = _line = firstLine;
    }

    /// <summary>The tokens of a program, the last of kind <see cref="TokenKind.End"/>.</summary>
    /// <exception cref="PythonSyntaxException">It is no Python.</exception>
    public static List<Token> Read(string source, int firstLine = 1)
    {
        Lexer lexer = new(source.ReplaceLineEndings("\n"), firstLine);
        lexer.Run();
        return lexer._tokens;
    }

    /// <summary>The tokens of an expression inside an f-string, where line ends do not count.</summary>
    public static List<Token> ReadExpression(string source, Position at)
    {
        Lexer lexer = new(source, at.Line) { _depth = 1, _lineStart = -at.Column };
        while (lexer.SkipSpace())
            lexer.Next();
        lexer.Add(TokenKind.End, "");
        return lexer._tokens;
    }

    private Position Here => new(_line, _at - _lineStart + 1);

    private char Peek(int ahead = 0) => _at + ahead < _source.Length ? _source[_at + ahead] : '\0';

    private void Add(TokenKind kind, string text) => _tokens.Add(new Token(kind, text, Here));

    private PythonSyntaxException Error(string message) => new(message, Here);

    private void Run()
    {
        bool lineBegins = true;
        while (_at < _source.Length)
        {
            if (lineBegins && _depth == 0)
            {
                if (!Indent())
                    continue;
                lineBegins = false;
            }
            if (!SkipSpace())
                break;
            if (Peek() == '\n')
            {
                if (_depth == 0)
                {
                    if (_tokens.Count > 0 && _tokens[^1].Kind is not (TokenKind.NewLine or TokenKind.Indent or TokenKind.Dedent))
                        Add(TokenKind.NewLine, "");
                    lineBegins = true;
                }
                NewLine();
                continue;
            }
            Next();
        }
        if (_depth > 0)
            throw Error("a bracket was never closed");
        if (_tokens.Count > 0 && _tokens[^1].Kind != TokenKind.NewLine)
            Add(TokenKind.NewLine, "");
        while (_indents.Pop() > 0)
            Add(TokenKind.Dedent, "");
        Add(TokenKind.End, "");
    }

    // Measures the white space that a line begins with; false where the line has nothing else.
    private bool Indent()
    {
        int width = 0;
        while (Peek() is ' ' or '\t' or '\f')
        {
            width = Peek() == '\t' ? (width / 8 + 1) * 8 : width + 1;
            _at++;
        }
        if (Peek() == '#')
        {
            while (_at < _source.Length && Peek() != '\n')
                _at++;
        }
        if (_at >= _source.Length)
            return false;
        if (Peek() == '\n')
        {
            NewLine();
            return false;
        }
        if (width > _indents.Peek())
        {
            _indents.Push(width);
            Add(TokenKind.Indent, "");
        }
        while (width < _indents.Peek())
        {
            _indents.Pop();
            Add(TokenKind.Dedent, "");
            if (width > _indents.Peek())
                throw Error("unindent does not match any outer indentation level");
        }
        return true;
    }

    private void NewLine()
    {
        _at++;
        _line++;
        _lineStart = _at;
    }

    // Spaces, comments, joined lines; inside brackets line ends too. False at the end.
    private bool SkipSpace()
    {
        while (_at < _source.Length)
        {
            char c = Peek();
            if (c is ' ' or '\t' or '\f')
                _at++;
            else if (c == '\\' && Peek(1) == '\n')
            {
                _at++;
                NewLine();
            }
            else if (c == '#')
            {
                while (_at < _source.Length && Peek() != '\n')
                    _at++;
            }
            else if (c == '\n' && _depth > 0)
                NewLine();
            else
                return true;
        }
        return false;
    }

    private void Next()
    {
        char c = Peek();
        if (char.IsAsciiDigit(c) || (c == '.' && char.IsAsciiDigit(Peek(1))))
            ReadNumber();
        else if (StringPrefix() is { } prefix)
            ReadString(prefix);
        else if (c == '_' || char.IsLetter(c))
            ReadName();
        else
        {
            string op = Array.Find(Operators, o => string.CompareOrdinal(_source, _at, o, 0, o.Length) == 0) ?? throw Error($"invalid character '{c}'");
            if (op is "(" or "[" or "{")
                _depth++;
            else if (op is ")" or "]" or "}" && --_depth < 0)
                throw Error($"unmatched '{op}'");
            Add(TokenKind.Operator, op);
            _at += op.Length;
        }
    }

    private void ReadName()
    {
        int start = _at;
        Position at = Here;
        while (char.IsLetterOrDigit(Peek()) || Peek() == '_')
            _at++;
        string name = _source[start.._at];
        _tokens.Add(new Token(Keywords.Contains(name) ? TokenKind.Keyword : TokenKind.Name, name, at));
    }

    private void ReadNumber()
    {
        int start = _at;
        Position at = Here;
        if (Peek() == '0' && char.ToLowerInvariant(Peek(1)) is 'x' or 'o' or 'b')
        {
            int radix = char.ToLowerInvariant(Peek(1)) switch { 'x' => 16, 'o' => 8, _ => 2 };
            _at += 2;
            BigInteger value = 0;
            while (char.IsAsciiHexDigit(Peek()) || Peek() == '_')
            {
                if (Peek() != '_')
                {
                    int digit = Convert.ToInt32(Peek().ToString(), 16);
                    value = digit < radix ? (value * radix) + digit : throw Error("invalid digit in a number");
                }
                _at++;
            }
            _tokens.Add(new Token(TokenKind.Integer, _source[start.._at], at) { Number = value });
            return;
        }
        Digits();
        bool real = false;
        if (Peek() == '.')
        {
            real = true;
            _at++;
            Digits();
        }
        if (Peek() is 'e' or 'E' && (char.IsAsciiDigit(Peek(1)) || (Peek(1) is '+' or '-' && char.IsAsciiDigit(Peek(2)))))
        {
            real = true;
            _at += 2;
            Digits();
        }
        if (Peek() is 'j' or 'J')
            throw Error("complex numbers are not part of this Python");
        string text = _source[start.._at].Replace("_", "", StringComparison.Ordinal);
        object number = real ? double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture) : BigInteger.Parse(text, CultureInfo.InvariantCulture);
        _tokens.Add(new Token(real ? TokenKind.Float : TokenKind.Integer, text, at) { Number = number });
    }

    private void Digits()
    {
        while (char.IsAsciiDigit(Peek()) || (Peek() == '_' && char.IsAsciiDigit(Peek(1))))
            _at++;
    }

    private string? StringPrefix()
    {
        int n = 0;
        while (n < 2 && "rRbBuUfF".Contains(Peek(n), StringComparison.Ordinal))
            n++;
        return Peek(n) is '"' or '\'' ? _source[_at..(_at + n)].ToLowerInvariant() : null;
    }

    private void ReadString(string prefix)
    {
        Position at = Here;
        _at += prefix.Length;
        char quote = Peek();
        bool triple = Peek(1) == quote && Peek(2) == quote;
        _at += triple ? 3 : 1;
        int start = _at;
        while (!(Peek() == quote && (!triple || (Peek(1) == quote && Peek(2) == quote))))
        {
            if (_at >= _source.Length || (!triple && Peek() == '\n'))
                throw new PythonSyntaxException("unterminated string literal", at);
            if (Peek() == '\\')
                _at++;
            if (Peek() == '\n')
                NewLine();
            else
                _at++;
        }
        string content = _source[start.._at];
        _at += triple ? 3 : 1;
        bool raw = prefix.Contains('r', StringComparison.Ordinal), bytes = prefix.Contains('b', StringComparison.Ordinal);
        if (prefix.Contains('f', StringComparison.Ordinal))
            _tokens.Add(new Token(TokenKind.Formatted, content, at) { Raw = raw });
        else
            _tokens.Add(new Token(bytes ? TokenKind.Bytes : TokenKind.Text, raw ? content : Unescape(content, bytes, at), at));
    }

    /// <summary>Replaces the escapes of a string literal.</summary>
    public static string Unescape(string text, bool bytes, Position at)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
            return text;
        StringBuilder result = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\' || i + 1 == text.Length)
            {
                result.Append(text[i]);
                continue;
            }
            char c = text[++i];
            switch (c)
            {
                case '\n': break;
                case '\\' or '\'' or '"': result.Append(c); break;
                case 'n': result.Append('\n'); break;
                case 't': result.Append('\t'); break;
                case 'r': result.Append('\r'); break;
                case 'a': result.Append('\a'); break;
                case 'b': result.Append('\b'); break;
                case 'f': result.Append('\f'); break;
                case 'v': result.Append('\v'); break;
                case 'x': AppendCode(result, text, ref i, 2, at); break;
                case 'u' when !bytes: AppendCode(result, text, ref i, 4, at); break;
                case 'U' when !bytes: AppendCode(result, text, ref i, 8, at); break;
                case >= '0' and <= '7':
                    int value = 0, n = 0;
                    for (; n < 3 && i < text.Length && text[i] is >= '0' and <= '7'; n++, i++)
                        value = (value * 8) + text[i] - '0';
                    i--;
                    result.Append((char)value);
                    break;
                default: result.Append('\\').Append(c); break;
            }
        }
        return result.ToString();
    }

    private static void AppendCode(StringBuilder to, string text, ref int i, int digits, Position at)
    {
        if (i + digits >= text.Length || !uint.TryParse(text.AsSpan(i + 1, digits), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out uint code) || code > 0x10FFFF)
            throw new PythonSyntaxException("a malformed escape in a string", at);
        to.Append(code is >= 0xD800 and < 0xE000 ? ((char)code).ToString() : char.ConvertFromUtf32((int)code));
        i += digits;
    }
}

/// <summary>A program that is no Python, or uses what this subset lacks.</summary>
internal sealed class PythonSyntaxException(string message, Position at) : Exception(message)
{
    /// <summary>Where.</summary>
    public Position At { get; } = at;
}
