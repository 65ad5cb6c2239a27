using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>How a parameter is filled before training. The values depend on the key and the shape alone.</summary>
public abstract record Init
{
    /// <summary>All zeros.</summary>
    public static Init Zeros { get; } = new ConstantInit(0);

    /// <summary>All ones.</summary>
    public static Init Ones { get; } = new ConstantInit(1);

    /// <summary>The same value everywhere.</summary>
    public static Init Constant(float value) => new ConstantInit(value);

    /// <summary>Normal numbers of mean 0.</summary>
    /// <param name="deviation">Their standard deviation, ≥ 0.</param>
    public static Init Normal(float deviation) => new NormalInit(deviation);

    /// <summary>Even numbers in (−bound, bound).</summary>
    public static Init Uniform(float bound) => new UniformInit(bound);

    /// <summary>Sinusoidal positions (Vaswani et al., 2017): row p holds sin(p/10000^(2i/C)) at 2i and the cosine at 2i + 1.</summary>
    /// <param name="width">Columns C.</param>
    public static Init Sines(int width) => new SineInit(width);

    /// <summary>Another start, but for some values in a row that are zero.</summary>
    /// <param name="others">How the others start out.</param>
    /// <param name="first">The first zero.</param>
    /// <param name="count">How many.</param>
    public static Init WithZeros(Init others, int first, int count) => new ZeroedInit(others, first, count);

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

    private sealed record ZeroedInit(Init Others, int First, int Count) : Init
    {
        public override void Fill(Span<float> values, ulong key)
        {
            Others.Fill(values, key);
            values.Slice(First, Count).Clear();
        }
    }

    private sealed record SineInit(int Width) : Init
    {
        public override void Fill(Span<float> values, ulong key)
        {
            for (int i = 0; i < values.Length; i++)
            {
                int column = i % Width;
                double angle = i / Width / Math.Pow(10000, 2.0 * (column / 2) / Width);
                values[i] = (float)(column % 2 == 0 ? Math.Sin(angle) : Math.Cos(angle));
            }
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
