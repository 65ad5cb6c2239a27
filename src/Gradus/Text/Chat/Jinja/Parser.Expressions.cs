using System.Globalization;
using System.Numerics;

namespace Gradus.Text.Chat.Jinja;

/// <summary>Expressions, by Jinja's precedence: if-else, or, and, not, comparison, + −, ~, * / // %, **, sign, postfix, filter and test.</summary>
internal sealed partial class Parser
{
    private static readonly Dictionary<string, Comparison> Comparisons = new(StringComparer.Ordinal)
    {
        ["=="] = Comparison.Equal,
        ["!="] = Comparison.NotEqual,
        ["<"] = Comparison.Less,
        ["<="] = Comparison.LessOrEqual,
        [">"] = Comparison.Greater,
        [">="] = Comparison.GreaterOrEqual,
    };

    private Expression ParseExpression(bool withConditional = true)
    {
        using Nesting level = Enter();
        Expression expression = ParseOr();
        for (int chain = 0; withConditional && Current.IsName("if"); chain++)
        {
            Position position = Next().Position;
            _conditional++;
            Expression condition = ParseOr();
            Expression? other = SkipName("else") ? ParseExpression() : null;
            _conditional--;
            expression = Chained(new ConditionalExpression(position, condition, expression, other), chain);
        }
        return expression;
    }

    private Expression ParseOr()
    {
        Expression left = ParseAnd();
        for (int chain = 0; Current.IsName("or"); chain++)
            left = Chained(new LogicalExpression(Next().Position, false, left, ParseAnd()), chain);
        return left;
    }

    private Expression ParseAnd()
    {
        Expression left = ParseNot();
        for (int chain = 0; Current.IsName("and"); chain++)
            left = Chained(new LogicalExpression(Next().Position, true, left, ParseNot()), chain);
        return left;
    }

    private Expression ParseNot()
    {
        if (!Current.IsName("not"))
            return ParseCompare();
        using Nesting level = Enter();
        return new NotExpression(Next().Position, ParseNot());
    }

    private Expression ParseCompare()
    {
        Expression first = ParseSum();
        Position position = Current.Position;
        List<(Comparison, Expression)> rest = [];
        while (true)
        {
            if (Current.Kind == TokenKind.Operator && Comparisons.TryGetValue(Current.Text, out Comparison comparison))
                Next();
            else if (SkipName("in"))
                comparison = Comparison.In;
            else if (Current.IsName("not") && Ahead.IsName("in"))
                (comparison, _, _) = (Comparison.NotIn, Next(), Next());
            else
                break;
            rest.Add((comparison, ParseSum()));
        }
        return rest.Count == 0 ? first : new CompareExpression(position, first, [.. rest]);
    }

    private Expression ParseSum()
    {
        Expression left = ParseConcat();
        for (int chain = 0; Current.Is("+") || Current.Is("-"); chain++)
        {
            Token op = Next();
            left = Chained(new BinaryExpression(op.Position, op.Text == "+" ? BinaryOperator.Add : BinaryOperator.Subtract, left, ParseConcat()), chain);
        }
        return left;
    }

    private Expression ParseConcat()
    {
        Expression first = ParseProduct();
        if (!Current.Is("~"))
            return first;
        Position position = Current.Position;
        List<Expression> operands = [first];
        while (Skip("~"))
            operands.Add(ParseProduct());
        return new ConcatExpression(position, [.. operands]);
    }

    private Expression ParseProduct()
    {
        Expression left = ParsePower();
        for (int chain = 0; Current.Is("*") || Current.Is("/") || Current.Is("//") || Current.Is("%"); chain++)
        {
            Token op = Next();
            BinaryOperator kind = op.Text switch
            {
                "*" => BinaryOperator.Multiply,
                "/" => BinaryOperator.Divide,
                "//" => BinaryOperator.FloorDivide,
                _ => BinaryOperator.Modulo,
            };
            left = Chained(new BinaryExpression(op.Position, kind, left, ParsePower()), chain);
        }
        return left;
    }

    /// <summary>Powers group from the left, unlike in Python.</summary>
    private Expression ParsePower()
    {
        Expression left = ParseUnary(true);
        for (int chain = 0; Current.Is("**"); chain++)
            left = Chained(new BinaryExpression(Next().Position, BinaryOperator.Power, left, ParseUnary(true)), chain);
        return left;
    }

