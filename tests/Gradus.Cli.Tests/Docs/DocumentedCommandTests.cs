using System.CommandLine;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Cli.Stages;
using Gradus.Cli.Tests.Packages;
using Gradus.Cli.Tests.Verbs;
using Gradus.Cli.Verbs;
using Xunit.Abstractions;

namespace Gradus.Cli.Tests.Docs;

/// <summary>
/// Every command in README, CONTRIBUTING and docs, in the order of its page, in a small world of its own. What would take minutes or needs the
/// internet is read but not run: its verb, options and recipe must be right.
/// </summary>
public sealed class DocumentedCommandTests(DocumentedWorld world, ITestOutputHelper output) : IClassFixture<DocumentedWorld>
{
    private const string Placeholder = "RECIPE.json";

    /// <summary>The commands that are read only, by what follows <c>gradus</c>, and why.</summary>
    private static readonly (string Beginning, string Reason)[] OnlyRead =
    [
        ("quickstart", "takes minutes; PipelineTests run its stages"),
        ("run recipes/", "takes minutes; PipelineTests run pipelines"),
        ("bench", "measures for minutes; BenchVerbTests run it"),
        ("pull ", "asks the Hugging Face hub; PullVerbTests run it beside a server of their own"),
        ("agent ", "asks a model that can reason; the tests of agents run it"),
        ("plan fit ", "reads the logs of at least six runs"),
        ("evaluate my-model --tasks arc_easy,hellaswag,mmlu", "fetches sixty data sets; EvaluateVerbTests run tasks"),
    ];

    /// <summary>Values that make the training of a recipe take a moment.</summary>
    private static readonly Dictionary<string, string[]> Shortened = new(StringComparer.Ordinal)
    {
        ["pretrain recipes/"] = ["--fetch", "--training.steps=2", "--training.evaluate_batches=1", "--batching.count=1", "--batching.length=16", "--samples.max_tokens=4"],
        ["pretrain recipes/ --resume"] = ["--fetch"],
        ["finetune"] = ["--training.steps=2"],
        ["align"] = ["--training.steps=2"],
        ["quantize"] = ["--samples=4", "--sample-tokens=32", "--test-tokens=256"],
        ["prune"] = ["--samples=4", "--sample-tokens=32", "--test-tokens=256"],
        ["generate"] = ["--max-tokens=16"],
        ["evaluate my-model"] = ["--fetch"],
        ["evaluate base"] = ["--fetch", "--limit=4"],
    };

    private static readonly string[] Pages = [.. DocumentedCommand.Pages.Where(p => DocumentedCommand.Of(p).Length > 0)];

    public static TheoryData<string> PagesWithCommands => [.. Pages];

    [Theory]
    [MemberData(nameof(PagesWithCommands))]
    public async Task TheCommandsOfAPageRun(string page)
    {
        if (OperatingSystem.IsWindows())
            return;
        foreach (string line in await world.Of(page, Pages, RunPage))
            output.WriteLine(line);
    }

    [Fact]
    public void FewCommandsAreOnlyReadAndEachForAReason()
    {
        DocumentedCommand[] all = [.. DocumentedCommand.Pages.SelectMany(DocumentedCommand.Of)];
        DocumentedCommand[] read = [.. all.Where(c => Reason(c) is not null)];
        output.WriteLine($"{all.Length} commands, {read.Length} of them read only");
        Assert.True(all.Length > 60, $"only {all.Length} commands were found");
        Assert.True(read.Length < all.Length / 4, string.Join('\n', read.Select(c => c.ToString())));
        Assert.All(OnlyRead, entry => Assert.Contains(read, c => c.Rest.StartsWith(entry.Beginning, StringComparison.Ordinal)));
    }

