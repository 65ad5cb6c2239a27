using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>What a task adds to a body: scores made of hidden states, and the loss that compares them with what is right.</summary>
public abstract class TaskHead
{
    private protected TaskHead()
    {
    }

    /// <summary>Scores (logits) of what the head decides.</summary>
    /// <param name="hidden">(N, C): the body's hidden state of every token.</param>
    /// <param name="pass">The pass over the tokens.</param>
    public abstract Tensor Scores(Tensor hidden, Pass pass);

    /// <summary>The losses, one value for each target that counts; their mean is the loss of a batch.</summary>
    /// <param name="hidden">(N, C).</param>
    /// <param name="targets">What is right; the head says in which form.</param>
    /// <param name="pass">The pass over the tokens.</param>
    public abstract Tensor Losses(Tensor hidden, Tensor targets, Pass pass);

    /// <summary>The rows whose targets are not negative, and these targets.</summary>
    private protected static (Tensor Rows, Tensor Targets) Counting(Tensor rows, Tensor targets, Pass pass)
    {
        if (targets.Count != rows.Shape[0])
            throw new ArgumentException($"{rows.Shape[0]} rows are scored, but there are {targets.Count} targets.", nameof(targets));
        int[] values = targets.Span<int>().ToArray();
        int[] counting = [.. Enumerable.Range(0, values.Length).Where(i => values[i] >= 0)];
        return counting.Length == values.Length
            ? (rows, targets)
            : (rows.Gather(pass.Workspace.From(counting)), pass.Workspace.From([.. counting.Select(i => values[i])]));
    }

    /// <summary>−y·log σ(z) − (1 − y)·log(1 − σ(z)) = log(1 + eᶻ) − y·z, element by element.</summary>
    private protected static Tensor BinaryCrossEntropy(Tensor scores, Tensor targets) =>
        scores.Activate(Activation.Softplus).Subtract(scores.Multiply(Fit(targets, scores)));

    /// <summary>Targets with the axes of the scores.</summary>
    private protected static Tensor Fit(Tensor targets, Tensor scores) => targets.DType == DType.F32 && targets.Count == scores.Count
        ? targets.Shape == scores.Shape ? targets : targets.Workspace.View(targets, scores.Shape, 0)
        : throw new ArgumentException($"The scores are {scores.Shape}, but the targets are {targets}; give as many F32 values.", nameof(targets));
}
