// GPTQ: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers" (2022). Columns are rounded one
// after the other; what a column's rounding does to the layer's output is made up for, as well as that can be, by the columns to come.

using System.Numerics.Tensors;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Tensor = Gradus.Tensors.Tensor;

namespace Gradus.Training.Compression;

/// <summary>How GPTQ rounds.</summary>
/// <param name="Damping">Added to the Hessian's diagonal, in parts of its mean.</param>
/// <param name="ActOrder">Columns with large activations first, with the scales of the weights as they were (static groups).</param>
/// <param name="TrueSequential">The layers of a block one after the other, each with the inputs that the quantized ones before it give.</param>
public sealed record GptqOptions(double Damping = 0.01, bool ActOrder = false, bool TrueSequential = false);

/// <summary>What rounding a matrix has cost.</summary>
/// <param name="Grid">The stored values.</param>
/// <param name="Error">Σ (Δ·x)² over the calibration text, in parts of Σ (W·x)².</param>
/// <param name="RoundedError">The same for rounding to nearest.</param>
/// <param name="Note">Why the method fell back to rounding to nearest, or null.</param>
public sealed record RoundedMatrix(WeightGrid Grid, double Error, double RoundedError, string? Note);

/// <summary>Rounds matrices by GPTQ.</summary>
public static class Gptq
{
    private const int RowsAtOnce = 16;

    /// <summary>Rounds a matrix. Never worse on the calibration text than rounding to nearest, which is taken where it is better.</summary>
    /// <param name="makeGrid">Makes the grid: one for GPTQ and one for rounding to nearest.</param>
    /// <param name="weight">(out, in).</param>
    /// <param name="hessian">Σ x·xᵀ, (in, in).</param>
    /// <param name="options">How.</param>
    public static RoundedMatrix Quantize(Func<WeightGrid> makeGrid, float[] weight, float[] hessian, GptqOptions options)
    {
        ArgumentNullException.ThrowIfNull(makeGrid);
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(hessian);
        ArgumentNullException.ThrowIfNull(options);
        WeightGrid nearest = makeGrid(), grid = makeGrid();
        float[] importance = Diagonal(hessian, nearest.Columns);
        nearest.RoundAll(weight, nearest is BlockGrid ? importance : []);
        double rounded = Error(weight, nearest.Values(), hessian, nearest.Columns);
        if (Round(grid, weight, hessian, importance, options) is { } problem)
            return new RoundedMatrix(nearest, rounded, rounded, problem);
        double error = Error(weight, grid.Values(), hessian, grid.Columns);
        return error <= rounded ? new RoundedMatrix(grid, error, rounded, null) : new RoundedMatrix(nearest, rounded, rounded, "rounding to nearest is better here");
    }

    /// <summary>Rounds a matrix without looking whether that was a good idea.</summary>
    /// <returns>Why it could not be done, or null.</returns>
    internal static string? Round(WeightGrid grid, float[] weight, float[] hessian, float[] importance, GptqOptions options)
    {
        int columns = grid.Columns;
        int[] order = [.. Enumerable.Range(0, columns)];
        if (options.ActOrder)
            order = [.. order.OrderByDescending(c => importance[c])];
        float[] ordered = Ordered(hessian, order);
        for (int i = 0; i < columns; i++)
        {
            if (ordered[(i * columns) + i] == 0)
                ordered[(i * columns) + i] = 1;
        }
        if (InverseFactor.Of(ordered, columns, options.Damping) is not { } upper)
            return "the Hessian is not positive definite; more calibration text, or more damping, helps";
        // Whole rows, and groups in another order, have the scales of the weights as they were.
        bool fitsFirst = options.ActOrder || grid.GroupSize >= columns;
        Parallel.For(0, (grid.Rows + RowsAtOnce - 1) / RowsAtOnce, tile =>
        {
            int first = tile * RowsAtOnce, rows = Math.Min(RowsAtOnce, grid.Rows - first);
            new Tile(grid, weight, importance, upper, order, fitsFirst, first, rows).Run();
        });
        return null;
    }

