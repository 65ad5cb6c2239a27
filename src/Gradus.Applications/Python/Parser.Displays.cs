namespace Gradus.Applications.Python;

internal sealed partial class Parser
{
    private Expression Parenthesis()
    {
        Position at = Take().Position;
        Nest();
        Expression result;
        if (Is(")"))
            result = new TupleExpression([], at);
        else
            result = TryComprehension(ScopeKind.Function, _at, out Expression value) ?? (Is(",") || value is StarExpression ? Rest(value, at) : value);
        Expect(")");
        _nesting--;
        return result;
    }

    private Expression Rest(Expression first, Position at)
    {
        List<Expression> items = [first];
        while (TryTake(","))
        {
            if (Is(")"))
                break;
            items.Add(StarOrNamed());
        }
        return new TupleExpression([.. items], at);
    }

    private Expression ListDisplay()
    {
        Position at = Take().Position;
        Nest();
        List<Expression> items = [];
        while (!Is("]"))
        {
            if (TryComprehension(ScopeKind.Comprehension, _at, out Expression value, ComprehensionKind.List) is { } comprehension)
            {
                Expect("]");
                _nesting--;
                return comprehension;
            }
            items.Add(value);
            if (!TryTake(","))
                break;
        }
        Expect("]");
        _nesting--;
        return new ListExpression([.. items], at);
    }

    private Expression Braces()
    {
        Position at = Take().Position;
        Nest();
        List<(Expression?, Expression)> entries = [];
        List<Expression> items = [];
        while (!Is("}"))
        {
            if (TryTake("**"))
            {
                entries.Add((null, BinaryLevel(1)));
            }
            else
            {
                Scope outer = _scope;
                Scope inner = outer.Child(ScopeKind.Comprehension);
                _scope = inner;
                Expression key = StarOrNamed();
                Expression? value = TryTake(":") ? Expression() : null;
                if (Is("for"))
                {
                    ComprehensionClause[] clauses = Clauses(outer);
                    _scope = outer;
                    Expect("}");
                    _nesting--;
                    return new ComprehensionExpression(value is null ? ComprehensionKind.Set : ComprehensionKind.Dict, key, value, clauses, at);
                }
                _scope = outer;
                if (value is null)
                    items.Add(key);
                else
                    entries.Add((key, value));
            }
            if (!TryTake(","))
                break;
        }
        Expect("}");
        _nesting--;
        if (items.Count > 0 && entries.Count > 0)
            throw new PythonSyntaxException("a set has no values and a dict needs them", at);
        return items.Count > 0 ? new SetExpression([.. items], at) : new DictExpression([.. entries], at);
    }

    /// <summary>Reads an item; where "for" follows, the whole comprehension. Whether it is one shows only behind the item, so the item's names get a scope of their own in any case.</summary>
    private Expression? TryComprehension(ScopeKind kind, int start, out Expression item, ComprehensionKind of = ComprehensionKind.List)
    {
        Position at = _tokens[start].Position;
        Scope outer = _scope;
        if (kind == ScopeKind.Comprehension)
        {
            _scope = outer.Child(ScopeKind.Comprehension);
            item = StarOrNamed();
            if (!Is("for"))
            {
                _scope = outer;
                return null;
            }
            ComprehensionClause[] clauses = Clauses(outer);
            _scope = outer;
            return new ComprehensionExpression(of, item, null, clauses, at);
        }
        if (!GeneratorAhead())
        {
            item = StarOrNamed();
            return null;
        }
        // A generator is a function of its own, but for its first source.
        Scope scope = outer.Child(ScopeKind.Function);
        _scope = scope;
        item = WithoutYield(NamedExpression);
        ComprehensionClause[] parts = Clauses(outer);
        _scope = outer;
        FunctionCode code = new() { Name = "<genexpr>", Parameters = [], Positional = 0, Body = new PassStatement(at), Scope = scope };
        _finish.Add(code);
        return new GeneratorExpression(code, item, parts, parts[0].Source, at);
    }

    // Looks for "for" on this level of brackets before the next comma or the end.
    private bool GeneratorAhead()
    {
        int depth = 0;
        for (int i = _at; i < _tokens.Count; i++)
        {
            Token token = _tokens[i];
            if (token.Kind == TokenKind.Operator)
            {
                if (token.Text is "(" or "[" or "{")
                    depth++;
                else if (token.Text is ")" or "]" or "}" && --depth < 0)
                    return false;
                else if (token.Text == "," && depth == 0)
                    return false;
            }
            else if (depth == 0 && token is { Kind: TokenKind.Keyword, Text: "for" })
            {
                return true;
            }
            else if (token.Kind is TokenKind.End or TokenKind.NewLine)
            {
                return false;
            }
        }
        return false;
    }

    // The first source belongs to the scope around the comprehension.
    private ComprehensionClause[] Clauses(Scope outer)
    {
        List<ComprehensionClause> clauses = [];
        while (TryTake("for"))
        {
            Expression target = TargetList();
            BindTargets(target);
            Expect("in");
            Scope own = _scope;
            if (clauses.Count == 0)
                _scope = outer;
            Expression source = Or();
            _scope = own;
            List<Expression> conditions = [];
            while (TryTake("if"))
                conditions.Add(Named(Or));
            clauses.Add(new ComprehensionClause(target, source, [.. conditions]));
        }
        if (Is("async"))
            throw new PythonSyntaxException("async is not part of this Python", Now.Position);
        return [.. clauses];
    }
}
