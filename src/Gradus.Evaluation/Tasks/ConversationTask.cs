using Gradus.Evaluation.Metrics;
using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tasks;

/// <summary>A conversation whose last answer is asked for.</summary>
/// <param name="Messages">The messages before the answer; one at least.</param>
/// <param name="Reference">The right answer.</param>
public sealed record ConversationExample(IReadOnlyList<ChatMessage> Messages, string Reference);

/// <summary>Lets a model answer conversations (the likeliest token each time) and compares its answers with the right ones.</summary>
public sealed class ConversationTask : EvalTask
{
    private readonly IReadOnlyList<ConversationExample> _examples;
    private readonly IReadOnlyList<Metric> _metrics;
    private readonly GenerationSettings _settings;

    /// <summary>Makes a task.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="examples">The conversations; solved examples stand before the questions as turns of their own.</param>
    /// <param name="metrics">What is measured; one at least.</param>
    /// <param name="maxTokens">The longest answer, in tokens.</param>
    /// <exception cref="InvalidDataException">There are no conversations.</exception>
    public ConversationTask(string name, IReadOnlyList<ConversationExample> examples, IReadOnlyList<Metric> metrics, int maxTokens)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentNullException.ThrowIfNull(metrics);
        if (examples.Count == 0)
            throw new InvalidDataException($"task {name}: there is no conversation with an answer; nothing would be measured.");
        Name = name;
        _examples = examples;
        _metrics = metrics;
        _settings = GenerationSettings.Greedy(maxTokens);
        Metrics = [.. metrics.Select(m => new TaskMetric(m.Label, Aggregation.Of(m), m.HigherIsBetter, m.Settings))];
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<TaskMetric> Metrics { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<EvalExample> Prepare(EvalOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return [.. _examples.Take(options.Limit > 0 ? options.Limit : int.MaxValue).Select((e, i) =>
            new EvalExample(i, [], [new GenerateRequest("", _settings, Messages: e.Messages)], e.Reference))];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<FilteredScores> Score(EvalExample example, IReadOnlyList<EvalResponse> responses)
    {
        ArgumentNullException.ThrowIfNull(example);
        ArgumentNullException.ThrowIfNull(responses);
        string answer = ((TextResponse)responses[0]).Texts[0].Trim(), reference = example.Target!.ToString();
        return [new FilteredScores(EvalRunner.NoFilter, [answer], _metrics.ToDictionary(m => m.Label, m => (SampleValue)new TextSample(reference, answer) { Score = m.Score(answer, reference) }))];
    }
}
