// Training that knows how its weights will be stored: every product uses what the stored form would give back, and its gradient goes to the weights
// as if nothing had been rounded (Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013; Jacob et al., 2018). A block's
// scale follows its largest weight, so that no weight lies outside of what its block can hold.

using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Training.Compression;

/// <summary>Makes a model compute with the weights that a GGUF file of it would hold, while it trains those that are rounded for it.</summary>
public static class QuantizationAware
{
    /// <summary>
    /// Puts the stored form of every matrix between its weights and what is computed with them: linear layers, the head and embedding tables, each in the
    /// type that the file gives it. The file that <see cref="GgufQuantization"/> or <c>gradus quantize --method rtn</c> writes of the trained weights then
    /// computes the same numbers.
    /// </summary>
    /// <param name="model">The model, in F32 and without adapters.</param>
    /// <param name="config">The content of config.json.</param>
    /// <param name="storage">The types of the file.</param>
    /// <returns>The parameters that are rounded.</returns>
    /// <exception cref="InvalidDataException">GGUF has no form for this model.</exception>
    public static IReadOnlyList<Parameter> Apply(LanguageModel model, JsonObject config, GgufStorage storage)
    {
        ArgumentNullException.ThrowIfNull(model);
        IReadOnlyDictionary<string, (TensorEntry Tensor, int Part)> targets = GgufQuantization.TargetsOf(model, config, null, storage);
        List<Parameter> rounded = [];
        foreach (Linear linear in model.Parts.Linears)
        {
            if (linear.Adapter is not null)
                throw new InvalidDataException($"{linear.Path}: has an adapter; merge it before the model is trained for a quantized form.");
            if (linear.Weight is DenseWeight dense && FormOf(dense.Parameter) is { } form)
                linear.Weight = new RoundedWeight(dense, form);
        }
        foreach (Embedding embedding in model.Parts.Embeddings.Where(e => e.Packed is null))
        {
            if (FormOf(embedding.Table) is { } form)
                embedding.Adapter = new RoundedTable(form);
        }
        return rounded;

        StoredForm? FormOf(Parameter parameter)
        {
            if (!targets.TryGetValue(parameter.Name, out (TensorEntry Tensor, int Part) target) || (target.Tensor.Packed is null && target.Tensor.DType == DType.F32))
                return null;
            if (!rounded.Contains(parameter))
                rounded.Add(parameter);
            return new StoredForm(target.Tensor.Packed, target.Tensor.DType);
        }
    }

    /// <summary>The values that a matrix would have in a file, with a gradient as if they were the matrix's own.</summary>
    /// <param name="weight">(rows, columns) or, transposed in the file, (columns, rows).</param>
    /// <param name="workspace">Where they live.</param>
    /// <param name="form">The form.</param>
    /// <param name="transposed">Whether a row of the file is a column of the matrix.</param>
    internal static Tensor Round(Tensor weight, Workspace workspace, StoredForm form, bool transposed)
    {
        Tensor y = workspace.Empty(weight.Shape);
        int rows = weight.Shape[0], columns = checked((int)(weight.Count / Math.Max(1, rows)));
        ReadOnlySpan<float> values = weight.Values();
        if (transposed)
        {
            float[] turned = Transpose(values, rows, columns);
            form.Round(turned, turned, rows);
            Transpose(turned, columns, rows).CopyTo(y.Span());
        }
        else
        {
            form.Round(values.ToArray(), y.Span(), columns);
        }
        if (weight.NeedsGradient && workspace.Tape is { } tape)
            tape.Record(y, new StraightThrough(weight));
        return y;
    }

    private static float[] Transpose(ReadOnlySpan<float> values, int rows, int columns)
    {
        float[] turned = new float[values.Length];
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
                turned[(c * rows) + r] = values[(r * columns) + c];
        }
        return turned;
    }

    // y = stored(w):  dw = dy.
    private sealed class StraightThrough(Tensor weight) : Node
    {
        public override void Backward(Tensor dy) => weight.AddGradient(dy);
    }

    private sealed class RoundedTable(StoredForm form) : EmbeddingAdapter
    {
        public override IReadOnlyList<Parameter> Parameters => [];

        public override Tensor Forward(Embedding layer, Tensor ids) => Round(layer.Table.Value, ids.Workspace, form, transposed: false).Gather(ids, layer.Padding);

        public override Tensor Merge(Embedding layer, Workspace workspace) => Round(layer.Table.Value, workspace, form, transposed: false);
    }
}

/// <summary>How a matrix lies in a file: in blocks, or in narrow numbers.</summary>
/// <param name="Packed">The blocks, or null.</param>
/// <param name="DType">The type of numbers where there are no blocks.</param>
internal sealed record StoredForm(PackedFormat? Packed, DType DType)
{
    /// <summary>The values that come back from the file.</summary>
    /// <param name="values">Whole rows.</param>
    /// <param name="rounded">As many; may be the same memory.</param>
    /// <param name="columns">The length of a row.</param>
    public unsafe void Round(float[] values, Span<float> rounded, int columns)
    {
        int rows = values.Length / Math.Max(1, columns);
        fixed (float* to = rounded)
        {
            nint at = (nint)to;
            Parallel.For(0, rows, row =>
            {
                ReadOnlySpan<float> from = values.AsSpan(row * columns, columns);
                Span<float> into = new((float*)at + ((long)row * columns), columns);
                if (Packed is null)
                {
                    for (int i = 0; i < columns; i++)
                        into[i] = DType == DType.BF16 ? BitConverter.UInt32BitsToSingle(Narrow(from[i])) : (float)(Half)from[i];
                    return;
                }
                byte[] blocks = new byte[Packed.ByteLength(columns)];
                Packed.Pack(from, blocks);
                Packed.Unpack(blocks, into);
            });
        }
    }

    // The upper half of an F32, to nearest, ties to even.
    private static uint Narrow(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000;
    }
}

/// <summary>A matrix that is trained, and computed with as a file would give it back.</summary>
/// <param name="dense">The matrix.</param>
/// <param name="form">How it lies in the file.</param>
internal sealed class RoundedWeight(DenseWeight dense, StoredForm form) : Weight
{
    /// <summary>The matrix that is trained.</summary>
    public DenseWeight Trained => dense;

    /// <inheritdoc/>
    public override int Inputs => dense.Inputs;

    /// <inheritdoc/>
    public override int Outputs => dense.Outputs;

    /// <inheritdoc/>
    public override Tensor Multiply(Tensor x, Tensor? bias, Epilogue epilogue = default)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x.Linear(Rounded(x.Workspace), bias, dense.Layout, epilogue);
    }

    /// <inheritdoc/>
    public override Tensor Dense(Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        Tensor value = Rounded(workspace);
        return dense.Layout == WeightLayout.OutIn ? value : value.SwapAxes();
    }

    private Tensor Rounded(Workspace workspace)
    {
        Tensor value = QuantizationAware.Round(dense.Parameter.Value, workspace, form, dense.Layout == WeightLayout.InOut);
        return value.Shape.Rank == 2 ? value : value.Reshape(value.Shape[0], checked((int)(value.Count / value.Shape[0])));
    }
}
