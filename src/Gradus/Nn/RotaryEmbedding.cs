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
    private Tables? _tables;

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

    /// <summary>f_i = base^(−2i/d) for the d/2 pairs, in F32: as the models were trained, and as transformers computes.</summary>
    public static double[] Frequencies(int width, double theta)
    {
        double[] frequencies = new double[width / 2];
        for (int i = 0; i < frequencies.Length; i++)
            frequencies[i] = 1f / MathF.Pow((float)theta, (float)(2 * i) / width);
        return frequencies;
    }

    /// <summary>Turns the heads of x (N, H, D) by the positions of the pass.</summary>
    /// <exception cref="ArgumentException">A position is beyond the limit.</exception>
    public Tensor Forward(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        Tables tables = TablesFor(pass.LongestPosition);
        return x.Rotate(tables.Cos, tables.Sin, LongFrequencies is null ? pass.Positions : pass.PositionsByLength(ShortLimit), Interleaved);
    }

    private Tables TablesFor(int positions)
    {
        Tables? tables = Volatile.Read(ref _tables);
        if (tables is not null && tables.Cos.Shape[0] - ShortRows >= positions)
            return tables;
        // A model may be read by several threads, each with a workspace of its own; its store serves one at a time.
        lock (_store)
        {
            if (_tables is null || _tables.Cos.Shape[0] - ShortRows < positions)
                Volatile.Write(ref _tables, Make(positions));
            return _tables!;
        }
    }

    private Tables Make(int positions)
    {
        if (positions > Limit)
            throw new ArgumentException($"The sequence has {positions} tokens, but the model takes at most {Limit}; shorten it.");
        int rows = (int)Math.Min(Limit, Math.Max(256, BitOperations.RoundUpToPowerOf2((uint)positions)));
        Shape shape = new(ShortRows + rows, _frequencies.Length);
        Tables tables = new(_store.Empty(shape), _store.Empty(shape));
        Fill(tables, 0, ShortRows, _frequencies);
        Fill(tables, ShortRows, rows, LongFrequencies ?? _frequencies);
        return tables;
    }

    private void Fill(Tables tables, int first, int count, double[] frequencies)
    {
        Span<float> cos = tables.Cos.Span(), sin = tables.Sin.Span();
        for (int p = 0; p < count; p++)
        {
            for (int i = 0; i < frequencies.Length; i++)
            {
                // The angle in F32 too: of a distant position, its rounding is part of what the model has learned.
                (double s, double c) = Math.SinCos((float)(p * (float)frequencies[i]));
                int at = ((first + p) * frequencies.Length) + i;
                cos[at] = (float)c * _magnitude;
                sin[at] = (float)s * _magnitude;
            }
        }
    }

    private sealed record Tables(Tensor Cos, Tensor Sin);
}
