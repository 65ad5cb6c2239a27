using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>How a parameter is filled before training. The values depend on the key and the shape alone.</summary>
public abstract record Init
{
    /// <summary>All zeros.</summary>
    public static Init Zeros { get; } = new ConstantInit(0);

    /// <summary>All ones.</summary>
    public static Init Ones { get; } = new ConstantInit(1);

    /// <summary>Normal numbers of mean 0.</summary>
    /// <param name="deviation">Their standard deviation, ≥ 0.</param>
    public static Init Normal(float deviation) => new NormalInit(deviation);

    /// <summary>Even numbers in (−bound, bound).</summary>
    public static Init Uniform(float bound) => new UniformInit(bound);

    /// <summary>Writes the values.</summary>
    /// <param name="values">The parameter, row-major.</param>
    /// <param name="key">Seed of this parameter (<see cref="CounterRandom.Derive(ulong, string)"/> of its name).</param>
    public abstract void Fill(Span<float> values, ulong key);

    private sealed record ConstantInit(float Value) : Init
    {
        public override void Fill(Span<float> values, ulong key) => values.Fill(Value);
    }

    private sealed record NormalInit(float Deviation) : Init
    {
        public override void Fill(Span<float> values, ulong key)
        {
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)(Deviation * CounterRandom.Normal(key, i));
        }
    }

    private sealed record UniformInit(float Bound) : Init
    {
        public override void Fill(Span<float> values, ulong key)
        {
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)(Bound * ((2 * CounterRandom.Uniform(key, i)) - 1));
        }
    }
}
