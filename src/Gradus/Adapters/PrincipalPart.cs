using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// The largest singular values of a layer's weight with their vectors, as PiSSA's first matrices (Meng et al., "PiSSA", 2024):
/// W ≈ s·B·A with A = √(Σ/s)·Vᵀ and B = U·√(Σ/s). By one-sided Jacobi rotations in double precision (Hestenes, 1958), exact but cubic;
/// left out is the approximation for large matrices.
/// </summary>
internal static class PrincipalPart
{
    /// <summary>The most columns of the narrower side: beyond, the rotations would take minutes for every layer.</summary>
    private const int Widest = 1024;

    private const int MostSweeps = 60;

    /// <summary>A (r, in) and B (out, r) of a layer, in a workspace.</summary>
    /// <exception cref="InvalidDataException">The weight is too large, or has fewer singular values than r.</exception>
    public static (Tensor A, Tensor B) Of(Linear layer, int rank, float scale, Workspace store)
    {
        int inputs = layer.Weight.Inputs, outputs = layer.Weight.Outputs, narrow = Math.Min(inputs, outputs);
        if (narrow > Widest)
            throw new InvalidDataException($"init_lora_weights: \"pissa\" takes apart matrices of at most {Widest} columns or rows here, but {layer.Path} has ({outputs}, {inputs}); use true.");
        if (rank > narrow || !(scale > 0))
            throw new InvalidDataException($"init_lora_weights: \"pissa\" needs r between 1 and {narrow} for {layer.Path} and lora_alpha above 0, but r is {rank} and α/r {scale}.");
        double[][] columns = Columns(layer, outputs <= inputs);
        double[][] turns = Rotate(columns);
        int[] largest = [.. Enumerable.Range(0, narrow).OrderByDescending(i => SquaredLength(columns[i])).Take(rank)];
        Tensor a = store.Empty(new Shape(rank, inputs)), b = store.Empty(new Shape(outputs, rank));
        for (int k = 0; k < rank; k++)
        {
            // The rotated columns are σ·u, the turns v (or the other way round for the transposed matrix).
            double sigma = Math.Sqrt(SquaredLength(columns[largest[k]]));
            double root = Math.Sqrt(sigma / scale), unit = sigma > 0 ? root / sigma : 0;
            double[] scaled = columns[largest[k]], turn = turns[largest[k]];
            for (int i = 0; i < inputs; i++)
                a.Span()[(k * inputs) + i] = (float)(outputs <= inputs ? scaled[i] * unit : turn[i] * root);
            for (int o = 0; o < outputs; o++)
                b.Span()[(o * rank) + k] = (float)(outputs <= inputs ? turn[o] * root : scaled[o] * unit);
        }
        return (a, b);
    }

    // The columns of W, or of Wᵀ where that has fewer.
    private static double[][] Columns(Linear layer, bool transposed)
    {
        using Workspace scratch = new(Device(layer));
        Tensor dense = layer.Weight.Dense(scratch);
        ReadOnlySpan<float> w = dense.Values();
        int outputs = dense.Shape[0], inputs = dense.Shape[1];
        double[][] columns = new double[transposed ? outputs : inputs][];
        for (int c = 0; c < columns.Length; c++)
        {
            columns[c] = new double[transposed ? inputs : outputs];
            for (int i = 0; i < columns[c].Length; i++)
                columns[c][i] = transposed ? w[(c * inputs) + i] : w[(i * inputs) + c];
        }
        return columns;
    }

    private static Device Device(Linear layer) => layer.Weight switch
    {
        DenseWeight dense => dense.Parameter.Value.Device,
        PackedWeight packed => packed.Matrix.Device,
        _ => ReferenceDevice.Instance,
    };

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
        double dot = Dot(columns[p], columns[q]), a = SquaredLength(columns[p]), b = SquaredLength(columns[q]);
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

    private static double SquaredLength(double[] x) => Dot(x, x);

    private static double Dot(double[] x, double[] y)
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
            sum += x[i] * y[i];
        return sum;
    }
}
