using System.Text;

namespace Gradus.Applications.Python;

internal sealed partial class Parser
{
    /// <summary>Functions whose cells are known only when all names are resolved.</summary>
    private readonly List<FunctionCode> _finish = [];

    private Statement Definition(Expression[] decorators)
    {
        Position at = Take().Position;
        string name = Name();
        NameExpression target = Target(name, at);
        Expect("(");
        Scope outer = _scope;
        Scope scope = outer.Child(ScopeKind.Function);
        Signature signature = ReadSignature(scope, ")", annotations: true);
        Expect(")");
        if (TryTake("->"))
            Expression();
        _scope = scope;
        List<YieldStatement> yields = _yields;
        _yields = [];
        Block body = Suite();
        _yields = yields;
        _scope = outer;
        string? documentation = body.Statements is [ExpressionStatement { Expression: Constant { Value: { Text: { } text } } }, ..] ? text : null;
        return new DefineStatement(target, signature.Function(name, body, null, scope, documentation, at, _finish), decorators, at);
    }

    private Expression Lambda()
    {
        Position at = Take().Position;
        Scope outer = _scope;
        Scope scope = outer.Child(ScopeKind.Function);
        Signature signature = ReadSignature(scope, ":", annotations: false);
        Expect(":");
        _scope = scope;
        Expression value = Expression();
        _scope = outer;
        return signature.Function("<lambda>", new ReturnStatement(value, at), value, scope, null, at, _finish);
    }

    // Defaults belong to the scope around the function; parameters to its own, in the first slots.
    private Signature ReadSignature(Scope scope, string end, bool annotations)
    {
        Signature signature = new();
        bool keywordOnly = false;
        while (!Is(end))
        {
            if (TryTake("/"))
            {
                signature.PositionalOnly = signature.Positional.Count;
            }
            else if (TryTake("**"))
            {
                signature.Keywords = Parameter(annotations);
            }
            else if (TryTake("*"))
            {
                keywordOnly = true;
                if (!Is(","))
                    signature.Args = Parameter(annotations);
            }
            else
            {
                string name = Parameter(annotations);
                Expression? value = TryTake("=") ? Expression() : null;
                if (keywordOnly)
                    signature.KeywordOnly.Add((name, value));
                else if (value is null && signature.Defaults.Count > 0)
                    throw new PythonSyntaxException("parameter without a default follows parameter with a default", Now.Position);
                else
                    signature.Add(name, value);
            }
            if (!TryTake(","))
                break;
        }
        signature.BindIn(scope);
        return signature;
    }

    private string Parameter(bool annotations)
    {
        string name = Name();
        if (annotations && TryTake(":"))
            Expression();
        return name;
    }

    private sealed class Signature
    {
        public List<string> Positional { get; } = [];

        public List<Expression> Defaults { get; } = [];

        public List<(string Name, Expression? Default)> KeywordOnly { get; } = [];

        public int PositionalOnly { get; set; }

        public string? Args { get; set; }

        public string? Keywords { get; set; }

        public void Add(string name, Expression? value)
        {
            Positional.Add(name);
            if (value is not null)
                Defaults.Add(value);
        }

        public void BindIn(Scope scope)
        {
            foreach (string name in Positional.Concat(KeywordOnly.Select(k => k.Name)).Concat(new[] { Args, Keywords }.OfType<string>()))
                scope.Bind(name);
        }

        public FunctionExpression Function(string name, Statement body, Expression? lambda, Scope scope, string? documentation, Position at, List<FunctionCode> finish)
        {
            FunctionCode code = new()
            {
                Name = name,
                Parameters = [.. Positional, .. KeywordOnly.Select(k => k.Name)],
                Positional = Positional.Count,
                PositionalOnly = PositionalOnly,
                ArgsSlot = Args is null ? -1 : scope.SlotOf(Args),
                KeywordsSlot = Keywords is null ? -1 : scope.SlotOf(Keywords),
                Body = body,
                Lambda = scope.HasYield ? null : lambda,
                IsGenerator = scope.HasYield,
                Scope = scope,
                Documentation = documentation,
            };
            finish.Add(code);
            return new FunctionExpression(code, [.. Defaults], [.. KeywordOnly.Select(k => k.Default)], at);
        }
    }

