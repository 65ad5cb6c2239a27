using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure.Json;

/// <summary>The grammar of the JSON values that a schema allows: a nonterminal for every combination of schemas that a value must satisfy.</summary>
internal sealed class JsonGrammar
{
    private const int MostValues = 50_000;

    private readonly Dictionary<string, Nonterminal> _values = new(StringComparer.Ordinal);
    private readonly Dictionary<Nonterminal, Literals> _literals = [];
    private readonly List<FixedNode> _starts = [];
    private readonly Queue<Nonterminal> _unmade = [];
    private readonly Dictionary<Nonterminal, GrammarNode> _ends = [];
    private readonly List<JsonRule> _rules = [];
    private readonly int _space;

    private JsonGrammar(Lexer lexer, SchemaDocuments documents, JsonSchemaOptions options)
    {
        Lexer = lexer;
        Coding = new JsonCoding(lexer.Regex);
        Expansion = new SchemaExpansion(lexer.Regex, Coding, documents, options.AssertFormats);
        _space = Space(lexer.Regex, options.MaxIndent);
        CloseBrace = Mark('}');
        OpenBrace = Mark('{');
        OpenBracket = Mark('[');
        CloseBracket = Mark(']');
        Comma = Mark(',');
    }

    public Lexer Lexer { get; }

    public RegexStore Regex => Lexer.Regex;

    public JsonCoding Coding { get; }

    public SchemaExpansion Expansion { get; }

    public GrammarNodes Nodes { get; } = new();

    public int OpenBrace { get; }

    public int CloseBrace { get; }

    public int OpenBracket { get; }

    public int CloseBracket { get; }

    public int Comma { get; }

    /// <summary>Whether all values are known, so that what is computed from them stays.</summary>
    public bool IsFinished { get; private set; }

    /// <summary>The grammar of a schema.</summary>
    /// <exception cref="StructureException">The schema cannot be enforced, or no value satisfies it.</exception>
    public static Grammar Make(SchemaDocuments documents, JsonSchemaOptions options)
    {
        Lexer lexer = new(new RegexStore());
        JsonGrammar grammar = new(lexer, documents, options);
        Nonterminal root = grammar.Value(new Literals(Literals.Of(documents.Root)));
        grammar.MakeAll();
        if (root.Shortest == RegexStore.Unlimited)
            throw new StructureException($"{documents.Root.Path}: no value satisfies the schema.");
        return new Grammar(lexer, grammar.Nodes, root, grammar.Coding.Any);
    }

    /// <summary>A grammar of several values of one document's schemas, with text around them.</summary>
    public static JsonGrammar Begin(System.Text.Json.JsonElement document) =>
        new(new Lexer(new RegexStore()), new SchemaDocuments(document, new Dictionary<string, System.Text.Json.JsonElement>()), new JsonSchemaOptions());

    /// <summary>The values of a schema of the document.</summary>
    /// <param name="pointer">Where it stands, behind <c>#</c>.</param>
    public Nonterminal ValueOf(string pointer) => Value(new Literals(Literals.Of(Expansion.Documents.At(pointer))));

    /// <summary>A rule of text and values; it is complete after <see cref="Finish"/>.</summary>
    public Nonterminal Rule(Action<JsonRule> attach)
    {
        JsonRule rule = new(Nodes, Lexer, new Nonterminal(-2 - _rules.Count));
        _rules.Add(rule);
        attach(rule);
        return rule.Owner;
    }

    /// <summary>The grammar of a rule.</summary>
    /// <exception cref="StructureException">A schema cannot be enforced, or there is no text.</exception>
    public Grammar Finish(Nonterminal whole, string whenEmpty)
    {
        MakeAll();
        _rules.ForEach(r => r.Finish());
        return whole.Shortest == RegexStore.Unlimited ? throw new StructureException(whenEmpty) : new Grammar(Lexer, Nodes, whole, Coding.Any);
    }

