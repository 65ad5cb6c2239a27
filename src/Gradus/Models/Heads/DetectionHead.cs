using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Says of every token whether it was replaced (Clark et al., "ELECTRA", 2020). Targets are (N), F32, 1 where it was and 0 where it
/// was not; the loss is the binary cross-entropy.
/// </summary>
/// <param name="scores">(N, C) → (N, 1).</param>
public sealed class DetectionHead(Func<Tensor, Pass, Tensor> scores) : TaskHead
{
    /// <summary>(N, 1): positive where the token looks replaced.</summary>
    public override Tensor Scores(Tensor hidden, Pass pass) => scores(hidden, pass);

    /// <inheritdoc/>
    public override Tensor Losses(Tensor hidden, Tensor targets, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(targets);
        return BinaryCrossEntropy(scores(hidden, pass), targets);
    }
}
