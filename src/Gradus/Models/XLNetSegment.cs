using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// In which order XLNet reads: not by moving tokens, but by hiding from each those that come later in the order.
/// </summary>
/// <param name="Hidden">For each sequence of T tokens, (T, T): [i, j] says that token i does not see token j (perm_mask); null where all is seen.</param>
/// <param name="Predicted">For each sequence, the tokens that the query stream predicts (target_mapping); null without a query stream.</param>
public sealed record ReadingOrder(IReadOnlyList<bool[,]>? Hidden, IReadOnlyList<int[]>? Predicted);

/// <summary>
/// What the blocks of <see cref="XLNet"/> look at in one pass. The sequences lie side by side in a rectangle as long as the longest:
/// for each first the memory, whose end all have in common, then its T tokens; as queries the T tokens of the content stream and,
/// where something is predicted, T places of the query stream.
/// </summary>
internal sealed class XLNetSegment
{
    // Finite, so that a query to which everything is hidden answers with the mean, as the original does.
    private const float Hidden = -1e30f;

    private readonly XLNetConfig _config;
    private readonly AttentionLayout _layout;
    private readonly ReadingOrder? _order;
    private readonly SegmentMemory? _memory;
    private readonly Tensor[] _remembered;

    public XLNetSegment(XLNetConfig config, Pass pass, ReadingOrder? order, SegmentMemory? memory)
    {
        Workspace w = pass.Workspace;
        _config = config;
        _layout = pass.Layout;
        _order = order;
        _memory = memory is { Length: > 0 } ? memory : null;
        Check();
        Longest = _layout.Longest.Queries;
        LongestMemory = _memory?.Longest ?? 0;
        Predicted = order?.Predicted?.Sum(p => p.Length) ?? 0;
        Streams = Predicted > 0 ? 2 : 1;
        _remembered = _memory?.Tensors(w) ?? [];

        (int[] rows, int[] places) = Places();
        QueryPlaces = w.From(Spread(rows));
        Answers = w.From(Spread(places, byHead: false));
        KeyPlaces = w.From(Spread(KeyRows()));
        MemoryPlaces = w.From(Spread(MemoryRows()));
        Distances = pass.Dropout(Sines(w), config.Dropout);
        Mask = w.From(MaskValues(), new Shape(Sequences * Queries * Keys));
        if (pass.Inputs.HasTokenTypes)
            SameSegment = w.From(SegmentValues(pass.Inputs.TokenTypes.Span<int>()), new Shape(Sequences * Queries, 2, Keys));
    }

    /// <summary>S.</summary>
    public int Sequences => _layout.Sequences;

    /// <summary>N.</summary>
    public int Tokens => _layout.TotalQueries;

    /// <summary>P: rows of the query stream.</summary>
    public int Predicted { get; }

    /// <summary>1, or 2 with a query stream.</summary>
    public int Streams { get; }

    /// <summary>T: tokens of the longest sequence.</summary>
    public int Longest { get; }

    /// <summary>Tokens of the longest memory.</summary>
    public int LongestMemory { get; }

    /// <summary>Q: places of queries of each sequence.</summary>
    public int Queries => Streams * Longest;

    private int Keys => LongestMemory + Longest;

    /// <summary>For every place (H, S, Q), the row of the streams' (N + P)·H heads.</summary>
    public Tensor QueryPlaces { get; }

    /// <summary>For every row and head of the streams, its place in (H, S, Q).</summary>
    public Tensor Answers { get; }

    /// <summary>For every place (H, S, T), the row of N·H heads.</summary>
    public Tensor KeyPlaces { get; }

    /// <summary>For every place (H, S, M), the row of the memory's heads.</summary>
    public Tensor MemoryPlaces { get; }

    /// <summary>(L, C): sines and cosines of the distances K … K − L + 1.</summary>
    public Tensor Distances { get; }

    /// <summary>(S·Q·K): what is added to the scores.</summary>
    public Tensor Mask { get; }

    /// <summary>(S·Q, 2, K): 1 at 0 where query and key are of one segment, at 1 where not; null where the batch does not say.</summary>
    public Tensor? SameSegment { get; }

    /// <summary>(M, C): what a layer remembers, or null.</summary>
    public Tensor? Memory(int layer) => _memory is null ? null : _remembered[layer];

    /// <summary>Probabilities (H·S, Q, K) as maps: of every sequence's content stream, then of every sequence's query stream.</summary>
    public List<float[,,]> Maps(Tensor p, int heads)
    {
        float[] values = p.ToArray();
        List<float[,,]> maps = [];
        for (int stream = 0; stream < Streams; stream++)
        {
            for (int s = 0; s < Sequences; s++)
            {
                int[] queries = stream == 0 ? [.. Enumerable.Range(0, _layout.QueryCount(s))] : _order!.Predicted![s];
                int first = LongestMemory - (_memory?.Count(s) ?? 0), keys = LongestMemory - first + _layout.QueryCount(s);
                float[,,] map = new float[heads, queries.Length, keys];
                for (int h = 0; h < heads; h++)
                {
                    for (int i = 0; i < queries.Length; i++)
                    {
                        long row = (((((long)h * Sequences) + s) * Queries) + (stream * Longest) + queries[i]) * Keys;
                        for (int j = 0; j < keys; j++)
                            map[h, i, j] = values[row + first + j];
                    }
                }
                maps.Add(map);
            }
        }
        return maps;
    }

