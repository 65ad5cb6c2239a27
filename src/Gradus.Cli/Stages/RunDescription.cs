using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Gradus.Cli.Configuration;
using Gradus.Files;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>The contents of <c>run.json</c>: everything that is needed to do the run again.</summary>
internal static class RunDescription
{
    /// <summary>The resolved recipe in a run's folder: running it again does the run again.</summary>
    public const string RecipeFile = "recipe.json";

    private const string RunFile = "run.json";
    private const string BaseKey = "base_model";

    /// <summary>Writes <c>run.json</c> and <c>recipe.json</c>.</summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="recipe">The resolved recipe.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="device">Where it is computed.</param>
    /// <param name="baseModel">The folder or file that the model came from, or null.</param>
    public static void Write(RunFolder run, StageRecipe recipe, long seed, Device device, string? baseModel = null)
    {
        JsonObject config = (JsonObject)JsonNode.Parse(ConfigurationTree.ToJson(recipe.Metadata, recipe))!;
        run.WriteResult(RecipeFile, config);
        JsonObject description = new()
        {
            ["name"] = recipe.Kind,
            ["config"] = config.DeepClone(),
            ["seed"] = seed,
            ["isa"] = (device as CpuDevice)?.IsaName ?? device.Name,
            ["threads"] = (device as CpuDevice)?.Threads ?? 1,
            ["versions"] = new JsonObject
            {
                ["gradus"] = typeof(RunDescription).Assembly.GetName().Version?.ToString(3),
                ["dotnet"] = Environment.Version.ToString(),
                ["os"] = RuntimeInformation.OSDescription,
                ["architecture"] = RuntimeInformation.ProcessArchitecture.ToString(),
            },
            ["started"] = DateTimeOffset.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
        };
        if (baseModel is not null)
            description[BaseKey] = Path.GetFullPath(baseModel);
        run.WriteRun(description);
    }

    /// <summary>The folder or file that the model of a run that goes on came from, or null where that is not said.</summary>
    /// <exception cref="InvalidDataException">It is not there any more.</exception>
    public static string? BaseOf(RunFolder run)
    {
        string file = Path.Combine(run.FullPath, RunFile);
        if (!run.Resumed || !File.Exists(file) || (string?)Checkpoint.ReadObject(file)[BaseKey] is not { } path)
            return null;
        return Path.Exists(path) ? path : throw new InvalidDataException($"{path}: the model that the run {run.FullPath} was started from is gone; put it back to go on.");
    }

    /// <summary>Refuses to go on with a run under a recipe that would give other numbers.</summary>
    /// <exception cref="InvalidDataException">A key differs that may not; the message names it, and those that may.</exception>
    public static void CheckSame(RunFolder run, StageRecipe recipe)
    {
        string file = Path.Combine(run.FullPath, RecipeFile);
        if (!File.Exists(file))
            return;
        // Keys that an older version did not write have their usual values.
        StageRecipe usual = StageRecipe.All.First(s => s.Kind == recipe.Kind), started = (StageRecipe)ConfigurationTree.Load(recipe.Metadata, usual, file, []);
        List<string> changed = [];
        Compare(Tree(started), Tree(recipe), "", recipe.MayChange, changed);
        if (changed.Count > 0)
        {
            throw new InvalidDataException(
                $"{run.FullPath}: the run was started with another recipe: {string.Join("; ", changed.Take(5))}{(changed.Count > 5 ? "; …" : "")}. Go on with the same one, or choose another run; what may change is {string.Join(", ", recipe.MayChange)}.");
        }
    }

    private static JsonNode Tree(StageRecipe recipe) => JsonNode.Parse(ConfigurationTree.ToJson(recipe.Metadata, recipe))!;

    private static void Compare(JsonNode? before, JsonNode? now, string path, IReadOnlyList<string> mayChange, List<string> changed)
    {
        if (mayChange.Contains(path) || JsonNode.DeepEquals(before, now))
            return;
        if (before is JsonObject was && now is JsonObject current)
        {
            foreach (string key in was.Select(p => p.Key).Union(current.Select(p => p.Key)))
                Compare(was[key], current[key], path.Length == 0 ? key : $"{path}.{key}", mayChange, changed);
            return;
        }
        changed.Add($"{path} was {Shown(before)}, is {Shown(now)}");
    }

    private static string Shown(JsonNode? value) => value?.ToJsonString() switch
    {
        null => "null",
        { Length: > 60 } text => $"{text[..59]}…",
        var text => text,
    };
}
