// Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models" (2023): what norms give is divided by
// s = max|x|^α / max|w|^(1−α), and the weights behind them multiplied, so that activations have fewer outliers when both are rounded to 8 bits.

using Gradus.Models;
using Gradus.Nn;

namespace Gradus.Training.Compression;

/// <summary>Moves outliers of activations into weights.</summary>
public static class SmoothQuant
{
    private const float Least = 1e-5f;

    /// <summary>Smooths every group of layers behind a norm; the model computes what it did before.</summary>
    /// <param name="model">The model.</param>
    /// <param name="moments">The largest activations.</param>
    /// <param name="alpha">How much of the outliers is moved, from 0 to 1.</param>
    /// <returns>The layers that were changed.</returns>
    public static IReadOnlyList<Linear> Apply(LanguageModel model, InputMoments moments, float alpha = 0.5f)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(moments);
        List<Linear> changed = [];
        foreach (IReadOnlyCollection<Linear> block in Blocks.Of(moments.Layers.Keys))
        {
            foreach (BoundGroup group in ScaleGroups.In(model.Config, block, model.Parts).Where(g => g.Group.IsNorm))
            {
                float[] largest = moments.Layers[group.Layers[0]].Largest, weights = new float[largest.Length];
                foreach (float[] matrix in group.Layers.Select(LayerWeights.Read))
                {
                    for (int i = 0; i < matrix.Length; i++)
                        weights[i % weights.Length] = Math.Max(weights[i % weights.Length], Math.Abs(matrix[i]));
                }
                group.Apply([.. largest.Zip(weights, (x, w) => Math.Max(Least, MathF.Pow(Math.Max(x, Least), alpha) / MathF.Pow(Math.Max(w, Least), 1 - alpha)))]);
                changed.AddRange(group.Layers);
            }
        }
        return changed;
    }
}
