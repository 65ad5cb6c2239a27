using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Tensors;

namespace Gradus.Cli.Stages;

/// <summary>What every stage needs from the command line.</summary>
/// <param name="Output">Where progress is printed.</param>
/// <param name="Json">Print machine-readable lines instead of text.</param>
/// <param name="Resume">Go on with a run that the folder holds.</param>
/// <param name="Device">Where models compute.</param>
/// <param name="Cancellation">Asks to stop: the run is saved first.</param>
internal sealed record StageContext(TextWriter Output, bool Json, bool Resume, Device Device, CancellationToken Cancellation)
{
    /// <summary>What a person reads; nothing in JSON mode.</summary>
    public void Say(string line)
    {
        if (!Json)
            Write(line);
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
