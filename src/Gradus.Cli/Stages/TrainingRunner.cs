using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Reports;
using Gradus.Files;
using Gradus.Models;
using Gradus.Training;
using Gradus.Training.Alignment;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Carries a training run through for any stage: progress, samples, the report.</summary>
/// <param name="name">The stage's verb.</param>
/// <param name="context">The command line.</param>
/// <param name="options">How to train.</param>
/// <param name="sampler">Writes texts along the way, or null.</param>
/// <param name="watch">Looks at the figures of learning from rewards, or null.</param>
internal sealed class TrainingRunner(string name, StageContext context, TrainingOptions options, Sampler? sampler, RewardWatch? watch = null)
{
    private const double SecondsBetweenLines = 2;

    /// <summary>What may change when a training run goes on: it has no part in the numbers, but for how many steps there are.</summary>
    public static IReadOnlyList<string> MayChange { get; } =
    [
        "training.steps", "training.evaluate_every", "training.evaluate_batches", "training.checkpoint_every", "training.checkpoint_minutes",
        "training.keep_checkpoints", "training.keep_best", "training.patience", "training.recompute", "samples",
    ];

    private long _lastLine;
    private double _speed;
    private (long Step, double Loss)? _first;
    private (long Step, double Loss)? _last;
    private IReadOnlyDictionary<string, double> _lastMetrics = new Dictionary<string, double>();

    /// <summary>Trains and writes the report.</summary>
    /// <param name="model">The model; its trainable parameters are trained.</param>
    /// <param name="objective">What for.</param>
    /// <param name="run">The run's folder.</param>
    /// <param name="describe">Writes <c>run.json</c>; called once all that can be wrong with the input has been seen.</param>
    /// <param name="writeModel">Writes model or adapter, and tokenizer, into a checkpoint.</param>
    /// <returns>Facts about the run; not finished where it was asked to stop.</returns>
    public StageResult Train(LanguageModel model, Objective objective, RunFolder run, Action describe, Action<AtomicFolder> writeModel)
    {
        long start = Stopwatch.GetTimestamp();
        using Trainer trainer = new(model, objective, options);
        TrainingSession session = new(trainer, options, run, writeModel);
        long trained = trainer.Parameters.Sum(p => p.Shape.Count);
        if (run.Resumed)
            RecallEvaluations(run);
        if (run.Resumed && (trainer.Steps >= options.Steps || session.EndedEarly))
        {
            RunReport.Write(run.FullPath);
            context.Note($"{name}: already finished: {trainer.Steps:N0} steps were made; go on with more by --training.steps=N");
            return new StageResult(run.FullPath, Facts(model, trained, trainer));
        }
        describe();
        context.Say($"{name}: {trained:N0} trained of {model.ParameterCount:N0} parameters, {options.Steps:N0} steps on {model.Device.Name}{(trainer.Steps > 0 ? $", going on after step {trainer.Steps:N0}" : "")}");
        if (options.Schedule.WarmupSteps >= options.Steps)
            context.Note($"{name}: warning: the warm-up of {options.Schedule.WarmupSteps:N0} steps is as long as the run or longer ({options.Steps:N0} steps); the learning rate does not reach what was asked for. Lower training.schedule.warmup_steps");
        else if (options.Schedule is WarmupStableDecaySchedule { DecaySteps: { } decay } && options.Schedule.WarmupSteps + (long)decay > options.Steps)
            context.Note($"{name}: warning: the warm-up of {options.Schedule.WarmupSteps:N0} and the decay of {decay:N0} steps are longer than the run ({options.Steps:N0} steps); the learning rate does not reach what was asked for. Lower training.schedule.decay_steps");
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(context.Cancellation);
        bool ended = false;
        foreach (TrainingEvent happened in session.Run(stop.Token))
        {
            Show(happened, run);
            if (happened is not StepMade { Report: var step } || !Alarmed(step, run))
                continue;
            ended = true;
            stop.Cancel();
        }
        bool finished = trainer.Steps >= options.Steps || ended || session.EndedEarly;
        if (session.EndedEarly)
            context.Note($"{name}: the loss on held-out data has not fallen for {options.Patience:N0} evaluations; training ends after step {trainer.Steps:N0}");
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        string report = RunReport.Write(run.FullPath);
        context.Say(finished
            ? $"{name}: done in {StageContext.Duration(seconds)} → {Path.GetRelativePath(".", report)}"
            : $"{name}: stopped after step {trainer.Steps:N0} and saved; go on with --resume");
        return new StageResult(run.FullPath, Facts(model, trained, trainer), finished);
    }

