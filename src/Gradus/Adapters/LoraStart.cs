using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Adapters;

/// <summary>What A and B of LoRA start out with, where that depends on the layer's weight.</summary>
internal static class LoraStart
{
    /// <summary>PiSSA: the largest singular values of the weight, s·B·A.</summary>
    /// <exception cref="InvalidDataException">The weight has fewer singular values than r.</exception>
    public static (Tensor A, Tensor B) Principal(Linear layer, int rank, float scale, Workspace store) =>
        Parts(layer, rank, scale, LoraInit.Pissa, (w, device) => SingularValues.Largest(w.Values(), w.Shape[0], w.Shape[1], rank, device).Factors(scale, store), store);

    /// <summary>OLoRA: the first r columns of Q and the first r rows of R, W = Q·R.</summary>
    /// <exception cref="InvalidDataException">The weight has fewer columns than r.</exception>
    public static (Tensor A, Tensor B) Orthonormal(Linear layer, int rank, float scale, Workspace store) =>
        Parts(layer, rank, scale, LoraInit.Olora, (w, _) => Triangular(w, rank, store), store);

    // Q's first columns are those of W made orthogonal in turn; R = Qᵀ·W.
    private static (Tensor A, Tensor B) Triangular(Tensor w, int rank, Workspace store)
    {
        int outputs = w.Shape[0], inputs = w.Shape[1];
        float[] values = w.Values().ToArray();
        double[][] q = [.. Enumerable.Range(0, rank).Select(k => Enumerable.Range(0, outputs).Select(o => (double)values[(o * inputs) + k]).ToArray())];
        SingularValues.Orthonormalize(q);
        Tensor a = store.Empty(new Shape(rank, inputs)), b = store.Empty(new Shape(outputs, rank));
        for (int k = 0; k < rank; k++)
        {
            double[] row = new double[inputs];
            for (int o = 0; o < outputs; o++)
            {
                b.Span()[(o * rank) + k] = (float)q[k][o];
                for (int i = 0; i < inputs; i++)
                    row[i] += q[k][o] * values[(o * inputs) + i];
            }
            for (int i = 0; i < inputs; i++)
                a.Span()[(k * inputs) + i] = (float)row[i];
        }
        return (a, b);
    }

    private static (Tensor A, Tensor B) Parts(Linear layer, int rank, float scale, LoraInit init, Func<Tensor, Device, (Tensor, Tensor)> factors, Workspace store)
    {
        int narrow = Math.Min(layer.Weight.Inputs, layer.Weight.Outputs);
        if (rank > narrow || !(scale > 0))
            throw new InvalidDataException($"init_lora_weights: \"{init.Name}\" needs r between 1 and {narrow} for {layer.Path} and lora_alpha above 0, but r is {rank} and α/r {scale}.");
        using Workspace scratch = new(store.Device);
        return factors(layer.Weight.Dense(scratch), store.Device);
    }
}

/// <summary>
/// Two random factors whose product is zero (Datta, "Rethinking LoRA initialisation", 2025): with the rows of an orthogonal matrix dealt
/// out to both, A = (X·Q₀)ᵀ/10 and B = Y·Q₁/10.
/// </summary>
/// <param name="Path">The layer, which draws Q.</param>
/// <param name="Rank">r, even.</param>
/// <param name="Columns">Inputs for A, outputs for B.</param>
/// <param name="Odd">0 for A, 1 for B.</param>
internal sealed record OrthogonalInit(string Path, int Rank, int Columns, int Odd) : Init
{
    public override void Fill(Span<float> values, ulong key)
    {
        double[][] q = new double[Rank][];
        ulong shared = CounterRandom.Derive(0, Path);
        for (int k = 0; k < Rank; k++)
            q[k] = [.. Enumerable.Range(0, Rank).Select(i => CounterRandom.Normal(shared, (k * Rank) + i))];
        SingularValues.Orthonormalize(q);
        int half = Rank / 2;
        for (int c = 0; c < Columns; c++)
        {
            for (int k = 0; k < Rank; k++)
            {
                double sum = 0;
                for (int h = 0; h < half; h++)
                    sum += CounterRandom.Normal(key, (c * half) + h) * q[(2 * h) + Odd][k];
                values[Odd == 0 ? (k * Columns) + c : (c * Rank) + k] = (float)(sum / 10);
            }
        }
    }
}

/// <summary>
/// LoftQ: for each target layer NF4 blocks Q and factors of the largest part of W − Q; then Q of W − s·B·A, and so on in turn. The
/// adapter's layers work on Q; the weights themselves come back when it is taken off.
/// </summary>
internal sealed class LoftqStart
{
    private readonly AdapterParts _parts;
    private readonly LoraConfig _config;

    public LoftqStart(AdapterParts parts, LoraConfig config)
    {
        (_parts, _config) = (parts, config);
        if (!PackedFormats.TryGet("NF4", out PackedFormat? format))
            throw new InvalidOperationException("NF4 is not among the packed formats.");
        Format = format;
    }

    private PackedFormat Format { get; }

    public (Tensor A, Tensor B) Factors(Linear layer)
    {
        int outputs = layer.Weight.Outputs, inputs = layer.Weight.Inputs, rank = _config.RankOf(layer.Path);
        float scale = _config.ScaleOf(layer.Path);
        if (layer.Weight is not DenseWeight || inputs % Format.BlockSize != 0)
            throw new InvalidDataException($"init_lora_weights: \"loftq\" quantizes layers itself, in blocks of {Format.BlockSize}, but {layer.Path} is {(layer.Weight is DenseWeight ? $"{inputs} inputs wide" : "quantized already")}; choose other target_modules or another start.");
        if (rank > Math.Min(inputs, outputs) || !(scale > 0))
            throw new InvalidDataException($"init_lora_weights: \"loftq\" needs r between 1 and {Math.Min(inputs, outputs)} for {layer.Path} and lora_alpha above 0, but r is {rank} and α/r {scale}.");
        using Workspace scratch = new(_parts.Store.Device);
        Tensor w = layer.Weight.Dense(scratch), rest = w;
        (Tensor A, Tensor B) factors = default;
        PackedMatrix? blocks = null;
        for (int i = 0; i < (_config.LoftqConfig?.LoftqIter ?? 1); i++)
        {
            blocks = PackedMatrix.Quantize(_parts.Store, Format, outputs, inputs, rest.Values());
            Tensor lost = w.Subtract(blocks.Dense(scratch));
            factors = SingularValues.Largest(lost.Values(), outputs, inputs, rank, scratch.Device).Factors(scale, _parts.Store);
            rest = w.Subtract(scratch.Adopt(factors.B).MatMul(scratch.Adopt(factors.A)).Scale(scale));
        }
        _parts.Substitute(layer, new PackedWeight(blocks!));
        return factors;
    }
}
