using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Tensors;
using Gradus.Training;
using Gradus.Training.Data;

namespace Gradus.Cli.Stages;

/// <summary>What every stage needs from the command line.</summary>
/// <param name="Output">Where progress is printed.</param>
/// <param name="Json">Print machine-readable lines instead of text.</param>
/// <param name="Resume">Go on with a run that the folder holds.</param>
/// <param name="Device">Where models compute.</param>
/// <param name="Cancellation">Asks to stop: the run is saved first.</param>
internal sealed record StageContext(TextWriter Output, bool Json, bool Resume, Device Device, CancellationToken Cancellation)
{
    /// <summary>Data sets by their names; null where there are none to name.</summary>
    public NamedData? Data { get; init; }

    /// <summary>Where the tokens of large text are kept; null to keep them in memory.</summary>
    public string? TokenCache => Data is null ? null : Path.Combine(NamedData.Cache, "tokens");

    /// <summary>Paths with the names of data sets (<c>$data/NAME/FILE</c>) replaced by where they lie.</summary>
    public string[] Files(string[] paths) => Data?.Resolve(paths) ?? paths;

    /// <summary>What a person reads; nothing in JSON mode.</summary>
    public void Say(string line)
    {
        if (!Json)
            Write(line);
    }

    /// <summary>What both should know: a line for a person, a line of the kind "note" for a program.</summary>
    public void Note(string line)
    {
        Say(line);
        Emit(new JsonObject { ["kind"] = "note", ["text"] = line });
    }

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
        Say(string.Create(CultureInfo.InvariantCulture, $"{stage}: {trained:N0} examples to train on, {heldOut:N0} held out; {stepsOfPass:0.#} steps a pass, {options.Steps:N0} steps are {passes:0.##} passes"));
        Emit(new JsonObject { ["kind"] = "data", ["examples"] = trained, ["held_out"] = heldOut, ["steps_per_pass"] = stepsOfPass, ["passes"] = passes });
    }

    /// <summary>What a program reads; nothing in text mode.</summary>
    public void Emit(JsonObject line)
    {
        if (Json)
            Write(line.ToJsonString());
    }

    private void Write(string line)
    {
        Output.WriteLine(line);
        Output.Flush();
    }

    /// <summary>A number of seconds for people: 42 s, 3 min 05 s.</summary>
    public static string Duration(double seconds) => seconds < 90
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds:0} s")
        : string.Create(CultureInfo.InvariantCulture, $"{(int)(seconds / 60)} min {(int)seconds % 60:00} s");
}
