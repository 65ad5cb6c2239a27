using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Finds the answer to a question in the text that follows it: scores every token as its first and as its last (Devlin et al.,
/// "BERT", 2019). Targets are (S, 2), I32: the first and the last token of the answer, counted within the sequence; one that lies
/// outside the sequence does not count. The loss is the cross-entropy over the tokens of the sequence.
/// </summary>
/// <param name="scores">(N, C) → (N, 2): start, end.</param>
public sealed class SpanHead(Func<Tensor, Pass, Tensor> scores) : TaskHead
{
    // Large enough that a probability is 0, small enough that sums stay finite.
    private const float Masked = -1e30f;

    /// <summary>(N, 2): start, end.</summary>
    public override Tensor Scores(Tensor hidden, Pass pass) => scores(hidden, pass);

    /// <inheritdoc/>
    public override Tensor Losses(Tensor hidden, Tensor targets, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentNullException.ThrowIfNull(pass);
        AttentionLayout layout = pass.Layout;
        int sequences = layout.Sequences;
        if (targets.Count != 2 * sequences)
            throw new ArgumentException($"{sequences} sequences need the start and the end of as many answers, (S, 2), but the targets are {targets}.", nameof(targets));
        int[] ends = targets.Span<int>().ToArray();
        for (int i = 0; i < ends.Length; i++)
            ends[i] = ends[i] < layout.QueryCount(i / 2) ? ends[i] : -1;

        (Tensor places, Tensor mask) = Rectangle(layout, pass.Workspace);
        Tensor z = scores(hidden, pass);
        Tensor starts = Side(z.Columns(0, 1), 0), lasts = Side(z.Columns(1, 1), 1);
        (Tensor rows, _) = Counting(starts.Append(lasts).Reshape(2 * sequences, 1), pass.Workspace.From(ends), pass);
        return rows.Reshape(rows.Shape[0]);

        // (N, 1) → (S, 1).
        Tensor Side(Tensor column, int side) => column.Gather(places).Reshape(mask.Shape[0], mask.Shape[1]).Add(mask)
            .CrossEntropy(pass.Workspace.From([.. ends.Where((_, i) => i % 2 == side)])).Reshape(sequences, 1);
    }

    // Sequences side by side, as long as the longest: the row of every place (S·T), and what hides the places past an end (S, T).
    private static (Tensor Places, Tensor Mask) Rectangle(AttentionLayout layout, Workspace workspace)
    {
        int longest = layout.Longest.Queries;
        int[] places = new int[layout.Sequences * longest];
        float[] mask = new float[places.Length];
        for (int s = 0; s < layout.Sequences; s++)
        {
            for (int i = 0; i < longest; i++)
            {
                bool inside = i < layout.QueryCount(s);
                places[(s * longest) + i] = inside ? layout.QueryStart(s) + i : 0;
                mask[(s * longest) + i] = inside ? 0 : Masked;
            }
        }
        return (workspace.From(places), workspace.From(mask, new Shape(layout.Sequences, longest)));
    }
}
