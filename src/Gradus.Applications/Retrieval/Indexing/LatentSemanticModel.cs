// Sources: S. Deerwester et al., "Indexing by Latent Semantic Analysis", 1990; N. Halko, P.-G. Martinsson and J. Tropp, "Finding structure with randomness",
// 2011 (the truncated decomposition). Fitted to the chunks of one index, without a download and without a GPU: words that appear in the same chunks get near.
// Left out: the order of words.

using System.Numerics.Tensors;
using System.Text;
using Gradus.Tensors;
using Microsoft.Extensions.AI;

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>Vectors of texts from the words they hold: ln(1 + tf) · ln(N / n) of each term, projected to the directions of the largest variance.</summary>
public sealed class LatentSemanticModel : IEmbeddingGenerator<string, Embedding<float>>
{
    /// <summary>The name under which an index knows its own model.</summary>
    public const string Name = "latent-semantic";

    private const int MostTerms = 50_000;
    private const int Extra = 12;
    private const int Rounds = 5;
    private readonly TextAnalyzer _analyzer;
    private readonly Dictionary<string, int> _terms;
    private readonly float[] _inverse;
    private readonly float[] _projection;

    private LatentSemanticModel(TextAnalyzer analyzer, Dictionary<string, int> terms, float[] inverse, float[] projection, int dimensions)
    {
        (_analyzer, _terms, _inverse, _projection, Dimensions) = (analyzer, terms, inverse, projection, dimensions);
    }

    /// <summary>The elements of its vectors.</summary>
    public int Dimensions { get; }

    /// <summary>Fits a model to texts.</summary>
    /// <param name="texts">The texts, read twice; two at least with words in common.</param>
    /// <param name="analyzer">What the terms are.</param>
    /// <param name="dimensions">Elements of the vectors; fewer where the texts do not have so many directions.</param>
    /// <param name="seed">The seed of the decomposition's first directions; the same gives the same bits.</param>
    /// <exception cref="InvalidDataException">There are too few texts.</exception>
    public static LatentSemanticModel Fit(IReadOnlyList<string> texts, TextAnalyzer analyzer, int dimensions = 128, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(analyzer);
        ArgumentOutOfRangeException.ThrowIfLessThan(dimensions, 1);
        Dictionary<string, int>[] counts = [.. texts.AsParallel().AsOrdered().Select(t => Count(analyzer, t))];
        Dictionary<string, int> frequencies = [];
        foreach (string term in counts.SelectMany(c => c.Keys))
            frequencies[term] = frequencies.GetValueOrDefault(term) + 1;
        // A term of one text only is no direction that texts share.
        string[] kept = [.. frequencies.Where(f => f.Value >= 2 && f.Value < texts.Count).OrderByDescending(f => f.Value).ThenBy(f => f.Key, StringComparer.Ordinal).Take(MostTerms).Select(f => f.Key)];
        int directions = Math.Min(dimensions, Math.Min(kept.Length, texts.Count) - 1);
        if (directions < 1)
            throw new InvalidDataException("too few texts with words in common to fit vectors to; index more documents, or search by keywords.");
        Dictionary<string, int> terms = kept.Index().ToDictionary(t => t.Item, t => t.Index);
        float[] inverse = [.. kept.Select(t => (float)Math.Log((double)texts.Count / frequencies[t]))];
        SparseRow[] rows = [.. counts.Select(c => SparseRow.Of(c, terms, inverse))];
        return new LatentSemanticModel(analyzer, terms, inverse, Decompose(rows, kept.Length, directions, seed), directions);
    }

    /// <summary>The vector of a text, of length 1, or 0 where no term of it is known.</summary>
    public float[] Embed(string text)
    {
        SparseRow row = SparseRow.Of(Count(_analyzer, text), _terms, _inverse);
        float[] vector = new float[Dimensions];
        for (int i = 0; i < row.Terms.Length; i++)
            TensorPrimitives.MultiplyAdd(_projection.AsSpan(row.Terms[i] * Dimensions, Dimensions), row.Values[i], vector, vector);
        float norm = TensorPrimitives.Norm(vector);
        if (norm > 0)
            TensorPrimitives.Divide(vector, norm, vector);
        return vector;
    }

