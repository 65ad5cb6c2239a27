using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// The angles of rotary position embedding (Su et al., 2021): position p turns pair i by p·f_i. The tables grow as longer
/// sequences come.
/// </summary>
public sealed class RotaryEmbedding
{
    private readonly Workspace _store;
    private readonly double[] _frequencies;
    private readonly float _magnitude;
    private Tensor? _cos;
    private Tensor? _sin;

    /// <summary>Takes the frequencies of the pairs.</summary>
    /// <param name="store">A workspace that lives as long as the model.</param>
    /// <param name="frequencies">Angle per position of each pair, in radians.</param>
    /// <param name="limit">The largest number of positions.</param>
    /// <param name="magnitude">Factor of cosine and sine (YaRN's attention factor).</param>
    public RotaryEmbedding(Workspace store, double[] frequencies, int limit, float magnitude = 1f)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(frequencies);
        _store = store;
        _frequencies = frequencies;
        _magnitude = magnitude;
        Limit = limit;
    }

    /// <summary>The largest number of positions.</summary>
    public int Limit { get; }

    /// <summary>f_i = base^(−2i/d) for the d/2 pairs.</summary>
    public static double[] Frequencies(int width, double theta)
    {
        double[] frequencies = new double[width / 2];
        for (int i = 0; i < frequencies.Length; i++)
            frequencies[i] = Math.Pow(theta, -2.0 * i / width);
        return frequencies;
    }

    /// <summary>Turns the heads of x (N, H, D) by the positions of the pass.</summary>
    /// <exception cref="ArgumentException">A position is beyond the limit.</exception>
    public Tensor Forward(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        Grow(pass.LongestPosition);
        return x.Rotate(_cos!, _sin!, pass.Positions);
    }

    private void Grow(int positions)
    {
        if (_cos is not null && _cos.Shape[0] >= positions)
            return;
        if (positions > Limit)
            throw new ArgumentException($"The sequence has {positions} tokens, but the model takes at most {Limit}; shorten it.");
        int rows = (int)Math.Min(Limit, Math.Max(256, System.Numerics.BitOperations.RoundUpToPowerOf2((uint)positions)));
        _cos = _store.Empty(new Shape(rows, _frequencies.Length));
        _sin = _store.Empty(new Shape(rows, _frequencies.Length));
        Span<float> cos = _cos.Span(), sin = _sin.Span();
        for (int p = 0; p < rows; p++)
        {
            for (int i = 0; i < _frequencies.Length; i++)
            {
                (double s, double c) = Math.SinCos(p * _frequencies[i]);
                cos[(p * _frequencies.Length) + i] = (float)c * _magnitude;
                sin[(p * _frequencies.Length) + i] = (float)s * _magnitude;
            }
        }
    }
}
