using System.CommandLine;
using System.CommandLine.Parsing;
using Gradus.Cli.Configuration;

namespace Gradus.Cli.Console;

/// <summary>Says in one line what is wrong with a command line, and what was probably meant.</summary>
internal static class CommandLineErrors
{
    /// <summary>The line for what is wrong, or null where nothing is.</summary>
    public static string? Find(ParseResult parse)
    {
        Command command = parse.CommandResult.Command;
        string help = $"see {PathOf(command)} --help";
        string? problem = MisplacedOption(parse, command, help) ?? (parse.Errors.Count > 0 ? Problem(parse, command, help) : null);
        // A line on standard error begins with "gradus: " anyway.
        string where = command is RootCommand ? "" : $"{PathOf(command)["gradus ".Length..]}: ";
        return problem is null ? null : where + problem;
    }

    // The parser takes an option that it does not know for an argument: a file named --verbos.
    private static string? MisplacedOption(ParseResult parse, Command command, string help)
    {
        if (parse.Tokens.Any(t => t.Type == TokenType.DoubleDash))
            return null;
        // A verb that takes any number of arguments parts them itself.
        foreach (Argument argument in command.Arguments.Where(a => a.Arity.MaximumNumberOfValues == 1 || command.TreatUnmatchedTokensAsErrors))
        {
            if (parse.GetResult(argument)?.Tokens.FirstOrDefault(t => t.Value is ['-', _, ..]) is { } token)
                return command.TreatUnmatchedTokensAsErrors ? Unknown(command, token.Value, help) : $"{argument.Name} comes first, {token.Value} after it; {help}.";
        }
        return null;
    }

    private static string Problem(ParseResult parse, Command command, string help)
    {
        if (parse.UnmatchedTokens is [string unknown, ..] && command.TreatUnmatchedTokensAsErrors)
            return Unknown(command, unknown, help);
        if (command.Action is null && Visible(command).Length > 0)
            return $"which one? {string.Join(", ", Visible(command))}; {help}.";
        ParseError error = parse.Errors[0];
        if (error.SymbolResult is OptionResult { Tokens.Count: 0 } option && option.Option.Arity.MinimumNumberOfValues > 0)
            return $"{option.Option.Name} {(option.IdentifierToken is null ? "is missing" : "needs a value")}; {help}.";
        Argument? missing = command.Arguments.FirstOrDefault(a => a.Arity.MinimumNumberOfValues > 0 && parse.GetResult(a) is null or { Tokens.Count: 0 });
        return missing is not null && error.SymbolResult is not OptionResult
            ? $"{missing.Name} is missing; {help}."
            : error.Message;
    }

    private static string Unknown(Command command, string token, string help)
    {
        if (token.StartsWith('-'))
        {
            string name = token.Split('=', 2)[0];
            return $"there is no option {ConfigurationNode.Quote(name)}; {KeySuggestion.For(name, Options(command).Append("--help"), "options")}";
        }
        return Visible(command) is { Length: > 0 } verbs
            ? $"there is no command {ConfigurationNode.Quote(token)}; {KeySuggestion.For(token, verbs, "commands")}"
            : $"{ConfigurationNode.Quote(token)} is one argument too many; put quotes around texts and paths with spaces, or {help}.";
    }

    private static IEnumerable<string> Options(Command command)
    {
        foreach (Option option in command.Options.Where(o => !o.Hidden))
            yield return option.Name;
        foreach (Command parent in command.Parents.OfType<Command>())
        {
            foreach (Option option in parent.Options.Where(o => o.Recursive && !o.Hidden))
                yield return option.Name;
        }
    }

    private static string[] Visible(Command command) => [.. command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name)];

    private static string PathOf(Command command) =>
        command is RootCommand ? "gradus" : $"{PathOf(command.Parents.OfType<Command>().First())} {command.Name}";
}
