// Purpose: exact search: every vector is compared with the query. Source of the 8-bit form: symmetric quantization with one scale a vector; sums of products of
// 8-bit numbers are exact in 32 bits. Left out: an approximation; see Hnsw for more vectors than a scan is fast for.

using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>Unit vectors in memory, found by their cosine with a query. Many threads may search while nobody adds.</summary>
public sealed class VectorSet
{
    private const int Block = 8192;
    private readonly List<long> _ids = [];
    private readonly Dictionary<long, int> _rows = [];
    private readonly int _stride;
    private sbyte[] _bytes = [];
    private float[] _floats = [];
    private float[] _scales = [];

    /// <summary>An empty set.</summary>
    /// <param name="dimensions">The vectors' elements, 1 at least.</param>
    /// <param name="precision">How they are kept.</param>
    public VectorSet(int dimensions, VectorPrecision precision)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimensions, 1);
        (Dimensions, Precision) = (dimensions, precision);
        _stride = precision == VectorPrecision.Int8 ? (dimensions + 63) / 64 * 64 : dimensions;
    }

    /// <summary>The vectors' elements.</summary>
    public int Dimensions { get; }

    /// <summary>How they are kept.</summary>
    public VectorPrecision Precision { get; }

    /// <summary>How many there are.</summary>
    public int Count => _ids.Count;

    /// <summary>The numbers of the vectors, by row.</summary>
    public IReadOnlyList<long> Ids => _ids;

    /// <summary>Whether there is a vector of a number.</summary>
    public bool Contains(long id) => _rows.ContainsKey(id);

    /// <summary>Adds a vector in place of one of the same number; it is scaled to length 1.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="vector">Its elements, finite.</param>
    /// <exception cref="ArgumentException">It has another number of elements, or one that is not finite.</exception>
    public void Add(long id, ReadOnlySpan<float> vector)
    {
        byte[] stored = Encode(vector, Dimensions, Precision);
        AddStored(id, stored);
    }

    /// <summary>Removes a vector; the last one takes its row.</summary>
    /// <returns>Whether it was there.</returns>
    public bool Remove(long id)
    {
        if (!_rows.Remove(id, out int row))
            return false;
        int last = _ids.Count - 1;
        if (row != last)
        {
            (_ids[row], _scales[row]) = (_ids[last], _scales[last]);
            _rows[_ids[row]] = row;
            if (Precision == VectorPrecision.Int8)
                _bytes.AsSpan(last * _stride, _stride).CopyTo(_bytes.AsSpan(row * _stride));
            else
                _floats.AsSpan(last * _stride, _stride).CopyTo(_floats.AsSpan(row * _stride));
        }
        _ids.RemoveAt(last);
        return true;
    }

    /// <summary>A vector as it is kept, or null where there is none of that number.</summary>
    public float[]? Get(long id)
    {
        if (!_rows.TryGetValue(id, out int row))
            return null;
        float[] vector = new float[Dimensions];
        if (Precision == VectorPrecision.Float32)
            _floats.AsSpan(row * _stride, Dimensions).CopyTo(vector);
        else
            for (int i = 0; i < vector.Length; i++)
                vector[i] = _bytes[(row * _stride) + i] * _scales[row];
        return vector;
    }

    /// <summary>The vectors with the largest cosine; of equal ones the smaller number first.</summary>
    /// <param name="query">The query, of any length above 0.</param>
    /// <param name="count">How many, at most.</param>
    /// <param name="allowed">The numbers that may be found; null: all.</param>
    public IReadOnlyList<Hit> Search(ReadOnlySpan<float> query, int count, ChunkMask? allowed = null)
    {
        byte[] encoded = Encode(query, Dimensions, Precision);
        int blocks = (Count + Block - 1) / Block;
        List<Hit>[] best = new List<Hit>[blocks];
        if (blocks > 1)
            Parallel.For(0, blocks, b => best[b] = ScanBlock(encoded, b, count, allowed));
        else if (blocks == 1)
            best[0] = ScanBlock(encoded, 0, count, allowed);
        return [.. best.SelectMany(b => b).OrderByDescending(h => h.Score).ThenBy(h => h.Chunk).Take(count)];
    }

    /// <summary>A vector in the form in which it is stored: for 8 bits a scale and the elements, otherwise the elements; little-endian.</summary>
    internal static byte[] Encode(ReadOnlySpan<float> vector, int dimensions, VectorPrecision precision)
    {
        if (vector.Length != dimensions)
            throw new ArgumentException($"a vector of {vector.Length} elements does not fit into a set of {dimensions}: the embedding model is not the one that the index was made with.");
        float norm = MathF.Sqrt(TensorPrimitives.SumOfSquares(vector));
        if (!float.IsFinite(norm))
            throw new ArgumentException("a vector holds an element that is not finite.");
        float[] unit = new float[dimensions];
        if (norm > 0)
            TensorPrimitives.Divide(vector, norm, unit);
        if (precision == VectorPrecision.Float32)
            return MemoryMarshal.AsBytes(unit.AsSpan()).ToArray();
        float scale = dimensions == 0 ? 0 : TensorPrimitives.MaxMagnitude(unit) is var most && most < 0 ? -most / 127 : most / 127;
        byte[] stored = new byte[4 + dimensions];
        MemoryMarshal.Write(stored, scale);
        for (int i = 0; i < dimensions; i++)
            stored[4 + i] = (byte)(sbyte)(scale == 0 ? 0 : MathF.Round(unit[i] / scale));
        return stored;
    }

    /// <summary>Adds a vector in its stored form.</summary>
    internal void AddStored(long id, ReadOnlySpan<byte> stored)
    {
        if (!_rows.TryGetValue(id, out int row))
        {
            _rows[id] = row = _ids.Count;
            _ids.Add(id);
            Grow();
        }
        if (Precision == VectorPrecision.Float32)
        {
            MemoryMarshal.Cast<byte, float>(stored).CopyTo(_floats.AsSpan(row * _stride));
            return;
        }
        _scales[row] = MemoryMarshal.Read<float>(stored);
        MemoryMarshal.Cast<byte, sbyte>(stored[4..]).CopyTo(_bytes.AsSpan(row * _stride));
    }

    private void Grow()
    {
        if (_ids.Count <= _scales.Length)
            return;
        int rows = Math.Max(64, _scales.Length * 2);
        Array.Resize(ref _scales, rows);
        if (Precision == VectorPrecision.Int8)
            Array.Resize(ref _bytes, rows * _stride);
        else
            Array.Resize(ref _floats, rows * _stride);
    }

    private List<Hit> ScanBlock(byte[] encoded, int block, int count, ChunkMask? allowed)
    {
        int first = block * Block, end = Math.Min(Count, first + Block);
        PriorityQueue<Hit, (double, long)> best = new(Comparer<(double Score, long Id)>.Create((a, b) => a.Score != b.Score ? a.Score.CompareTo(b.Score) : b.Id.CompareTo(a.Id)));
        Span<short> query = new short[_stride];
        float scale = 0;
        if (Precision == VectorPrecision.Int8)
        {
            scale = MemoryMarshal.Read<float>(encoded);
            for (int i = 0; i < Dimensions; i++)
                query[i] = (sbyte)encoded[4 + i];
        }
        ReadOnlySpan<float> floats = Precision == VectorPrecision.Float32 ? MemoryMarshal.Cast<byte, float>(encoded) : [];
        double least = double.NegativeInfinity;
        for (int row = first; row < end; row++)
        {
            double score = Precision == VectorPrecision.Int8
                ? Dot(_bytes.AsSpan(row * _stride, _stride), query) * scale * _scales[row]
                : TensorPrimitives.Dot(_floats.AsSpan(row * _stride, _stride), floats);
            if ((best.Count == count && score < least) || count == 0 || allowed?.Contains(_ids[row]) == false)
                continue;
            Hit hit = new(_ids[row], score);
            if (best.Count < count)
                best.Enqueue(hit, (score, hit.Chunk));
            else
                best.EnqueueDequeue(hit, (score, hit.Chunk));
            least = best.Peek().Score;
        }
        return [.. best.UnorderedItems.Select(i => i.Element)];
    }

    // Two products of numbers of at most 127 add up to less than 2^15, so that they are added before they are widened.
    private static int Dot(ReadOnlySpan<sbyte> row, ReadOnlySpan<short> query)
    {
        Vector<int> low = Vector<int>.Zero, high = Vector<int>.Zero;
        int width = Vector<sbyte>.Count;
        for (int i = 0; i < row.Length; i += width)
        {
            Vector.Widen(new Vector<sbyte>(row[i..]), out Vector<short> a, out Vector<short> b);
            Vector<short> sum = (a * new Vector<short>(query[i..])) + (b * new Vector<short>(query[(i + (width / 2))..]));
            Vector.Widen(sum, out Vector<int> first, out Vector<int> second);
            low += first;
            high += second;
        }
        return Vector.Sum(low + high);
    }
}
