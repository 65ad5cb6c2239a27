// Quantizes a model in memory, by rounding to the nearest that a format can hold. Methods that look at data or at the error of a layer
// (GPTQ, AWQ) choose other values; they are not here.

using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Models;

/// <summary>Replaces the weights of linear layers by block-quantized ones.</summary>
public static class ModelQuantization
{
    /// <summary>
    /// Quantizes linear layers. Their old weights are freed and leave the model's parameters, but for those that another layer uses too
    /// (a head that is tied to the embedding table gets a quantized copy).
    /// </summary>
    /// <param name="model">The model; without adapters.</param>
    /// <param name="format">The blocks' format.</param>
    /// <param name="which">Which layers; null for all of them.</param>
    /// <param name="doubleQuantization">Whether the blocks' scales are quantized too (NF4: 4.127 bits a weight instead of 4.5).</param>
    /// <returns>The layers that were quantized. Others were not asked for, are quantized already, or have rows that are not whole blocks.</returns>
    /// <exception cref="InvalidOperationException">The model has an adapter.</exception>
    /// <exception cref="ArgumentException">The format has no double quantization.</exception>
    public static IReadOnlyList<Linear> Apply(LanguageModel model, PackedFormat format, Func<Linear, bool>? which = null, bool doubleQuantization = false)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(format);
        if (model.Parts.Linears.Any(l => l.Adapter is not null))
            throw new InvalidOperationException("The model has an adapter; merge or detach it before the model is quantized.");
        List<Linear> quantized = [];
        foreach (Linear linear in model.Parts.Linears)
        {
            if (linear.Weight is not DenseWeight dense || dense.Inputs % format.BlockSize != 0 || which?.Invoke(linear) == false)
                continue;
            PackedMatrix matrix = Quantize(dense, format, model.Parts.Store, doubleQuantization);
            bool shared = IsShared(model.Parts, dense.Parameter);
            linear.Weight = new PackedWeight(matrix, shared ? dense.Parameter : null);
            if (!shared)
                model.Parts.Remove(dense.Parameter);
            quantized.Add(linear);
        }
        return quantized;
    }

    private static PackedMatrix Quantize(DenseWeight weight, PackedFormat format, Workspace store, bool doubleQuantization)
    {
        using Workspace scratch = new(store.Device);
        return PackedMatrix.Quantize(store, format, weight.Outputs, weight.Inputs, weight.Dense(scratch).Values(), doubleQuantization);
    }

    private static bool IsShared(ModelParts parts, Parameter parameter) =>
        parts.Embeddings.Any(e => e.Uses(parameter)) || parts.Linears.Count(l => l.Weight is DenseWeight d && d.Parameter == parameter) > 1;
}
