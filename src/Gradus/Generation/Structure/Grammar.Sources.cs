using System.Text.Json;
using Gradus.Generation.Structure.Json;
using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure;

/// <content>What grammars are made of.</content>
public sealed partial class Grammar
{
    /// <summary>Any JSON value.</summary>
    public static Grammar Json() => FromJsonSchema("true"u8.ToArray());

    /// <summary>Any JSON object.</summary>
    public static Grammar JsonObject() => FromJsonSchema("{\"type\":\"object\"}"u8.ToArray());

    /// <summary>The JSON values that a schema allows: draft 2020-12, and the keywords of older drafts.</summary>
    /// <param name="schema">The schema, in UTF-8.</param>
    /// <param name="options">How it is read; the defaults where null.</param>
    /// <exception cref="StructureException">It is no JSON, has a keyword that cannot be enforced (the message begins with its path), or nothing satisfies it.</exception>
    public static Grammar FromJsonSchema(ReadOnlyMemory<byte> schema, JsonSchemaOptions? options = null)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(schema, new JsonDocumentOptions { MaxDepth = 128 });
            return FromJsonSchema(document.RootElement.Clone(), options);
        }
        catch (JsonException e)
        {
            throw new StructureException($"#: the schema is not JSON, line {e.LineNumber + 1}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    /// <summary>The JSON values that a schema allows: draft 2020-12, and the keywords of older drafts.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="options">How it is read; the defaults where null.</param>
    /// <exception cref="StructureException">It has a keyword that cannot be enforced (the message begins with its path), or nothing satisfies it.</exception>
    public static Grammar FromJsonSchema(JsonElement schema, JsonSchemaOptions? options = null)
    {
        options ??= new();
        options.Check();
        return JsonGrammar.Make(new SchemaDocuments(schema, options.Documents), options);
    }

    /// <summary>The texts that a regular expression matches as a whole.</summary>
    /// <param name="pattern">As ECMAScript writes it with the u flag.</param>
    /// <exception cref="StructureException">It is not well formed, cannot be enforced, or matches nothing.</exception>
    public static Grammar FromRegex(string pattern)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        Lexer lexer = new(new RegexStore());
        PlainCoding coding = new(lexer.Regex);
        return Of(lexer, PatternParser.Parse(pattern, "regex").ToLanguage(coding, whole: true, "regex"), $"regex: no text matches {pattern}.");
    }

    /// <summary>One of some texts.</summary>
    /// <param name="choices">The texts, at least one.</param>
    /// <exception cref="StructureException">There is none.</exception>
    public static Grammar FromChoices(IEnumerable<string> choices)
    {
        ArgumentNullException.ThrowIfNull(choices);
        Lexer lexer = new(new RegexStore());
        return Of(lexer, new PlainCoding(lexer.Regex).Literals(choices), "choices: there is none; give at least one text.");
    }

    /// <summary>A grammar as llama.cpp writes it: GBNF.</summary>
    /// <param name="grammar">The rules; that of the whole text is called root.</param>
    /// <exception cref="StructureException">It is not well formed, has no root, or allows no text; the message has the line.</exception>
    public static Grammar FromGbnf(string grammar)
    {
        ArgumentNullException.ThrowIfNull(grammar);
        return GbnfCompiler.Compile(GbnfParser.Parse(grammar));
    }

    /// <summary>The grammar of one regular language.</summary>
    private static Grammar Of(Lexer lexer, int language, string whenEmpty)
    {
        if (lexer.Regex.IsEmpty(language))
            throw new StructureException(whenEmpty);
        GrammarNodes nodes = new();
        Nonterminal root = new(0) { IsNullable = lexer.Regex.IsNullable(language), Shortest = lexer.Regex.Shortest(language) };
        FixedNode end = new(nodes, root, accepts: true);
        FixedNode start = new(nodes, root, accepts: false);
        start.OwnReads.Add((lexer.Lexeme(language), end));
        if (root.IsNullable)
            start.OwnSkips.Add(end);
        start.Relax(lexer);
        root.Start = start;
        return new Grammar(lexer, nodes, root);
    }
}
