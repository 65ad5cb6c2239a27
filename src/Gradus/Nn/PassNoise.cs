using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// The random choices of a training pass: dropout, blocks left out, noise. Each is a function of the pass's key and of how many came
/// before it, so that a block that is computed again in the backward pass chooses the same.
/// </summary>
public sealed class PassNoise
{
    private ulong _key;

    /// <summary>Whether there is any: in training.</summary>
    public bool IsOn { get; private set; }

    /// <summary>How many choices were made so far: set back when a block is computed again.</summary>
    internal ulong Drawn { get; set; }

    /// <summary>Whether dropout of a probability drops anything.</summary>
    public bool Drops(float probability) => IsOn && probability > 0;

    /// <summary>Dropout in training, else the input itself.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="probability">In [0, 1).</param>
    public Tensor Dropout(Tensor x, float probability)
    {
        ArgumentNullException.ThrowIfNull(x);
        return Drops(probability) ? x.Dropout(probability, NextKey()) : x;
    }

    /// <summary>Attention with dropout of its probabilities, in training.</summary>
    /// <param name="options">The attention.</param>
    /// <param name="probability">In [0, 1).</param>
    public AttentionOptions Dropout(AttentionOptions options, float probability) =>
        Drops(probability) ? options with { Dropout = probability, DropoutKey = NextKey() } : options;

    /// <summary>Whether training leaves a block out this time (Fan et al., "Reducing Transformer Depth on Demand with Structured Dropout", 2019).</summary>
    /// <param name="probability">In [0, 1).</param>
    public bool DropsBlock(float probability) => Drops(probability) && CounterRandom.Uniform(NextKey(), 0) < probability;

    /// <summary>In training, every value multiplied by a number of its own from [1 − noise, 1 + noise) (Fedus et al., "Switch Transformers", 2021).</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="noise">In [0, 1).</param>
    public Tensor Jitter(Tensor x, float noise)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (!Drops(noise))
            return x;
        ulong key = NextKey();
        Tensor factors = x.Workspace.Empty(x.Shape);
        Span<float> values = factors.Span();
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)(1 + (noise * ((2 * CounterRandom.Uniform(key, i)) - 1)));
        return x.Multiply(factors);
    }

    internal void Begin(ulong key)
    {
        IsOn = true;
        _key = key;
    }

    private ulong NextKey() => CounterRandom.Derive(_key, Drawn++);
}