    /// <summary>Σ (Δ·x)² in parts of Σ (W·x)²: tr(Δ·H·Δᵀ) / tr(W·H·Wᵀ).</summary>
    internal static double Error(float[] weight, float[] stored, float[] hessian, int columns)
    {
        float[] off = new float[weight.Length];
        TensorPrimitives.Subtract(weight, stored, off);
        double size = Quadratic(weight, hessian, columns);
        return size > 0 ? Quadratic(off, hessian, columns) / size : 0;
    }

    /// <summary>The diagonal of a square matrix.</summary>
    internal static float[] Diagonal(float[] matrix, int n) => [.. Enumerable.Range(0, n).Select(i => matrix[(i * n) + i])];

    private static double Quadratic(float[] rows, float[] hessian, int columns)
    {
        using Workspace scratch = new(CpuDevice.Default);
        Tensor a = scratch.From(rows, new Shape(rows.Length / columns, columns)), h = scratch.From(hessian, new Shape(columns, columns));
        ReadOnlySpan<float> product = a.MatMul(h).Values();
        double sum = 0;
        for (int start = 0; start < rows.Length; start += columns)
            sum += TensorPrimitives.Dot(product.Slice(start, columns), rows.AsSpan(start, columns));
        return Math.Max(0, sum);
    }

    private static float[] Ordered(float[] hessian, int[] order)
    {
        int n = order.Length;
        float[] ordered = new float[hessian.Length];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
                ordered[(i * n) + j] = hessian[(order[i] * n) + order[j]];
        }
        return ordered;
    }

    // Some rows, column by column: a row of U serves all of them while it is in the cache.
    private sealed class Tile(WeightGrid grid, float[] weight, float[] importance, float[] upper, int[] order, bool fitsFirst, int first, int rows)
    {
        private readonly int _columns = grid.Columns;
        private readonly float[] _values = new float[rows * grid.Columns];
        private readonly float[] _seen = new float[fitsFirst ? 0 : rows * grid.Columns];

        public void Run()
        {
            for (int r = 0; r < rows; r++)
            {
                for (int i = 0; i < _columns; i++)
                    _values[(r * _columns) + i] = importance[order[i]] == 0 ? 0 : weight[((first + r) * _columns) + order[i]];
            }
            for (int g = 0; fitsFirst && g < grid.Groups; g++)
                FitFrom(weight.AsSpan(first * _columns, rows * _columns), g);
            for (int i = 0; i < _columns; i++)
            {
                if (!fitsFirst)
                    Refit(i);
                RoundColumn(i);
            }
            for (int r = 0; r < rows && grid is BlockGrid; r++)
            {
                for (int g = 0; g < grid.Groups; g++)
                    ((BlockGrid)grid).Forget(first + r, g);
            }
        }

        private void Refit(int column)
        {
            if (column % grid.SeesEvery == 0)
                _values.CopyTo(_seen, 0);
            if (column % grid.GroupSize == 0)
                FitFrom(_seen, column / grid.GroupSize);
        }

        private void FitFrom(ReadOnlySpan<float> values, int group)
        {
            int start = group * grid.GroupSize, count = Math.Min(grid.GroupSize, _columns - start);
            for (int r = 0; r < rows; r++)
                grid.Fit(first + r, group, values.Slice((r * _columns) + start, count), grid is BlockGrid ? importance.AsSpan(start, count) : default);
        }

        private void RoundColumn(int i)
        {
            float pivot = upper[(i * _columns) + i];
            ReadOnlySpan<float> ahead = upper.AsSpan((i * _columns) + i + 1, _columns - i - 1);
            for (int r = 0; r < rows; r++)
            {
                float value = _values[(r * _columns) + i], error = (value - grid.Round(first + r, order[i], value)) / pivot;
                Span<float> rest = _values.AsSpan((r * _columns) + i + 1, ahead.Length);
                TensorPrimitives.MultiplyAdd(ahead, -error, rest, rest);
            }
        }
    }
}
