// Which weights of a matrix become zero. Magnitude: the smallest (Han et al., 2015). Wanda: the smallest |w|·‖x‖ of every output (Sun et al., "A
// Simple and Effective Pruning Approach for Large Language Models", 2023). SparseGPT: those whose loss the others can make up for best (Frantar
// and Alistarh, "SparseGPT", 2023).

using System.Globalization;
using System.Numerics.Tensors;

namespace Gradus.Training.Compression.Pruning;

/// <summary>How weights that become zero are chosen.</summary>
public enum PruningMethod
{
    /// <summary>The smallest weights.</summary>
    Magnitude,

    /// <summary>The smallest products of weight and activation.</summary>
    Wanda,

    /// <summary>Those that cost least, the others making up for them.</summary>
    SparseGpt,
}

/// <summary>How many weights become zero: a share of all, or some of every few neighbours.</summary>
/// <param name="Ratio">The share, above 0 and below 1, where there is no pattern.</param>
/// <param name="Zeros">Zeros of every group of neighbours; 0 for no pattern.</param>
/// <param name="Of">Neighbouring inputs of a group.</param>
public sealed record Sparsity(double Ratio, int Zeros = 0, int Of = 0)
{
    /// <summary>Whether zeros are spread by a pattern.</summary>
    public bool HasPattern => Of > 0;

    /// <summary>The pattern of a text such as 2:4: that many zeros of as many neighbours.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static Sparsity Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split(':');
        return parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int zeros) && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int of)
            && zeros > 0 && zeros < of && of <= 128
            ? new Sparsity((double)zeros / of, zeros, of)
            : throw new FormatException($"{text}: is no pattern; 2:4 makes two of every four neighbours zero.");
    }
}

/// <summary>Chooses weights and makes them zero.</summary>
public static class WeightPruning
{
    /// <summary>Columns that SparseGPT chooses among at once.</summary>
    public const int BlockColumns = 128;

    /// <summary>The mask of the smallest weights of a whole matrix, or of every group.</summary>
    /// <param name="weight">(out, in).</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="sparsity">How many.</param>
    /// <returns>True where a weight becomes zero.</returns>
    public static bool[] Magnitude(float[] weight, int columns, Sparsity sparsity)
    {
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(sparsity);
        float[] sizes = [.. weight.Select(Math.Abs)];
        if (sparsity.HasPattern)
            return ByRow(sizes, columns, sparsity);
        // As in the reference, all that are as small as the threshold go.
        float[] sorted = [.. sizes.Order()];
        float threshold = sorted[Math.Min(sorted.Length - 1, (int)(sorted.Length * sparsity.Ratio))];
        return [.. sizes.Select(s => s <= threshold)];
    }

    /// <summary>The mask of the smallest |w|·‖x‖ of every output, or of every group.</summary>
    /// <param name="weight">(out, in).</param>
    /// <param name="meanSquares">Mean squares of the inputs.</param>
    /// <param name="sparsity">How many.</param>
    public static bool[] Wanda(float[] weight, float[] meanSquares, Sparsity sparsity)
    {
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(meanSquares);
        ArgumentNullException.ThrowIfNull(sparsity);
        float[] norms = [.. meanSquares.Select(MathF.Sqrt)], metric = new float[weight.Length];
        for (int i = 0; i < weight.Length; i++)
            metric[i] = Math.Abs(weight[i]) * norms[i % norms.Length];
        return ByRow(metric, meanSquares.Length, sparsity);
    }

