using System.CommandLine;
using System.Text;
using Gradus.Cli.Console;
using Gradus.Generation.Structure;
using Gradus.Training.Data;

namespace Gradus.Cli.Verbs;

/// <summary>What a text must look like, as a verb is told; one instance per verb.</summary>
internal sealed class StructureArguments
{
    private readonly Option<string?> _schema = new("--schema") { Description = "The text is JSON that this JSON Schema allows.", HelpName = "FILE" };
    private readonly Option<string?> _regex = new("--regex") { Description = "The whole text matches this regular expression.", HelpName = "PATTERN" };
    private readonly Option<string?> _grammar = new("--grammar") { Description = "The text follows this grammar, in llama.cpp's notation (GBNF).", HelpName = "FILE" };
    private readonly Option<string[]> _choices = new("--choices") { Description = "The text is one of these; repeat it, or give several.", HelpName = "TEXT", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [] };

    /// <summary>Adds the options to a verb.</summary>
    public StructureArguments(Command verb)
    {
        foreach (Option option in new Option[] { _schema, _regex, _grammar, _choices })
            verb.Options.Add(option);
    }

    /// <summary>What was asked for, or null.</summary>
    /// <exception cref="UsageException">There is more than one structure.</exception>
    /// <exception cref="StructureException">It cannot be enforced; the message says which part.</exception>
    public Grammar? Read(ParseResult parse)
    {
        Option[] given = [.. ((Option[])[_schema, _regex, _grammar, _choices]).Where(o => parse.GetResult(o) is { Implicit: false })];
        if (given.Length > 1)
            throw new UsageException($"{given[0].Name} and {given[1].Name}: a text has one structure; leave one of them out.");
        if (parse.GetValue(_schema) is { } schema)
            return InFile(schema, text => Grammar.FromJsonSchema(Encoding.UTF8.GetBytes(text)));
        if (parse.GetValue(_grammar) is { } grammar)
            return InFile(grammar, Grammar.FromGbnf);
        if (parse.GetValue(_regex) is { } regex)
            return Grammar.FromRegex(regex);
        return parse.GetValue(_choices) is { Length: > 0 } choices ? Grammar.FromChoices(choices) : null;
    }

    private static Grammar InFile(string path, Func<string, Grammar> read)
    {
        string text = TextFiles.ReadAll(path);
        try
        {
            return read(text);
        }
        catch (StructureException e)
        {
            throw new StructureException($"{path}: {e.Message}");
        }
    }
}
