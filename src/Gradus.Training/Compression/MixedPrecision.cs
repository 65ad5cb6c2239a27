using Gradus.Nn;
using Gradus.Tensors.Packed;

namespace Gradus.Training.Compression;

/// <summary>Chooses formats of different sizes for the tensors of a model within a budget of bytes.</summary>
internal static class MixedPrecision
{
    private static readonly string[] Candidates = ["Q2_K", "Q3_K", "IQ4_XS", "Q4_0", "Q4_K", "Q5_0", "Q5_K", "Q6_K", "Q8_0"];

    /// <summary>What each format would cost one tensor.</summary>
    /// <param name="Name">The tensor.</param>
    /// <param name="Weights">How many weights it has.</param>
    /// <param name="Forms">Formats by their bytes, each with the error of the layer's outputs in parts of their squares.</param>
    public sealed record Choice(string Name, long Weights, IReadOnlyList<(PackedFormat Format, long Bytes, double Error)> Forms);

    /// <summary>Rounds a tensor to every format that its rows fit.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="layers">The layers stored in it.</param>
    /// <param name="importance">Mean squares of a layer's inputs, or null where there are none.</param>
    public static Choice Measure(string name, IReadOnlyList<Linear> layers, Func<Linear, float[]?> importance)
    {
        List<(PackedFormat, long, double)> forms = [];
        foreach (PackedFormat format in Candidates.Select(PackedFormats.Get).Where(f => layers.All(l => l.Weight.Inputs % f.BlockSize == 0)))
        {
            double off = 0, size = 0;
            long bytes = 0;
            foreach (Linear layer in layers)
            {
                float[] weight = LayerWeights.Read(layer), columns = importance(layer) ?? [];
                BlockGrid grid = new(format, layer.Weight.Outputs, layer.Weight.Inputs);
                grid.RoundAll(weight, columns);
                float[] stored = grid.Values();
                for (int i = 0; i < weight.Length; i++)
                {
                    double counted = columns.Length == 0 ? 1 : columns[i % columns.Length], d = (double)weight[i] - stored[i];
                    off += counted * d * d;
                    size += counted * weight[i] * weight[i];
                }
                bytes += grid.Bytes;
            }
            forms.Add((format, bytes, size > 0 ? off / size : 0));
        }
        return new Choice(name, layers.Sum(l => (long)l.Weight.Inputs * l.Weight.Outputs), [.. forms.OrderBy(f => f.Item2).ThenBy(f => f.Item3)]);
    }

    /// <summary>From the smallest formats on, the change that takes most error off for its bytes, as long as one fits the budget.</summary>
    /// <exception cref="InvalidDataException">Even the smallest formats take more.</exception>
    public static IReadOnlyDictionary<string, PackedFormat> Choose(IReadOnlyList<Choice> choices, double bitsPerWeight)
    {
        long weights = choices.Sum(c => c.Weights), used = choices.Sum(c => c.Forms[0].Bytes);
        double budget = weights * bitsPerWeight / 8;
        if (used > budget)
            throw new InvalidDataException(FormattableString.Invariant($"{bitsPerWeight} bits per weight are too few: the smallest formats that the rows fit take {used * 8.0 / Math.Max(1, weights):0.00}."));
        int[] chosen = new int[choices.Count];
        while (true)
        {
            (int Tensor, int Form, double Gain) best = (-1, 0, 0);
            for (int t = 0; t < choices.Count; t++)
            {
                (_, long bytes, double error) = choices[t].Forms[chosen[t]];
                for (int f = chosen[t] + 1; f < choices[t].Forms.Count; f++)
                {
                    (_, long more, double less) = choices[t].Forms[f];
                    double gain = (error - less) * choices[t].Weights / Math.Max(1, more - bytes);
                    if (used + more - bytes <= budget && gain > best.Gain)
                        best = (t, f, gain);
                }
            }
            if (best.Tensor < 0)
                return choices.Select((c, t) => (c.Name, c.Forms[chosen[t]].Format)).ToDictionary(c => c.Name, c => c.Format, StringComparer.Ordinal);
            used += choices[best.Tensor].Forms[best.Form].Bytes - choices[best.Tensor].Forms[chosen[best.Tensor]].Bytes;
            chosen[best.Tensor] = best.Form;
        }
    }
}
