using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// The largest singular values of a matrix with their vectors, W ≈ U·Σ·Vᵀ. Small matrices by one-sided Jacobi rotations in double
/// precision (Hestenes, 1958), exact but cubic; large ones by subspace iteration from random vectors (Halko, Martinsson and Tropp,
/// "Finding Structure with Randomness", 2011) with a few vectors more than asked for.
/// </summary>
internal sealed class SingularValues
{
    /// <summary>The most columns of the narrower side for which all values are computed.</summary>
    private const int ExactAtMost = 512;

    private const int MostSweeps = 60;
    private const int MoreVectors = 12;
    private const int Iterations = 12;

    private SingularValues(double[] values, double[][] left, double[][] right)
    {
        Values = values;
        Left = left;
        Right = right;
    }

    /// <summary>σ, the largest first.</summary>
    public double[] Values { get; }

    /// <summary>u: a vector of the rows' length for each value.</summary>
    public double[][] Left { get; }

    /// <summary>v: a vector of the columns' length for each value.</summary>
    public double[][] Right { get; }

    /// <summary>The largest singular values of a matrix (rows, columns).</summary>
    /// <param name="matrix">Row-major.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="rank">How many, from 1 to the shorter side.</param>
    /// <param name="device">Where large products are computed.</param>
    public static SingularValues Largest(ReadOnlySpan<float> matrix, int rows, int columns, int rank, Device device)
    {
        int narrow = Math.Min(rows, columns);
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rank, narrow);
        if (narrow > ExactAtMost && rank + MoreVectors < narrow)
            return Iterate(matrix, rows, columns, rank, device);
        bool transposed = rows < columns;
        double[][] vectors = new double[narrow][];
        for (int c = 0; c < narrow; c++)
        {
            vectors[c] = new double[Math.Max(rows, columns)];
            for (int i = 0; i < vectors[c].Length; i++)
                vectors[c][i] = transposed ? matrix[(c * columns) + i] : matrix[(i * columns) + c];
        }
        double[][] turns = Rotate(vectors);
        SingularValues found = Sort(vectors, turns, rank);
        return transposed ? new SingularValues(found.Values, found.Right, found.Left) : found;
    }

    /// <summary>Factors of the matrix's largest part: A = √(Σ/s)·Vᵀ (r, columns) and B = U·√(Σ/s) (rows, r), so that s·B·A ≈ W.</summary>
    /// <param name="scale">s, above 0.</param>
    /// <param name="store">Where they are to live.</param>
    public (Tensor A, Tensor B) Factors(float scale, Workspace store)
    {
        int rank = Values.Length, rows = Left[0].Length, columns = Right[0].Length;
        Tensor a = store.Empty(new Shape(rank, columns)), b = store.Empty(new Shape(rows, rank));
        for (int k = 0; k < rank; k++)
        {
            double root = Math.Sqrt(Values[k] / scale);
            for (int i = 0; i < columns; i++)
                a.Span()[(k * columns) + i] = (float)(Right[k][i] * root);
            for (int o = 0; o < rows; o++)
                b.Span()[(o * rank) + k] = (float)(Left[k][o] * root);
        }
        return (a, b);
    }

    /// <summary>Makes vectors orthogonal to those before them and of length 1, in place; those that are nothing new become zero.</summary>
    public static void Orthonormalize(double[][] vectors)
    {
        for (int k = 0; k < vectors.Length; k++)
        {
            double before = Math.Sqrt(Dot(vectors[k], vectors[k]));
            // Twice is enough (Kahan).
            for (int pass = 0; pass < 2; pass++)
            {
                for (int j = 0; j < k; j++)
                    Add(vectors[k], -Dot(vectors[k], vectors[j]), vectors[j]);
            }
            double length = Math.Sqrt(Dot(vectors[k], vectors[k]));
            bool isNew = length > 1e-12 * before;
            for (int i = 0; i < vectors[k].Length; i++)
                vectors[k][i] = isNew ? vectors[k][i] / length : 0;
        }
    }

    private static SingularValues Iterate(ReadOnlySpan<float> matrix, int rows, int columns, int rank, Device device)
    {
        using Workspace scratch = new(device);
        Tensor w = scratch.From(matrix, new Shape(rows, columns));
        double[][] basis = new double[rank + MoreVectors][];
        for (int k = 0; k < basis.Length; k++)
        {
            basis[k] = new double[columns];
            for (int i = 0; i < columns; i++)
                basis[k][i] = CounterRandom.Normal(CounterRandom.Derive(1, (ulong)k), i);
        }
        Orthonormalize(basis);
        double[][] image = [];
        for (int i = 0; i < Iterations; i++)
        {
            image = Times(scratch, w, basis, transpose: false);
            Orthonormalize(image);
            basis = Times(scratch, w, image, transpose: true);
            Orthonormalize(basis);
        }
        image = Times(scratch, w, basis, transpose: false);
        double[][] turns = Rotate(image);
        SingularValues found = Sort(image, turns, rank);
        double[][] right = [.. found.Right.Select(turn =>
        {
            double[] sum = new double[columns];
            for (int k = 0; k < basis.Length; k++)
                Add(sum, turn[k], basis[k]);
            return sum;
        })];
        return new SingularValues(found.Values, found.Left, right);
    }

    private static double[][] Times(Workspace scratch, Tensor w, double[][] vectors, bool transpose)
    {
        Tensor x = scratch.From([.. vectors.SelectMany(v => v).Select(v => (float)v)], new Shape(vectors.Length, vectors[0].Length));
        Tensor y = x.MatMul(w, transposeB: !transpose);
        int width = y.Shape[1];
        float[] values = y.ToArray();
        return [.. Enumerable.Range(0, vectors.Length).Select(k => Array.ConvertAll(values[(k * width)..((k + 1) * width)], v => (double)v))];
    }

    // The turned columns are σ·u, the turns v.
    private static SingularValues Sort(double[][] columns, double[][] turns, int rank)
    {
        double[] lengths = [.. columns.Select(c => Math.Sqrt(Dot(c, c)))];
        int[] largest = [.. Enumerable.Range(0, columns.Length).OrderByDescending(i => lengths[i]).Take(rank)];
        return new SingularValues(
            [.. largest.Select(i => lengths[i])],
            [.. largest.Select(i => Array.ConvertAll(columns[i], v => lengths[i] > 0 ? v / lengths[i] : 0))],
            [.. largest.Select(i => turns[i])]);
    }

    // Turns pairs of columns until all are orthogonal; returns the product of the turns, by columns.
    private static double[][] Rotate(double[][] columns)
    {
        int n = columns.Length;
        double[][] turns = new double[n][];
        for (int i = 0; i < n; i++)
        {
            turns[i] = new double[n];
            turns[i][i] = 1;
        }
        bool turned = true;
        for (int sweep = 0; turned && sweep < MostSweeps; sweep++)
        {
            turned = false;
            for (int p = 0; p + 1 < n; p++)
            {
                for (int q = p + 1; q < n; q++)
                    turned |= Orthogonalize(columns, turns, p, q);
            }
        }
        return turns;
    }

    private static bool Orthogonalize(double[][] columns, double[][] turns, int p, int q)
    {
        double dot = Dot(columns[p], columns[q]), a = Dot(columns[p], columns[p]), b = Dot(columns[q], columns[q]);
        if (Math.Abs(dot) <= 1e-15 * Math.Sqrt(a * b) || dot == 0)
            return false;
        double zeta = (b - a) / (2 * dot);
        double t = (zeta < 0 ? -1 : 1) / (Math.Abs(zeta) + Math.Sqrt(1 + (zeta * zeta)));
        double cos = 1 / Math.Sqrt(1 + (t * t)), sin = cos * t;
        Turn(columns[p], columns[q], cos, sin);
        Turn(turns[p], turns[q], cos, sin);
        return true;
    }

    private static void Turn(double[] x, double[] y, double cos, double sin)
    {
        for (int i = 0; i < x.Length; i++)
            (x[i], y[i]) = ((cos * x[i]) - (sin * y[i]), (sin * x[i]) + (cos * y[i]));
    }

    private static void Add(double[] to, double factor, double[] x)
    {
        for (int i = 0; i < to.Length; i++)
            to[i] += factor * x[i];
    }

    private static double Dot(double[] x, double[] y)
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
            sum += x[i] * y[i];
        return sum;
    }
}
