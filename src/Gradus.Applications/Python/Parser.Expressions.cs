using System.Numerics;

namespace Gradus.Applications.Python;

internal sealed partial class Parser
{
    private static readonly Dictionary<string, (int Level, BinaryOperator Op)> Binary = new(StringComparer.Ordinal)
    {
        ["|"] = (1, BinaryOperator.Or),
        ["^"] = (2, BinaryOperator.Xor),
        ["&"] = (3, BinaryOperator.And),
        ["<<"] = (4, BinaryOperator.ShiftLeft),
        [">>"] = (4, BinaryOperator.ShiftRight),
        ["+"] = (5, BinaryOperator.Add),
        ["-"] = (5, BinaryOperator.Subtract),
        ["*"] = (6, BinaryOperator.Multiply),
        ["/"] = (6, BinaryOperator.Divide),
        ["//"] = (6, BinaryOperator.FloorDivide),
        ["%"] = (6, BinaryOperator.Modulo),
        ["@"] = (6, BinaryOperator.MatrixMultiply),
    };

    /// <summary>One expression, or several with commas, which are a tuple.</summary>
    private Expression Expressions()
    {
        Position at = Now.Position;
        Expression first = StarOrNamed();
        if (!Is(","))
            return first is StarExpression ? throw new PythonSyntaxException("can't use starred expression here", at) : first;
        List<Expression> items = [first];
        while (TryTake(","))
        {
            if (AtEnd || Is(")") || Is("=") || Is(":") || Is("]") || Is("}"))
                break;
            items.Add(StarOrNamed());
        }
        return new TupleExpression([.. items], at);
    }

    private Expression TargetList()
    {
        Position at = Now.Position;
        List<Expression> items = [TargetItem()];
        bool tuple = false;
        while (TryTake(","))
        {
            tuple = true;
            if (Is("in"))
                break;
            items.Add(TargetItem());
        }
        return tuple ? new TupleExpression([.. items], at) : items[0];
    }

    // What stands before "in" is no comparison.
    private Expression TargetItem()
    {
        Position at = Now.Position;
        return TryTake("*") ? new StarExpression(Primary(), at) : Primary();
    }

    private Expression StarOrNamed()
    {
        Position at = Now.Position;
        return TryTake("*") ? new StarExpression(BinaryLevel(1), at) : NamedExpression();
    }

    private Expression NamedExpression() => Named(Expression);

    // Perhaps an expression whose value gets a name: name := expression.
    private Expression Named(Func<Expression> read)
    {
        Expression value = read();
        if (value is NameExpression name && Is(":="))
        {
            Position at = Take().Position;
            Scope scope = _scope;
            while (scope.Kind == ScopeKind.Comprehension)
                scope = scope.Parent!;
            scope.Bind(name.Name);
            return new WalrusExpression(name, read(), at);
        }
        return value;
    }

    private Expression Expression()
    {
        Nest();
        Expression value = Kind == TokenKind.Keyword && Now.Text == "lambda" ? Lambda() : Kind == TokenKind.Keyword && Now.Text == "yield" ? Yield() : Conditional();
        _nesting--;
        return value;
    }

    private Expression Conditional()
    {
        Expression value = Or();
        if (!Is("if"))
            return value;
        Position at = Take().Position;
        Expression condition = Or();
        Expect("else");
        return new ConditionalExpression(condition, value, Expression(), at);
    }

    private Expression Yield()
    {
        Position at = Take().Position;
        Scope function = _scope.Frame;
        if (function.Kind != ScopeKind.Function)
            throw new PythonSyntaxException("'yield' outside function", at);
        function.HasYield = true;
        bool from = TryTake("from");
        Expression? value = from ? Expression() : AtEnd || Is(")") || Is("]") || Is("}") || Is("=") ? null : Expressions();
        YieldExpression yield = new(value, from, at) { Slot = function.NewSlot() };
        _yields.Add(new YieldStatement(yield) { Yields = true });
        return yield;
    }

    private Expression Or()
    {
        Expression left = And();
        while (Is("or"))
            left = new OrExpression(left, ReadNext(And), left.At);
        return left;
    }

    private Expression And()
    {
        Expression left = Not();
        while (Is("and"))
            left = new AndExpression(left, ReadNext(Not), left.At);
        return left;
    }

    private Expression ReadNext(Func<Expression> read)
    {
        _at++;
        return read();
    }

    private Expression Not()
    {
        if (!Is("not"))
            return Comparisons();
        Position at = Take().Position;
        Nest();
        Expression inner = Not();
        _nesting--;
        return new NotExpression(inner, at);
    }

    private Expression Comparisons()
    {
        Expression first = BinaryLevel(1);
        List<(Comparison, Expression)> rest = [];
        Position at = Now.Position;
        while (ComparisonOperator() is { } op)
            rest.Add((op, BinaryLevel(1)));
        return rest.Count == 0 ? first : new CompareExpression(first, [.. rest], at);
    }

