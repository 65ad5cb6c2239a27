using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Chooses a class for every token: the word behind a mask (Devlin et al., "BERT", 2019), or a tag. Targets are (N), I32, negative
/// (−100) for tokens that do not count; the loss is the cross-entropy.
/// </summary>
/// <param name="scores">(N, C) → (N, V): each row by itself.</param>
public sealed class TokenHead(Func<Tensor, Pass, Tensor> scores) : TaskHead
{
    /// <summary>(N, V).</summary>
    public override Tensor Scores(Tensor hidden, Pass pass) => scores(hidden, pass);

    // Masks are few: only their rows are scored over the vocabulary.
    /// <inheritdoc/>
    public override Tensor Losses(Tensor hidden, Tensor targets, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentNullException.ThrowIfNull(pass);
        (Tensor rows, Tensor counting) = Counting(hidden, targets, pass);
        return scores(rows, pass).CrossEntropy(counting);
    }
}
