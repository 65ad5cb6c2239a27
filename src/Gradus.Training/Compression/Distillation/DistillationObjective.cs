using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Compression.Distillation;

/// <summary>
/// Trains a student to say what its teacher says: token by token on the data's texts, on texts that the teacher writes, or on its own.
/// The teacher runs beside it, without a tape; it needs the same tokens, and may be of any architecture and size.
/// </summary>
public sealed class DistillationObjective : Objective, IDisposable
{
    private readonly GenerativeModel _teacher;
    private readonly BatchSource _train;
    private readonly BatchSource? _validation;
    private readonly DistillationOptions _options;
    private readonly int _accumulation;
    private readonly IReadOnlyList<int> _ends;
    private readonly TeacherStore? _store;
    private readonly Workspace _workspace;

    /// <summary>Takes a teacher and data.</summary>
    /// <param name="teacher">The teacher; it must outlive the objective.</param>
    /// <param name="train">Training data; where texts are written, their beginnings are taken from it.</param>
    /// <param name="validation">Held-out data, or null.</param>
    /// <param name="options">What is learned.</param>
    /// <param name="accumulation">Micro-batches per step, ≥ 1.</param>
    /// <param name="ends">Tokens that end a text which is written.</param>
    /// <param name="store">Where the teacher's most probable tokens are kept instead of asking it again; null to ask it each time.</param>
    public DistillationObjective(
        GenerativeModel teacher, BatchSource train, BatchSource? validation, DistillationOptions options, int accumulation = 1, IReadOnlyList<int>? ends = null, TeacherStore? store = null)
    {
        ArgumentNullException.ThrowIfNull(teacher);
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(accumulation, 1);
        if (store is not null && (options.Author != TextAuthor.Data || options.HiddenWeight > 0 || teacher is EncoderDecoderModel))
            throw new InvalidDataException("A teacher's stored probabilities serve the texts of the data, not texts that are written, sources or hidden states; leave teacher_store out.");
        if (store?.Kept > teacher.Config.Vocabulary)
            throw new InvalidDataException($"teacher_top_k: {store.Kept} tokens are to be kept, but the teacher has {teacher.Config.Vocabulary}; lower it.");
        (_teacher, _train, _validation, _options, _accumulation, _ends, _store) = (teacher, train, validation, options, accumulation, ends ?? [], store);
        _workspace = teacher.Parts.Store.NewScratch();
    }

    /// <summary>Refuses a student that the teacher cannot teach.</summary>
    /// <exception cref="InvalidDataException">The two have not the same tokens, or hidden states of one width where these are compared; one line.</exception>
    public static void Check(GenerativeModel student, GenerativeModel teacher, DistillationOptions options)
    {
        ArgumentNullException.ThrowIfNull(student);
        ArgumentNullException.ThrowIfNull(teacher);
        ArgumentNullException.ThrowIfNull(options);
        if (student.Config.Vocabulary != teacher.Config.Vocabulary)
            throw new InvalidDataException($"The student has {student.Config.Vocabulary} tokens, the teacher {teacher.Config.Vocabulary}; distillation compares the same ones: use models with one tokenizer.");
        if (options.HiddenWeight > 0 && student.Head.Weight.Inputs != teacher.Head.Weight.Inputs)
            throw new InvalidDataException($"distillation.hidden_weight: hidden states of {student.Head.Weight.Inputs} and {teacher.Head.Weight.Inputs} values cannot be compared; leave it out, or take a student as wide as the teacher.");
        if (options.Author != TextAuthor.Data && (student is EncoderDecoderModel || teacher is EncoderDecoderModel))
            throw new InvalidDataException("distillation.author: only decoders write on from a beginning; take data, or models without an encoder.");
        if (student is EncoderDecoderModel != teacher is EncoderDecoderModel)
            throw new InvalidDataException("One of the two models has an encoder and the other has none; they do not read the same batches.");
    }

    /// <inheritdoc/>
    public override IReadOnlyList<LossTerm> Terms => _options.HiddenWeight > 0 ? [new("teacher"), new("hidden", _options.HiddenWeight)] : [new("teacher")];

    /// <inheritdoc/>
    public override IEnumerable<Update> Updates(StepContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        (int first, int count) = context.Ranks.Share(_accumulation);
        TrainingBatch[] batches = new TrainingBatch[count];
        for (int i = 0; i < count; i++)
        {
            MicroBatch batch = _train[(context.Step * _accumulation) + first + i];
            ulong key = CounterRandom.Derive(CounterRandom.Derive(context.Key, "texts"), (ulong)(first + i));
            bool writes = _options.Author != TextAuthor.Data && CounterRandom.Uniform(key, 0) < _options.WrittenShare;
            batches[i] = Of(writes ? Write(batch, _options.Author == TextAuthor.Teacher ? _teacher : (GenerativeModel)context.Model, key) : batch);
        }
        yield return new Update(batches, first);
    }

