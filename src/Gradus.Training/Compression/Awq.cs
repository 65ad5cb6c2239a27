// Lin et al., "AWQ: Activation-aware Weight Quantization" (2023): inputs with large activations are scaled up in the weights before these are
// rounded, and down in what makes them; then weights are clipped where that makes the rounded layer's error smaller. Scales are s = mean|x|^ratio,
// the ratio tried from 0 (no scaling) to 0.95.

using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Compression;

/// <summary>How AWQ searches.</summary>
/// <param name="Scale">Whether scales are searched.</param>
/// <param name="Clip">Whether maxima are searched.</param>
/// <param name="SearchTokens">Tokens of the calibration text that the search looks at.</param>
public sealed record AwqOptions(bool Scale = true, bool Clip = true, int SearchTokens = 4096);

/// <summary>What was found for one group of layers.</summary>
/// <param name="Before">What was scaled down.</param>
/// <param name="Ratio">The best ratio; 0 for none.</param>
/// <param name="Losses">The mean squared error for each ratio tried.</param>
public sealed record AwqScale(string Before, double Ratio, IReadOnlyList<double> Losses);

/// <summary>Scales and clips the weights of one block at a time, before they are rounded.</summary>
/// <param name="model">The model; its weights are changed.</param>
/// <param name="walk">Stands before the block.</param>
/// <param name="grids">What a layer's weights will be rounded to; null for layers that are not.</param>
/// <param name="options">How.</param>
internal sealed class Awq(LanguageModel model, BlockWalk walk, Func<Linear, WeightGrid?> grids, AwqOptions options)
{
    private const int Ratios = 20;
    private const int ClipPoints = 10, ClipParts = 20;
    private const int ClipTokens = 512;

    // What attention makes queries and keys of: clipping them hurts (llm-awq).
    private static readonly string[] Unclipped = ["q_", "k_", "query", "key", "Wqkv", "c_attn", "qkv"];

    private readonly int _batches = walk.BatchesOf(options.SearchTokens);

    /// <summary>The scales found.</summary>
    public List<AwqScale> Scales { get; } = [];

    /// <summary>The largest weights kept in each group, (out, groups), by layer.</summary>
    public Dictionary<Linear, float[]> Maxima { get; } = [];

    /// <summary>Scales and clips the current block.</summary>
    public void Block()
    {
        FirstInputs inputs = new(null);
        walk.Observe(inputs, _batches);
        Dictionary<Linear, float[]> seen = inputs.Layers.ToDictionary(l => l, inputs.Of);
        if (options.Scale)
            ScaleBlock(seen);
        if (!options.Clip)
            return;
        foreach ((Linear layer, float[] x) in seen)
        {
            if (grids(layer) is { } grid && x.Length > 0 && !Unclipped.Any(u => layer.Name.Contains(u, StringComparison.Ordinal)))
                Clip(layer, grid, x);
        }
    }

    private void ScaleBlock(Dictionary<Linear, float[]> seen)
    {
        // All are searched on the block as it is, then applied.
        List<(BoundGroup Group, float[] Scales)> found = [];
        foreach (BoundGroup group in ScaleGroups.In(model.Config, seen.Keys, model.Parts))
        {
            if (group.Layers.All(l => grids(l) is not null) && seen[group.Layers[0]].Length > 0)
                found.Add((group, Search(group, seen)));
        }
        foreach ((BoundGroup group, float[] scales) in found)
        {
            group.Apply(scales);
            foreach (Linear layer in group.Layers)
                seen[layer] = [.. seen[layer].Select((x, i) => x / scales[i % scales.Length])];
        }
    }

    private float[] Search(BoundGroup group, Dictionary<Linear, float[]> seen)
    {
        float[] x = seen[group.Layers[0]], sizes = MeanSizes(x, group.Layers[0].Weight.Inputs);
        float[][] weights = [.. group.Layers.Select(LayerWeights.Read)];
        bool isOwn = group.Output is { } shown && group.Layers.Length == 1 && group.Layers[0] == shown;
        float[] expected = isOwn ? [] : Result(group.Output);
        double[] losses = new double[Ratios];
        float[] best = [];
        for (int i = 0; i < Ratios; i++)
        {
            float[] scales = ScalesOf(sizes, (double)i / Ratios);
            float[][] rounded = [.. group.Layers.Select((l, n) => Rounded(grids(l)!, weights[n], scales))];
            losses[i] = isOwn ? OwnLoss(x, weights[0], rounded[0], scales.Length) : Loss(group, rounded, expected);
            if (i == 0 || losses[i] < losses.Take(i).Min())
                best = scales;
        }
        for (int n = 0; n < weights.Length; n++)
            LayerWeights.Write(group.Layers[n], weights[n]);
        Scales.Add(new AwqScale(group.Before?.Path ?? group.NormWeight!.Name, (double)Array.IndexOf(losses, losses.Min()) / Ratios, losses));
        return best;
    }

    // Q(W·s)/s: what the layer computes with, its inputs divided by s.
    private static float[] Rounded(WeightGrid grid, float[] weights, float[] scales)
    {
        float[] scaled = new float[weights.Length];
        for (int i = 0; i < scaled.Length; i++)
            scaled[i] = weights[i] * scales[i % scales.Length];
        grid.RoundAll(scaled, []);
        float[] values = grid.Values();
        for (int i = 0; i < values.Length; i++)
            values[i] /= scales[i % scales.Length];
        return values;
    }

