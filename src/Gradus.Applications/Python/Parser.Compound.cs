namespace Gradus.Applications.Python;

internal sealed partial class Parser
{
    private Block Suite()
    {
        Position at = Expect(":").Position;
        List<Statement> statements = [];
        Nest();
        if (Kind == TokenKind.NewLine)
        {
            _at++;
            if (Kind != TokenKind.Indent)
                throw Unexpected("expected an indented block");
            _at++;
            while (Kind != TokenKind.Dedent)
                Statement(statements);
            _at++;
        }
        else
        {
            SimpleLine(statements);
        }
        _nesting--;
        return Sequence(statements, at);
    }

    private Statement If()
    {
        Position at = Take().Position;
        Expression condition = WithoutYield(NamedExpression);
        Block then = Suite();
        Statement? otherwise = Is("elif") ? If() : Is("else") ? Else() : null;
        return new IfStatement(condition, then, otherwise, at) { Yields = then.Yields || otherwise?.Yields == true };
    }

    private Block? Else() => TryTake("else") ? Suite() : null;

    private Statement While()
    {
        Position at = Take().Position;
        Expression condition = WithoutYield(NamedExpression);
        Block body = Suite();
        Block? otherwise = Else();
        return new WhileStatement(condition, body, otherwise, at) { Yields = body.Yields || otherwise?.Yields == true };
    }

    private IReadOnlyList<Statement> For()
    {
        Position at = Take().Position;
        Expression target = TargetList();
        BindTargets(target);
        Expect("in");
        Expression source = WithoutYield(Expressions);
        Block body = Suite();
        Block? otherwise = Else();
        return [new ForStatement(target, source, body, otherwise, at) { Yields = body.Yields || otherwise?.Yields == true }];
    }

    // A condition is evaluated again and again, so a yield in it has no place to go.
    private Expression WithoutYield(Func<Expression> read)
    {
        List<YieldStatement> outer = _yields;
        _yields = [];
        Expression value = read();
        if (_yields.Count > 0)
            throw new PythonSyntaxException("yield is not possible in this place; assign it to a name first", value.At);
        _yields = outer;
        return value;
    }

    private Statement Try()
    {
        Position at = Take().Position;
        Block body = Suite();
        List<Handler> handlers = [];
        while (Is("except"))
        {
            _at++;
            if (Is("*"))
                throw new PythonSyntaxException("exception groups are not part of this Python", Now.Position);
            Expression? type = null, target = null;
            if (!Is(":"))
            {
                type = Expressions();
                if (TryTake("as"))
                    target = Target(Name(), at);
            }
            handlers.Add(new Handler(type, target, Suite()));
        }
        Block? otherwise = Else();
        Block? final = TryTake("finally") ? Suite() : null;
        if (handlers.Count == 0 && final is null)
            throw Unexpected("expected 'except' or 'finally' block");
        bool yields = body.Yields || handlers.Exists(h => h.Body.Yields) || otherwise?.Yields == true || final?.Yields == true;
        return new TryStatement(body, [.. handlers], otherwise, final, at) { Yields = yields };
    }

    private IReadOnlyList<Statement> With()
    {
        Position at = Take().Position;
        bool parenthesis = Is("(") && ParenthesizedWith();
        if (parenthesis)
            _at++;
        List<(Expression Context, Expression? Target)> items = [];
        do
        {
            if (parenthesis && Is(")"))
                break;
            Expression context = WithoutYield(Expression);
            Expression? target = null;
            if (TryTake("as"))
            {
                target = Primary();
                BindTargets(target);
            }
            items.Add((context, target));
        }
        while (TryTake(","));
        if (parenthesis)
            Expect(")");
        Statement body = Suite();
        for (int i = items.Count - 1; i >= 0; i--)
            body = new WithStatement(items[i].Context, items[i].Target, body, at) { Yields = body.Yields };
        return [body];
    }

    // with (a as b, c as d): — as against with (a, b):
    private bool ParenthesizedWith()
    {
        int depth = 0;
        for (int i = _at; i < _tokens.Count; i++)
        {
            if (_tokens[i].Text is "(" or "[" or "{" && _tokens[i].Kind == TokenKind.Operator)
                depth++;
            else if (_tokens[i].Text is ")" or "]" or "}" && _tokens[i].Kind == TokenKind.Operator && --depth == 0)
                return false;
            else if (depth == 1 && _tokens[i] is { Kind: TokenKind.Keyword, Text: "as" })
                return true;
        }
        return false;
    }

    private IReadOnlyList<Statement> Decorated()
    {
        List<Expression> decorators = [];
        while (TryTake("@"))
        {
            decorators.Add(NamedExpression());
            if (Kind != TokenKind.NewLine)
                throw Unexpected();
            _at++;
        }
        return [Is("class") ? Class([.. decorators]) : Is("def") ? Definition([.. decorators]) : throw Unexpected("expected a function or class after its decorators")];
    }

    private Statement Class(Expression[] decorators)
    {
        Position at = Take().Position;
        string name = Name();
        Argument[] bases = TryTake("(") ? Arguments() : [];
        Array.ForEach(bases, b =>
        {
            if (b.Name == "metaclass")
                throw new PythonSyntaxException("metaclasses are not part of this Python", at);
        });
        NameExpression target = Target(name, at);
        Scope outer = _scope;
        _scope = outer.Child(ScopeKind.Class);
        Block body = Suite();
        ClassExpression made = new(name, bases, body, _scope, at);
        _scope = outer;
        return new DefineStatement(target, made, decorators, at);
    }
}
