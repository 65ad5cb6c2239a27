using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>A linear layer plus a matrix that few parameters make: y = W·x + b + ΔW·x.</summary>
public abstract class DeltaAdapter : AddingAdapter
{
    private protected DeltaAdapter()
    {
    }

    /// <summary>ΔW (out, in) in a step's workspace; gradients flow to the parameters.</summary>
    /// <param name="step">The workspace.</param>
    public abstract Tensor Delta(Workspace step);

    /// <summary>ΔW as training computes it: with what it leaves out this time, or null where that is all.</summary>
    private protected virtual Tensor? TrainedDelta(Workspace step, Pass pass) => Delta(step);

    /// <inheritdoc/>
    public override Tensor? Change(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        return TrainedDelta(x.Workspace, pass) is { } delta ? x.Linear(delta) : null;
    }

    /// <inheritdoc/>
    public override Tensor Merge(Linear layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        return layer.Weight.Dense(workspace).Add(Delta(workspace));
    }

    // Rows of ΔW that training leaves out, and the whole of it now and then, as LyCORIS does; what is left grows as dropout's does.
    private protected Tensor? Drop(Tensor delta, Pass pass, float rows, float all, bool grows)
    {
        if (pass.Noise.DropsBlock(all))
            return null;
        if (!pass.Noise.Drops(rows))
            return delta;
        Tensor ones = delta.Workspace.Empty(new Shape(delta.Shape[0]));
        ones.Span().Fill(grows ? 1 : 1 - rows);
        return delta.ScaleRows(pass.Dropout(ones, rows));
    }
}
