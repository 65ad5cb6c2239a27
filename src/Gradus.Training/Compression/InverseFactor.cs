using System.Numerics.Tensors;

namespace Gradus.Training.Compression;

/// <summary>
/// The upper triangular U with H⁻¹ = UᵀU, which GPTQ and SparseGPT work with. H = R·Rᵀ with R upper triangular is the Cholesky factorization of
/// H with rows and columns in reverse order, and U = R⁻¹: one factorization and one triangular inverse, without H⁻¹ itself.
/// </summary>
internal static class InverseFactor
{
    /// <summary>U, (n, n) row by row.</summary>
    /// <param name="hessian">H, (n, n), symmetric.</param>
    /// <param name="n">Its size.</param>
    /// <param name="damping">Added to the diagonal, in parts of its mean.</param>
    /// <returns>Null where H with the damping is not positive definite.</returns>
    public static float[]? Of(ReadOnlySpan<float> hessian, int n, double damping)
    {
        double mean = 0;
        for (int i = 0; i < n; i++)
            mean += hessian[(i * n) + i];
        mean /= n;
        double[] lower = new double[n * n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
                lower[(i * n) + j] = hessian[((n - 1 - i) * n) + n - 1 - j];
            lower[(i * n) + i] += damping * mean;
        }
        return Factorize(lower, n) ? Reverse(Invert(lower, n), n) : null;
    }

    // L·Lᵀ = A in place, column by column; rows side by side.
    private static bool Factorize(double[] a, int n)
    {
        for (int j = 0; j < n; j++)
        {
            ReadOnlySpan<double> pivots = a.AsSpan(j * n, j);
            double square = a[(j * n) + j] - TensorPrimitives.Dot(pivots, pivots);
            if (!(square > 0) || !double.IsFinite(square))
                return false;
            double pivot = a[(j * n) + j] = Math.Sqrt(square);
            int column = j;
            Rows(column + 1, n, (long)(n - column) * column, i =>
                a[(i * n) + column] = (a[(i * n) + column] - TensorPrimitives.Dot<double>(a.AsSpan(i * n, column), a.AsSpan(column * n, column))) / pivot);
        }
        return true;
    }

    // (L⁻¹)ᵀ: row j is column j of the inverse.
    private static double[] Invert(double[] lower, int n)
    {
        double[] inverse = new double[n * n];
        Rows(0, n, (long)n * n * n / 6, j =>
        {
            inverse[(j * n) + j] = 1 / lower[(j * n) + j];
            for (int i = j + 1; i < n; i++)
                inverse[(j * n) + i] = -TensorPrimitives.Dot<double>(lower.AsSpan((i * n) + j, i - j), inverse.AsSpan((j * n) + j, i - j)) / lower[(i * n) + i];
        });
        return inverse;
    }

    private static float[] Reverse(double[] transposed, int n)
    {
        float[] upper = new float[n * n];
        for (int i = 0; i < n; i++)
        {
            for (int j = i; j < n; j++)
                upper[(i * n) + j] = (float)transposed[((n - 1 - j) * n) + n - 1 - i];
        }
        return upper;
    }

    // Each row's result is its own, so the number of threads has no part in it.
    private static void Rows(int from, int to, long work, Action<int> row)
    {
        const long WorthThreads = 1 << 16;
        if (work < WorthThreads)
        {
            for (int i = from; i < to; i++)
                row(i);
            return;
        }
        Parallel.For(from, to, row);
    }
}
