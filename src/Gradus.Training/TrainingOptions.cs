using System.ComponentModel.DataAnnotations;
using Gradus.Tensors;
using Gradus.Training.Optimizers;

namespace Gradus.Training;

/// <summary>How a model is trained, whatever for.</summary>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="ClipNorm">Gradients are scaled down to this norm over all parameters; 0 for no clipping.</param>
/// <param name="Recompute">Compute activations again in the backward pass rather than keep them: less memory, a third more time.</param>
/// <param name="Precision">How matrix products round their operands.</param>
/// <param name="EvaluateEvery">Steps between evaluations on held-out data; 0 only at the end.</param>
/// <param name="EvaluateBatches">The most micro-batches of an evaluation; 0 for all.</param>
/// <param name="CheckpointEvery">Steps between checkpoints; 0 only at the end.</param>
/// <param name="KeepCheckpoints">The newest checkpoints that are kept.</param>
/// <param name="Seed">Draws data, dropout and new weights.</param>
public sealed record TrainingOptions(
    [Range(1, int.MaxValue)] int Steps = 1000,
    [Range(0, double.PositiveInfinity)] double ClipNorm = 1.0,
    bool Recompute = false,
    Precision Precision = Precision.F32,
    [Range(0, int.MaxValue)] int EvaluateEvery = 0,
    [Range(0, int.MaxValue)] int EvaluateBatches = 0,
    [Range(0, int.MaxValue)] int CheckpointEvery = 0,
    [Range(1, int.MaxValue)] int KeepCheckpoints = 2,
    [Range(0, long.MaxValue)] long Seed = 1)
{
    /// <summary>The optimizer.</summary>
    public OptimizerOptions Optimizer { get; init; } = new AdamW();

    /// <summary>The learning rate's course.</summary>
    public Schedule Schedule { get; init; } = new ConstantSchedule();
}
