using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// Runs a block without keeping what it computes on the way: in a workspace of its own, and again in the backward pass where there is
/// one (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016).
/// </summary>
internal static class Recomputation
{
    /// <summary>The block of x, recorded as a whole where x has a tape.</summary>
    public static Tensor Run(Pass pass, IBlock block, Tensor x)
    {
        Workspace w = x.Workspace;
        ulong drawn = pass.Noise.Drawn;
        int routed = pass.RouterLogits?.Count ?? 0;
        Tensor y;
        using (Workspace inner = w.OpenChild())
        {
            y = w.Adopt(block.Forward(inner.Adopt(x), pass));
            for (int i = routed; i < pass.RouterLogits?.Count; i++)
                pass.RouterLogits[i] = w.Adopt(pass.RouterLogits[i]);
        }
        if (w.Tape is not null)
        {
            Tensor[] logits = pass.RouterLogits is null ? [] : [.. pass.RouterLogits.Skip(routed)];
            Array.ForEach(logits, Tape.Watch);
            w.Tape.Record(y, new RecomputeNode(pass, block, x, drawn, logits));
        }
        return y;
    }

    // Runs the block again with a tape of its own, then passes dy back through that. The router logits are outputs too: whatever
    // depends on them was recorded after the block, so their gradients are whole by now.
    private sealed class RecomputeNode(Pass pass, IBlock block, Tensor x, ulong drawn, Tensor[] logits) : Node
    {
        public override void Backward(Tensor dy)
        {
            using Workspace inner = dy.Workspace.OpenChild();
            Tape tape = inner.StartTape();
            Tensor input = inner.Adopt(x);
            Tape.Watch(input);
            (ulong last, IList<Tensor>? collected, Observer? observer) = (pass.Noise.Drawn, pass.RouterLogits, pass.Observer);
            List<Tensor> again = [];
            (pass.Noise.Drawn, pass.RouterLogits, pass.Observer) = (drawn, again, null);
            Tensor y = block.Forward(input, pass);
            (pass.Noise.Drawn, pass.RouterLogits, pass.Observer) = (last, collected, observer);
            for (int i = 0; i < logits.Length; i++)
            {
                if (logits[i].Gradient is { } gradient)
                    again[i].AddGradient(inner.Adopt(gradient));
            }
            tape.Backward(y, inner.Adopt(dy));
            if (x.NeedsGradient && input.Gradient is { } dx)
                x.AddGradient(x.Workspace.Adopt(dx));
        }
    }
}
