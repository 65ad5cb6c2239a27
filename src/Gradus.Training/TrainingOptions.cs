using System.ComponentModel.DataAnnotations;
using Gradus.Tensors;
using Gradus.Training.Optimizers;

namespace Gradus.Training;

/// <summary>How a model is trained, whatever for.</summary>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="ClipNorm">Gradients are scaled down to this norm over all parameters; 0 for no clipping.</param>
/// <param name="ClipNormType">p of the norm that is clipped and logged, (Σ|g|ᵖ)^(1/p), ≥ 1; 0 for the largest size of an element (p = ∞).</param>
/// <param name="ClipValue">Elements of gradients are cut to this size; 0 for no clipping. Needs clip_norm 0.</param>
/// <param name="Recompute">Compute activations again in the backward pass rather than keep them: less memory, a third more time.</param>
/// <param name="Precision">How matrix products round their operands; auto for bf16 where the machine has instructions for it, else f32.</param>
/// <param name="EvaluateEvery">Steps between evaluations on held-out data; 0 only at the end.</param>
/// <param name="EvaluateBatches">The most micro-batches of an evaluation; 0 for all.</param>
/// <param name="CheckpointEvery">Steps between checkpoints; 0 for none by steps. One is written at the end, too.</param>
/// <param name="CheckpointMinutes">Minutes after which a checkpoint is written even if no step of <paramref name="CheckpointEvery"/> came; 0 for never.</param>
/// <param name="KeepCheckpoints">The newest checkpoints that are kept.</param>
/// <param name="Leaves">Parts of every step whose sums are taken along one binary tree: the most ranks that can share it, with the same bits on any number of them. 1 for one rank.</param>
/// <param name="Seed">Draws data, dropout and new weights.</param>
/// <param name="Patience">Evaluations in a row without a lower loss after which training ends; 0 for never.</param>
/// <param name="KeepBest">Save at every evaluation with the lowest loss so far, and keep that checkpoint: it is the run's model.</param>
public sealed record TrainingOptions(
    [Range(1, int.MaxValue)] int Steps = 1000,
    [Range(0, double.PositiveInfinity)] double ClipNorm = 1.0,
    [Range(0, double.PositiveInfinity)] double ClipNormType = 2,
    [Range(0, double.PositiveInfinity)] double ClipValue = 0,
    bool Recompute = false,
    Precision Precision = Precision.F32,
    [Range(0, int.MaxValue)] int EvaluateEvery = 0,
    [Range(0, int.MaxValue)] int EvaluateBatches = 0,
    [Range(0, int.MaxValue)] int CheckpointEvery = 0,
    [Range(0, double.PositiveInfinity)] double CheckpointMinutes = 10,
    [Range(1, int.MaxValue)] int KeepCheckpoints = 2,
    [Range(1, 4096)] int Leaves = 1,
    [Range(0, long.MaxValue)] long Seed = 1,
    [Range(0, int.MaxValue)] int Patience = 0,
    bool KeepBest = false) : IValidatableObject
{
    /// <summary>The optimizer.</summary>
    public OptimizerOptions Optimizer { get; init; } = new AdamW();

    /// <summary>The learning rate's course.</summary>
    public Schedule Schedule { get; init; } = new ConstantSchedule();

    /// <summary>Parameters that are trained otherwise than the rest: with other rates, or another optimizer. The first group that names a parameter has it.</summary>
    public ParameterGroup[] Groups { get; init; } = [];

    /// <summary>These options with what the device decides, so that a run's record says what was done.</summary>
    /// <param name="device">Where the model is trained.</param>
    public TrainingOptions On(Device device) => Precision == Precision.Auto ? this with { Precision = device.FastPrecision } : this;

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (ClipValue > 0 && ClipNorm > 0)
            yield return new ValidationResult("clips elements while clip_norm clips the norm (1 unless given); set clip_norm to 0, or leave clip_value out", [nameof(ClipValue)]);
        if (Patience > 0 && EvaluateEvery == 0)
            yield return new ValidationResult("counts evaluations, but there are none on the way; set evaluate_every", [nameof(Patience)]);
        if (ClipNormType is > 0 and < 1)
            yield return new ValidationResult("must be at least 1, or 0 for the largest element", [nameof(ClipNormType)]);
    }
}
