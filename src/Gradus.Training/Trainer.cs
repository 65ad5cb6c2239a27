using System.Diagnostics;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Training.Data;
using Gradus.Training.Distributed;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;

namespace Gradus.Training;

/// <summary>
/// Trains a model for any objective, one step at a time. The caller decides what happens between steps: logging, evaluating,
/// saving, stopping. The state after a step depends on the seed, the data and the number of steps alone.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly LanguageModel _model;
    private readonly TrainingOptions _options;
    private readonly RankGroup _ranks;
    private readonly Parameter[] _parameters;
    private readonly IReadOnlyList<int> _owners;
    private readonly Workspace _workspace;
    private readonly Optimizer _optimizer;
    private readonly GradientSums? _sums;

    /// <summary>Prepares to train the model's trainable parameters, and those of the objective.</summary>
    /// <param name="model">The model.</param>
    /// <param name="objective">What for.</param>
    /// <param name="options">How.</param>
    /// <param name="ranks">The ranks that share every step; null for this one alone.</param>
    /// <exception cref="InvalidOperationException">Nothing is trainable.</exception>
    /// <exception cref="InvalidDataException">A group of the options names no parameter.</exception>
    public Trainer(LanguageModel model, Objective objective, TrainingOptions options, RankGroup? ranks = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(options);
        _model = model;
        Objective = objective;
        _options = options;
        _ranks = ranks ?? (options.Leaves == 1 ? RankGroup.Alone : new RankGroup(options.Leaves));
        if (_ranks.Leaves != options.Leaves)
            throw new ArgumentException($"The ranks share steps of {_ranks.Leaves} leaves, but the options ask for {options.Leaves}.", nameof(ranks));
        _parameters = [.. model.TrainableParameters, .. objective.Parameters];
        if (_parameters.Length == 0)
            throw new InvalidOperationException("The model has no trainable parameters.");
        _workspace = model.Parts.Store.NewScratch(options.Precision);
        _owners = _ranks.Owners(_parameters);
        HashSet<Parameter> own = [.. _parameters.Where((_, p) => !_ranks.SharesOptimizerState || _owners[p] == _ranks.Rank)];
        _sums = _ranks.Leaves > 1 ? new GradientSums(_parameters, _ranks.Leaves) : null;
        _optimizer = new Optimizer(ParameterPlan.Of(model, _parameters, options.Optimizer, options.Groups), model.Device, options.Precision, own.Contains);
    }

    /// <summary>Steps made so far, those before a resume included.</summary>
    public long Steps { get; internal set; }

    /// <summary>What the model is trained for.</summary>
    public Objective Objective { get; }

    /// <summary>The parameters that are trained, those of the objective last.</summary>
    public IReadOnlyList<Parameter> Parameters => _parameters;

    /// <summary>The optimizer with what it remembers.</summary>
    public Optimizer Optimizer => _optimizer;

    /// <summary>The most bytes of activations and gradients in flight so far.</summary>
    public long PeakActivationBytes => _workspace.PeakBytes;

    /// <summary>Bytes taken for activations and gradients and kept for the next step; settles after a few steps.</summary>
    public long ReservedActivationBytes => _workspace.ReservedBytes;

    /// <summary>One step of the objective: one update of the parameters, or as many as it asks for.</summary>
    /// <exception cref="TrainingDivergedException">The loss or the gradient is not a number; the update was not made.</exception>
    public StepReport Step()
    {
        long start = Stopwatch.GetTimestamp(), step = Steps, tokens = 0;
        double factor = _options.Schedule.Factor(step, _options.Steps), loss = 0, norm = 0;
        int updates = 0;
        MetricSums metrics = new();
        ulong key = CounterRandom.Derive((ulong)_options.Seed, (ulong)step);
        foreach (Update update in Objective.Updates(new StepContext(_model, step, key, _ranks) { Metrics = metrics }))
        {
            // The first update has the step's key itself.
            ulong updateKey = updates == 0 ? key : CounterRandom.Derive(CounterRandom.Derive(key, "update"), (ulong)updates);
            (double value, double size, long count) = MakeUpdate(update, updateKey, factor, metrics);
            loss += value;
            norm += size;
            tokens += count;
            updates++;
        }
        Steps++;
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        updates = Math.Max(1, updates);
        return new StepReport(step + 1, loss / updates, _options.Optimizer.LearningRate * factor, norm / updates, tokens, seconds) { Metrics = metrics.Means(_ranks) };
    }

    private (double Loss, double Norm, long Tokens) MakeUpdate(Update update, ulong key, double factor, MetricSums metrics)
    {
        (int Leaf, Range Batches)[] leaves = LeavesOf(update);
        TrainingBatch[] batches = [.. update.Batches];
        LossSums[] ofLeaf = [.. leaves.Select(_ => new LossSums(Objective.Terms))];
        // In a run of several ranks the tokens are theirs together.
        double[] totals = _ranks.Sum([.. leaves.Select((leaf, l) => (double[])[.. ofLeaf[l].AddWeights(batches[leaf.Batches]), batches[leaf.Batches].Sum(b => (double)b.TokenCount)])]);
        _sums?.Clear();
        for (int l = 0; l < leaves.Length; l++)
        {
            ofLeaf[l].Weights = totals[..^1];
            for (int i = leaves[l].Batches.Start.Value; i < leaves[l].Batches.End.Value; i++)
            {
                _workspace.Reset();
                LossContext context = new(_workspace, CounterRandom.Derive(key, (ulong)(update.First + i)), training: true, _options.Recompute, metrics);
                Tape tape = _workspace.StartTape();
                // A micro-batch without a target has no gradient.
                if (ofLeaf[l].Add(Objective.Losses(_model, batches[i], context)) is { NeedsGradient: true } share)
                    tape.Backward(share);
                _workspace.Reset();
            }
            _sums?.Take(leaves[l].Leaf);
        }
        LossSums sums = new(Objective.Terms) { Weights = totals[..^1] };
        _ranks.Sum([.. ofLeaf.Select(s => s.Values)]).CopyTo(sums.Values, 0);
        sums.Report(metrics, _ranks);
        if (_sums is null)
            _ranks.SumGradients(_parameters);
        else
            _ranks.SumGradients(_sums);
        double loss = sums.Loss, norm = Gradients.Norm(_parameters, _options.ClipNormType);
        if (!double.IsFinite(loss) || !double.IsFinite(norm))
        {
            foreach (Parameter parameter in _parameters)
                parameter.ClearGradient();
            throw new TrainingDivergedException(Steps + 1, $"the loss is {loss} and the gradient's norm {norm}; the step was not made");
        }
        _optimizer.Step(factor, _options.ClipNorm > 0 ? Gradients.ClipScale(norm, _options.ClipNorm) : 1f, (float)_options.ClipValue, Objective.SeesGradients);
        if (_ranks.SharesOptimizerState)
            _ranks.ShareParameters(_parameters, _owners);
        if (Objective.SeesGradients)
        {
            Objective.Updated(_optimizer.Steps);
            _optimizer.ClearGradients();
        }
        return (loss, norm, (long)totals[^1]);
    }

    // This rank's leaves, and which of its micro-batches are theirs.
    private (int Leaf, Range Batches)[] LeavesOf(Update update)
    {
        if (_ranks.Leaves == 1)
            return [(0, 0..update.Batches.Count)];
        double[] number = [update.Batches.Count];
        _ranks.Sum(number);
        int total = (int)number[0];
        (int first, int end) = _ranks.LeavesOf(_ranks.Rank);
        if ((update.First, update.Batches.Count) != _ranks.Share(total))
            throw new InvalidOperationException($"{Objective.GetType().Name} gives rank {_ranks.Rank} the micro-batches from {update.First} on, {update.Batches.Count} of {total}; its share is that of RankGroup.Share.");
        return [.. Enumerable.Range(first, end - first).Select(leaf => (leaf, (_ranks.StartOf(leaf, total) - update.First)..(_ranks.StartOf(leaf + 1, total) - update.First)))];
    }

    /// <summary>The loss on held-out data, or null where the objective has none.</summary>
    /// <param name="cancellation">Gives up: the result is null.</param>
    /// <exception cref="TrainingDivergedException">The loss is infinite or not a number.</exception>
    public EvaluationReport? Evaluate(CancellationToken cancellation = default)
    {
        IEnumerable<TrainingBatch> batches = Objective.Validation();
        if (_options.EvaluateBatches > 0)
            batches = batches.Take(_options.EvaluateBatches);
        LossSums sums = new(Objective.Terms);
        MetricSums metrics = new();
        ulong key = CounterRandom.Derive((ulong)_options.Seed, "evaluation");
        int number = 0;
        foreach (TrainingBatch batch in batches)
        {
            if (cancellation.IsCancellationRequested)
                return null;
            LossContext context = new(_workspace, CounterRandom.Derive(key, (ulong)number++), training: false, recompute: false, metrics);
            sums.Weights = sums.AddWeights([batch]);
            sums.Add(Objective.Losses(_model, batch, context));
            _workspace.Reset();
        }
        if (sums.Weights.All(w => w == 0))
            return null;
        sums.Report(metrics, RankGroup.Alone);
        double loss = sums.Loss;
        if (!double.IsFinite(loss))
            throw new TrainingDivergedException(Steps, $"the loss on held-out data is {loss}");
        return new EvaluationReport(Steps, loss, (long)sums.Weights[0], Objective.ValidationBytesPerTarget)
        {
            Metrics = metrics.Means(RankGroup.Alone),
            IsLikelihood = Objective.IsLikelihood,
        };
    }

    /// <summary>Refuses parameters that an update has made infinite or not a number: no step can be made from them.</summary>
    /// <exception cref="TrainingDivergedException">There is one.</exception>
    public void ThrowIfDiverged()
    {
        if (_parameters.FirstOrDefault(p => !double.IsFinite(p.Value.Device.SumOfSquares(p.Value))) is { } parameter)
            throw new TrainingDivergedException(Steps, $"the parameter {parameter.Name} is no longer finite");
    }

    /// <summary>Frees the optimizer's state and the activations; not the model.</summary>
    public void Dispose()
    {
        _optimizer.Dispose();
        _sums?.Dispose();
        _workspace.Dispose();
    }
}

