using Gradus.Models;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>
/// What a model is trained for: the data of every step and the loss. An objective may hold other models (a reference, a teacher, a
/// generator), write texts with the model before it learns from them, and update the model several times with one batch of them.
/// </summary>
/// <remarks>
/// Everything an objective draws or chooses is a function of the step's number and its key, so that a resumed run goes on with the same bits.
/// Most objectives derive from <see cref="Objective{TBatch}"/>.
/// </remarks>
public abstract class Objective
{
    /// <summary>The terms of the loss: Σ coefficient · (sum of the losses / sum of the weights).</summary>
    public virtual IReadOnlyList<LossTerm> Terms { get; } = [new("loss")];

    /// <summary>Whether the loss is −log p of tokens, so that its exponential is a perplexity.</summary>
    public virtual bool IsLikelihood => false;

    /// <summary>UTF-8 bytes per validation target, or 0 where unknown.</summary>
    public virtual double ValidationBytesPerTarget => 0;

    /// <summary>Parameters that are trained along with the model's own: those of a generator or of a value head. Their names are none of the model's.</summary>
    public virtual IReadOnlyList<Parameter> Parameters => [];

    /// <summary>Numbers that the objective carries from step to step, by name: what a checkpoint must hold besides parameters.</summary>
    public virtual IReadOnlyDictionary<string, double> State => new Dictionary<string, double>();

    /// <summary>Tensors that the objective carries from step to step, by name; a checkpoint holds them, and training goes on with what it holds.</summary>
    public virtual IReadOnlyDictionary<string, Tensor> Tensors => new Dictionary<string, Tensor>();

    /// <summary>Whether gradients are kept until <see cref="Updated"/> has seen them.</summary>
    public virtual bool SeesGradients => false;

    /// <summary>Called after every update of the parameters, where <see cref="SeesGradients"/>, while their gradients are still there.</summary>
    /// <param name="update">The number of the update, from 1.</param>
    public virtual void Updated(long update)
    {
    }

    /// <summary>Takes the numbers of a checkpoint back.</summary>
    /// <param name="state">What <see cref="State"/> gave.</param>
    /// <exception cref="InvalidDataException">A number is missing: the checkpoint is another objective's.</exception>
    public virtual void Restore(IReadOnlyDictionary<string, double> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (!state.Keys.Order(StringComparer.Ordinal).SequenceEqual(State.Keys.Order(StringComparer.Ordinal)))
            throw new InvalidDataException($"The checkpoint holds the numbers [{string.Join(", ", state.Keys)}] of its objective, but this one has [{string.Join(", ", State.Keys)}]; resume with the recipe of run.json.");
    }

    /// <summary>The updates of a step, this rank's share of them, in order: one for most objectives. Later ones are asked for when the earlier ones have been made.</summary>
    /// <param name="context">The model and the step.</param>
    public abstract IEnumerable<Update> Updates(StepContext context);

    /// <summary>The held-out data; empty where there is none.</summary>
    public abstract IEnumerable<TrainingBatch> Validation();

    /// <summary>For each term the sum of its losses over a micro-batch: one value.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The micro-batch.</param>
    /// <param name="context">Runs models, draws numbers and takes metrics.</param>
    public abstract IReadOnlyList<Tensor> Losses(LanguageModel model, TrainingBatch batch, LossContext context);
}

/// <summary>An objective with one update a step, whose micro-batches are a function of the step and their number in it.</summary>
/// <typeparam name="TBatch">Its micro-batches.</typeparam>
/// <param name="batchesPerStep">Micro-batches per step over all ranks, ≥ 1.</param>
public abstract class Objective<TBatch>(int batchesPerStep = 1) : Objective
    where TBatch : TrainingBatch
{
    /// <summary>Micro-batches per step over all ranks.</summary>
    public int BatchesPerStep { get; } = batchesPerStep > 0 ? batchesPerStep : throw new ArgumentOutOfRangeException(nameof(batchesPerStep), batchesPerStep, "must be at least 1");

    /// <summary>A micro-batch of a step.</summary>
    /// <param name="step">The step, from 0.</param>
    /// <param name="index">Its number in the step, from 0.</param>
    public abstract TBatch Batch(long step, int index);

    /// <inheritdoc cref="Objective.Losses"/>
    public abstract IReadOnlyList<Tensor> Losses(LanguageModel model, TBatch batch, LossContext context);

    /// <inheritdoc/>
    public sealed override IEnumerable<Update> Updates(StepContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        (int first, int count) = context.Ranks.Share(BatchesPerStep);
        TBatch[] batches = new TBatch[count];
        for (int i = 0; i < count; i++)
            batches[i] = Batch(context.Step, first + i);
        yield return new Update(batches, first);
    }

    /// <inheritdoc/>
    public sealed override IReadOnlyList<Tensor> Losses(LanguageModel model, TrainingBatch batch, LossContext context) => Losses(model, (TBatch)batch, context);
}

/// <summary>A term of a loss.</summary>
/// <param name="Name">Its name in the log, where there are several.</param>
/// <param name="Coefficient">What its mean is multiplied by.</param>
public readonly record struct LossTerm(string Name, double Coefficient = 1);

/// <summary>One update of the parameters.</summary>
/// <param name="Batches">This rank's micro-batches; may be none.</param>
/// <param name="First">The number of the first of them among those of all ranks.</param>
public readonly record struct Update(IReadOnlyList<TrainingBatch> Batches, int First = 0);

/// <summary>A step as an objective sees it before it gives the step's data.</summary>
/// <param name="Model">The model.</param>
/// <param name="Step">The step, from 0.</param>
/// <param name="Key">What to derive all random numbers of the step from.</param>
/// <param name="Ranks">The ranks that share the step.</param>
public sealed record StepContext(LanguageModel Model, long Step, ulong Key, RankGroup Ranks)
{
    internal MetricSums Metrics { get; init; } = new();

    /// <summary>Adds to a metric of the step (<see cref="LossContext.Report"/>).</summary>
    /// <param name="name">Its name.</param>
    /// <param name="sum">The sum over what counts.</param>
    /// <param name="weight">How much it counts.</param>
    public void Report(string name, double sum, double weight = 1) => Metrics.Add(name, sum, weight);
}
