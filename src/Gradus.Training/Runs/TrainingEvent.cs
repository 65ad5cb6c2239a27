using System.Text.Json.Nodes;

namespace Gradus.Training.Runs;

/// <summary>Something that happened in a run. Its JSON is the line of the log, and what a program is told.</summary>
public abstract record TrainingEvent
{
    /// <summary>The event as one JSON object, with its <c>kind</c> and <c>step</c>. Numbers that JSON cannot hold are left out.</summary>
    public abstract JsonObject ToJson();

    private protected static JsonObject Line(string kind, long step, IReadOnlyDictionary<string, double> metrics, params ReadOnlySpan<(string Key, JsonNode? Value)> figures)
    {
        JsonObject line = new() { ["kind"] = kind, ["step"] = step };
        foreach ((string key, JsonNode? value) in figures)
        {
            if (value is not null)
                line[key] = value;
        }
        if (metrics.Count > 0)
            line["metrics"] = new JsonObject(metrics.Where(m => double.IsFinite(m.Value)).Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value)));
        return line;
    }
}

/// <summary>A step was made.</summary>
/// <param name="Report">Its figures.</param>
/// <param name="Tokens">Tokens trained on since the run began.</param>
/// <param name="Seconds">Seconds that the steps of this process have taken.</param>
public sealed record StepMade(StepReport Report, long Tokens, double Seconds) : TrainingEvent
{
    /// <inheritdoc/>
    public override JsonObject ToJson() => Line(
        "step",
        Report.Step,
        Report.Metrics,
        ("loss", Report.Loss),
        ("learning_rate", Report.LearningRate),
        ("gradient_norm", Report.GradientNorm),
        ("tokens", Tokens),
        ("tokens_per_second", Math.Round(Report.TokensPerSecond, 1)),
        ("seconds", Math.Round(Seconds, 3)));
}

/// <summary>The model was evaluated on held-out data.</summary>
/// <param name="Report">Its figures.</param>
public sealed record Evaluated(EvaluationReport Report) : TrainingEvent
{
    /// <inheritdoc/>
    public override JsonObject ToJson() => Line(
        "evaluation", Report.Step, Report.Metrics, ("loss", Report.Loss), ("perplexity", Report.Perplexity), ("bits_per_byte", Report.BitsPerByte));
}

/// <summary>A checkpoint was written.</summary>
/// <param name="Step">Steps made.</param>
/// <param name="Folder">The checkpoint.</param>
public sealed record Saved(long Step, string Folder) : TrainingEvent
{
    private static readonly Dictionary<string, double> None = [];

    /// <inheritdoc/>
    public override JsonObject ToJson() => Line("checkpoint", Step, None, ("folder", Folder));
}
