using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>A linear layer plus what few parameters make of its input: y = W·x + b + <see cref="Adapter.Change"/>(x), in one product.</summary>
public abstract class AddingAdapter : Adapter
{
    private protected AddingAdapter()
    {
    }

    /// <inheritdoc/>
    public sealed override Tensor Forward(Linear layer, Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return Change(x, pass) is { } change ? layer.Weight.Multiply(x, layer.Bias?.Value, Epilogue.Residual(change)) : layer.Base(x);
    }
}
