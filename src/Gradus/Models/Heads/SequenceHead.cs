using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Judges whole sequences. Targets and loss depend on the problem: one class of several (S), I32, negative where it does not
/// count: cross-entropy; any number of classes (S, L), F32 in [0, 1]: binary cross-entropy of each; numbers (S, L), F32: squared error.
/// </summary>
/// <param name="scores">(N, C) → (S, L).</param>
/// <param name="problem">What the scores mean.</param>
public sealed class SequenceHead(Func<Tensor, Pass, Tensor> scores, ProblemType problem) : TaskHead
{
    /// <summary>What the scores mean.</summary>
    public ProblemType Problem => problem;

    /// <summary>(S, L).</summary>
    public override Tensor Scores(Tensor hidden, Pass pass) => scores(hidden, pass);

    /// <inheritdoc/>
    public override Tensor Losses(Tensor hidden, Tensor targets, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentNullException.ThrowIfNull(pass);
        Tensor z = scores(hidden, pass);
        switch (problem)
        {
            case ProblemType.Regression:
                return z.Subtract(Fit(targets, z)).Activate(Activation.Square);
            case ProblemType.MultiLabelClassification:
                return BinaryCrossEntropy(z, targets);
            default:
                (Tensor rows, Tensor counting) = Counting(z, targets, pass);
                return rows.CrossEntropy(counting);
        }
    }
}
