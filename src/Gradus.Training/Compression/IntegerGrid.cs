namespace Gradus.Training.Compression;

/// <summary>How the scale and the zero of a group of integers follow from its weights.</summary>
public enum IntegerRule
{
    /// <summary>From the largest size, zero in the middle of the range (GPTQ, symmetric).</summary>
    Symmetric,

    /// <summary>From the least to the largest weight, zero among them (GPTQ, asymmetric).</summary>
    Asymmetric,

    /// <summary>From the least to the largest weight, which need not be on either side of zero (AWQ).</summary>
    MinMax,
}

/// <summary>Integers of a few bits in groups of columns: w = scale·(q − zero), with integer zeros. What GPTQ's and AWQ's checkpoints store.</summary>
public sealed class IntegerGrid : WeightGrid
{
    private readonly IntegerRule _rule;
    private readonly bool _halfScales;
    private readonly int _high;

    /// <summary>Integers of unspecified contents.</summary>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="bits">From 2 to 8.</param>
    /// <param name="groupSize">Columns that share a scale; 0 or less for whole rows.</param>
    /// <param name="rule">How scales are chosen.</param>
    /// <param name="halfScales">Whether scales are rounded to F16, as files store them.</param>
    public IntegerGrid(int rows, int columns, int bits, int groupSize, IntegerRule rule, bool halfScales = false)
        : base(rows, columns, groupSize > 0 ? groupSize : columns)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bits, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bits, 8);
        (Bits, _rule, _halfScales, _high) = (bits, rule, halfScales, (1 << bits) - 1);
        (Scales, Zeros, Codes) = (new float[rows * Groups], new float[rows * Groups], new byte[rows * columns]);
    }

    /// <summary>Bits of an integer.</summary>
    public int Bits { get; }

    /// <summary>(out, groups).</summary>
    public float[] Scales { get; }

    /// <summary>(out, groups), whole numbers from 0 to 2^bits − 1.</summary>
    public float[] Zeros { get; }

    /// <summary>(out, in).</summary>
    public byte[] Codes { get; }

    /// <inheritdoc/>
    public override long Bytes => (((long)Rows * Columns * Bits) + 7) / 8 + (Scales.LongLength * 2) + (((Zeros.LongLength * Bits) + 7) / 8);

    // The block of columns after which GPTQ's reference hands its errors on.
    internal override int SeesEvery => 128;

    /// <inheritdoc/>
    public override void Fit(int row, int group, ReadOnlySpan<float> values, ReadOnlySpan<float> importance)
    {
        float low = float.PositiveInfinity, high = float.NegativeInfinity;
        foreach (float value in values)
            (low, high) = (Math.Min(low, value), Math.Max(high, value));
        float scale, zero;
        if (_rule == IntegerRule.MinMax)
        {
            scale = Stored(Math.Max(high - low, 1e-5f) / _high);
            zero = Math.Clamp(-MathF.Round(low / scale), 0, _high);
        }
        else
        {
            (low, high) = (Math.Min(low, 0), Math.Max(high, 0));
            if (_rule == IntegerRule.Symmetric)
            {
                high = Math.Max(-low, high);
                low = low < 0 ? -high : low;
            }
            if (low == 0 && high == 0)
                (low, high) = (-1, 1);
            scale = Stored((high - low) / _high);
            zero = _rule == IntegerRule.Symmetric ? (_high + 1) / 2 : MathF.Round(-low / scale);
        }
        (Scales[(row * Groups) + group], Zeros[(row * Groups) + group]) = (scale, zero);
    }

    /// <inheritdoc/>
    public override float Round(int row, int column, float value)
    {
        int at = (row * Groups) + (column / GroupSize);
        float q = Math.Clamp(MathF.Round(value / Scales[at]) + Zeros[at], 0, _high);
        Codes[(row * Columns) + column] = (byte)q;
        return Scales[at] * (q - Zeros[at]);
    }

    /// <inheritdoc/>
    public override float[] Values()
    {
        float[] values = new float[Codes.Length];
        for (int row = 0; row < Rows; row++)
        {
            for (int c = 0; c < Columns; c++)
            {
                int at = (row * Groups) + (c / GroupSize);
                values[(row * Columns) + c] = Scales[at] * (Codes[(row * Columns) + c] - Zeros[at]);
            }
        }
        return values;
    }

    // A scale that F16 cannot hold would be zero.
    private float Stored(float scale) => _halfScales ? Math.Max((float)(Half)scale, (float)Half.Epsilon) : scale;
}
