using System.Numerics;
using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// The angles of rotary position embedding (Su et al., 2021): position p turns pair i of every head by p·f_i. Fewer pairs than D/2
/// turn the first values of a head and leave the others. The tables grow as longer sequences come.
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
    /// <param name="magnitude">Factor of cosine and sine (YaRN's and LongRoPE's attention factor).</param>
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

    /// <summary>Whether pairs are neighbours (2i, 2i + 1), as in GPT-J, rather than (i, i + R/2), as in Llama.</summary>
    public bool Interleaved { get; init; }

    /// <summary>Other frequencies for long sequences (LongRoPE), or null.</summary>
    public double[]? LongFrequencies { get; init; }

    /// <summary>The longest sequence that does without <see cref="LongFrequencies"/>, in tokens.</summary>
    public int ShortLimit { get; init; }

    // The rows of the short frequencies come first: a long sequence's position p is row ShortLimit + p.
    private int ShortRows => LongFrequencies is null ? 0 : ShortLimit;

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
        return x.Rotate(_cos!, _sin!, LongFrequencies is null ? pass.Positions : pass.PositionsByLength(ShortLimit), Interleaved);
    }

    private void Grow(int positions)
    {
        if (_cos is not null && _cos.Shape[0] - ShortRows >= positions)
            return;
        if (positions > Limit)
            throw new ArgumentException($"The sequence has {positions} tokens, but the model takes at most {Limit}; shorten it.");
        int rows = (int)Math.Min(Limit, Math.Max(256, BitOperations.RoundUpToPowerOf2((uint)positions)));
        _cos = _store.Empty(new Shape(ShortRows + rows, _frequencies.Length));
        _sin = _store.Empty(new Shape(ShortRows + rows, _frequencies.Length));
        Fill(0, ShortRows, _frequencies);
        Fill(ShortRows, rows, LongFrequencies ?? _frequencies);
    }

    private void Fill(int first, int count, double[] frequencies)
    {
        Span<float> cos = _cos!.Span(), sin = _sin!.Span();
        for (int p = 0; p < count; p++)
        {
            for (int i = 0; i < frequencies.Length; i++)
            {
                (double s, double c) = Math.SinCos(p * frequencies[i]);
                int at = ((first + p) * frequencies.Length) + i;
                cos[at] = (float)c * _magnitude;
                sin[at] = (float)s * _magnitude;
            }
        }
    }
}
