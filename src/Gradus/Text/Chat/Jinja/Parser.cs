using System.Runtime.CompilerServices;

namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// Builds the tree of a template. Statements: for, if, set, macro, call, filter, with, generation, break, continue, do.
/// Left out, with an error that says so: everything that reads other templates (include, import, from, extends, block) and autoescape.
/// </summary>
internal sealed partial class Parser
{
    private readonly List<Token> _tokens;
    private int _next;
    private int _depth;
    private int _loops;
    private int _conditional;
    private HashSet<string>? _mentioned;
    private string _ending = "";

    private Parser(List<Token> tokens) => _tokens = tokens;

    /// <summary>Whether a generation block was met.</summary>
    private bool HasGeneration { get; set; }

    private Token Current => _tokens[_next];

    private Token Ahead => _tokens[Math.Min(_next + 1, _tokens.Count - 1)];

    public static (Block Body, bool HasGeneration) Parse(string template, JinjaSettings settings)
    {
        Position start = new(1, 1);
        if (template.Length > ChatTemplateLimits.MaxTemplate)
            throw start.Error($"the template has {template.Length} characters, more than {ChatTemplateLimits.MaxTemplate}");
        Parser parser = new(Lexer.Tokenize(template, settings));
        Block body = parser.ParseBlock(start, "the template");
        return (body, parser.HasGeneration);
    }

