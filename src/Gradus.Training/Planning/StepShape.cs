using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Planning;

/// <summary>The shape of a training step.</summary>
/// <param name="Tokens">Tokens of a micro-batch, ≥ 1; with an encoder, those of sources and targets together.</param>
/// <param name="Length">Tokens of each sequence, ≥ 1; the last may be shorter.</param>
/// <param name="Accumulation">Micro-batches of a step, ≥ 1.</param>
public sealed record StepShape(int Tokens, int Length, int Accumulation = 1)
{
    // Of a summary's record, three quarters are what is read.
    private const double SourceShare = 0.75;

    /// <summary>Tokens of a step.</summary>
    public long TokensPerStep => (long)Tokens * Accumulation;

    /// <summary>An objective that trains a model on batches of this shape: next tokens, targets of sources, or what its heads take.</summary>
    /// <param name="model">The model.</param>
    /// <exception cref="InvalidDataException">A head of the model takes targets of another kind.</exception>
    internal Objective ObjectiveFor(LanguageModel model)
    {
        int vocabulary = model.Config.Vocabulary;
        switch (model)
        {
            case EncoderDecoderModel:
                int read = Math.Max(1, (int)(Length * SourceShare)), written = Math.Max(1, Length - read);
                int sequences = Math.Max(1, Tokens / (read + written));
                TokenBatch source = Batch(sequences * read, read, vocabulary);
                TokenBatch both = new(Batch(sequences * written, written, vocabulary).Ids, Starts(sequences * written, written)) { Source = source };
                return new NextToken(new Same(new MicroBatch(both, Ids(both.Count, vocabulary))), accumulation: Accumulation);
            case TaskModel task:
                TokenBatch tokens = Batch(Tokens, Length, vocabulary);
                HeadTargets[] targets = [.. task.Heads.Select(h => TargetsOf(h, tokens, model.Config.Labels.Count))];
                return new TaskObjective(
                    new SameTask(new TaskBatch(tokens, targets)),
                    accumulation: Accumulation,
                    terms: [.. task.Heads.Select((_, i) => new LossTerm($"head {i}"))]);
            default:
                return new NextToken(Texts(vocabulary), accumulation: Accumulation);
        }
    }

    private static HeadTargets TargetsOf(TaskHead head, TokenBatch tokens, int labels) => head switch
    {
        // About as many as masked language models predict.
        TokenHead => HeadTargets.Of([.. Enumerable.Range(0, tokens.Count).Select(i => i % 7 == 3 ? 0 : -1)]),
        DetectionHead => HeadTargets.Of(new float[tokens.Count]),
        SequenceHead { Problem: ProblemType.Regression or ProblemType.MultiLabelClassification } => HeadTargets.Of(new float[tokens.Sequences * labels], labels),
        SequenceHead => HeadTargets.Of(new int[tokens.Sequences]),
        SpanHead => HeadTargets.OfSpans(tokens, [.. Enumerable.Repeat((0, 0), tokens.Sequences)]),
        _ => throw new InvalidDataException($"A head of the kind {head.GetType().Name} is not planned for; plan the model with a head for tokens or sequences."),
    };

    /// <summary>Micro-batches of texts of this shape, without end.</summary>
    /// <param name="vocabulary">The number of token ids.</param>
    public BatchSource Texts(int vocabulary) => new Same(new MicroBatch(Batch(Tokens, Length, vocabulary), Ids(Tokens, vocabulary)));

    private static TokenBatch Batch(int tokens, int length, int vocabulary) => new(Ids(tokens, vocabulary), Starts(tokens, length));

    private static int[] Starts(int tokens, int length) => [.. Enumerable.Range(0, (tokens + length - 1) / length).Select(i => i * length), tokens];

    private static int[] Ids(int count, int vocabulary) => [.. Enumerable.Range(0, count).Select(i => CounterRandom.Below(1, i, vocabulary))];

    private sealed class Same(MicroBatch batch) : BatchSource
    {
        public override MicroBatch this[long index] => batch;

        public override IEnumerable<MicroBatch> All() => [batch];
    }

    private sealed class SameTask(TaskBatch batch) : TaskSource
    {
        public override TaskBatch this[long index] => batch;

        public override IEnumerable<TaskBatch> All() => [batch];
    }
}
