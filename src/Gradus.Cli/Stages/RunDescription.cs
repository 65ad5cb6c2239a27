using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Gradus.Cli.Configuration;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>The contents of <c>run.json</c>: everything that is needed to do the run again.</summary>
internal static class RunDescription
{
    /// <summary>The resolved recipe in a run's folder: running it again does the run again.</summary>
    public const string RecipeFile = "recipe.json";

    /// <summary>Writes <c>run.json</c> and <c>recipe.json</c>.</summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="recipe">The resolved recipe.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="device">Where it is computed.</param>
    public static void Write(RunFolder run, StageRecipe recipe, long seed, Device device)
    {
        JsonObject config = (JsonObject)JsonNode.Parse(ConfigurationTree.ToJson(recipe.Metadata, recipe))!;
        run.WriteResult(RecipeFile, config);
        run.WriteRun(new JsonObject
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
        });
    }
}