/// <summary>What happened in one optimizer step.</summary>
/// <param name="Step">Steps made, this one included.</param>
/// <param name="Loss">Mean loss of the targets before the update, in nats.</param>
/// <param name="LearningRate">The learning rate of the update.</param>
/// <param name="GradientNorm">Norm of all gradients before clipping.</param>
/// <param name="Tokens">Tokens that went through the model.</param>
/// <param name="Seconds">Wall-clock time.</param>
public sealed record StepReport(long Step, double Loss, double LearningRate, double GradientNorm, long Tokens, double Seconds)
{
    /// <summary>What the objective reports besides, by name.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Tokens per second of this step.</summary>
    public double TokensPerSecond => Seconds > 0 ? Tokens / Seconds : 0;
}

/// <summary>The loss on held-out data.</summary>
/// <param name="Step">Steps made before it.</param>
/// <param name="Loss">Mean loss of the targets, in nats.</param>
/// <param name="Targets">The number of targets.</param>
/// <param name="BytesPerTarget">UTF-8 bytes per target, or 0 where unknown.</param>
public sealed record EvaluationReport(long Step, double Loss, long Targets, double BytesPerTarget)
{
    /// <summary>Whether the loss is −log p of tokens.</summary>
    public bool IsLikelihood { get; init; } = true;

    /// <summary>What the objective reports besides, by name.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>e to the loss where that is −log p of tokens, and finite; else null.</summary>
    public double? Perplexity => IsLikelihood && double.IsFinite(Math.Exp(Loss)) ? Math.Exp(Loss) : null;

    /// <summary>The loss in bits per byte of text, comparable between tokenizers; null where the bytes are unknown.</summary>
    public double? BitsPerByte => BytesPerTarget > 0 ? Loss / Math.Log(2) / BytesPerTarget : null;
}

/// <summary>The loss, the gradient or a parameter became infinite or not a number.</summary>
public sealed class TrainingDivergedException : Exception
{
    internal TrainingDivergedException(long step, string what)
        : base($"Step {step}: {what}. Lower the learning rate, lengthen the warm-up, or look for broken data.")
    {
        Step = step;
    }

    /// <summary>The number of the step that failed.</summary>
    public long Step { get; }
}
