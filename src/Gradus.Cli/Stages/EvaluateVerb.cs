using System.CommandLine;
using System.Globalization;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Evaluation.Tasks.Harness;
using Gradus.Tensors.Cpu;
using Spectre.Console;

namespace Gradus.Cli.Stages;

/// <summary><c>gradus evaluate</c>: a recipe, or models and tasks by name.</summary>
internal sealed class EvaluateVerb
{
    private readonly CommandContext _context;
    private readonly Argument<string[]> _models = new("MODEL") { Description = "Models: a folder, a run, an adapter, a GGUF file, a name on the hub. Or one recipe, a JSON file.", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<string[]> _tasks = new("--tasks", "-t") { Description = "Tasks, groups, tags, task files (.yaml) and folders of them, parted by commas; * stands for anything.", HelpName = "NAMES", DefaultValueFactory = _ => [] };
    private readonly Option<int> _limit = Numeric.Option("--limit", "Examples of each task at most; 0 for all.", 0, int.MaxValue, 0);
    private readonly Option<int?> _shots = Numeric.Optional("--shots", "Solved examples before each question; without it what the task says.", 0, 1000);
    private readonly Option<long> _seed = Numeric.Option("--seed", "Which solved examples and which texts are drawn.", 0L, long.MaxValue, 1234L);
    private readonly Option<string?> _run = new("--run") { Description = "The folder for the results; without it runs/evaluate, or the next free number behind it.", HelpName = "FOLDER" };
    private readonly Option<int> _batch = Numeric.Option("--batch", "Texts that are written at once.", 1, 1024, 16);
    private readonly Option<bool> _chat = new("--chat") { Description = "Ask through the model's chat template." };
    private readonly Option<bool> _turns = new("--shots-as-turns") { Description = "With --chat: every solved example is a turn of the conversation." };
    private readonly Option<string?> _system = new("--system") { Description = "What stands before the task's description.", HelpName = "TEXT" };
    private readonly Option<string[]> _include = new("--include") { Description = "A folder or file of lm-evaluation-harness' task files whose names --tasks may use.", HelpName = "PATH", DefaultValueFactory = _ => [] };
    private readonly Option<string?> _predictions = new("--predictions") { Description = "Score answers that something else wrote: JSON lines of prompt and text (or texts). Stands for a model.", HelpName = "FILE" };
    private readonly Option<string[]> _failUnder = new("--fail-under") { Description = "Exit with 1 where a value is worse: TASK:METRIC=VALUE, TASK=VALUE or VALUE.", HelpName = "LIMIT", DefaultValueFactory = _ => [] };
    private readonly Option<string[]> _robustness = new("--robustness") { Description = "Measure each task also with changed prompts: typos, lower, upper, spaces, unpunctuated; parted by commas.", HelpName = "NAMES", DefaultValueFactory = _ => [] };
    private readonly Option<bool> _continue = new("--continue") { Description = "Go on after a task or an example that fails; the exit code is still 1." };
    private readonly Option<bool> _list = new("--list") { Description = "Show all tasks: what they are, their metric, and the score of guessing." };
    private readonly Option<bool> _resume = new("--resume") { Description = "Go on with the evaluation that the folder holds; answers that it has are not asked again." };
    private readonly Option<bool> _json = new("--json") { Description = "Print machine-readable lines." };
    private readonly Option<bool> _fetch = new("--fetch") { Description = "Fetch data sets that are not here without asking." };

    private EvaluateVerb(CommandContext context) => _context = context;

    /// <summary>Makes the verb.</summary>
    public static Command Create(CommandContext context) => new EvaluateVerb(context).Command();

    private Verb Command()
    {
        Verb verb = new("evaluate", "Measure models on tasks, with standard errors and every single answer.")
        {
            Examples =
            [
                ("evaluate my-model --tasks arc_easy,hellaswag,mmlu --limit 200", "three benchmarks, the first 200 questions of each task"),
                ("evaluate base tuned --tasks gsm8k --shots 5 --run runs/gsm8k", "two models; gradus compare runs/gsm8k:base runs/gsm8k:tuned says whether they differ"),
                ("evaluate my-model --tasks my-task.yaml --fail-under acc=0.6", "a task file of lm-evaluation-harness, as a gate"),
                ("evaluate recipes/NAME.json", "a recipe"),
                ("evaluate --list", "all tasks"),
            ],
        };
        verb.Arguments.Add(_models);
        foreach (Option option in new Option[] { _tasks, _limit, _shots, _seed, _run, _batch, _chat, _turns, _system, _include, _predictions, _failUnder, _robustness, _continue, _list, _resume, _json, _fetch })
            verb.Options.Add(option);
        verb.TreatUnmatchedTokensAsErrors = false;
        verb.SetAction(Run);
        return verb;
    }

    private int Run(ParseResult parse)
    {
        StageContext stage = new(_context, parse.GetValue(_json), parse.GetValue(_resume), CpuDevice.Default)
        {
            Data = new NamedData(_context, parse.GetValue(_fetch)),
        };
        // What looks like an option and is none changes a key of a recipe.
        string[] given = parse.GetValue(_models)!;
        string[] models = [.. given.Where(m => !m.StartsWith("--", StringComparison.Ordinal))], changes = [.. given.Where(m => m.StartsWith("--", StringComparison.Ordinal)), .. parse.UnmatchedTokens], tasks = [.. parse.GetValue(_tasks)!.SelectMany(t => t.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
        if (parse.GetValue(_list))
            return List(new TaskLibrary(EvaluationRun.Reader(stage)), parse.GetValue(_include)!);
        if (models is [{ } recipe] && tasks.Length == 0 && recipe.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            EvaluateRecipe resolved = ConfigurationTree.Load(RecipeJson.Default.EvaluateRecipe, new EvaluateRecipe(), recipe, changes);
            return Finish(EvaluateStage.Run(resolved, stage));
        }
        if (changes.Length > 0)
            throw new UsageException($"{changes[0]}: no such option; gradus evaluate --help shows them.");
        if (tasks.Length == 0)
            throw new UsageException("no tasks; name some with --tasks, such as --tasks arc_easy,hellaswag (gradus evaluate --list shows all).");
        string? predictions = parse.GetValue(_predictions);
        if (models.Length == 0 && predictions is null)
            throw new UsageException("no model; give a model's folder, a run's, a GGUF file or a name on the hub.");
        return Finish(EvaluateStage.Run(Recipe(parse, models, tasks, predictions), stage));
    }

    private EvaluateRecipe Recipe(ParseResult parse, string[] models, string[] tasks, string? predictions) => new()
    {
        Run = parse.GetValue(_run) ?? FreeFolder(),
        Models = Named(models),
        Predictions = predictions ?? "",
        Batch = parse.GetValue(_batch),
        KeepGoing = parse.GetValue(_continue),
        FailUnder = parse.GetValue(_failUnder)!,
        Tasks =
        [
            new BenchmarkTaskRecipe
            {
                Name = "tasks",
                Names = tasks,
                Data = parse.GetValue(_include)!,
                Limit = parse.GetValue(_limit),
                Shots = parse.GetValue(_shots),
                Seed = parse.GetValue(_seed),
                Chat = parse.GetValue(_chat),
                ShotsAsTurns = parse.GetValue(_turns),
                SystemInstruction = parse.GetValue(_system),
                Robustness = [.. parse.GetValue(_robustness)!.SelectMany(r => r.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))],
            },
        ],
    };

    private int Finish(StageResult result) => !result.Finished ? _context.Interrupts.ExitCode ?? ExitCode.Interrupted : result.Failed ? ExitCode.Failed : ExitCode.Done;

    private int List(TaskLibrary library, string[] include)
    {
        foreach (string path in include)
            library.AddFiles(path);
        Table table = new Table().Border(TableBorder.Simple).AddColumns("task", "what it is", "kind", "metric", "chance");
        foreach (TaskEntry entry in library.Entries)
        {
            table.AddRow(new[]
            {
                entry.Name, entry.Description, entry.Kind == "group" ? $"group of {entry.Members.Count}" : entry.Kind, entry.Metric,
                entry.Chance is { } chance ? chance.ToString("0.##", CultureInfo.InvariantCulture) : "",
            }.Select(Markup.Escape).ToArray());
        }
        _context.Console.Write(table);
        return ExitCode.Done;
    }

    // Models are called by the last part of their path, or by more of it where that is the same.
    private static Dictionary<string, string> Named(string[] models)
    {
        Dictionary<string, string> named = [];
        foreach (string model in models)
        {
            string[] parts = Path.TrimEndingDirectorySeparator(model).Split('/', '\\');
            string name = parts[^1];
            for (int n = 2; named.ContainsKey(name) && n <= parts.Length; n++)
                name = string.Join('/', parts[^n..]);
            if (!named.TryAdd(name, model))
                throw new UsageException($"{model}: comes twice; give each model once.");
        }
        return named;
    }

    private static string FreeFolder()
    {
        string folder = Path.Combine("runs", "evaluate");
        for (int i = 2; Path.Exists(folder); i++)
            folder = Path.Combine("runs", string.Create(CultureInfo.InvariantCulture, $"evaluate-{i}"));
        return folder;
    }
}
