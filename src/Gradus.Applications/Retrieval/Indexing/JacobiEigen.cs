// Source: C. Jacobi, 1846, in the cyclic form of G. Golub and C. Van Loan, "Matrix Computations", §8.5.

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>Eigenvalues and eigenvectors of a small symmetric matrix.</summary>
internal static class JacobiEigen
{
    private const int Sweeps = 30;

    /// <summary>The eigenvalues, in no order, and the eigenvectors as columns.</summary>
    public static (double[] Values, double[,] Vectors) Of(double[,] matrix)
    {
        int n = matrix.GetLength(0);
        double[,] a = (double[,])matrix.Clone(), v = new double[n, n];
        for (int i = 0; i < n; i++)
            v[i, i] = 1;
        for (int sweep = 0; sweep < Sweeps; sweep++)
        {
            double off = 0, all = 0;
            for (int p = 0; p < n; p++)
            {
                for (int q = 0; q < n; q++)
                    (off, all) = (off + (p == q ? 0 : a[p, q] * a[p, q]), all + (a[p, q] * a[p, q]));
            }
            if (off <= all * 1e-18)
                break;
            for (int p = 0; p < n; p++)
            {
                for (int q = p + 1; q < n; q++)
                    Rotate(a, v, p, q, n);
            }
        }
        double[] values = new double[n];
        for (int i = 0; i < n; i++)
            values[i] = a[i, i];
        return (values, v);
    }

    private static void Rotate(double[,] a, double[,] v, int p, int q, int n)
    {
        double apq = (a[p, q] + a[q, p]) / 2;
        if (apq == 0)
            return;
        double theta = (a[q, q] - a[p, p]) / (2 * apq);
        double t = (theta >= 0 ? 1 : -1) / (Math.Abs(theta) + Math.Sqrt((theta * theta) + 1));
        double c = 1 / Math.Sqrt((t * t) + 1), s = t * c;
        for (int i = 0; i < n; i++)
            (a[i, p], a[i, q]) = ((c * a[i, p]) - (s * a[i, q]), (s * a[i, p]) + (c * a[i, q]));
        for (int i = 0; i < n; i++)
            (a[p, i], a[q, i]) = ((c * a[p, i]) - (s * a[q, i]), (s * a[p, i]) + (c * a[q, i]));
        for (int i = 0; i < n; i++)
            (v[i, p], v[i, q]) = ((c * v[i, p]) - (s * v[i, q]), (s * v[i, p]) + (c * v[i, q]));
    }
}
