using System.Text.Json.Nodes;
using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tasks;

/// <summary>
/// Examples, what is asked of a model about each, and how its answers are scored. <see cref="EvalRunner"/> carries it through with any
/// <see cref="IEvalModel"/> and keeps every answer.
/// </summary>
public abstract class EvalTask
{
    /// <summary>The task's name, unique in a run.</summary>
    public abstract string Name { get; }

    /// <summary>The version of the task's definition; results of different versions are not comparable.</summary>
    public virtual string Version => "0";

    /// <summary>The score of guessing on the first metric, or null where there is none.</summary>
    public virtual double? Chance => null;

    /// <summary>What the task measures; direction and settings go with it into every report.</summary>
    public abstract IReadOnlyList<TaskMetric> Metrics { get; }

    /// <summary>The examples with their requests, in order.</summary>
    /// <param name="options">How many, with how many solved examples before each, and in which form.</param>
    /// <exception cref="InvalidDataException">There are none, or one cannot be made; the message names task and example.</exception>
    public abstract IReadOnlyList<EvalExample> Prepare(EvalOptions options);

    /// <summary>Scores an example.</summary>
    /// <param name="example">One that <see cref="Prepare"/> made.</param>
    /// <param name="responses">The answers to its requests, in order.</param>
    /// <returns>The scores by the names of the filters that the answers went through; one at least.</returns>
    /// <exception cref="InvalidDataException">The answers cannot be scored; the message says why.</exception>
    public abstract IReadOnlyList<FilteredScores> Score(EvalExample example, IReadOnlyList<EvalResponse> responses);
}

/// <summary>A metric of a task.</summary>
/// <param name="Name">Its name, such as <c>acc_norm</c>.</param>
/// <param name="Aggregation">What makes one value of all examples.</param>
/// <param name="HigherIsBetter">Whether a larger value is better; null where neither is.</param>
/// <param name="Settings">The settings that change the value, as <c>key:value|key:value</c>; may be empty.</param>
public sealed record TaskMetric(string Name, Aggregation Aggregation, bool? HigherIsBetter, string Settings = "");

/// <summary>One example of a task.</summary>
/// <param name="Id">Its place among the task's documents, from 0.</param>
/// <param name="Document">The record it was made from.</param>
/// <param name="Requests">What is asked; one at least.</param>
/// <param name="Target">The right answer: a text, the number of a choice, or a list of such.</param>
/// <param name="Cluster">What examples share that are not independent (a passage, a document), or null.</param>
public sealed record EvalExample(int Id, JsonObject Document, IReadOnlyList<EvalRequest> Requests, JsonNode? Target, string? Cluster = null);

/// <summary>The scores of an example after a filter.</summary>
/// <param name="Filter">The filter's name; <c>none</c> where there is none.</param>
/// <param name="Filtered">What the filter made of the answers to each request.</param>
/// <param name="Values">What each metric keeps of the example.</param>
public sealed record FilteredScores(string Filter, IReadOnlyList<JsonNode?> Filtered, IReadOnlyDictionary<string, SampleValue> Values);

/// <summary>How a task is run.</summary>
public sealed record EvalOptions
{
    /// <summary>The defaults.</summary>
    public static EvalOptions Default { get; } = new();

    /// <summary>Examples at most, the first ones; 0 for all.</summary>
    public int Limit { get; init; }

    /// <summary>Solved examples before each question; null for what the task says. A task that says 0 keeps 0.</summary>
    public int? Shots { get; init; }

    /// <summary>Which solved examples are drawn.</summary>
    public long Seed { get; init; } = 1234;

    /// <summary>What stands before the task's description, or null.</summary>
    public string? SystemInstruction { get; init; }

    /// <summary>Writes messages as the model's chat template does; null for plain prompts. The second argument asks for the beginning of an answer.</summary>
    public Func<IReadOnlyList<ChatMessage>, bool, string>? ChatTemplate { get; init; }

    /// <summary>Whether solved examples are turns of the conversation of their own; only with a chat template.</summary>
    public bool ShotsAsTurns { get; init; }

    /// <summary>Resamples for the standard errors that have no formula; 0 for no standard errors.</summary>
    public int BootstrapResamples { get; init; } = 1000;
}