    private double Loss(BoundGroup group, float[][] rounded, float[] expected)
    {
        for (int n = 0; n < rounded.Length; n++)
            LayerWeights.Write(group.Layers[n], rounded[n]);
        return MeanSquare(Result(group.Output), expected);
    }

    // The result of a layer, or of the whole block, over the text of the search.
    private float[] Result(Linear? output)
    {
        if (output is null)
            return [.. walk.Outputs(_batches).SelectMany(o => o)];
        FirstInputs inputs = new(l => l == output);
        walk.Observe(inputs, _batches);
        return Product(inputs.Of(output), LayerWeights.Read(output), output.Weight.Inputs);
    }

    private static double OwnLoss(float[] x, float[] weights, float[] rounded, int columns)
    {
        float[] off = new float[weights.Length];
        for (int i = 0; i < off.Length; i++)
            off[i] = weights[i] - rounded[i];
        float[] result = Product(x, off, columns);
        return MeanSquare(result, new float[result.Length]);
    }

    private static float[] Product(float[] x, float[] weights, int columns)
    {
        using Workspace scratch = new(Tensors.Cpu.CpuDevice.Default);
        return scratch.From(x, new Shape(x.Length / columns, columns)).Linear(scratch.From(weights, new Shape(weights.Length / columns, columns))).ToArray();
    }

    private static double MeanSquare(float[] a, float[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        return sum / a.Length;
    }

    private static float[] MeanSizes(float[] x, int columns)
    {
        ColumnMoments moments = new(columns);
        moments.Add(x);
        return [.. moments.Sizes.Select(s => (float)(s / moments.Rows))];
    }

    private static float[] ScalesOf(float[] sizes, double ratio)
    {
        float[] scales = [.. sizes.Select(s => Math.Max(MathF.Pow(s, (float)ratio), 1e-4f))];
        float middle = MathF.Sqrt(scales.Max() * scales.Min());
        return [.. scales.Select(s => s / middle)];
    }

    // The error of a group is δᵀ·G·δ with the group's part of Σ x·xᵀ.
    private void Clip(Linear layer, WeightGrid grid, float[] x)
    {
        float[] weights = LayerWeights.Read(layer);
        int columns = grid.Columns, size = grid.GroupSize, groups = grid.Groups;
        double[][] gram = Grams(x, columns, size);
        float[] maxima = new float[grid.Rows * groups];
        Parallel.For(0, grid.Rows, row =>
        {
            for (int g = 0; g < groups; g++)
            {
                int start = g * size, count = Math.Min(size, columns - start);
                maxima[(row * groups) + g] = ClipGroup(grid, row, g, weights.AsSpan((row * columns) + start, count), gram[g]);
            }
        });
        LayerWeights.Write(layer, weights);
        Maxima[layer] = maxima;
    }

    private static float ClipGroup(WeightGrid grid, int row, int group, Span<float> weights, double[] gram)
    {
        float largest = 0, best = 0;
        foreach (float weight in weights)
            largest = Math.Max(largest, Math.Abs(weight));
        double least = double.PositiveInfinity;
        float[] clipped = new float[weights.Length];
        double[] off = new double[weights.Length];
        for (int i = 0; i < ClipPoints; i++)
        {
            float most = largest * (1 - ((float)i / ClipParts));
            for (int c = 0; c < clipped.Length; c++)
                clipped[c] = Math.Clamp(weights[c], -most, most);
            grid.Fit(row, group, clipped, default);
            for (int c = 0; c < clipped.Length; c++)
                off[c] = (double)grid.Round(row, (group * grid.GroupSize) + c, clipped[c]) - weights[c];
            double error = 0;
            for (int a = 0; a < off.Length; a++)
                error += off[a] * System.Numerics.Tensors.TensorPrimitives.Dot<double>(gram.AsSpan(a * off.Length, off.Length), off);
            if (error < least)
                (least, best) = (error, most);
        }
        foreach (ref float weight in weights)
            weight = Math.Clamp(weight, -best, best);
        return best;
    }

    private static double[][] Grams(float[] x, int columns, int size)
    {
        int rows = x.Length / columns, step = Math.Max(1, rows / ClipTokens), groups = (columns + size - 1) / size;
        double[][] grams = new double[groups][];
        Parallel.For(0, groups, g =>
        {
            int start = g * size, count = Math.Min(size, columns - start);
            double[] gram = grams[g] = new double[count * count];
            for (int r = 0; r < rows; r += step)
            {
                ReadOnlySpan<float> part = x.AsSpan((r * columns) + start, count);
                for (int a = 0; a < count; a++)
                {
                    for (int b = 0; b < count; b++)
                        gram[(a * count) + b] += (double)part[a] * part[b];
                }
            }
        });
        return grams;
    }

    /// <summary>The inputs of layers, row after row.</summary>
    private sealed class FirstInputs(Func<Linear, bool>? wanted) : Observer
    {
        private readonly OrderedDictionary<Linear, List<float[]>> _rows = [];

        public IReadOnlyList<Linear> Layers => _rows.Keys;

        public float[] Of(Linear layer) => [.. _rows[layer].SelectMany(r => r)];

        public override void LinearInput(Linear linear, Tensor x)
        {
            if (wanted?.Invoke(linear) == false)
                return;
            if (!_rows.TryGetValue(linear, out List<float[]>? rows))
                _rows.Add(linear, rows = []);
            rows.Add(x.ToArray());
        }
    }
}
