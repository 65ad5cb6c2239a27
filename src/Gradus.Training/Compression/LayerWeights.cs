using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Compression;

/// <summary>The weights of linear layers as (out, in), however the model stores them.</summary>
internal static class LayerWeights
{
    /// <summary>A copy, (out, in).</summary>
    public static float[] Read(Linear layer)
    {
        using Workspace scratch = new(Dense(layer).Parameter.Value.Device);
        return layer.Weight.Dense(scratch).ToArray();
    }

    /// <summary>Gives a layer other weights.</summary>
    /// <param name="layer">The layer; its weight is not packed.</param>
    /// <param name="weights">(out, in).</param>
    public static void Write(Linear layer, ReadOnlySpan<float> weights)
    {
        DenseWeight dense = Dense(layer);
        Span<float> to = dense.Parameter.Value.Span();
        if (dense.Layout == WeightLayout.OutIn)
        {
            weights.CopyTo(to);
            return;
        }
        int inputs = dense.Inputs, outputs = dense.Outputs;
        for (int o = 0; o < outputs; o++)
        {
            for (int i = 0; i < inputs; i++)
                to[(i * outputs) + o] = weights[(o * inputs) + i];
        }
    }

    /// <summary>The parameter's name.</summary>
    public static string NameOf(Linear layer) => Dense(layer).Parameter.Name;

    /// <summary>Multiplies every input's column by a factor.</summary>
    public static void ScaleInputs(Linear layer, float[] factors)
    {
        float[] weights = Read(layer);
        for (int i = 0; i < weights.Length; i++)
            weights[i] *= factors[i % factors.Length];
        Write(layer, weights);
    }

    /// <summary>Divides what a layer gives in its last outputs: as many as there are divisors.</summary>
    public static void DivideOutputs(Linear layer, float[] divisors)
    {
        float[] weights = Read(layer);
        int inputs = layer.Weight.Inputs, first = layer.Weight.Outputs - divisors.Length;
        for (int o = 0; o < divisors.Length; o++)
        {
            foreach (ref float weight in weights.AsSpan((first + o) * inputs, inputs))
                weight /= divisors[o];
        }
        Write(layer, weights);
        if (layer.Bias is not { } bias)
            return;
        Span<float> values = bias.Value.Span();
        for (int o = 0; o < divisors.Length; o++)
            values[first + o] /= divisors[o];
    }

    private static DenseWeight Dense(Linear layer) => layer.Weight as DenseWeight
        ?? throw new InvalidDataException($"{layer.Path}: is quantized already; give the model as it was before.");
}