    /// <summary>Makes weights zero, and changes those to their right so that the outputs stay as near as they can.</summary>
    /// <param name="weight">(out, in); changed.</param>
    /// <param name="hessian">Σ x·xᵀ, (in, in).</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="sparsity">How many.</param>
    /// <param name="damping">Added to the Hessian's diagonal, in parts of its mean.</param>
    /// <param name="blockColumns">Columns that are chosen among at once.</param>
    /// <returns>Why it could not be done, or null.</returns>
    public static string? SparseGpt(float[] weight, float[] hessian, int columns, Sparsity sparsity, double damping = 0.01, int blockColumns = BlockColumns)
    {
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(hessian);
        ArgumentNullException.ThrowIfNull(sparsity);
        float[] matrix = [.. hessian];
        for (int i = 0; i < columns; i++)
        {
            if (matrix[(i * columns) + i] != 0)
                continue;
            matrix[(i * columns) + i] = 1;
            for (int at = i; at < weight.Length; at += columns)
                weight[at] = 0;
        }
        if (InverseFactor.Of(matrix, columns, damping) is not { } upper)
            return "the Hessian is not positive definite; more calibration text, or more damping, helps";
        int rows = weight.Length / columns;
        for (int start = 0; start < columns; start += blockColumns)
        {
            int first = start, count = Math.Min(blockColumns, columns - start);
            bool[]? mask = sparsity.HasPattern ? null : BlockMask(weight, upper, columns, first, count, sparsity.Ratio);
            Parallel.For(0, rows, row => PruneRow(weight.AsSpan(row * columns, columns), upper, first, count, mask is null ? default : mask.AsSpan(row * count, count), sparsity));
        }
        return null;
    }

    // The smallest of each row, or of each group of a row; of equal ones the first.
    private static bool[] ByRow(float[] metric, int columns, Sparsity sparsity)
    {
        int group = sparsity.HasPattern ? sparsity.Of : columns, zeros = sparsity.HasPattern ? sparsity.Zeros : (int)(columns * sparsity.Ratio);
        bool[] mask = new bool[metric.Length];
        Parallel.For(0, metric.Length / columns, row =>
        {
            for (int start = 0; start < columns; start += group)
                MarkSmallest(metric.AsSpan((row * columns) + start, Math.Min(group, columns - start)), zeros, mask.AsSpan((row * columns) + start));
        });
        return mask;
    }

    private static void MarkSmallest(ReadOnlySpan<float> values, int count, Span<bool> mask)
    {
        float[] keys = values.ToArray();
        int[] order = [.. Enumerable.Range(0, keys.Length)];
        Array.Sort(order, (a, b) => keys[a] != keys[b] ? keys[a].CompareTo(keys[b]) : a.CompareTo(b));
        for (int i = 0; i < Math.Min(count, order.Length); i++)
            mask[order[i]] = true;
    }

    // Of all rows together, those whose w²/u² is at most the threshold's.
    private static bool[] BlockMask(float[] weight, float[] upper, int columns, int start, int count, double ratio)
    {
        int rows = weight.Length / columns;
        float[] cost = new float[rows * count];
        for (int row = 0; row < rows; row++)
        {
            for (int i = 0; i < count; i++)
                cost[(row * count) + i] = Cost(weight[(row * columns) + start + i], upper[((start + i) * columns) + start + i]);
        }
        float[] sorted = [.. cost.Order()];
        float threshold = sorted[Math.Min(sorted.Length - 1, (int)(sorted.Length * ratio))];
        return [.. cost.Select(c => c <= threshold)];
    }

    private static float Cost(float weight, float pivot) => weight * weight / (pivot * pivot);

    private static void PruneRow(Span<float> row, float[] upper, int start, int count, ReadOnlySpan<bool> mask, Sparsity sparsity)
    {
        int columns = row.Length;
        Span<bool> zero = stackalloc bool[count];
        if (!mask.IsEmpty)
            mask.CopyTo(zero);
        Span<float> costs = stackalloc float[Math.Max(1, sparsity.Of)];
        for (int i = 0; i < count; i++)
        {
            if (sparsity.HasPattern && i % sparsity.Of == 0)
            {
                int size = Math.Min(sparsity.Of, count - i);
                for (int k = 0; k < size; k++)
                    costs[k] = Cost(row[start + i + k], upper[((start + i + k) * columns) + start + i + k]);
                MarkSmallest(costs[..size], sparsity.Zeros, zero[i..]);
            }
            if (!zero[i])
                continue;
            int c = start + i;
            float error = row[c] / upper[(c * columns) + c];
            row[c] = 0;
            Span<float> rest = row[(c + 1)..];
            TensorPrimitives.MultiplyAdd(upper.AsSpan((c * columns) + c + 1, rest.Length), -error, rest, rest);
        }
    }
}
