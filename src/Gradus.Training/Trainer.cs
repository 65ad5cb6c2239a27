using System.Diagnostics;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;
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
    private readonly Objective _objective;
    private readonly TrainingOptions _options;
    private readonly Parameter[] _parameters;
    private readonly Workspace _workspace;
    private readonly Optimizer _optimizer;
    private readonly OptimizerOptions _rate;
    private readonly Schedule _schedule;

    /// <summary>Prepares to train the model's trainable parameters.</summary>
    /// <exception cref="InvalidOperationException">Nothing is trainable.</exception>
    public Trainer(LanguageModel model, Objective objective, TrainingOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(options);
        _model = model;
        _objective = objective;
        _options = options;
        _parameters = [.. model.TrainableParameters];
        if (_parameters.Length == 0)
            throw new InvalidOperationException("The model has no trainable parameters.");
        _workspace = model.Parts.Store.NewScratch(options.Precision);
        _rate = options.Optimizer;
        _schedule = options.Schedule;
        _optimizer = new Optimizer(_rate.Rules(), _parameters, model.Device);
    }

    /// <summary>Steps made so far, those before a resume included.</summary>
    public long Steps => _optimizer.Steps;

    /// <summary>The parameters that are trained.</summary>
    public IReadOnlyList<Parameter> Parameters => _parameters;

    /// <summary>The optimizer with what it remembers.</summary>
    public Optimizer Optimizer => _optimizer;

    /// <summary>The most bytes of activations and gradients in flight so far.</summary>
    public long PeakActivationBytes => _workspace.PeakBytes;

    /// <summary>Bytes taken for activations and gradients and kept for the next step; settles after a few steps.</summary>
    public long ReservedActivationBytes => _workspace.ReservedBytes;

    /// <summary>One optimizer step.</summary>
    /// <exception cref="TrainingDivergedException">The loss or the gradient is not a number; the parameters are as before the step.</exception>
    public StepReport Step()
    {
        long start = Stopwatch.GetTimestamp(), step = Steps;
        IReadOnlyList<MicroBatch> batches = _objective.Batches(step);
        long targets = batches.Sum(b => (long)b.TargetCount), tokens = batches.Sum(b => (long)b.Tokens.Count + (b.Tokens.Source?.Count ?? 0));
        double loss = 0;
        for (int i = 0; i < batches.Count; i++)
            loss += Accumulate(batches[i], Math.Max(1, targets), CounterRandom.Derive(CounterRandom.Derive((ulong)_options.Seed, (ulong)step), (ulong)i));
        loss /= Math.Max(1, targets);
        double norm = GradientNorm(_parameters);
        if (!double.IsFinite(loss) || !double.IsFinite(norm))
        {
            foreach (Parameter parameter in _parameters)
                parameter.ClearGradient();
            throw new TrainingDivergedException(step + 1, $"the loss is {loss} and the gradient's norm {norm}; the step was not made");
        }
        double rate = _rate.LearningRate * _schedule.Factor(step, _options.Steps);
        _optimizer.Step(rate, _options.ClipNorm > 0 ? ClipScale(norm, _options.ClipNorm) : 1f);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new StepReport(step + 1, loss, rate, norm, tokens, seconds);
    }

    /// <summary>The loss on held-out data, or null where the objective has none.</summary>
    /// <param name="cancellation">Gives up: the result is null.</param>
    /// <exception cref="TrainingDivergedException">The loss is infinite or not a number.</exception>
    public EvaluationReport? Evaluate(CancellationToken cancellation = default)
    {
        IEnumerable<MicroBatch> batches = _objective.Validation();
        if (_options.EvaluateBatches > 0)
            batches = batches.Take(_options.EvaluateBatches);
        double loss = 0;
        long targets = 0;
        foreach (MicroBatch batch in batches)
        {
            if (cancellation.IsCancellationRequested)
                return null;
            loss += _objective.Loss(_model, batch, new Pass(batch.Tokens, _workspace)).Item();
            targets += batch.TargetCount;
            _workspace.Reset();
        }
        if (!double.IsFinite(loss))
            throw new TrainingDivergedException(Steps, $"the loss on held-out data is {loss}");
        return targets == 0 ? null : new EvaluationReport(Steps, loss / targets, targets, _objective.ValidationBytesPerTarget);
    }

    /// <summary>Refuses parameters that an update has made infinite or not a number: no step can be made from them.</summary>
    /// <exception cref="TrainingDivergedException">There is one.</exception>
    public void ThrowIfDiverged()
    {
        if (_parameters.FirstOrDefault(p => !double.IsFinite(p.Value.Device.SumOfSquares(p.Value))) is { } parameter)
            throw new TrainingDivergedException(Steps, $"the parameter {parameter.Name} is no longer finite");
    }

    private double Accumulate(MicroBatch batch, long targets, ulong key)
    {
        _workspace.Reset();
        Tape tape = _workspace.StartTape();
        Pass pass = new(batch.Tokens, _workspace) { Recompute = _options.Recompute };
        pass.Train(key);
        Tensor sum = _objective.Loss(_model, batch, pass);
        double loss = sum.Item();
        tape.Backward(sum.Scale(1f / targets));
        _workspace.Reset();
        return loss;
    }

    /// <summary>The Euclidean norm of all gradients together.</summary>
    public static double GradientNorm(IEnumerable<Parameter> parameters)
    {
        Tensor[] gradients = [.. parameters.Select(p => p.Gradient).OfType<Tensor>()];
        return gradients.Length == 0 ? 0 : Math.Sqrt(gradients[0].Device.SumOfSquares(gradients));
    }

    /// <summary>The factor that brings gradients of a norm down to the largest allowed (Pascanu et al., 2013); 1 where they are smaller.</summary>
    public static float ClipScale(double norm, double largest) => (float)Math.Min(1, largest / (norm + 1e-6));

    /// <summary>Frees the optimizer's state and the activations; not the model.</summary>
    public void Dispose()
    {
        _optimizer.Dispose();
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
    /// <summary>e to the loss.</summary>
    public double Perplexity => Math.Exp(Loss);

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