    /// <inheritdoc/>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Task.FromResult(new GeneratedEmbeddings<Embedding<float>>(values.AsParallel().AsOrdered().WithCancellation(cancellationToken).Select(v => new Embedding<float>(Embed(v)) { ModelId = Name })));
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is null && serviceType == typeof(EmbeddingGeneratorMetadata) ? new EmbeddingGeneratorMetadata("gradus", null, Name, Dimensions) : serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // There is nothing to let go; the interface asks for it.
    }

    /// <summary>The model as bytes.</summary>
    internal byte[] ToBytes()
    {
        using MemoryStream stream = new();
        using (BinaryWriter writer = new(stream, Encoding.UTF8))
        {
            writer.Write((int)_analyzer.Form);
            writer.Write(Dimensions);
            writer.Write(_terms.Count);
            foreach (string term in _terms.OrderBy(t => t.Value).Select(t => t.Key))
                writer.Write(term);
            foreach (float value in _inverse)
                writer.Write(value);
            foreach (float value in _projection)
                writer.Write(value);
        }
        return stream.ToArray();
    }

    /// <summary>A model from its bytes.</summary>
    /// <exception cref="InvalidDataException">They are not whole.</exception>
    internal static LatentSemanticModel FromBytes(byte[] bytes)
    {
        try
        {
            using BinaryReader reader = new(new MemoryStream(bytes), Encoding.UTF8);
            TextAnalyzer analyzer = new((WordForm)reader.ReadInt32());
            int dimensions = reader.ReadInt32(), count = reader.ReadInt32();
            Dictionary<string, int> terms = [];
            for (int i = 0; i < count; i++)
                terms[reader.ReadString()] = i;
            float[] inverse = new float[count], projection = new float[count * dimensions];
            for (int i = 0; i < inverse.Length; i++)
                inverse[i] = reader.ReadSingle();
            for (int i = 0; i < projection.Length; i++)
                projection[i] = reader.ReadSingle();
            return new LatentSemanticModel(analyzer, terms, inverse, projection, dimensions);
        }
        catch (Exception e) when (e is EndOfStreamException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException("the index's own embedding model is damaged; index the documents again.", e);
        }
    }

    private static Dictionary<string, int> Count(TextAnalyzer analyzer, string text)
    {
        Dictionary<string, int> counts = [];
        TextAnalyzer.Words(text, word =>
        {
            foreach (string term in analyzer.Terms(word))
                counts[term] = counts.GetValueOrDefault(term) + 1;
        });
        return counts;
    }

    // Directions of terms (terms × k): random ones, made better by multiplying with XᵀX again and again and kept orthogonal in between.
    private static float[] Decompose(SparseRow[] rows, int terms, int k, ulong seed)
    {
        int width = Math.Min(k + Extra, Math.Min(terms, rows.Length));
        float[][] columns = new float[width][];
        for (int c = 0; c < width; c++)
        {
            columns[c] = new float[terms];
            for (int t = 0; t < terms; t++)
                columns[c][t] = ((CounterRandom.Bits64(seed, ((long)c * terms) + t) >> 40) / (float)(1 << 24)) - 0.5f;
        }
        for (int round = 0; round <= Rounds; round++)
        {
            Orthogonalize(columns);
            Parallel.For(0, width, c => columns[c] = Multiply(rows, columns[c], terms));
        }
        // After the rounds the directions span the space; those of the largest variance are its axes.
        Orthogonalize(columns);
        return Axes(rows, columns, k, terms);
    }

    private static float[] Multiply(SparseRow[] rows, float[] column, int terms)
    {
        float[] product = new float[terms];
        foreach (SparseRow row in rows)
        {
            float along = 0;
            for (int i = 0; i < row.Terms.Length; i++)
                along += row.Values[i] * column[row.Terms[i]];
            for (int i = 0; i < row.Terms.Length; i++)
                product[row.Terms[i]] += row.Values[i] * along;
        }
        return product;
    }

    // Modified Gram–Schmidt, twice, which is enough.
    private static void Orthogonalize(float[][] columns)
    {
        for (int c = 0; c < columns.Length; c++)
        {
            for (int pass = 0; pass < 2; pass++)
            {
                for (int other = 0; other < c; other++)
                    TensorPrimitives.MultiplyAdd(columns[other], -TensorPrimitives.Dot(columns[other], columns[c]), columns[c], columns[c]);
                float norm = TensorPrimitives.Norm(columns[c]);
                if (norm > 0)
                    TensorPrimitives.Divide(columns[c], norm, columns[c]);
            }
        }
    }

    // The eigenvectors of Qᵀ XᵀX Q, by Jacobi's rotations, turn the directions to the axes.
    private static float[] Axes(SparseRow[] rows, float[][] columns, int k, int terms)
    {
        int width = columns.Length;
        double[,] gram = new double[width, width];
        float[][] products = new float[width][];
        Parallel.For(0, width, c => products[c] = Multiply(rows, columns[c], terms));
        Parallel.For(0, width, a =>
        {
            for (int b = 0; b < width; b++)
                gram[a, b] = TensorPrimitives.Dot(columns[a], products[b]);
        });
        (double[] values, double[,] vectors) = JacobiEigen.Of(gram);
        int[] order = [.. Enumerable.Range(0, width).OrderByDescending(i => values[i]).ThenBy(i => i).Take(k)];
        float[] projection = new float[terms * k];
        for (int j = 0; j < k; j++)
        {
            float[] axis = new float[terms];
            for (int c = 0; c < width; c++)
                TensorPrimitives.MultiplyAdd(columns[c], (float)vectors[c, order[j]], axis, axis);
            for (int t = 0; t < terms; t++)
                projection[(t * k) + j] = axis[t];
        }
        return projection;
    }

    private sealed record SparseRow(int[] Terms, float[] Values)
    {
        // Scaled to length 1, so that long texts do not weigh more.
        public static SparseRow Of(Dictionary<string, int> counts, Dictionary<string, int> terms, float[] inverse)
        {
            (int Term, float Value)[] entries = [.. counts.Where(c => terms.ContainsKey(c.Key)).Select(c => (terms[c.Key], MathF.Log(1 + c.Value) * inverse[terms[c.Key]])).OrderBy(e => e.Item1)];
            float norm = MathF.Sqrt(entries.Sum(e => e.Value * e.Value));
            return new SparseRow([.. entries.Select(e => e.Term)], [.. entries.Select(e => norm > 0 ? e.Value / norm : 0)]);
        }
    }
}