    /// <summary>The values that satisfy some schemas.</summary>
    public Nonterminal Value(Literals literals)
    {
        string key = string.Join(',', literals.Items);
        if (_values.TryGetValue(key, out Nonterminal? value))
            return value;
        if (_values.Count >= MostValues)
            throw new StructureException($"#: the schema needs more than {MostValues:N0} combinations of its parts; make it simpler.");
        value = new Nonterminal(_values.Count);
        _values[key] = value;
        _literals[value] = literals;
        _unmade.Enqueue(value);
        return value;
    }

    public Literals LiteralsOf(Nonterminal value) => _literals[value];

    /// <summary>The lexeme of a property's name, from a language of names, and the colon.</summary>
    public int Name(int language) => Lexer.Lexeme(Regex.Concat(_space, Regex.Byte('"'), language, Regex.Byte('"'), _space, Regex.Byte(':')));

    public int ShortestLexeme(int lexeme) => Regex.Shortest(Lexer.Expression(lexeme));

    /// <summary>The end of a value.</summary>
    public GrammarNode End(Nonterminal owner)
    {
        if (!_ends.TryGetValue(owner, out GrammarNode? end))
            _ends[owner] = end = new FixedNode(Nodes, owner, accepts: true);
        return end;
    }

    /// <summary>A node where a value comes next, then another node.</summary>
    public GrammarNode Before(Nonterminal value, GrammarNode next)
    {
        FixedNode node = new(Nodes, next.Owner, accepts: false);
        node.OwnCalls.Add((value, next));
        node.Relax(Lexer);
        return node;
    }

    /// <summary>Nothing, up to two spaces or tabs, or a line end and an indent: white space that cannot go on for ever.</summary>
    private static int Space(RegexStore regex, int maxIndent)
    {
        if (maxIndent == 0)
            return RegexStore.Epsilon;
        int blank = regex.Set(ByteSet.Of((byte)' ') | ByteSet.Of((byte)'\t'));
        int line = regex.Concat(regex.Optional(regex.Byte('\r')), regex.Byte('\n'), regex.Repeat(blank, 0, maxIndent));
        return regex.Or(regex.Repeat(blank, 0, 2), line);
    }

    private int Mark(char c) => Lexer.Lexeme(Regex.Concat(_space, Regex.Byte(c)));

    private void MakeAll()
    {
        while (_unmade.TryDequeue(out Nonterminal? value))
            value.Start = MakeStart(value);
        for (bool better = true; better;)
        {
            better = false;
            foreach (FixedNode start in _starts)
            {
                if (!start.Relax(Lexer))
                    continue;
                start.Owner.Shortest = start.Shortest;
                better = true;
            }
        }
        IsFinished = true;
    }

    private FixedNode MakeStart(Nonterminal value)
    {
        FixedNode start = new(Nodes, value, accepts: false);
        _starts.Add(start);
        List<int> scalars = [];
        foreach (Conjunct alternative in Expansion.Expand(_literals[value]))
        {
            JsonTypes types = alternative.Types;
            if ((types & JsonTypes.Null) != 0)
                scalars.Add(Regex.Literal("null"u8));
            if ((types & JsonTypes.True) != 0)
                scalars.Add(Regex.Literal("true"u8));
            if ((types & JsonTypes.False) != 0)
                scalars.Add(Regex.Literal("false"u8));
            if ((types & JsonTypes.Number) != 0)
                scalars.Add(alternative.Numbers);
            if ((types & JsonTypes.String) != 0)
                scalars.Add(Regex.Concat(Regex.Byte('"'), alternative.Strings, Regex.Byte('"')));
            if ((types & JsonTypes.Object) != 0)
            {
                ObjectShape shape = new(this, value, alternative.Objects);
                start.OwnReads.Add((OpenBrace, shape.Node(ObjectPhase.Open, new ulong[(shape.Named.Count + 63) / 64], 0, 0)));
            }
            if ((types & JsonTypes.Array) != 0)
            {
                ArrayShape shape = new(this, value, alternative.Arrays);
                start.OwnReads.Add((OpenBracket, shape.Node(ObjectPhase.Open, 0, new int[shape.Counts.Count], 0)));
            }
        }
        if (Regex.Or([.. scalars]) is var scalar && scalar != RegexStore.Empty)
            start.OwnReads.Add((Lexer.Lexeme(Regex.Concat(_space, scalar)), End(value)));
        return start;
    }
}
