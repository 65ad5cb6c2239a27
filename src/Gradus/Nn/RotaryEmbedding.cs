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

    /// <summary>Frequencies that depend on the length of a sequence beyond <see cref="ShortLimit"/> (dynamic NTK), or null.</summary>
    public Func<int, double[]>? FrequenciesOfLength { get; init; }

    /// <summary>The longest sequence that does without <see cref="LongFrequencies"/> and <see cref="FrequenciesOfLength"/>, in tokens.</summary>
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
        if (FrequenciesOfLength is not null && pass.Inputs.LongestSequence > ShortLimit)
        {
            RotaryAngles angles = pass.Inputs.AnglesByLength(this);
            return x.Rotate(angles.Cos, angles.Sin, angles.Rows, Interleaved);
        }
        Tables tables = TablesFor(pass.Inputs.LongestPosition);
        return x.Rotate(tables.Cos, tables.Sin, LongFrequencies is null ? pass.Positions : pass.Inputs.PositionsByLength(ShortLimit), Interleaved);
    }

    /// <summary>Cosines and sines of single positions, each in a sequence of a length of its own: a row for each.</summary>
    /// <param name="workspace">Where they live.</param>
    /// <param name="positions">(N), I32.</param>
    /// <param name="lengths">N lengths.</param>
    internal RotaryAngles Angles(Workspace workspace, ReadOnlySpan<int> positions, ReadOnlySpan<int> lengths)
    {
        Shape shape = new(positions.Length, _frequencies.Length);
        RotaryAngles angles = new(this, workspace.Empty(shape), workspace.Empty(shape), workspace.Empty(new Shape(positions.Length), DType.I32));
        double[] frequencies = _frequencies;
        for (int i = 0; i < positions.Length; i++)
        {
            CheckLimit(lengths[i]);
            if (i == 0 || lengths[i] != lengths[i - 1])
                frequencies = lengths[i] > ShortLimit ? FrequenciesOfLength!(lengths[i]) : _frequencies;
            FillRow(angles.Cos, angles.Sin, i, positions[i], frequencies);
            angles.Rows.Span<int>()[i] = i;
        }
        return angles;
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
        CheckLimit(positions);
        int rows = (int)Math.Min(Limit, Math.Max(256, BitOperations.RoundUpToPowerOf2((uint)positions)));
        Shape shape = new(ShortRows + rows, _frequencies.Length);
        Tables tables = new(_store.Empty(shape), _store.Empty(shape));
        Fill(tables, 0, ShortRows, _frequencies);
        Fill(tables, ShortRows, rows, LongFrequencies ?? _frequencies);
        return tables;
    }

    private void CheckLimit(int positions)
    {
        if (positions > Limit)
            throw new ArgumentException($"The sequence has {positions} tokens, but the model takes at most {Limit}; shorten it.");
    }

    private void Fill(Tables tables, int first, int count, double[] frequencies)
    {
        for (int p = 0; p < count; p++)
            FillRow(tables.Cos, tables.Sin, first + p, p, frequencies);
    }

    private void FillRow(Tensor cos, Tensor sin, int row, int position, double[] frequencies)
    {
        int at = row * frequencies.Length;
        Span<float> cosines = cos.Span()[at..], sines = sin.Span()[at..];
        for (int i = 0; i < frequencies.Length; i++)
        {
            // The angle in F32 too: of a distant position, its rounding is part of what the model has learned.
            (double s, double c) = Math.SinCos((float)(position * (float)frequencies[i]));
            cosines[i] = (float)c * _magnitude;
            sines[i] = (float)s * _magnitude;
        }
    }

    private sealed record Tables(Tensor Cos, Tensor Sin);
}

/// <summary>The angles of the tokens of one pass.</summary>
/// <param name="Owner">Whose they are.</param>
/// <param name="Cos">(N, pairs).</param>
/// <param name="Sin">(N, pairs).</param>
/// <param name="Rows">(N), I32: each token's row.</param>
internal sealed record RotaryAngles(RotaryEmbedding Owner, Tensor Cos, Tensor Sin, Tensor Rows);
