// The grammar of Python 3 (The Python Language Reference, chapters 6 to 8) by recursive descent; statements here, expressions in
// Parser.Expressions.cs. Left out, and refused by name: match, async, metaclasses, type parameters, exception groups.

namespace Gradus.Applications.Python;

internal sealed partial class Parser
{
    private List<Token> _tokens;
    private int _at;
    private Scope _scope;
    private int _nesting;

    /// <summary>The yields of the statement that is being read; they happen before the rest of it.</summary>
    private List<YieldStatement> _yields = [];

    private Parser(List<Token> tokens, Scope scope)
    {
        _tokens = tokens;
        _scope = scope;
    }

    /// <summary>Reads a program.</summary>
    /// <exception cref="PythonSyntaxException">It is no Python, or uses what is left out.</exception>
    public static (Block Body, Scope Scope) Program(string source, ModuleObject module)
    {
        Parser parser = new(Lexer.Read(source), new Scope(ScopeKind.Module, null));
        List<Statement> statements = [];
        while (parser.Kind != TokenKind.End)
            parser.Statement(statements);
        parser.Resolve(module);
        return (parser.Sequence(statements, new Position(1, 1)), parser._scope);
    }

    /// <summary>Reads one expression, for eval().</summary>
    public static (Expression Value, Scope Scope) Single(string source, ModuleObject module)
    {
        Parser parser = new(Lexer.ReadExpression(source.Trim(), new Position(1, 1)), new Scope(ScopeKind.Module, null));
        Expression value = parser.Expressions();
        if (parser.Kind != TokenKind.End)
            throw parser.Unexpected();
        parser.Resolve(module);
        return (value, parser._scope);
    }

    private void Resolve(ModuleObject module)
    {
        _scope.Resolve(module);
        foreach (FunctionCode code in _finish)
            code.CellSlots = code.Scope.CellSlots;
    }

    private Token Now => _tokens[_at];

    private TokenKind Kind => _tokens[_at].Kind;

    private bool Is(string text) => Kind is TokenKind.Operator or TokenKind.Keyword && Now.Text == text;

    private Token Take() => _tokens[_at++];

    private bool TryTake(string text)
    {
        if (!Is(text))
            return false;
        _at++;
        return true;
    }

    private Token Expect(string text) => Is(text) ? Take() : throw Unexpected($"expected '{text}'");

    private string Name() => Kind == TokenKind.Name ? Take().Text : throw Unexpected("expected a name");

    private PythonSyntaxException Unexpected(string? expected = null) => new(
        Kind switch
        {
            TokenKind.End or TokenKind.NewLine => $"{expected ?? "invalid syntax"} at the end of the line",
            TokenKind.Indent => "unexpected indent",
            TokenKind.Dedent => expected ?? "unexpected end of a block",
            _ => $"{expected ?? "invalid syntax"}, found '{Now.Text}'",
        },
        Now.Position);

    private void Nest()
    {
        // A program from a model may be anything; the stack is finite.
        if (++_nesting > 150)
            throw new PythonSyntaxException("too many nested parentheses or blocks", Now.Position);
    }

    private Block Sequence(List<Statement> statements, Position at)
    {
        Block block = new([.. statements], at) { Yields = statements.Exists(s => s.Yields) };
        return block;
    }

    private void Statement(List<Statement> into)
    {
        if (Kind == TokenKind.NewLine)
        {
            _at++;
            return;
        }
        Nest();
        if (Kind == TokenKind.Keyword && Compound() is { } compound)
            into.AddRange(compound);
        else if (Is("@"))
            into.AddRange(Decorated());
        else
            SimpleLine(into);
        _nesting--;
    }

    private IReadOnlyList<Statement>? Compound()
    {
        switch (Now.Text)
        {
            case "if": return [If()];
            case "while": return [While()];
            case "for": return For();
            case "try": return [Try()];
            case "with": return With();
            case "def": return [Definition([])];
            case "class": return [Class([])];
            case "async" or "await": throw new PythonSyntaxException($"{Now.Text} is not part of this Python", Now.Position);
            default: return null;
        }
    }

    private void SimpleLine(List<Statement> into)
    {
        do
        {
            if (Kind == TokenKind.NewLine)
                break;
            List<YieldStatement> outer = _yields;
            _yields = [];
            Statement statement = Simple();
            into.AddRange(_yields);
            if (!(statement is ExpressionStatement { Expression: YieldExpression }))
                into.Add(statement);
            _yields = outer;
        }
        while (TryTake(";"));
        if (Kind == TokenKind.NewLine)
            _at++;
        else if (Kind != TokenKind.End)
            throw Unexpected();
    }

