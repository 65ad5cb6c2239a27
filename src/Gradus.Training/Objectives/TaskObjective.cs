using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>
/// Trains a model with the heads of a task: a classifier, a tagger, a finder of answers, a regression, a masked language model, BERT's two heads
/// together. The loss is the sum of the heads' mean losses. On held-out data the share of right answers is reported as <c>accuracy</c>.
/// </summary>
/// <param name="train">Training data.</param>
/// <param name="validation">Held-out data, or null.</param>
/// <param name="accumulation">Micro-batches per step, ≥ 1.</param>
/// <param name="terms">The heads' names and coefficients, in their order; null for one head.</param>
public sealed class TaskObjective(TaskSource train, TaskSource? validation = null, int accumulation = 1, IReadOnlyList<LossTerm>? terms = null)
    : Objective<TaskBatch>(accumulation)
{
    /// <inheritdoc/>
    public override IReadOnlyList<LossTerm> Terms { get; } = terms ?? [new("loss")];

    /// <inheritdoc/>
    public override TaskBatch Batch(long step, int index) => train[(step * BatchesPerStep) + index];

    /// <inheritdoc/>
    public override IEnumerable<TrainingBatch> Validation() => validation?.All() ?? [];

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Losses(LanguageModel model, TaskBatch batch, LossContext context)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(context);
        if (model is not TaskModel task || task.Heads.Count != Terms.Count)
            throw new NotSupportedException($"This objective trains a model with {Terms.Count} heads.");
        Pass pass = context.Pass(batch.Tokens);
        Tensor hidden = task.Body.Hidden(pass);
        Tensor[] losses = new Tensor[Terms.Count];
        for (int i = 0; i < losses.Length; i++)
        {
            HeadTargets targets = batch.Targets[i];
            // A micro-batch may have nothing for a head.
            losses[i] = targets.Counting > 0
                ? task.Heads[i].Losses(hidden, targets.In(context.Workspace), pass).Sum()
                : context.Workspace.Zeros(default);
            if (!context.Training && targets.Counting > 0)
                Accuracy(task.Heads[i], hidden, targets, pass, context, losses.Length == 1 ? "accuracy" : $"accuracy/{Terms[i].Name}");
        }
        return losses;
    }

    private static void Accuracy(TaskHead head, Tensor hidden, HeadTargets targets, Pass pass, LossContext context, string name)
    {
        switch (head)
        {
            // The vocabulary is scored for the tokens that count only.
            case TokenHead when targets.Classes is { } classes:
                int[] rows = [.. Enumerable.Range(0, classes.Count).Where(i => classes[i] >= 0)];
                context.Report(name, Right(head.Scores(hidden.Gather(context.Workspace.From(rows)), pass), [.. rows.Select(r => classes[r])]), rows.Length);
                break;
            case SequenceHead when targets.Classes is { } classes:
                context.Report(name, Right(head.Scores(hidden, pass), classes), targets.Counting);
                break;
            case SequenceHead { Problem: ProblemType.MultiLabelClassification } or DetectionHead when targets.Numbers is { } labels:
                ReadOnlySpan<float> scores = head.Scores(hidden, pass).Values();
                int agree = 0;
                for (int i = 0; i < scores.Length; i++)
                    agree += scores[i] > 0 == labels[i] > 0.5f ? 1 : 0;
                context.Report(name, agree, labels.Count);
                break;
            case SpanHead when targets.Classes is { } places:
                context.Report(name, RightSpans(head.Scores(hidden, pass).Values(), places, pass.Layout), pass.Layout.Sequences);
                break;
            default:
                break;
        }
    }

    // Rows whose largest score is that of the right class.
    private static int Right(Tensor scores, IReadOnlyList<int> classes)
    {
        int right = 0, columns = scores.Shape.Columns;
        ReadOnlySpan<float> values = scores.Values();
        for (int r = 0; r < classes.Count; r++)
            right += classes[r] >= 0 && LargestOf(values.Slice(r * columns, columns), 1, 0) == classes[r] ? 1 : 0;
        return right;
    }

    // Sequences whose first and last token of the answer both have the largest score of the sequence.
    private static int RightSpans(ReadOnlySpan<float> scores, IReadOnlyList<int> places, AttentionLayout layout)
    {
        int right = 0;
        for (int s = 0; s < layout.Sequences; s++)
        {
            ReadOnlySpan<float> rows = scores.Slice(2 * layout.QueryStart(s), 2 * layout.QueryCount(s));
            right += LargestOf(rows, 2, 0) == places[2 * s] && LargestOf(rows, 2, 1) == places[(2 * s) + 1] ? 1 : 0;
        }
        return right;
    }

    private static int LargestOf(ReadOnlySpan<float> values, int stride, int offset)
    {
        int best = 0;
        for (int i = 1; i < values.Length / stride; i++)
            best = values[(i * stride) + offset] > values[(best * stride) + offset] ? i : best;
        return best;
    }
}