    private Expression ParseUnary(bool withFilters)
    {
        using Nesting level = Enter();
        Expression expression;
        if (Current.Is("-") || Current.Is("+"))
        {
            Token sign = Next();
            expression = new SignExpression(sign.Position, sign.Text == "-", ParseUnary(false));
        }
        else
        {
            expression = ParsePrimary();
        }
        expression = ParsePostfix(expression);
        return withFilters ? ParseFiltersAndTests(expression) : expression;
    }

    private Expression ParsePrimary()
    {
        Token token = Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                Next();
                return ParseName(token);
            case TokenKind.String:
                List<string> parts = [];
                while (Current.Kind == TokenKind.String)
                    parts.Add(Next().Text);
                return new LiteralExpression(token.Position, Value.Of(string.Concat(parts)));
            case TokenKind.Integer:
                Next();
                Numbers.TryParseInteger(token.Text, 0, out BigInteger integer);
                return new LiteralExpression(token.Position, new IntValue(integer));
            case TokenKind.Float:
                Next();
                return new LiteralExpression(token.Position, new FloatValue(double.Parse(token.Text, CultureInfo.InvariantCulture)));
            case TokenKind.Operator when token.Text == "(":
                Next();
                Expression inner = ParseTuple(true, true);
                Expect(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                Next();
                return new ListExpression(token.Position, [.. ParseElements("]", () => ParseExpression())]);
            case TokenKind.Operator when token.Text == "{":
                Next();
                return new DictExpression(token.Position, [.. ParseElements("}", ParseEntry)]);
            default:
                throw token.Position.Error($"an expression is missing before {token}");
        }
    }

    private Expression ParseName(Token token)
    {
        Value? constant = token.Text switch
        {
            "true" or "True" => BoolValue.True,
            "false" or "False" => BoolValue.False,
            "none" or "None" => NoneValue.Instance,
            _ => null,
        };
        if (constant is not null)
            return new LiteralExpression(token.Position, constant);
        _mentioned?.Add(token.Text);
        return new NameExpression(token.Position, token.Text);
    }

    private (Expression, Expression) ParseEntry()
    {
        Expression key = ParseExpression();
        Expect(":");
        return (key, ParseExpression());
    }

    /// <summary>Elements up to a closing bracket, which is consumed; a comma may follow the last.</summary>
    private List<T> ParseElements<T>(string close, Func<T> parse)
    {
        using Nesting level = Enter();
        List<T> elements = [];
        while (!Current.Is(close))
        {
            if (elements.Count > 0)
                Expect(",");
            if (Current.Is(close))
                break;
            elements.Add(parse());
        }
        Expect(close);
        return elements;
    }

    /// <summary>An expression, or a tuple where commas follow; an empty one only between parentheses.</summary>
    private Expression ParseTuple(bool parenthesized, bool withConditional, bool inLoopHead = false)
    {
        Position position = Current.Position;
        List<Expression> elements = [];
        bool isTuple = false;
        while (true)
        {
            if (Current.Kind is TokenKind.PrintEnd or TokenKind.BlockEnd || Current.Is(")") || (inLoopHead && Current.IsName("recursive")))
                break;
            elements.Add(ParseExpression(withConditional));
            if (!Skip(","))
                break;
            isTuple = true;
        }
        if (isTuple || (elements.Count == 0 && parenthesized))
            return new TupleExpression(position, [.. elements]);
        return elements.Count == 1 ? elements[0] : throw Current.Position.Error($"an expression is missing before {Current}");
    }

    private Expression ParsePostfix(Expression expression)
    {
        for (int chain = 0; ; chain++)
        {
            if (Current.Is("."))
                expression = Chained(ParseAttribute(expression), chain);
            else if (Current.Is("["))
                expression = Chained(ParseSubscript(expression), chain);
            else if (Current.Is("("))
                expression = Chained(new CallExpression(Current.Position, expression, ParseArguments()), chain);
            else
                return expression;
        }
    }

    private Expression ParseAttribute(Expression subject)
    {
        Next();
        Token token = Next();
        if (token.Kind == TokenKind.Name)
            return new AttributeExpression(token.Position, subject, token.Text);
        if (token.Kind == TokenKind.Integer && Numbers.TryParseInteger(token.Text, 10, out BigInteger index))
            return new ItemExpression(token.Position, subject, new LiteralExpression(token.Position, new IntValue(index)));
        throw token.Position.Error($"a name or number belongs after '.', not {token}");
    }