    // What an earlier process of this run has measured.
    private void RecallEvaluations(RunFolder run)
    {
        if (LogContents.Read(Path.Combine(run.FullPath, RunFolder.LogFile)) is not { } log)
            return;
        (long Step, double Loss)[] measured = [.. log.Evaluations.Where(e => e is { Step: not null, Loss: not null }).Select(e => (e.Step!.Value, e.Loss!.Value))];
        if (measured.Length > 0)
            (_first, _last) = (measured[0], measured[^1]);
        _speed = log.Steps.Count > 0 ? log.Steps[^1].TokensPerSecond ?? 0 : 0;
    }

    private List<(string Label, string Value)> Facts(LanguageModel model, long trained, Trainer trainer)
    {
        List<(string, string)> facts = [("Parameters", model.ParameterCount.ToString("N0", CultureInfo.InvariantCulture))];
        if (trained != model.ParameterCount)
            facts.Add(("Trained parameters", trained.ToString("N0", CultureInfo.InvariantCulture)));
        facts.Add(("Steps", trainer.Steps.ToString("N0", CultureInfo.InvariantCulture)));
        if (_last is { } last)
        {
            string before = _first is { } first && first.Step < last.Step ? string.Create(CultureInfo.InvariantCulture, $"{first.Loss:0.000} → ") : "";
            facts.Add(("Validation loss", before + last.Loss.ToString("0.000", CultureInfo.InvariantCulture)));
        }
        foreach ((string metric, double value) in _lastMetrics.Take(3))
            facts.Add(($"Validation {metric}", value.ToString("0.000", CultureInfo.InvariantCulture)));
        facts.Add(("Tokens per second", _speed.ToString("N0", CultureInfo.InvariantCulture)));
        return facts;
    }

    private void Show(TrainingEvent happened, RunFolder run)
    {
        context.Tell(happened.ToJson(), happened switch
        {
            StepMade { Report: var step } => Line(step),
            Evaluated { Report: var evaluation } => Line(evaluation),
            Saved { Step: var at, Folder: var folder } => $"  step {at,6:N0}  saved {Path.GetRelativePath(".", folder)}",
            _ => null,
        });
        if (happened is not Evaluated { Report: var measured })
            return;
        _first ??= (measured.Step, measured.Loss);
        _last = (measured.Step, measured.Loss);
        _lastMetrics = measured.Metrics;
        sampler?.Write(run, measured.Step);
    }

    // Whether a figure says that the run is to end.
    private bool Alarmed(StepReport step, RunFolder run)
    {
        bool stops = false;
        foreach (RewardAlarm alarm in watch?.See(step.Step, step.Metrics) ?? [])
        {
            run.Log(new JsonObject { ["kind"] = "alarm", ["step"] = step.Step, ["text"] = alarm.Text });
            context.Note($"{name}: {alarm.Text}");
            stops |= alarm.Stops;
        }
        return stops;
    }

    // Not every step: a person reads it.
    private string? Line(StepReport step)
    {
        _speed = _speed == 0 ? step.TokensPerSecond : (0.95 * _speed) + (0.05 * step.TokensPerSecond);
        if (context.Json || (step.Step != options.Steps && _lastLine != 0 && Stopwatch.GetElapsedTime(_lastLine).TotalSeconds < SecondsBetweenLines))
            return null;
        _lastLine = Stopwatch.GetTimestamp();
        double left = _speed > 0 ? (options.Steps - step.Step) * step.Tokens / _speed : 0;
        return string.Create(CultureInfo.InvariantCulture, $"  step {step.Step,6:N0}/{options.Steps:N0}  loss {step.Loss:0.0000}  lr {step.LearningRate:0.00e0}  gradient {step.GradientNorm:0.00}{Figures(step.Metrics)}  {_speed:N0} tokens/s  {StageContext.Duration(left)} left");
    }

    private static string Line(EvaluationReport evaluation) => string.Create(
        CultureInfo.InvariantCulture,
        $"  step {evaluation.Step,6:N0}  validation loss {evaluation.Loss:0.0000}{(evaluation.Perplexity is { } perplexity ? $"  perplexity {perplexity:0.00}" : "")}{(evaluation.BitsPerByte is { } bits ? $"  bits per byte {bits:0.000}" : "")}{Figures(evaluation.Metrics)}");

    // As many as fit a line; the log has all.
    private static string Figures(IReadOnlyDictionary<string, double> metrics) =>
        string.Concat(metrics.Take(4).Select(m => string.Create(CultureInfo.InvariantCulture, $"  {m.Key} {m.Value:0.000}")));
}
