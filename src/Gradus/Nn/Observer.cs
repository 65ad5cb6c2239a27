using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// Sees what a model computes on the way (<see cref="Pass.Observer"/>): hidden states, attention, the inputs of linear layers. What it
/// is shown belongs to the pass and lives no longer than that. Without one nothing is computed for it.
/// </summary>
public abstract class Observer
{
    /// <summary>Whether <see cref="Attention"/> wants queries and keys, for which attention is computed from separate tensors.</summary>
    public virtual bool WantsAttention => false;

    /// <summary>The input of the first block, then the output of every block (of the last one after the final norm).</summary>
    /// <param name="x">(N, C).</param>
    public virtual void Hidden(Tensor x)
    {
    }

    /// <summary>The input of a linear layer, just before it is multiplied: what calibration measures.</summary>
    /// <param name="linear">The layer.</param>
    /// <param name="x">(…, in).</param>
    public virtual void LinearInput(Linear linear, Tensor x)
    {
    }

    /// <summary>What a layer's attention works on; only where <see cref="WantsAttention"/>.</summary>
    internal virtual void Attention(in ObservedAttention attention)
    {
    }

    /// <summary>Probabilities that a model computed itself: (H, queries, keys) of every sequence; only where <see cref="WantsAttention"/>.</summary>
    internal virtual void AttentionMaps(int layer, List<float[,,]> maps)
    {
    }
}

/// <summary>The attention of one layer.</summary>
/// <param name="Layer">The layer's number.</param>
/// <param name="ToSource">Whether it looks at what an encoder read.</param>
/// <param name="Q">(N, H, D).</param>
/// <param name="K">(M, Hkv, D), or pages of it.</param>
/// <param name="Layout">Which rows belong together.</param>
/// <param name="Options">Scale and masks.</param>
/// <param name="Slopes">Linear position biases, or null.</param>
/// <param name="Bias">Biases by distance, or null.</param>
internal readonly record struct ObservedAttention(
    int Layer, bool ToSource, Tensor Q, Tensor K, AttentionLayout Layout, AttentionOptions Options, Tensor? Slopes, Tensor? Bias);

/// <summary>Hands the inputs of linear layers to whoever calibrates: quantization, pruning.</summary>
/// <param name="see">Given every layer that runs and its input (…, in), which lives as long as the pass.</param>
public sealed class LinearInputs(Action<Linear, Tensor> see) : Observer
{
    /// <inheritdoc/>
    public override void LinearInput(Linear linear, Tensor x) => see(linear, x);
}