    private Statement Simple()
    {
        Position at = Now.Position;
        if (Kind == TokenKind.Keyword)
        {
            switch (Now.Text)
            {
                case "pass": _at++; return new PassStatement(at);
                case "break": _at++; return new JumpStatement(Completion.Break, at);
                case "continue": _at++; return new JumpStatement(Completion.Continue, at);
                case "return": _at++; return new ReturnStatement(AtEnd ? null : Expressions(), at);
                case "raise": return Raise();
                case "del": _at++; return new DeleteStatement([Expressions()], at);
                case "assert": return Assert();
                case "import": return Import();
                case "from": return ImportFrom();
                case "global" or "nonlocal": return Declaration();
            }
        }
        return AssignmentOrExpression();
    }

    private bool AtEnd => Kind is TokenKind.NewLine or TokenKind.End || Is(";");

    private Statement Raise()
    {
        Position at = Take().Position;
        Expression? error = AtEnd ? null : Expression();
        return new RaiseStatement(error, TryTake("from") ? Expression() : null, at);
    }

    private Statement Assert()
    {
        Position at = Take().Position;
        Expression condition = Expression();
        return new AssertStatement(condition, TryTake(",") ? Expression() : null, at);
    }

    private Statement Declaration()
    {
        Token word = Take();
        do
        {
            string name = Name();
            if (word.Text == "global")
                _scope.Global(name);
            else
                _scope.Nonlocal(name);
        }
        while (TryTake(","));
        return new PassStatement(word.Position);
    }

    private Statement Import()
    {
        Position at = Take().Position;
        List<(string, string[]?, string[]?)> imports = [];
        List<Expression> targets = [];
        do
        {
            string module = Dotted();
            string name = TryTake("as") ? Name() : module.Split('.')[0];
            imports.Add((module, null, null));
            targets.Add(Target(name, at));
        }
        while (TryTake(","));
        return new ImportStatement([.. imports], [.. targets], at);
    }

    private Statement ImportFrom()
    {
        Position at = Take().Position;
        string module = Dotted();
        Expect("import");
        if (TryTake("*"))
            return new ImportStatement([(module, ["*"], null)], [], at);
        bool parenthesis = TryTake("(");
        List<string> names = [];
        List<Expression> targets = [];
        do
        {
            if (parenthesis && Is(")"))
                break;
            names.Add(Name());
            targets.Add(Target(TryTake("as") ? Name() : names[^1], at));
        }
        while (TryTake(","));
        if (parenthesis)
            Expect(")");
        return new ImportStatement([(module, [.. names], null)], [.. targets], at);
    }

    private string Dotted()
    {
        string name = Name();
        while (TryTake("."))
            name += "." + Name();
        return name;
    }

    private NameExpression Target(string name, Position at)
    {
        _scope.Bind(name);
        return Use(name, at);
    }

    private NameExpression Use(string name, Position at)
    {
        NameExpression use = new(name, at);
        _scope.Use(use);
        return use;
    }

    private Statement AssignmentOrExpression()
    {
        Position at = Now.Position;
        Expression first = Expressions();
        if (TryTake(":"))
        {
            Expression();
            Expression? value = TryTake("=") ? Expressions() : null;
            if (_scope.Kind != ScopeKind.Class || first is not NameExpression name)
            {
                BindTargets(first);
                return value is null ? new PassStatement(at) : new AssignStatement([first], value, at);
            }
            if (value is not null)
                BindTargets(first);
            return new AnnotatedStatement(name, value, at);
        }
        if (Kind == TokenKind.Operator && Now.Text.Length > 1 && Now.Text[^1] == '=' && Augmented(Now.Text) is { } op)
        {
            _at++;
            BindTargets(first);
            return new AugmentedStatement(first, op, Expressions(), at);
        }
        List<Expression> targets = [];
        while (TryTake("="))
        {
            BindTargets(first);
            targets.Add(first);
            first = Expressions();
        }
        return targets.Count == 0 ? new ExpressionStatement(first, at) : new AssignStatement([.. targets], first, at);
    }

    private static BinaryOperator? Augmented(string op) => op switch
    {
        "+=" => BinaryOperator.Add,
        "-=" => BinaryOperator.Subtract,
        "*=" => BinaryOperator.Multiply,
        "/=" => BinaryOperator.Divide,
        "//=" => BinaryOperator.FloorDivide,
        "%=" => BinaryOperator.Modulo,
        "**=" => BinaryOperator.Power,
        "<<=" => BinaryOperator.ShiftLeft,
        ">>=" => BinaryOperator.ShiftRight,
        "&=" => BinaryOperator.And,
        "|=" => BinaryOperator.Or,
        "^=" => BinaryOperator.Xor,
        "@=" => BinaryOperator.MatrixMultiply,
        _ => null,
    };

    // Names that are assigned to are bound; anything that cannot be assigned to is refused.
    private void BindTargets(Expression target)
    {
        switch (target)
        {
            case NameExpression name: _scope.Bind(name.Name); break;
            case TupleExpression tuple: Array.ForEach(tuple.Items, BindTargets); break;
            case ListExpression list: Array.ForEach(list.Items, BindTargets); break;
            case StarExpression star: BindTargets(star.Inner); break;
            case AttributeExpression or SubscriptExpression: break;
            default: throw new PythonSyntaxException("cannot assign to this expression", target.At);
        }
    }
}