    private ItemExpression ParseSubscript(Expression subject)
    {
        Position position = Next().Position;
        List<Expression> keys = ParseElements("]", ParseKey);
        return keys.Count switch
        {
            0 => throw position.Error("an index is missing between the brackets"),
            1 => new ItemExpression(position, subject, keys[0]),
            _ => new ItemExpression(position, subject, new TupleExpression(position, [.. keys])),
        };
    }

    private Expression ParseKey()
    {
        Position position = Current.Position;
        Expression? start = Current.Is(":") ? null : ParseExpression();
        if (!Current.Is(":"))
            return start!;
        Expression?[] bounds = [start, null, null];
        for (int i = 1; i < 3 && Skip(":"); i++)
        {
            if (!Current.Is(":") && !Current.Is("]") && !Current.Is(","))
                bounds[i] = ParseExpression();
        }
        return new SliceExpression(position, bounds[0], bounds[1], bounds[2]);
    }

    private ArgumentList ParseArguments()
    {
        Expect("(");
        List<Expression> positional = [];
        List<(string, Expression)> named = [];
        Expression? list = null, dict = null;
        ParseElements(")", () =>
        {
            Token token = Current;
            if (Skip("**"))
            {
                dict = dict is null ? ParseExpression() : throw token.Position.Error("only one ** is allowed in a call");
            }
            else if (Skip("*"))
            {
                list = list is null && dict is null ? ParseExpression() : throw token.Position.Error("* stands once, before **");
            }
            else if (token.Kind == TokenKind.Name && Ahead.Is("="))
            {
                (_, _) = (Next(), Next());
                named.Add((token.Text, ParseExpression()));
            }
            else
            {
                positional.Add(named.Count == 0 && list is null && dict is null
                    ? ParseExpression()
                    : throw token.Position.Error("arguments by position come before those by name"));
            }
            return true;
        });
        return positional.Count + named.Count == 0 && list is null && dict is null
            ? ArgumentList.Empty
            : new ArgumentList([.. positional], [.. named], list, dict);
    }

    private Expression ParseFiltersAndTests(Expression expression)
    {
        for (int chain = 0; ; chain++)
        {
            if (Current.Is("|"))
                expression = Chained(ParseFilter(expression), chain);
            else if (Current.IsName("is"))
                expression = Chained(ParseTest(expression), chain);
            else if (Current.Is("("))
                expression = Chained(new CallExpression(Current.Position, expression, ParseArguments()), chain);
            else
                return expression;
        }
    }

    private FilterExpression ParseFilter(Expression subject)
    {
        Next();
        return ParseFilterName(subject);
    }

    private FilterExpression ParseFilterName(Expression subject)
    {
        (Position position, string name) = ParseDottedName("filter");
        NativeFunction? filter = _conditional > 0 ? Filters.Table.GetValueOrDefault(name) : Filters.Find(position, name);
        return new FilterExpression(position, subject, name, filter, Current.Is("(") ? ParseArguments() : ArgumentList.Empty);
    }

    private TestExpression ParseTest(Expression subject)
    {
        Next();
        bool negated = SkipName("not");
        (Position position, string name) = ParseDottedName("test");
        ArgumentList arguments = ArgumentList.Empty;
        if (Current.Is("("))
        {
            arguments = ParseArguments();
        }
        else if (Current.Kind is TokenKind.String or TokenKind.Integer or TokenKind.Float || Current.Is("[") || Current.Is("{")
            || (Current.Kind == TokenKind.Name && Current.Text is not ("else" or "or" or "and" or "if" or "is" or "in" or "not")))
        {
            arguments = new ArgumentList([ParsePostfix(ParsePrimary())], [], null, null);
        }
        else if (Current.IsName("is"))
        {
            throw Current.Position.Error("tests cannot be chained with 'is'; use 'and'");
        }
        TestFunction? test = _conditional > 0 ? Tests.Table.GetValueOrDefault(name) : Tests.Find(position, name);
        return new TestExpression(position, subject, name, test, arguments, negated);
    }

    private (Position Position, string Name) ParseDottedName(string what)
    {
        Token token = Next();
        if (token.Kind != TokenKind.Name)
            throw token.Position.Error($"the name of a {what} is missing before {token}");
        string name = token.Text;
        while (Skip("."))
            name += "." + ExpectName();
        return (token.Position, name);
    }
}
