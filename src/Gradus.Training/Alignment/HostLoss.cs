using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Alignment;

/// <summary>Log-probabilities of whole answers, and losses of few numbers that are computed on the host with their gradients.</summary>
public static class HostLoss
{
    /// <summary>log π of every sequence's counted targets, summed over them, (S).</summary>
    /// <param name="model">The model.</param>
    /// <param name="pass">The pass over the tokens.</param>
    /// <param name="targets">For every token the expected next one, or −100 where it does not count.</param>
    public static Tensor LogProbabilities(GenerativeModel model, Pass pass, int[] targets)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(pass);
        // Losses are 0 where a target does not count.
        return SumsOf(model.Losses(pass, pass.Workspace.From(targets)), pass.Layout, _ => true);
    }

    /// <summary>−Σ of the losses of each sequence's tokens that count, (N) → (S).</summary>
    /// <param name="losses">A loss for every token.</param>
    /// <param name="layout">The sequences.</param>
    /// <param name="counts">Whether the token of an index counts.</param>
    public static Tensor SumsOf(Tensor losses, AttentionLayout layout, Func<int, bool> counts)
    {
        ArgumentNullException.ThrowIfNull(losses);
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(counts);
        float[] sums = new float[layout.Sequences];
        ReadOnlySpan<float> values = losses.Values();
        for (int s = 0; s < sums.Length; s++)
        {
            double sum = 0;
            for (int i = layout.QueryStart(s); i < layout.QueryStart(s + 1); i++)
                sum -= counts(i) ? values[i] : 0;
            sums[s] = (float)sum;
        }
        Tensor y = losses.Workspace.From(sums, new Shape(sums.Length));
        if (losses.NeedsGradient && losses.Workspace.Tape is { } tape)
            tape.Record(y, new SequenceSums(losses, layout, counts));
        return y;
    }

    // y[s] = −Σ x of the sequence's tokens that count:  dx = −dy[s] for those.
    private sealed class SequenceSums(Tensor losses, AttentionLayout layout, Func<int, bool> counts) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.Empty(losses.Shape);
            Span<float> slopes = dx.Span();
            for (int s = 0; s < layout.Sequences; s++)
            {
                for (int i = layout.QueryStart(s); i < layout.QueryStart(s + 1); i++)
                    slopes[i] = counts(i) ? -dy.Span()[s] : 0;
            }
            losses.AddGradient(dx);
        }
    }

    /// <summary>How many targets of a sequence count.</summary>
    public static int Counted(ReadOnlySpan<int> targets, int start, int length)
    {
        int count = 0;
        foreach (int target in targets.Slice(start, length))
            count += target >= 0 ? 1 : 0;
        return count;
    }

    /// <summary>A loss that was computed outside of the tape from the values of a tensor.</summary>
    /// <param name="values">What it was computed from.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="gradient">Its derivative by each of the values.</param>
    public static Tensor Record(Tensor values, double loss, IReadOnlyList<double> gradient)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(gradient);
        if (gradient.Count != values.Count)
            throw new ArgumentException($"{values.Count} values, but {gradient.Count} derivatives.", nameof(gradient));
        Tensor y = values.Workspace.From([(float)loss], default);
        if (values.NeedsGradient && values.Workspace.Tape is { } tape)
            tape.Record(y, new GivenGradient(values, [.. gradient.Select(g => (float)g)]));
        return y;
    }

    // dx = dy · the given derivatives.
    private sealed class GivenGradient(Tensor x, float[] gradient) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.From(gradient, x.Shape);
            dy.Device.Scale(dx, dy.Item(), dx);
            x.AddGradient(dx);
        }
    }
}