    /// <summary>
    /// Statements up to one of the tags given, whose name is consumed and left in <see cref="_ending"/>; up to the end where none is given.
    /// </summary>
    private Block ParseBlock(Position opening, string what, params ReadOnlySpan<string> ends)
    {
        using Nesting level = Enter();
        List<Statement> statements = [];
        while (true)
        {
            Token token = Next();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    statements.Add(new TextStatement(token.Position, token.Text));
                    break;
                case TokenKind.PrintBegin:
                    statements.Add(new PrintStatement(Current.Position, ParseTuple(false, true)));
                    ExpectEnd(TokenKind.PrintEnd);
                    break;
                case TokenKind.BlockBegin:
                    Token name = Next();
                    if (name.Kind == TokenKind.Name && ends.Contains(name.Text))
                    {
                        _ending = name.Text;
                        return new Block(opening, [.. statements]);
                    }
                    statements.Add(ParseStatement(name));
                    break;
                case TokenKind.End when ends.Length == 0:
                    return new Block(opening, [.. statements]);
                default:
                    throw opening.Error($"{what} is not closed; '{{% {ends[^1]} %}}' is missing");
            }
        }
    }

    private Statement ParseStatement(Token name)
    {
        Position position = name.Position;
        switch (name.Kind == TokenKind.Name ? name.Text : "")
        {
            case "if":
                return ParseIf(position);
            case "for":
                return ParseFor(position);
            case "set":
                return ParseSet(position);
            case "macro":
                return ParseMacro(position);
            case "call":
                return ParseCall(position);
            case "filter":
                Expression filters = ParseFilterChain(ParseFilterName(new CapturedExpression(position)));
                ExpectEnd(TokenKind.BlockEnd);
                return new CaptureStatement(position, null, filters, ParseBody(position, "this filter block", "endfilter"));
            case "with":
                return ParseWith(position);
            case "generation":
                HasGeneration = true;
                ExpectEnd(TokenKind.BlockEnd);
                return new GenerationStatement(position, ParseBody(position, "this generation block", "endgeneration"));
            case "print":
                return Ended(new PrintStatement(position, ParseTuple(false, true)));
            case "do":
                return Ended(new DoStatement(position, ParseTuple(false, true)));
            case "break" or "continue" when _loops == 0:
                throw position.Error($"'{name.Text}' stands outside of a loop");
            case "break" or "continue":
                return Ended(new JumpStatement(position, name.Text == "break" ? Flow.Break : Flow.Continue));
            case "include" or "import" or "from" or "extends" or "block":
                throw position.Error($"'{name.Text}' is not supported: a chat template cannot refer to other templates");
            default:
                throw position.Error(name.Kind == TokenKind.Name && name.Text.StartsWith("end", StringComparison.Ordinal) || name.Text is "else" or "elif"
                    ? $"'{name.Text}' closes nothing that is open here"
                    : $"there is no tag {name}; there are for, if, set, macro, call, filter, with, generation, break, continue, do, print, raw");
        }
    }

    private IfStatement ParseIf(Position position)
    {
        List<(Expression, Block)> branches = [];
        Block? otherwise = null;
        _conditional++;
        do
        {
            Expression condition = ParseTuple(false, false);
            ExpectEnd(TokenKind.BlockEnd);
            branches.Add((condition, ParseBlock(position, "this if", "elif", "else", "endif")));
        }
        while (_ending == "elif");
        if (_ending == "else")
        {
            ExpectEnd(TokenKind.BlockEnd);
            otherwise = ParseBlock(position, "this if", "endif");
        }
        _conditional--;
        ExpectEnd(TokenKind.BlockEnd);
        return new IfStatement(position, [.. branches], otherwise);
    }

    private ForStatement ParseFor(Position position)
    {
        Target target = ParseTarget(false);
        if (!SkipName("in"))
            throw Current.Position.Error($"'in' is missing before {Current}");
        Expression iterable = ParseTuple(false, false, true);
        Expression? condition = SkipName("if") ? ParseExpression() : null;
        bool recursive = SkipName("recursive");
        ExpectEnd(TokenKind.BlockEnd);
        _loops++;
        Block body = ParseBlock(position, "this for", "else", "endfor");
        _loops--;
        Block? otherwise = null;
        if (_ending == "else")
        {
            ExpectEnd(TokenKind.BlockEnd);
            otherwise = ParseBlock(position, "this for", "endfor");
        }
        ExpectEnd(TokenKind.BlockEnd);
        return new ForStatement(position, target, iterable, condition, recursive, body, otherwise);
    }

    private Statement ParseSet(Position position)
    {
        Target target = ParseTarget(true);
        if (Skip("="))
            return Ended(new SetStatement(position, target, ParseTuple(false, true)));
        Expression? filters = Current.Is("|") ? ParseFilterChain(ParseFilter(new CapturedExpression(position))) : null;
        ExpectEnd(TokenKind.BlockEnd);
        return new CaptureStatement(position, target, filters, ParseBody(position, "this set block", "endset"));
    }

    private MacroStatement ParseMacro(Position position)
    {
        string name = ExpectName();
        return new MacroStatement(position, ParseDefinition(position, name, "this macro", "endmacro", ParseParameters()));
    }

    private CallStatement ParseCall(Position position)
    {
        (string, Expression?)[] parameters = Current.Is("(") ? ParseParameters() : [];
        Position callPosition = Current.Position;
        if (ParseExpression() is not CallExpression call)
            throw callPosition.Error("a call block needs a call, as in {% call name() %}");
        return new CallStatement(position, call, ParseDefinition(position, "caller", "this call block", "endcall", parameters));
    }

    /// <summary>The body of a macro or call block, with the names it mentions.</summary>
    private MacroDefinition ParseDefinition(Position position, string name, string what, string end, (string, Expression?)[] parameters)
    {
        ExpectEnd(TokenKind.BlockEnd);
        HashSet<string>? around = _mentioned;
        HashSet<string> mentioned = _mentioned = new(StringComparer.Ordinal);
        Block body = ParseBody(position, what, end);
        around?.UnionWith(mentioned);
        _mentioned = around;
        return new MacroDefinition(name, parameters, body, mentioned);
    }

    private (string, Expression?)[] ParseParameters()
    {
        Expect("(");
        bool hasDefaults = false;
        return [.. ParseElements(")", () =>
        {
            Position position = Current.Position;
            string name = ExpectName();
            Expression? missing = Skip("=") ? ParseExpression() : null;
            if (missing is null && hasDefaults)
                throw position.Error($"the parameter '{name}' without a default follows one with a default");
            hasDefaults |= missing is not null;
            return (name, missing);
        })];
    }

    private WithStatement ParseWith(Position position)
    {
        List<(Target, Expression)> variables = [];
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (variables.Count > 0)
                Expect(",");
            Target target = ParseTarget(false, true);
            Expect("=");
            variables.Add((target, ParseExpression()));
        }
        ExpectEnd(TokenKind.BlockEnd);
        Block body = ParseBlock(position, "this with block", "endwith");
        ExpectEnd(TokenKind.BlockEnd);
        return new WithStatement(position, [.. variables], body);
    }

    /// <summary>A body in which the loops around do not count: break and continue cannot leave it.</summary>
    private Block ParseBody(Position position, string what, string end)
    {
        int loops = _loops;
        _loops = 0;
        Block body = ParseBlock(position, what, end);
        _loops = loops;
        ExpectEnd(TokenKind.BlockEnd);
        return body;
    }

    private Expression ParseFilterChain(Expression first)
    {
        Expression filters = first;
        for (int chain = 0; Current.Is("|"); chain++)
            filters = Chained(ParseFilter(filters), chain);
        return filters;
    }

    /// <summary>Names, tuples of them with or without parentheses and, where allowed, fields of a namespace.</summary>
    private Target ParseTarget(bool withFields, bool single = false)
    {
        List<Target> targets = [];
        bool isTuple = false;
        do
        {
            if (isTuple && (Current.IsName("in") || Current.Is("=") || Current.Is(")")))
                break;
            targets.Add(ParseSingleTarget(withFields));
            isTuple |= !single && Current.Is(",");
        }
        while (!single && Skip(","));
        return isTuple ? new TupleTarget([.. targets]) : targets[0];
    }

    private Target ParseSingleTarget(bool withFields)
    {
        using Nesting level = Enter();
        if (Skip("("))
        {
            Target inner = ParseTarget(withFields);
            Expect(")");
            return inner;
        }
        Token token = Current;
        string name = ExpectName();
        if (name is "true" or "false" or "none" or "True" or "False" or "None" || (name == "loop" && !withFields))
            throw token.Position.Error($"'{name}' cannot be assigned to");
        return withFields && Skip(".") ? new FieldTarget(name, ExpectName()) : new NameTarget(name);
    }

    private T Ended<T>(T statement)
    {
        ExpectEnd(TokenKind.BlockEnd);
        return statement;
    }

    private Token Next()
    {
        Token token = _tokens[_next];
        if (token.Kind != TokenKind.End)
            _next++;
        return token;
    }

    private bool Skip(string op)
    {
        bool found = Current.Is(op);
        _next += found ? 1 : 0;
        return found;
    }

    private bool SkipName(string name)
    {
        bool found = Current.IsName(name);
        _next += found ? 1 : 0;
        return found;
    }

    private void Expect(string op)
    {
        if (!Skip(op))
            throw Current.Position.Error($"'{op}' is missing before {Current}");
    }

    private string ExpectName() =>
        Current.Kind == TokenKind.Name ? Next().Text : throw Current.Position.Error($"a name is missing before {Current}");

    private void ExpectEnd(TokenKind kind)
    {
        if (Next() is var token && token.Kind != kind)
            throw token.Position.Error($"{token} was not expected; the tag should end here with '{(kind == TokenKind.BlockEnd ? "%}" : "}}")}'");
    }

    /// <summary>Counts a level of nesting until it is disposed of.</summary>
    private Nesting Enter()
    {
        if (++_depth > ChatTemplateLimits.MaxNesting || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw Current.Position.Error($"expressions and tags are nested more than {ChatTemplateLimits.MaxNesting} deep");
        return new Nesting(this);
    }

    /// <summary>A chain such as a + b + c nests to the left, so its length counts as depth.</summary>
    private T Chained<T>(T expression, int chain) => chain < ChatTemplateLimits.MaxNesting
        ? expression
        : throw Current.Position.Error($"this expression has more than {ChatTemplateLimits.MaxNesting} operators in a row");

    private readonly ref struct Nesting(Parser parser)
    {
        public void Dispose() => parser._depth--;
    }
}
