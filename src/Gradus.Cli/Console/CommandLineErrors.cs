using System.CommandLine;
using System.CommandLine.Parsing;
using Gradus.Cli.Configuration;

namespace Gradus.Cli.Console;

/// <summary>Says in one line what is wrong with a command line, and what was probably meant.</summary>
internal static class CommandLineErrors
{
    /// <summary>The line for a parse that has errors.</summary>
    public static string Describe(ParseResult parse)
    {
        Command command = parse.CommandResult.Command;
        string path = PathOf(command);
        if (parse.UnmatchedTokens is [string unknown, ..] && command.TreatUnmatchedTokensAsErrors)
            return Unknown(command, path, unknown);
        if (command.Subcommands.Any(c => !c.Hidden) && command.Action is null)
            return $"{path}: say which: {string.Join(", ", Visible(command.Subcommands).Select(c => c.Name))}.";
        ParseError error = parse.Errors[0];
        Argument? missing = command.Arguments.FirstOrDefault(a => a.Arity.MinimumNumberOfValues > 0 && parse.GetResult(a) is null or { Tokens.Count: 0 });
        if (missing is not null && error.SymbolResult is not OptionResult)
            return $"{path}: {missing.Name} is missing: {Lower(missing.Description)} See {path} --help.";
        return error.SymbolResult is OptionResult { Tokens.Count: 0 } option && option.Option.Arity.MinimumNumberOfValues > 0
            ? $"{path}: {option.Option.Name} needs a value: {Lower(option.Option.Description)}"
            : $"{path}: {error.Message}";
    }

    private static string Unknown(Command command, string path, string token)
    {
        if (token.StartsWith('-'))
        {
            string name = token.Split('=', 2)[0];
            string[] options = [.. Options(command).Select(o => o.Name).Append("--help")];
            return $"{path}: there is no option {ConfigurationNode.Quote(name)}; {KeySuggestion.For(name, options, "options")}";
        }
        string[] verbs = [.. Visible(command.Subcommands).Select(c => c.Name)];
        return verbs.Length > 0
            ? $"{path}: there is no command {ConfigurationNode.Quote(token)}; {KeySuggestion.For(token, verbs, "commands")}"
            : $"{path}: {ConfigurationNode.Quote(token)} is one argument too many; quote texts and paths with spaces, and see {path} --help.";
    }

    private static IEnumerable<Option> Options(Command command)
    {
        foreach (Option option in command.Options.Where(o => !o.Hidden))
            yield return option;
        foreach (Command parent in command.Parents.OfType<Command>())
        {
            foreach (Option option in Options(parent).Where(o => o.Recursive))
                yield return option;
        }
    }

    private static IEnumerable<Command> Visible(IEnumerable<Command> commands) => commands.Where(c => !c.Hidden);

    private static string PathOf(Command command) =>
        command is RootCommand ? "gradus" : $"{PathOf(command.Parents.OfType<Command>().First())} {command.Name}";

    private static string Lower(string? description) =>
        string.IsNullOrEmpty(description) ? "" : char.ToLowerInvariant(description[0]) + description[1..];
}
