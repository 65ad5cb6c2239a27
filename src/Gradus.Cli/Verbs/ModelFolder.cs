using System.CommandLine;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Tensors;
using Gradus.Training.Runs;

namespace Gradus.Cli.Verbs;

/// <summary>Finds and opens the model that a person means: besides what <see cref="ModelLocation.Find"/> takes, a run's folder, which means its best checkpoint, where it keeps one, or its newest whole one, and a model's name on the hub.</summary>
internal static class ModelFolder
{
    private const string Checkpoints = "checkpoints";

    /// <summary>The folders that a path means.</summary>
    /// <param name="path">A folder, a file, or a model's name on the hub, which is fetched if need be.</param>
    /// <param name="baseModel">The model under an adapter, instead of the one that it names; null for that.</param>
    /// <param name="cancel">Stops a download.</param>
    /// <exception cref="UsageException">There is no model.</exception>
    public static ModelLocation Find(string path, string? baseModel = null, CancellationToken cancel = default) =>
        ModelLocation.Find(path, text => Resolve(text, cancel), baseModel);

    /// <summary>The option for <see cref="Find"/>'s base model.</summary>
    public static Option<string?> BaseOption() => new("--base")
    {
        Description = "The model under an adapter, where it is not the one that the adapter names, or has moved.",
        HelpName = "MODEL",
    };

    /// <summary>Whether a folder holds a model, an adapter, or a run with a whole checkpoint.</summary>
    public static bool IsModel(string folder) => ModelLocation.IsModel(folder) || RunFolder.LatestCheckpoint(folder) is not null;

    /// <summary>Loads a model with its tokenizer, and its adapter if it has one.</summary>
    /// <param name="path">What <see cref="Find"/> takes.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="options">What is kept as stored, what is asked of the model; the defaults where null.</param>
    /// <param name="baseModel">The model under an adapter, instead of the one that it names; null for that.</param>
    /// <param name="cancel">Stops a download.</param>
    /// <exception cref="InvalidDataException">A file is missing, broken, or does not fit the others.</exception>
    public static ModelBundle Open(string path, Device device, ModelBundleOptions? options = null, string? baseModel = null, CancellationToken cancel = default) =>
        ModelBundle.Open(Find(path, baseModel, cancel), device, options);

    private static string? Resolve(string path, CancellationToken cancel)
    {
        if (!Directory.Exists(path))
            return HubModels.Resolve(path, cancel);
        if (Directory.Exists(Path.Combine(path, Checkpoints)) || File.Exists(Path.Combine(path, "run.json")))
        {
            return RunFolder.BestCheckpoint(path) ?? RunFolder.LatestCheckpoint(path) ?? throw new UsageException(RunFolder.CheckpointWithoutMark(path) is { } unmarked
                ? $"{RunFolder.DescribeWithoutMark(unmarked)}, or give that folder itself."
                : $"{path}: the run has no whole checkpoint yet; wait for its first one.");
        }
        string[] models = [.. Directory.EnumerateDirectories(path).Where(IsModel).Order(StringComparer.Ordinal).Take(5)];
        return models.Length == 0 ? null : throw new UsageException($"{path}: holds no model itself; did you mean {string.Join(" or ", models)}?");
    }
}