    /// <inheritdoc/>
    public override IEnumerable<TrainingBatch> Validation() => _validation?.All().Select(Of) ?? [];

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Losses(LanguageModel model, TrainingBatch batch, LossContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (model is not GenerativeModel student)
            throw new NotSupportedException("Only a model that scores the next token can learn from a teacher's scores.");
        MicroBatch micro = ((DistillationBatch)batch).Micro;
        TeacherScores scores = Ask(micro.Tokens);
        Pass pass = context.Pass(micro.Tokens);
        Tensor hidden = student.Hidden(pass);
        // What the teacher has written is learned as it stands.
        double weight = _options.Author == TextAuthor.Teacher && context.Training ? 0 : _options.TeacherWeight;
        TeacherHead head = new(student, new Divergence(_options.Divergence, _options.Temperature, _options.Mix), weight);
        Tensor loss = head.Loss(pass, hidden, scores, micro.Targets, out TeacherHead.Sums sums);
        context.Report("divergence", sums.Divergence, micro.TargetCount);
        context.Report("text_loss", sums.Text, micro.TargetCount);
        context.Report("same_top", sums.SameTop, micro.TargetCount);
        return _options.HiddenWeight > 0 ? [loss, HiddenLoss(hidden, ((OnlineScores)scores).Hidden, micro.Targets)] : [loss];
    }

    /// <summary>Frees the teacher's activations; not the teacher.</summary>
    public void Dispose() => _workspace.Dispose();

    // The teacher reads what is not stored yet; a text has the same bits alone and among others.
    private TeacherScores Ask(TokenBatch tokens)
    {
        _workspace.Reset();
        if (_store is null)
        {
            Pass pass = new(tokens, _workspace);
            return new OnlineScores(_teacher, pass, _teacher.Hidden(pass));
        }
        for (int s = 0; s < tokens.Sequences; s++)
        {
            int[] text = tokens.Ids[tokens.Starts[s]..tokens.Starts[s + 1]];
            if (_store.Knows(text))
                continue;
            _workspace.Reset();
            _store.Add(text, _teacher.Logits(new Pass(new TokenBatch(text), _workspace)).ToArray());
        }
        return _store.Of(tokens, _teacher.Config.Vocabulary);
    }

    private DistillationBatch Of(MicroBatch batch) => new(batch, Terms.Count);

    // Σ |h − t|² / mean |t|² over the rows that count.
    private static Tensor HiddenLoss(Tensor hidden, Tensor teacher, int[] targets)
    {
        int width = hidden.Shape.Columns;
        double[] slopes = new double[hidden.Count];
        double sum = 0, size = 0;
        ReadOnlySpan<float> h = hidden.Values(), t = teacher.Values();
        foreach (float value in t)
            size += (double)value * value;
        size = Math.Max(size / Math.Max(1, targets.Length), 1e-12);
        for (int row = 0; row < targets.Length; row++)
        {
            for (int c = row * width; targets[row] >= 0 && c < (row + 1) * width; c++)
            {
                double off = (double)h[c] - t[c];
                sum += off * off / size;
                slopes[c] = 2 * off / size;
            }
        }
        return Alignment.HostLoss.Record(hidden, sum, slopes);
    }

    // Every sequence from its beginning on, as teacher or student goes on with it.
    private MicroBatch Write(MicroBatch batch, GenerativeModel writer, ulong key)
    {
        using Generator generator = new(writer);
        LogitsStep[] steps = _options.WritingTemperature == 1 ? [] : [new Temperature(_options.WritingTemperature)];
        List<GenerationRequest> requests = [];
        for (int s = 0; s < batch.Tokens.Sequences; s++)
        {
            int start = batch.Tokens.Starts[s], end = batch.Tokens.Starts[s + 1];
            int prompt = PromptLength(batch.Targets.AsSpan(start, end - start)), room = writer.LongestSequence - prompt;
            if (room < 1)
                continue;
            requests.Add(GenerationRequest.For(writer, batch.Tokens.Ids[start..(start + prompt)]) with
            {
                Steps = steps,
                Seed = CounterRandom.Derive(key, (ulong)s),
                MaxNewTokens = Math.Min(_options.NewTokens, room),
                StopTokens = _ends,
            });
        }
        if (requests.Count == 0)
            return batch;
        IReadOnlyList<GeneratedSequence> written = generator.Run(requests);
        List<int[]> sequences = [], targets = [];
        for (int i = 0; i < requests.Count; i++)
        {
            int[] all = [.. requests[i].Prompt, .. written[i].Generated];
            sequences.Add(all[..^1]);
            targets.Add([.. Enumerable.Range(1, all.Length - 1).Select(p => p < requests[i].Prompt.Length ? MicroBatch.Ignored : all[p])]);
        }
        return new MicroBatch(TokenBatch.Of(sequences), [.. targets.SelectMany(t => t)]);
    }

    // All before the first target that counts, which is the first token's where everything counts.
    private int PromptLength(ReadOnlySpan<int> targets)
    {
        int first = targets.IndexOfAnyExceptInRange(int.MinValue, -1);
        return first > 0 ? first + 1 : Math.Clamp(_options.PromptTokens, 1, targets.Length);
    }

    private sealed record DistillationBatch(MicroBatch Micro, int Terms) : TrainingBatch
    {
        public override long TokenCount => Micro.TokenCount;

        public override IReadOnlyList<double> Weights => [.. Enumerable.Repeat((double)Micro.TargetCount, Terms)];
    }
}