    private Comparison? ComparisonOperator()
    {
        if (Kind is not (TokenKind.Operator or TokenKind.Keyword))
            return null;
        Comparison? op = Now.Text switch
        {
            "<" => Comparison.Less,
            "<=" => Comparison.LessEqual,
            ">" => Comparison.Greater,
            ">=" => Comparison.GreaterEqual,
            "==" => Comparison.Equal,
            "!=" => Comparison.NotEqual,
            "in" => Comparison.In,
            "is" => Comparison.Is,
            "not" when _tokens[_at + 1] is { Kind: TokenKind.Keyword, Text: "in" } => Comparison.NotIn,
            _ => null,
        };
        if (op is null)
            return null;
        _at += op == Comparison.NotIn ? 2 : 1;
        return op == Comparison.Is && TryTake("not") ? Comparison.IsNot : op;
    }

    private Expression BinaryLevel(int level)
    {
        if (level > 6)
            return Unary();
        Expression left = BinaryLevel(level + 1);
        while (Kind == TokenKind.Operator && Binary.TryGetValue(Now.Text, out (int Level, BinaryOperator Op) found) && found.Level == level)
        {
            Position at = Take().Position;
            left = new BinaryExpression(found.Op, left, BinaryLevel(level + 1), at);
        }
        return left;
    }

    private Expression Unary()
    {
        if (Kind == TokenKind.Operator && Now.Text is "-" or "+" or "~")
        {
            Token op = Take();
            Nest();
            Expression inner = Unary();
            _nesting--;
            if (op.Text == "-" && inner is Constant { Value: var value } && value.IsNumber && !value.IsBool)
                return new Constant(Operations.Negate(value), op.Position);
            return new UnaryExpression(op.Text switch { "-" => UnaryOperator.Negate, "+" => UnaryOperator.Plus, _ => UnaryOperator.Invert }, inner, op.Position);
        }
        Expression target = Primary();
        if (!Is("**"))
            return target;
        Position at = Take().Position;
        return new BinaryExpression(BinaryOperator.Power, target, Unary(), at);
    }

    private Expression Primary()
    {
        Expression value = Atom();
        while (Kind == TokenKind.Operator)
        {
            Position at = Now.Position;
            if (TryTake("."))
                value = new AttributeExpression(value, Name(), at);
            else if (TryTake("("))
                value = new CallExpression(value, Arguments(), at);
            else if (TryTake("["))
                value = new SubscriptExpression(value, Subscript(), at);
            else
                break;
        }
        return value;
    }

    private Argument[] Arguments()
    {
        List<Argument> arguments = [];
        Nest();
        while (!Is(")"))
        {
            if (TryTake("**"))
                arguments.Add(new Argument(Expression(), Stars: 2));
            else if (TryTake("*"))
                arguments.Add(new Argument(Expression(), Stars: 1));
            else if (Kind == TokenKind.Name && _tokens[_at + 1] is { Kind: TokenKind.Operator, Text: "=" })
            {
                string name = Name();
                _at++;
                arguments.Add(new Argument(Expression(), name));
            }
            else
            {
                int start = _at;
                Expression? generator = TryComprehension(ScopeKind.Function, start, out Expression value);
                arguments.Add(new Argument(generator ?? value));
                if (generator is null && arguments.Exists(a => a.Name is not null) && arguments[^1].Stars == 0)
                    throw new PythonSyntaxException("positional argument follows keyword argument", value.At);
            }
            if (!TryTake(","))
                break;
        }
        Expect(")");
        _nesting--;
        return [.. arguments];
    }

    private Expression Subscript()
    {
        Position at = Now.Position;
        List<Expression> items = [];
        bool tuple = false;
        do
        {
            if (Is("]"))
                break;
            items.Add(SliceOrIndex());
            tuple |= Is(",");
        }
        while (TryTake(","));
        Expect("]");
        return tuple || items.Count != 1 ? new TupleExpression([.. items], at) : items[0];
    }

    private Expression SliceOrIndex()
    {
        Position at = Now.Position;
        Expression? start = Is(":") ? null : StarOrNamed();
        if (!TryTake(":"))
            return start!;
        Expression? stop = Is(":") || Is("]") || Is(",") ? null : Expression(), step = null;
        if (TryTake(":"))
            step = Is("]") || Is(",") ? null : Expression();
        return new SliceExpression(start, stop, step, at);
    }

    private Expression Atom()
    {
        Token token = Now;
        switch (token.Kind)
        {
            case TokenKind.Name:
                _at++;
                return Use(token.Text, token.Position);
            case TokenKind.Integer:
                _at++;
                return new Constant(Value.Of((BigInteger)token.Number!), token.Position);
            case TokenKind.Float:
                _at++;
                return new Constant(Value.Of((double)token.Number!), token.Position);
            case TokenKind.Text or TokenKind.Formatted or TokenKind.Bytes:
                return Strings();
            case TokenKind.Keyword when token.Text is "None" or "True" or "False":
                _at++;
                return new Constant(token.Text == "None" ? Value.None : Value.Of(token.Text == "True"), token.Position);
            case TokenKind.Keyword when token.Text is "yield" or "lambda":
                return Expression();
            case TokenKind.Operator when token.Text == "...":
                _at++;
                return new Constant(Value.Ellipsis, token.Position);
            case TokenKind.Operator when token.Text == "(":
                return Parenthesis();
            case TokenKind.Operator when token.Text == "[":
                return ListDisplay();
            case TokenKind.Operator when token.Text == "{":
                return Braces();
            default:
                throw Unexpected();
        }
    }
}