    [Fact]
    public void VerbsAndOptionsThatSentencesNameAreThere()
    {
        string[] wrong = [.. DocumentedCommand.Pages.SelectMany(page => DocumentedCommand.NamedBy(page).Where(c => !IsKnown(c)).Select(c => $"{page}: gradus {c}"))];
        Assert.True(wrong.Length == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void ALineIsPartedAsAShellDoes() =>
        Assert.Equal(["a", "b c", "d#e", "--x=f g", ""], DocumentedCommand.Words("a \"b c\"  d#e --x='f g' '' # and a remark"));

    // From top to bottom, as a reader does: later commands use what earlier ones have written.
    private static string[] RunPage(DocumentedWorld world, string page)
    {
        string folder = world.NewFolder(page);
        List<string> lines = [];
        int run = 0, read = 0;
        foreach (DocumentedCommand command in DocumentedCommand.Of(page))
        {
            Read(command);
            if (Reason(command) is { } reason)
            {
                read++;
                lines.Add($"read: {command.Text}  ({reason})");
                continue;
            }
            CommandLineRun result = Run(world, WithRecipe(command, ++run), folder);
            lines.Add($"run:  {command.Text}");
            if (command.Shown is { } shown)
                Assert.Equal(shown, result.Error.TrimEnd('\n'));
            else
                Assert.True(result.ExitCode == (IsServer(command) ? ExitCode.Terminated : ExitCode.Done), $"{command}\nexit code {result.ExitCode}\n{result.Error}\n{result.Output}");
        }
        return [.. lines, $"{page}: {run} commands run, {read} read only"];
    }

    private static bool IsServer(DocumentedCommand command) => command.Arguments[0] == "serve" && command.Arguments[1][0] != '-';

    private static CommandLineRun Run(DocumentedWorld world, DocumentedCommand command, string folder)
    {
        if (IsServer(command))
            return world.RunServer(command, folder);
        string[] more = command.Shown is not null ? [] : [.. Shortened.Where(s => Matches(command, s.Key)).SelectMany(s => s.Value).Where(v => !command.Arguments.Contains(v.Split('=')[0]))];
        return world.Run(command, folder, more);
    }

    private static bool Matches(DocumentedCommand command, string key)
    {
        bool resumes = command.Arguments.Contains("--resume");
        string[] words = key.Split(' ');
        return command.Arguments[0] == words[0] && words.Contains("--resume") == resumes && (words.Length < 2 || words[1][0] == '-' || command.Arguments[1].StartsWith(words[1], StringComparison.Ordinal));
    }

    // Each recipe of one's own is a run of its own.
    private static DocumentedCommand WithRecipe(DocumentedCommand command, int number)
    {
        int at = Array.IndexOf(command.Arguments, Placeholder);
        if (at < 0)
            return command;
        string[] arguments = [.. command.Arguments];
        arguments[at] = $"RECIPE-{arguments[0]}.json";
        bool goesOn = arguments.Contains("--resume") || arguments.Any(a => a.StartsWith("--run", StringComparison.Ordinal)) || number == 1;
        return command with { Arguments = goesOn ? arguments : [.. arguments, $"--run=runs/{number}"] };
    }

    private static string? Reason(DocumentedCommand command) => OnlyRead.FirstOrDefault(o => command.Rest.StartsWith(o.Beginning, StringComparison.Ordinal)).Reason;

    // What can be known of a command without running it: its verb, its options, and the keys and values of a recipe of this repository.
    private static void Read(DocumentedCommand command)
    {
        if (command.Shown is not null)
            return;
        using CommandContext context = new(TextWriter.Null, TextWriter.Null);
        ParseResult parse = new Application(context, AllVerbs.Create(context)).Parse(command.Arguments);
        string? problem = CommandLineErrors.Find(parse);
        Assert.True(problem is null, $"{command}: {problem}");
        string verb = parse.CommandResult.Command.Name;
        if (verb == "quickstart")
            ConfigurationTree.Resolve(RecipeJson.Default.PipelineRecipe, new PipelineRecipe(), EmbeddedText.Read("recipes/quickstart.json"), "recipes/quickstart.json", parse.UnmatchedTokens);
        if (command.Arguments.FirstOrDefault(a => a.StartsWith("recipes/", StringComparison.Ordinal)) is not { } recipe)
            return;
        string path = Path.Combine(PackageFeed.Repository, recipe);
        if (verb == "run")
            ConfigurationTree.Load(RecipeJson.Default.PipelineRecipe, new PipelineRecipe(), path, parse.UnmatchedTokens);
        else if (StageRecipe.All.FirstOrDefault(s => s.Kind == verb) is { } stage)
            ConfigurationTree.Load(stage.Metadata, stage, path, parse.UnmatchedTokens);
        else
            Assert.True(File.Exists(path), $"{command}: there is no {recipe}");
    }

    private static bool IsKnown(string line)
    {
        using CommandContext context = new(TextWriter.Null, TextWriter.Null);
        ParseResult parse = new Application(context, AllVerbs.Create(context)).Parse([.. DocumentedCommand.Words(line)]);
        Command command = parse.CommandResult.Command;
        // A key of a recipe is no option; recipes are read with the commands of blocks.
        return line is "VERB --help" or "…" || (command is not RootCommand && (!command.TreatUnmatchedTokensAsErrors
            || DocumentedCommand.Words(line).Where(w => w.StartsWith("--", StringComparison.Ordinal)).All(w => w == "--help" || command.Options.Any(o => o.Name == w.Split('=')[0]))));
    }
}
