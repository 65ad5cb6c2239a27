using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Cli.Verbs;
using Gradus.Tensors;
using Gradus.Training;
using Gradus.Training.Data;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>What every stage needs from the command line.</summary>
/// <param name="Command">Where progress is printed, and who asks to stop.</param>
/// <param name="Json">Print machine-readable lines instead of text.</param>
/// <param name="Resume">Go on with a run that the folder holds.</param>
/// <param name="Device">Where models compute.</param>
internal sealed record StageContext(CommandContext Command, bool Json, bool Resume, Device Device)
{
    /// <summary>Asks to stop: the run is saved first.</summary>
    public CancellationToken Cancellation => Command.Cancellation;

    /// <summary>The recipe's file; null where there is none.</summary>
    public string? RecipeFile { get; init; }

    /// <summary>Data sets by their names; null where there are none to name.</summary>
    public NamedData? Data { get; init; }

    /// <summary>Where the tokens of large text are kept; null to keep them in memory.</summary>
    public string? TokenCache => Data is null ? null : Path.Combine(NamedData.Cache, "tokens");

    /// <summary>Paths with the names of data sets (<c>$data/NAME/FILE</c>) replaced by where they lie.</summary>
    /// <exception cref="InvalidDataException">A file is missing; the message says where it was looked for.</exception>
    public string[] Files(string[] paths)
    {
        string[] files = Data?.Resolve(paths) ?? paths;
        foreach (string file in files)
            CheckHere(file, required: true);
        return files;
    }

    /// <summary>Opens the model that a recipe names.</summary>
    /// <param name="path">What <see cref="ModelFolder.Find"/> takes.</param>
    /// <param name="options">What is kept as stored, what is asked of the model.</param>
    /// <exception cref="InvalidDataException">There is no model, or it is broken.</exception>
    public ModelBundle OpenModel(string path, ModelBundleOptions options)
    {
        CheckHere(path, required: false);
        return ModelFolder.Open(path, Device, options, cancel: Cancellation);
    }

    /// <summary>Takes the folder of a stage's run.</summary>
    /// <exception cref="InvalidDataException">It holds a run that is not to go on, or one that was started with another recipe.</exception>
    public RunFolder OpenRun(StageRecipe recipe)
    {
        RunFolder run = RunFolder.Open(recipe.Run, Resume);
        try
        {
            if (run.Resumed)
                RunDescription.CheckSame(run, recipe);
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    // A path counts from the working directory, wherever the recipe lies.
    private void CheckHere(string path, bool required)
    {
        if (Path.Exists(path) || Path.IsPathRooted(path))
            return;
        string here = Directory.GetCurrentDirectory();
        if (RecipeFile is { } recipe && Path.GetDirectoryName(Path.GetFullPath(recipe)) is { } folder && folder != here && Path.Exists(Path.Combine(folder, path)))
        {
            throw new InvalidDataException(
                $"{path}: no such file in {here}, where the paths of a recipe count from; there is one beside the recipe: run from {folder}, or write {Path.GetRelativePath(here, Path.Combine(folder, path))}.");
        }
        if (required)
            throw new InvalidDataException($"{path}: no such file in {here}, where the paths of a recipe count from.");
    }

    /// <summary>What a person reads; nothing in JSON mode.</summary>
    public void Say(string line)
    {
        if (!Json)
            Command.TryWriteLine(line);
    }

    /// <summary>Tells what happened: the one writer of lines for people and for programs.</summary>
    /// <param name="line">What a program reads: an object with its <c>kind</c>.</param>
    /// <param name="text">What a person reads; null for nothing.</param>
    public void Tell(JsonObject line, string? text)
    {
        if (Json)
            Command.TryWriteLine(line.ToJsonString());
        else if (text is not null)
            Command.TryWriteLine(text);
    }

    /// <summary>What both should know: a line for a person, a line of the kind "note" for a program.</summary>
    public void Note(string line) => Tell(new JsonObject { ["kind"] = "note", ["text"] = line }, line);

    /// <summary>Says how the data is seen: examples, those held out, steps of a pass, passes of the run.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="batches">The training data; nothing is said of one that has no passes.</param>
    /// <param name="trained">Examples trained on.</param>
    /// <param name="heldOut">Examples held out.</param>
    /// <param name="accumulation">Micro-batches per step.</param>
    /// <param name="options">How long the training is.</param>
    public void SayPasses(string stage, BatchSource batches, long trained, long heldOut, int accumulation, TrainingOptions options)
    {
        // Passes differ a little in their number of micro-batches.
        if (batches.BatchesOf(1) == 0)
            return;
        long all = options.Steps * (long)accumulation, whole = 0;
        while (batches.BatchesOf(whole + 1) <= all)
            whole++;
        long begun = batches.BatchesOf(whole), ofPass = batches.BatchesOf(whole + 1) - begun;
        double passes = whole + ((all - begun) / (double)ofPass), stepsOfPass = whole > 0 ? begun / (double)whole / accumulation : ofPass / (double)accumulation;
        JsonObject line = new() { ["kind"] = "data", ["examples"] = trained, ["held_out"] = heldOut, ["steps_per_pass"] = stepsOfPass, ["passes"] = passes };
        Tell(line, string.Create(CultureInfo.InvariantCulture, $"{stage}: {trained:N0} examples to train on, {heldOut:N0} held out; {stepsOfPass:0.#} steps a pass, {options.Steps:N0} steps are {passes:0.##} passes"));
    }

    /// <summary>A number of seconds for people: 42 s, 3 min 05 s.</summary>
    public static string Duration(double seconds) => seconds < 90
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds:0} s")
        : string.Create(CultureInfo.InvariantCulture, $"{(int)(seconds / 60)} min {(int)seconds % 60:00} s");
}