    /// <summary>Texts that stand side by side are one.</summary>
    private Expression Strings()
    {
        Position at = Now.Position;
        if (Kind == TokenKind.Bytes)
        {
            StringBuilder bytes = new();
            while (Kind == TokenKind.Bytes)
                bytes.Append(Take().Text);
            return new Constant(Value.Of(new BytesObject(Encoding.Latin1.GetBytes(bytes.ToString()))), at);
        }
        List<FormattedPart> parts = [];
        while (Kind is TokenKind.Text or TokenKind.Formatted)
        {
            Token token = Take();
            if (token.Kind == TokenKind.Text)
                parts.Add(new FormattedPart(token.Text));
            else
                parts.AddRange(Formatted(token.Text, token.Raw, token.Position));
        }
        if (parts.TrueForAll(p => p.Value is null))
            return new Constant(Value.Of(string.Concat(parts.Select(p => p.Text))), at);
        return new FormattedExpression([.. parts], at);
    }

    private List<FormattedPart> Formatted(string text, bool raw, Position at, bool isFormat = false)
    {
        List<FormattedPart> parts = [];
        StringBuilder literal = new();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is '{' or '}' && i + 1 < text.Length && text[i + 1] == text[i] && !isFormat)
            {
                literal.Append(text[i++]);
            }
            else if (text[i] == '{')
            {
                Flush();
                int end = EndOfField(text, i + 1, at);
                parts.AddRange(Field(text[(i + 1)..end], raw, at));
                i = end;
            }
            else if (text[i] == '}')
            {
                throw new PythonSyntaxException("f-string: single '}' is not allowed", at);
            }
            else
            {
                literal.Append(text[i]);
            }
        }
        Flush();
        return parts;

        void Flush()
        {
            if (literal.Length > 0)
                parts.Add(new FormattedPart(raw ? literal.ToString() : Lexer.Unescape(literal.ToString(), bytes: false, at)));
            literal.Clear();
        }
    }

    private static int EndOfField(string text, int from, Position at)
    {
        int depth = 0;
        for (int i = from; i < text.Length; i++)
        {
            if (text[i] is '"' or '\'')
            {
                char quote = text[i++];
                while (i < text.Length && text[i] != quote)
                    i++;
            }
            else if (text[i] is '{' or '[' or '(')
            {
                depth++;
            }
            else if (text[i] is '}' or ']' or ')' && depth-- == 0)
            {
                return i;
            }
        }
        throw new PythonSyntaxException("f-string: expecting '}'", at);
    }

    // expression [=] [!r] [:format]
    private IEnumerable<FormattedPart> Field(string field, bool raw, Position at)
    {
        int end = EndOfExpression(field);
        string expression = field[..end], rest = field[end..];
        char conversion = '\0';
        Expression? format = null;
        bool debug = expression.TrimEnd().EndsWith('=') && expression.TrimEnd() is var shown && !(shown.Length > 1 && "=!<>".Contains(shown[^2], StringComparison.Ordinal));
        if (rest.StartsWith('!') && rest.Length > 1)
        {
            conversion = rest[1];
            if (conversion is not ('r' or 's' or 'a'))
                throw new PythonSyntaxException($"f-string: invalid conversion character '{conversion}'", at);
            rest = rest[2..];
        }
        if (rest.StartsWith(':'))
            format = new FormattedExpression([.. Formatted(rest[1..], raw, at, isFormat: true)], at);
        else if (rest.Length > 0)
            throw new PythonSyntaxException("f-string: expecting '}'", at);
        string source = debug ? expression.TrimEnd()[..^1] : expression;
        if (string.IsNullOrWhiteSpace(source))
            throw new PythonSyntaxException("f-string: valid expression required before '}'", at);
        Expression value = Inner(source, at);
        if (debug)
            yield return new FormattedPart(expression);
        yield return new FormattedPart("", value, debug && conversion == '\0' && format is null ? 'r' : conversion, format);
    }

    private static int EndOfExpression(string field)
    {
        int depth = 0;
        for (int i = 0; i < field.Length; i++)
        {
            char c = field[i];
            if (c is '"' or '\'')
            {
                for (i++; i < field.Length && field[i] != c; i++)
                {
                }
            }
            else if (c is '(' or '[' or '{')
            {
                depth++;
            }
            else if (c is ')' or ']' or '}')
            {
                depth--;
            }
            else if (depth == 0 && ((c == '!' && (i + 1 == field.Length || field[i + 1] != '=')) || (c == ':' && !field.AsSpan(0, i).TrimStart().StartsWith("lambda"))))
            {
                return i;
            }
        }
        return field.Length;
    }

    // The names inside belong to the scope around the text.
    private Expression Inner(string source, Position at)
    {
        (List<Token> tokens, int place) = (_tokens, _at);
        (_tokens, _at) = (Lexer.ReadExpression(source, at), 0);
        Expression value = Kind == TokenKind.Keyword && Now.Text == "yield" ? Expression() : Expressions();
        if (Kind != TokenKind.End)
            throw Unexpected("f-string: invalid syntax");
        (_tokens, _at) = (tokens, place);
        return value;
    }
}
