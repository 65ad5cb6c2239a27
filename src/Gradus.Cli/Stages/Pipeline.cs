using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Cli.Reports;
using Gradus.Files;

namespace Gradus.Cli.Stages;

/// <summary>Several stages, one after the other, with one report.</summary>
public sealed record PipelineRecipe
{
    /// <summary>The folder of the whole run.</summary>
    [MinLength(1)]
    public string Run { get; init; } = "";

    /// <summary>The report's title.</summary>
    public string Title { get; init; } = "";

    /// <summary>What to try with the result, for the report: command lines.</summary>
    public string[] Next { get; init; } = [];

    /// <summary>What the finished model is asked; null for nothing.</summary>
    public TalkRecipe? Talk { get; init; }

    /// <summary>The stages in order.</summary>
    [MinLength(1)]
    public StageRecipe[] Stages { get; init; } = [];
}

/// <summary>Runs stages one after the other, each by the same code as its verb, and writes one report of all of them.</summary>
internal static class Pipeline
{
    /// <summary>Stands for the pipeline's folder in the paths of its stages.</summary>
    private const string RunVariable = "$run";

    private const string LockFile = ".lock";

    /// <summary>Makes the verb <c>gradus run</c>.</summary>
    public static Command CreateVerb(CommandContext context) => RecipeVerb.Create(
        context, "run", "Run several stages of one recipe, with one report.", RecipeJson.Default.PipelineRecipe, new PipelineRecipe(), (r, c) => Run((PipelineRecipe)r, c));

    /// <summary>Runs the stages. A stage that an earlier, interrupted run has finished is not run again.</summary>
    /// <param name="recipe">The stages.</param>
    /// <param name="context">The command line.</param>
    /// <returns>Whether all stages came to their end.</returns>
    public static bool Run(PipelineRecipe recipe, StageContext context)
    {
        if (File.Exists(recipe.Run))
            throw new InvalidDataException($"{recipe.Run}: is a file; a run needs a folder.");
        Directory.CreateDirectory(recipe.Run);
        using FolderLock held = FolderLock.Acquire(Path.Combine(recipe.Run, LockFile), recipe.Run);
        string summary = Path.Combine(recipe.Run, PipelineFile.Name);
        if (File.Exists(summary) && !context.Resume)
            throw new InvalidDataException($"{recipe.Run}: holds a run already; go on with --resume, or choose another folder with --run=FOLDER.");
        JsonArray done = context.Resume && File.Exists(summary) ? Finished(summary) : [];
        if (done.Count > recipe.Stages.Length)
            throw new InvalidDataException($"{recipe.Run}: {done.Count} stages ran there, but the recipe has {recipe.Stages.Length}; choose another folder with --run=FOLDER.");
        for (int i = 0; i < recipe.Stages.Length && !context.Cancellation.IsCancellationRequested; i++)
        {
            StageRecipe stage = Resolve(recipe.Stages[i], recipe.Run);
            JsonNode resolved = JsonSerializer.SerializeToNode(stage, RecipeJson.Default.StageRecipe)!;
            if (i < done.Count)
            {
                CheckSame(done[i]!, resolved, recipe.Run);
                context.Say($"[{i + 1}/{recipe.Stages.Length}] {stage.Title}: done before");
                continue;
            }
            context.Tell(new JsonObject { ["kind"] = "stage", ["number"] = i + 1, ["of"] = recipe.Stages.Length, ["title"] = stage.Title }, $"[{i + 1}/{recipe.Stages.Length}] {stage.Title}");
            long start = Stopwatch.GetTimestamp();
            StageResult result = stage.Execute(context);
            if (!result.Finished)
                break;
            if (result.Failed)
                throw new IOException($"{stage.Title}: the stage failed; {result.Folder} says why.");
            JsonObject description = Describe(stage, result, recipe.Run, Stopwatch.GetElapsedTime(start).TotalSeconds);
            description["recipe"] = resolved;
            done.Add((JsonNode)description);
            Write(summary, recipe, done);
            RunReport.Write(recipe.Run);
        }
        if (done.Count < recipe.Stages.Length)
            return false;
        if (recipe.Talk is { } talk)
            Talk(talk, recipe, done, context);
        return true;
    }

