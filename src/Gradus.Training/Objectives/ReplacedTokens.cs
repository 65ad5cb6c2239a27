// ELECTRA (Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators", 2020). A small generator fills in
// masked tokens; the model says of every token whether it is the generator's. Left out: positions drawn with replacement, as in the
// original code; an adversarial generator.

using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>
/// Detection of replaced tokens: the loss is that of the generator on masked tokens plus 50 times the model's binary cross-entropy over all
/// tokens. A token that the generator guessed right counts as original. The generator shares the model's token, position and type embeddings
/// where they are as wide; it is trained along and belongs to the run, not to the model.
/// </summary>
public sealed class ReplacedTokens : Objective<TaskBatch>, IDisposable
{
    private const string Prefix = "generator";

    private readonly TaskSource _train;
    private readonly TaskSource? _validation;
    private readonly TaskModel _generator;
    private readonly TokenHead _words;

    /// <summary>Prepares to train a model.</summary>
    /// <param name="model">The model: an encoder with a <see cref="DetectionHead"/>.</param>
    /// <param name="generator">The generator's configuration: an encoder with a masked language model's head, of the same vocabulary; usually a quarter as wide.</param>
    /// <param name="train">Training data: masked texts (ELECTRA masks 15%, of which 85% become the mask token and none a random one).</param>
    /// <param name="validation">Held-out data, or null.</param>
    /// <param name="seed">What the generator starts from.</param>
    /// <param name="accumulation">Micro-batches per step, ≥ 1.</param>
    /// <exception cref="InvalidDataException">A model has not the head that is needed, or another vocabulary.</exception>
    public ReplacedTokens(LanguageModel model, ModelConfig generator, TaskSource train, TaskSource? validation, ulong seed, int accumulation = 1)
        : base(accumulation)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(generator);
        if (model is not TaskModel { Head: DetectionHead })
            throw new InvalidDataException($"model: a {model.Config.Architecture} does not detect replaced tokens; take ElectraForPreTraining.");
        if (generator.Vocabulary != model.Config.Vocabulary)
            throw new InvalidDataException($"generator: its vocabulary has {generator.Vocabulary} tokens, but the model's {model.Config.Vocabulary}; they must be the same.");
        Architectures.Check(generator, Prefix);
        Workspace store = new(model.Device);
        LanguageModel made = Architectures.Build(generator, new Scope(new SharingSource(ParameterSource.Random(CounterRandom.Derive(seed, Prefix)), model), store)[Prefix]);
        if (made is not TaskModel { Head: TokenHead words } task)
        {
            made.Dispose();
            throw new InvalidDataException($"generator: a {generator.Architecture} does not fill in masked tokens; take ElectraForMaskedLM.");
        }
        (_train, _validation, _generator, _words) = (train, validation, task, words);
        Parameters = [.. task.Parameters.Where(p => !p.IsBuffer && model.Parts.Find(p.Name) != p)];
        foreach (Parameter parameter in Parameters)
            parameter.Trainable = true;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<LossTerm> Terms { get; } = [new("generator"), new("detection", 50)];

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override TaskBatch Batch(long step, int index) => WithDetection(_train[(step * BatchesPerStep) + index]);

    /// <inheritdoc/>
    public override IEnumerable<TrainingBatch> Validation() => _validation?.All().Select(WithDetection) ?? [];

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Losses(LanguageModel model, TaskBatch batch, LossContext context)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(context);
        Workspace w = context.Workspace;
        IReadOnlyList<int> classes = batch.Targets[0].Classes!;
        int[] masked = [.. Enumerable.Range(0, classes.Count).Where(i => classes[i] >= 0)];
        // A token that was chosen but left as it is counts as chosen too.
        int[] original = [.. classes.Select((c, i) => c >= 0 ? c : batch.Tokens.Ids[i])];
        int[] ids = [.. original];
        Tensor generated = w.Zeros(default);
        if (masked.Length > 0)
        {
            Pass filling = context.Pass(batch.Tokens);
            Tensor scores = _words.Scores(_generator.Body.Hidden(filling).Gather(w.From(masked)), filling);
            Tensor losses = scores.CrossEntropy(w.From([.. masked.Select(i => classes[i])]));
            generated = losses.Sum();
            int[] drawn = Draw(scores, CounterRandom.Derive(context.Key, Prefix));
            for (int i = 0; i < masked.Length; i++)
                ids[masked[i]] = drawn[i];
        }
        float[] replaced = [.. ids.Select((id, i) => id == original[i] ? 0f : 1f)];
        Pass pass = context.Pass(new TokenBatch(ids, batch.Tokens.Starts, batch.Tokens.Positions, batch.Tokens.TokenTypes));
        TaskModel task = (TaskModel)model;
        Tensor hidden = task.Body.Hidden(pass);
        Tensor detection = task.Head.Losses(hidden, w.From(replaced, new Shape(replaced.Length)), pass).Sum();
        context.Report("replaced", replaced.Sum(), Math.Max(1, masked.Length));
        if (!context.Training)
            Report(context, task.Head.Scores(hidden, pass).Values(), replaced);
        return [generated, detection];
    }

    /// <summary>Frees the generator, but for what it shares.</summary>
    public void Dispose() => _generator.Dispose();

    // Every token is judged.
    private static TaskBatch WithDetection(TaskBatch batch) => new(batch.Tokens, [batch.Targets[0], HeadTargets.Of(new float[batch.Tokens.Count])]);

    private static void Report(LossContext context, ReadOnlySpan<float> scores, float[] replaced)
    {
        int right = 0, found = 0, said = 0;
        for (int i = 0; i < replaced.Length; i++)
        {
            bool says = scores[i] > 0, is1 = replaced[i] > 0;
            right += says == is1 ? 1 : 0;
            said += says ? 1 : 0;
            found += says && is1 ? 1 : 0;
        }
        context.Report("accuracy", right, replaced.Length);
        context.Report("precision", found, said);
        context.Report("recall", found, replaced.Sum());
    }

    // From softmax(scores) of every row, at temperature 1: the first column at which the running sum passes a random number. No gradient.
    private static int[] Draw(Tensor scores, ulong key)
    {
        int columns = scores.Shape.Columns;
        int[] drawn = new int[scores.Shape.Rows];
        ReadOnlySpan<float> values = scores.Values();
        for (int r = 0; r < drawn.Length; r++)
        {
            ReadOnlySpan<float> row = values.Slice(r * columns, columns);
            float largest = float.NegativeInfinity;
            foreach (float z in row)
                largest = Math.Max(largest, z);
            double total = 0;
            foreach (float z in row)
                total += Math.Exp(z - largest);
            double left = CounterRandom.Uniform(key, r) * total;
            int c = 0;
            for (; c < columns - 1; c++)
            {
                left -= Math.Exp(row[c] - largest);
                if (left < 0)
                    break;
            }
            drawn[r] = c;
        }
        return drawn;
    }

    /// <summary>The model's own embeddings where the generator wants some of the same name and shape, else values drawn from a seed.</summary>
    private sealed class SharingSource(ParameterSource drawn, LanguageModel model) : ParameterSource
    {
        private readonly Dictionary<string, Parameter> _tables = model.Parts.Embeddings.Select(e => e.Table).ToDictionary(p => p.Name, StringComparer.Ordinal);

        public override Tensor Get(string name, Shape shape, Init init, Workspace store) => drawn.Get(name, shape, init, store);

        public override Parameter? Shared(string name, Shape shape) =>
            _tables.GetValueOrDefault(name[(Prefix.Length + 1)..]) is { } table && table.Shape == shape ? table : null;
    }
}
