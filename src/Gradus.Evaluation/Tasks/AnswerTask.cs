using Gradus.Evaluation.Metrics;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Text;

namespace Gradus.Evaluation.Tasks;

/// <summary>A question to a model.</summary>
/// <param name="Prompt">The tokens after which the model answers.</param>
/// <param name="Text">The question for people.</param>
/// <param name="Reference">The right answer.</param>
public sealed record Question(int[] Prompt, string Text, string Reference);

/// <summary>What a model answered, and how good that is.</summary>
/// <param name="Questions">The questions.</param>
/// <param name="Answers">The answers, in the same order.</param>
/// <param name="Results">The metrics, with the scores of every single answer.</param>
public sealed record AnswerResult(IReadOnlyList<Question> Questions, IReadOnlyList<string> Answers, IReadOnlyList<MetricResult> Results);

/// <summary>Lets a model write answers (the likeliest token each time) and compares them with the right ones.</summary>
public static class AnswerTask
{
    /// <summary>Asks all questions.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="questions">The questions, at least one.</param>
    /// <param name="metrics">What to measure.</param>
    /// <param name="maxTokens">The longest answer, in tokens.</param>
    /// <param name="stopTokens">Tokens that end an answer.</param>
    /// <param name="batch">Questions answered at once.</param>
    /// <param name="cancellation">Ends the task.</param>
    public static AnswerResult Run(
        GenerativeModel model,
        Tokenizer tokenizer,
        IReadOnlyList<Question> questions,
        IReadOnlyList<Metric> metrics,
        int maxTokens,
        IReadOnlyList<int> stopTokens,
        int batch = 16,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(questions);
        ArgumentNullException.ThrowIfNull(metrics);
        List<string> answers = [];
        using Generator generator = new(model);
        foreach (Question[] part in questions.Chunk(batch))
        {
            cancellation.ThrowIfCancellationRequested();
            IReadOnlyList<GeneratedSequence> written = generator.Run(
                [.. part.Select(q => GenerationRequest.For(model, q.Prompt) with { MaxNewTokens = maxTokens, StopTokens = stopTokens })], cancellation);
            answers.AddRange(written.Select(s => tokenizer.Decode(s.Generated).Trim()));
        }
        MetricExample[] examples = [.. questions.Zip(answers, (q, a) => new MetricExample(a, [q.Reference]))];
        return new AnswerResult(questions, answers, [.. metrics.Select(m => m.Evaluate(examples))]);
    }
}
