using Gradus.Tensors;
using Gradus.Training.Optimizers;

namespace Gradus.Training;

/// <summary>How a model is trained, whatever for.</summary>
/// <param name="Steps">Optimizer steps, ≥ 1.</param>
/// <param name="Optimizer">The optimizer; AdamW where null.</param>
/// <param name="Schedule">The learning rate's course; constant where null.</param>
/// <param name="ClipNorm">Gradients are scaled down to this norm over all parameters; 0 for no clipping.</param>
/// <param name="Recompute">Compute activations again in the backward pass rather than keep them: less memory, a third more time.</param>
/// <param name="Precision">How matrix products round their operands.</param>
/// <param name="EvaluateEvery">Steps between evaluations on held-out data; 0 only at the end.</param>
/// <param name="EvaluateBatches">The most micro-batches of an evaluation; 0 for all.</param>
/// <param name="CheckpointEvery">Steps between checkpoints; 0 only at the end.</param>
/// <param name="KeepCheckpoints">The newest checkpoints that are kept, ≥ 1.</param>
/// <param name="Seed">Draws data, dropout and new weights.</param>
public sealed record TrainingOptions(
    int Steps = 1000,
    OptimizerOptions? Optimizer = null,
    Schedule? Schedule = null,
    double ClipNorm = 1.0,
    bool Recompute = false,
    Precision Precision = Precision.F32,
    int EvaluateEvery = 0,
    int EvaluateBatches = 0,
    int CheckpointEvery = 0,
    int KeepCheckpoints = 2,
    ulong Seed = 1)
{
    /// <summary>What is wrong with the values, one line each.</summary>
    public IEnumerable<string> Problems() => new[]
    {
        Steps < 1 ? $"steps: must be at least 1, but is {Steps}." : null,
        ClipNorm < 0 ? $"clip_norm: must be at least 0, but is {ClipNorm}." : null,
        EvaluateEvery < 0 ? $"evaluate_every: must be at least 0, but is {EvaluateEvery}." : null,
        EvaluateBatches < 0 ? $"evaluate_batches: must be at least 0, but is {EvaluateBatches}." : null,
        CheckpointEvery < 0 ? $"checkpoint_every: must be at least 0, but is {CheckpointEvery}." : null,
        KeepCheckpoints < 1 ? $"keep_checkpoints: must be at least 1, but is {KeepCheckpoints}." : null,
        Optimizer?.Problem() is { } o ? $"optimizer.{o}" : null,
        Schedule?.Problem() is { } s ? $"schedule.{s}" : null,
    }.OfType<string>();
}
