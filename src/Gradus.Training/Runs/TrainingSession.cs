using System.Diagnostics;
using Gradus.Files;

namespace Gradus.Training.Runs;

/// <summary>
/// Carries a training run through: steps, evaluations, the log, checkpoints, resuming. It yields what happens; the caller prints,
/// samples, or stops by cancelling, in which case the run is saved first.
/// </summary>
public sealed class TrainingSession
{
    private readonly Trainer _trainer;
    private readonly TrainingOptions _options;
    private readonly RunFolder _run;
    private readonly Action<AtomicFolder> _writeModel;
    private long _tokens;
    private double _seconds;
    private double _best = double.PositiveInfinity;
    private long _bestStep = -1;
    private int _worse;

    /// <summary>Prepares a run.</summary>
    /// <param name="trainer">The trainer.</param>
    /// <param name="options">When to evaluate, save and end.</param>
    /// <param name="run">The folder; a run in it goes on from its newest whole checkpoint.</param>
    /// <param name="writeModel">Writes the model (or its adapter) and the tokenizer into a checkpoint.</param>
    /// <exception cref="InvalidDataException">The run cannot go on: its checkpoints are damaged, or were made with another configuration.</exception>
    public TrainingSession(Trainer trainer, TrainingOptions options, RunFolder run, Action<AtomicFolder> writeModel)
    {
        ArgumentNullException.ThrowIfNull(trainer);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(writeModel);
        _trainer = trainer;
        _options = options;
        _run = run;
        _writeModel = writeModel;
        if (run.Resumed && run.CheckpointToGoOnFrom() is { } checkpoint)
            _tokens = TrainerState.Read(checkpoint, trainer, options.Seed);
        run.OpenLog(trainer.Steps);
        foreach ((long step, double loss) in run.Evaluations)
            Judge(step, loss);
    }

    /// <summary>Whether the loss has not fallen for as many evaluations as <see cref="TrainingOptions.Patience"/> says.</summary>
    public bool EndedEarly => _options.Patience > 0 && _worse >= _options.Patience;

    /// <summary>Runs to the end, or until cancelled.</summary>
    /// <param name="cancellation">Asks to stop: the run is saved and the enumeration ends.</param>
    /// <exception cref="TrainingDivergedException">The loss or a parameter is not a number; checkpoints saved before stay, and nothing worse is saved.</exception>
    public IEnumerable<TrainingEvent> Run(CancellationToken cancellation = default)
    {
        long lastSaved = _trainer.Steps, lastEvaluated = -1, savedAt = Stopwatch.GetTimestamp();
        if (_trainer.Steps == 0 && _options.EvaluateEvery > 0)
        {
            lastEvaluated = 0;
            if (Evaluate(cancellation) is { } first)
                yield return first;
        }
        while (_trainer.Steps < _options.Steps && !EndedEarly && !cancellation.IsCancellationRequested)
        {
            long start = Stopwatch.GetTimestamp();
            StepReport report = _trainer.Step();
            _tokens += report.Tokens;
            _seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            StepMade made = new(report, _tokens, _seconds);
            _run.Log(made.ToJson());
            yield return made;
            if (Due(_options.EvaluateEvery) && _trainer.Steps < _options.Steps)
            {
                lastEvaluated = _trainer.Steps;
                if (Evaluate(cancellation) is { } evaluated)
                    yield return evaluated;
            }
            bool best = _options.KeepBest && _bestStep == _trainer.Steps;
            bool late = _options.CheckpointMinutes > 0 && Stopwatch.GetElapsedTime(savedAt).TotalMinutes >= _options.CheckpointMinutes;
            if ((Due(_options.CheckpointEvery) || late || best) && _trainer.Steps < _options.Steps)
            {
                lastSaved = _trainer.Steps;
                yield return Save();
                savedAt = Stopwatch.GetTimestamp();
            }
        }
        if (!cancellation.IsCancellationRequested && lastEvaluated != _trainer.Steps && Evaluate(cancellation) is { } last)
            yield return last;
        if (lastSaved != _trainer.Steps || RunFolder.LatestCheckpoint(_run.FullPath) is null)
            yield return Save();
    }

    private bool Due(int every) => every > 0 && _trainer.Steps % every == 0;

    private Evaluated? Evaluate(CancellationToken cancellation)
    {
        if (_trainer.Evaluate(cancellation) is not { } report)
            return null;
        // A run that goes on at its first or last step has this line already.
        Evaluated evaluated = new(report);
        if (report.Step == _run.LastEvaluation)
            return evaluated;
        _run.Log(evaluated.ToJson());
        Judge(report.Step, report.Loss);
        return evaluated;
    }

    private void Judge(long step, double loss)
    {
        _worse = loss < _best ? 0 : _worse + 1;
        if (loss < _best)
            (_best, _bestStep) = (loss, step);
    }

    private Saved Save()
    {
        _trainer.ThrowIfDiverged();
        string path = _run.CheckpointFolder(_trainer.Steps);
        using (AtomicFolder folder = AtomicFolder.Begin(path))
        {
            _writeModel(folder);
            TrainerState.Write(folder, _trainer, _options.Seed, _tokens);
            folder.Commit();
        }
        if (_options.KeepBest && _bestStep == _trainer.Steps)
            _run.MarkBest(_trainer.Steps);
        _run.KeepNewest(_options.KeepCheckpoints);
        return new Saved(_trainer.Steps, path);
    }
}