    private void Check()
    {
        if (_memory is not null && (_memory.Sequences != Sequences || _memory.Layers.Count != _config.NLayer))
            throw new ArgumentException($"The memory is of {_memory.Sequences} sequences and {_memory.Layers.Count} blocks, but there are {Sequences} and {_config.NLayer}; start with an empty one.");
        if (_order?.Hidden is { } hidden && (hidden.Count != Sequences || Enumerable.Range(0, Sequences).Any(s => !IsSquare(hidden[s], _layout.QueryCount(s)))))
            throw new ArgumentException("What is hidden is a square for each sequence, with a row and a column for each of its tokens.");
        if (_order?.Predicted is { } predicted && (predicted.Count != Sequences || Enumerable.Range(0, Sequences).Any(s => !AreTokens(predicted[s], _layout.QueryCount(s)))))
            throw new ArgumentException("What is predicted is a list for each sequence of different tokens of it.");
    }

    private static bool IsSquare(bool[,] values, int length) => values.GetLength(0) == length && values.GetLength(1) == length;

    private static bool AreTokens(int[] tokens, int length) => tokens.All(t => t >= 0 && t < length) && tokens.Distinct().Count() == tokens.Length;

    // The row of the streams at every place (S, Q), row 0 where there is none; and the place of every row.
    private (int[] Rows, int[] Places) Places()
    {
        int[] rows = new int[Sequences * Queries], places = new int[Tokens + Predicted];
        int next = Tokens;
        for (int s = 0; s < Sequences; s++)
        {
            for (int i = 0; i < _layout.QueryCount(s); i++)
                Put(s, i, _layout.QueryStart(s) + i);
            foreach (int i in Predicted > 0 ? _order!.Predicted![s] : [])
                Put(s, Longest + i, next++);
        }
        return (rows, places);

        void Put(int s, int place, int row)
        {
            rows[(s * Queries) + place] = row;
            places[row] = (s * Queries) + place;
        }
    }

    private int[] KeyRows()
    {
        int[] rows = new int[Sequences * Longest];
        for (int s = 0; s < Sequences; s++)
        {
            for (int i = 0; i < _layout.QueryCount(s); i++)
                rows[(s * Longest) + i] = _layout.QueryStart(s) + i;
        }
        return rows;
    }

    // At the right end, so that distances to it are the same for all.
    private int[] MemoryRows()
    {
        int[] rows = new int[Sequences * LongestMemory];
        for (int s = 0; s < Sequences && _memory is not null; s++)
        {
            for (int i = 0; i < _memory.Count(s); i++)
                rows[((s + 1) * LongestMemory) - _memory.Count(s) + i] = _memory.Starts[s] + i;
        }
        return rows;
    }

    // Rows at places become rows of heads at places of heads, or places of rows become places of the heads of rows.
    private int[] Spread(int[] indices, bool byHead = true)
    {
        int heads = _config.NHead, all = Sequences * Queries;
        int[] spread = new int[heads * indices.Length];
        for (int h = 0; h < heads; h++)
        {
            for (int i = 0; i < indices.Length; i++)
            {
                if (byHead)
                    spread[(h * indices.Length) + i] = (indices[i] * heads) + h;
                else
                    spread[(i * heads) + h] = (h * all) + indices[i];
            }
        }
        return spread;
    }

    // sin(δ/10000^(2c/C)), then the cosines.
    private Tensor Sines(Workspace w)
    {
        int count = Keys + Longest, half = _config.DModel / 2, width = _config.DModel;
        Tensor sines = w.Zeros(new Shape(count, width));
        Span<float> values = sines.Span();
        for (int t = 0; t < count; t++)
        {
            int distance = Keys - t;
            if (_config.ClampLen > 0)
                distance = Math.Clamp(distance, -_config.ClampLen, _config.ClampLen);
            for (int c = 0; c < half; c++)
            {
                double angle = distance / Math.Pow(10000, 2.0 * c / width);
                values[(t * width) + c] = (float)Math.Sin(angle);
                values[(t * width) + half + c] = (float)Math.Cos(angle);
            }
        }
        return sines;
    }

    private float[] MaskValues()
    {
        float[] mask = new float[checked(Sequences * Queries * Keys)];
        for (int s = 0; s < Sequences; s++)
        {
            for (int query = 0; query < Queries; query++)
            {
                Span<float> row = mask.AsSpan(((s * Queries) + query) * Keys, Keys);
                for (int key = 0; key < Keys; key++)
                    row[key] = Sees(s, query % Longest, key - LongestMemory, content: query < Longest) ? 0 : Hidden;
            }
        }
        return mask;
    }

    // Keys count from the segment's first token; those of the memory are negative.
    private bool Sees(int s, int i, int key, bool content)
    {
        int length = _layout.QueryCount(s), memory = _memory?.Count(s) ?? 0;
        if (i >= length || key >= length || key < -memory)
            return false;
        if (content && key == i)
            return true;
        if (_config.IsCausal && (key > i || (_config.SameLength && key + memory < i)))
            return false;
        return key < 0 || _order?.Hidden is not { } hidden || !hidden[s][i, key];
    }

    private float[] SegmentValues(ReadOnlySpan<int> types)
    {
        float[] values = new float[checked(Sequences * Queries * 2 * Keys)];
        for (int s = 0; s < Sequences; s++)
        {
            for (int query = 0; query < Queries; query++)
            {
                int own = Type(types, s, query % Longest);
                for (int key = 0; key < Keys; key++)
                {
                    int side = own == Type(types, s, key - LongestMemory) ? 0 : 1;
                    values[(((((s * Queries) + query) * 2) + side) * Keys) + key] = 1;
                }
            }
        }
        return values;
    }

    // Memory counts as segment 0.
    private int Type(ReadOnlySpan<int> types, int s, int token) =>
        token < 0 || token >= _layout.QueryCount(s) ? 0 : types[_layout.QueryStart(s) + token];
}
