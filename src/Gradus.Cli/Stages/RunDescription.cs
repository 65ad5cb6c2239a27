using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
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
    /// <typeparam name="T">The recipe's type.</typeparam>
    /// <param name="run">The run's folder.</param>
    /// <param name="name">The verb.</param>
    /// <param name="type">The recipe's metadata.</param>
    /// <param name="recipe">The resolved recipe.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="device">Where it is computed.</param>
    public static void Write<T>(RunFolder run, string name, JsonTypeInfo<T> type, T recipe, long seed, Device device)
        where T : class
    {
        JsonObject config = (JsonObject)JsonNode.Parse(ConfigurationTree.ToJson(type, recipe))!;
        run.WriteResult(RecipeFile, config);
        run.WriteRun(new JsonObject
        {
            ["name"] = name,
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