    // Asked again after a resume: the same model gives the same answers.
    private static void Talk(TalkRecipe talk, PipelineRecipe recipe, JsonArray done, StageContext context)
    {
        string model = talk.Model.Replace(RunVariable, recipe.Run, StringComparison.Ordinal), command = talk.CommandLine(model);
        JsonArray answers = talk.Ask(context, model);
        JsonObject said = new() { ["kind"] = "talk", ["command"] = command, ["answers"] = answers };
        context.Tell(said, $"\nTalk to it: {command}{string.Concat(answers.Select(a => $"\n  you: {a!["prompt"]}\n  it:  {a["answer"]}"))}");
        Write(Path.Combine(recipe.Run, PipelineFile.Name), recipe, done, said);
        RunReport.Write(recipe.Run);
    }

    // A stage that is skipped must be the one that ran: later stages would build on something else than the recipe says.
    private static void CheckSame(JsonNode done, JsonNode stage, string run)
    {
        if (!JsonNode.DeepEquals(done["recipe"], stage))
            throw new InvalidDataException($"{run}: the stage \"{done["title"]}\" ran there with other settings; go on with the same recipe, or choose another folder with --run=FOLDER.");
    }

    // Paths are plain texts of the recipe: the variable is replaced wherever a text begins with it.
    private static StageRecipe Resolve(StageRecipe stage, string run)
    {
        JsonNode tree = JsonSerializer.SerializeToNode(stage, RecipeJson.Default.StageRecipe)!;
        Replace(tree, run);
        return tree.Deserialize(RecipeJson.Default.StageRecipe)!;
    }

    private static void Replace(JsonNode node, string run)
    {
        if (node is JsonObject o)
        {
            foreach ((string key, JsonNode? value) in o.ToList())
            {
                if (Resolved(value, run) is { } text)
                    o[key] = text;
                else if (value is not null)
                    Replace(value, run);
            }
        }
        else if (node is JsonArray a)
        {
            for (int i = 0; i < a.Count; i++)
            {
                if (Resolved(a[i], run) is { } text)
                    a[i] = text;
                else if (a[i] is { } value)
                    Replace(value, run);
            }
        }
    }

    private static string? Resolved(JsonNode? node, string run) =>
        node is JsonValue value && value.TryGetValue(out string? text) && (text == RunVariable || text.StartsWith(RunVariable + "/", StringComparison.Ordinal))
            ? run + text[RunVariable.Length..]
            : null;

    private static JsonObject Describe(StageRecipe stage, StageResult result, string run, double seconds)
    {
        JsonObject facts = [];
        foreach ((string label, string value) in result.Facts)
            facts[label] = value;
        return new JsonObject
        {
            ["folder"] = Path.GetRelativePath(run, result.Folder),
            ["title"] = stage.Title,
            ["what"] = stage.What,
            ["command"] = stage.CommandLine(Path.GetRelativePath(".", Path.Combine(result.Folder, RunDescription.RecipeFile))),
            ["seconds"] = Math.Round(seconds, 1),
            ["facts"] = facts,
        };
    }

    private static JsonArray Finished(string summary) =>
        Checkpoint.ReadObject(summary)["stages"] is JsonArray stages ? (JsonArray)stages.DeepClone() : [];

    private static void Write(string path, PipelineRecipe recipe, JsonArray done, JsonObject? talk = null) =>
        AtomicFile.WriteAllText(path, new JsonObject
        {
            ["title"] = recipe.Title,
            ["stages"] = done.DeepClone(),
            ["next"] = new JsonArray([.. recipe.Next.Select(n => (JsonNode)n.Replace(RunVariable, recipe.Run, StringComparison.Ordinal))]),
            ["talk"] = talk?.DeepClone(),
        }.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
}
