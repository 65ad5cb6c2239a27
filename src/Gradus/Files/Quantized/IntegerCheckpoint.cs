using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Files.Quantized;

/// <summary>A matrix of integers with scales and zeros: w = scale·(q − zero).</summary>
/// <param name="Rows">Outputs.</param>
/// <param name="Columns">Inputs.</param>
/// <param name="Bits">Bits of an integer.</param>
/// <param name="GroupSize">Inputs that share a scale.</param>
/// <param name="Codes">(out, in).</param>
/// <param name="Scales">(out, groups).</param>
/// <param name="Zeros">(out, groups), whole numbers.</param>
public sealed record IntegerMatrix(int Rows, int Columns, int Bits, int GroupSize, byte[] Codes, float[] Scales, float[] Zeros)
{
    /// <summary>Groups of a row.</summary>
    public int Groups => (Columns + GroupSize - 1) / GroupSize;
}

/// <summary>Writes checkpoints in the layouts of GPTQ (AutoGPTQ, GPTQModel) and AWQ (AutoAWQ's GEMM), which transformers, vLLM and this program load.</summary>
public static class IntegerCheckpoint
{
    // The outputs of each eight in the order of their nibbles.
    private static readonly int[] AwqOrder = [0, 2, 4, 6, 1, 3, 5, 7];

    /// <summary>Whether a layout has a form for a layer's weight: whole words of 32 bits, stored (out, in).</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="bits">Bits of an integer.</param>
    /// <param name="groupSize">Inputs that share a scale; 0 or less for all.</param>
    public static bool Takes(Linear layer, int bits, int groupSize)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return layer.Weight is DenseWeight { Layout: WeightLayout.OutIn } dense && dense.Parameter.Shape.Rank == 2
            && dense.Inputs * bits % 32 == 0 && dense.Outputs * bits % 32 == 0 && dense.Outputs % 8 == 0 && (groupSize <= 0 || dense.Inputs % groupSize == 0);
    }

    /// <summary>Writes config.json and model.safetensors into a folder that is being written.</summary>
    /// <param name="folder">The folder; to be committed by the caller.</param>
    /// <param name="model">The model; what is not quantized is stored in F16.</param>
    /// <param name="matrices">The quantized weights by their parameters' names.</param>
    /// <param name="awq">Whether in AWQ's layout (4 bits) rather than GPTQ's.</param>
    /// <param name="symmetric">Whether zeros are in the middle of the range.</param>
    /// <exception cref="ArgumentException">There is no matrix, or AWQ is asked for other than 4 bits.</exception>
    public static void Write(AtomicFolder folder, LanguageModel model, IReadOnlyDictionary<string, IntegerMatrix> matrices, bool awq, bool symmetric)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(matrices);
        if (matrices.Count == 0)
            throw new ArgumentException("No layer of the model fits whole words and groups; try a smaller group.", nameof(matrices));
        IntegerMatrix first = matrices.Values.First();
        if (awq && first.Bits != 4)
            throw new ArgumentException($"AWQ's layout holds 4 bits, not {first.Bits}; take the gptq layout.", nameof(matrices));
        JsonObject config = Architectures.ToJson(model.Config);
        config["dtype"] = "float16";
        config[QuantizedCheckpoint.ConfigKey] = awq ? AwqConfig(first, model, matrices) : GptqConfig(first, symmetric);
        Checkpoint.WriteObject(folder, Checkpoint.ConfigFile, config);
        List<(TensorEntry Entry, Func<byte[]> Bytes)> tensors = [];
        foreach (Parameter parameter in model.Parameters)
        {
            if (matrices.TryGetValue(parameter.Name, out IntegerMatrix? matrix))
                tensors.AddRange(awq ? AwqTensors(Stem(parameter.Name), matrix) : GptqTensors(Stem(parameter.Name), matrix));
            else
                tensors.Add((new TensorEntry(parameter.Name, DType.F16, parameter.Shape), () => Half(parameter.Value.ToArray())));
        }
        using SafetensorsWriter writer = new(folder.Create(Checkpoint.WeightsFile), tensors.Select(t => t.Entry));
        Dictionary<string, Func<byte[]>> bytes = tensors.ToDictionary(t => t.Entry.Name, t => t.Bytes, StringComparer.Ordinal);
        writer.WriteAll((entry, to) => to.Write(entry.Name, bytes[entry.Name]().AsSpan()));
    }

    private static string Stem(string name) => name[..^".weight".Length];

    private static JsonObject GptqConfig(IntegerMatrix matrix, bool symmetric) => new()
    {
        ["quant_method"] = "gptq",
        ["bits"] = matrix.Bits,
        ["group_size"] = matrix.GroupSize == matrix.Columns ? -1 : matrix.GroupSize,
        ["desc_act"] = false,
        ["sym"] = symmetric,
        ["lm_head"] = false,
        ["checkpoint_format"] = "gptq",
    };

    private static JsonObject AwqConfig(IntegerMatrix matrix, LanguageModel model, IReadOnlyDictionary<string, IntegerMatrix> matrices) => new()
    {
        ["quant_method"] = "awq",
        ["bits"] = matrix.Bits,
        ["group_size"] = matrix.GroupSize == matrix.Columns ? -1 : matrix.GroupSize,
        ["zero_point"] = true,
        ["version"] = "gemm",
        ["modules_to_not_convert"] = new JsonArray([.. model.Parts.Linears
            .Where(l => l.Weight is DenseWeight d && !matrices.ContainsKey(d.Parameter.Name))
            .Select(l => JsonValue.Create(l.Path))]),
    };

    private static IEnumerable<(TensorEntry, Func<byte[]>)> GptqTensors(string stem, IntegerMatrix m)
    {
        yield return (new TensorEntry($"{stem}.g_idx", DType.I32, new Shape(m.Columns)), () => Bytes(Enumerable.Range(0, m.Columns).Select(i => (uint)(i / m.GroupSize))));
        yield return (new TensorEntry($"{stem}.qweight", DType.I32, new Shape(m.Columns * m.Bits / 32, m.Rows)), () =>
        {
            uint[] words = new uint[m.Columns * m.Bits / 32 * m.Rows];
            for (int i = 0; i < m.Columns; i++)
            {
                for (int o = 0; o < m.Rows; o++)
                    Put(words, m.Rows, o, i, m.Codes[(o * m.Columns) + i], m.Bits);
            }
            return Bytes(words);
        }
        );
        yield return (new TensorEntry($"{stem}.qzeros", DType.I32, new Shape(m.Groups, m.Rows * m.Bits / 32)), () =>
        {
            int width = m.Rows * m.Bits / 32;
            uint[] words = new uint[m.Groups * width];
            for (int g = 0; g < m.Groups; g++)
            {
                for (int o = 0; o < m.Rows; o++)
                    Put(words.AsSpan(g * width, width), 1, 0, o, ((uint)m.Zeros[(o * m.Groups) + g] - 1) & ((1u << m.Bits) - 1), m.Bits);
            }
            return Bytes(words);
        }
        );
        yield return Scales(stem, m);
    }

    private static IEnumerable<(TensorEntry, Func<byte[]>)> AwqTensors(string stem, IntegerMatrix m)
    {
        int width = m.Rows / 8;
        yield return (new TensorEntry($"{stem}.qweight", DType.I32, new Shape(m.Columns, width)), () => Nibbles(m.Columns, (i, o) => m.Codes[(o * m.Columns) + i]));
        yield return (new TensorEntry($"{stem}.qzeros", DType.I32, new Shape(m.Groups, width)), () => Nibbles(m.Groups, (g, o) => (uint)m.Zeros[(o * m.Groups) + g]));
        yield return Scales(stem, m);

        byte[] Nibbles(int rows, Func<int, int, uint> value)
        {
            uint[] words = new uint[rows * width];
            for (int r = 0; r < rows; r++)
            {
                for (int n = 0; n < m.Rows; n++)
                    words[(r * width) + (n / 8)] |= value(r, (n / 8 * 8) + AwqOrder[n % 8]) << (n % 8 * 4);
            }
            return Bytes(words);
        }
    }

    private static (TensorEntry, Func<byte[]>) Scales(string stem, IntegerMatrix m) =>
        (new TensorEntry($"{stem}.scales", DType.F16, new Shape(m.Groups, m.Rows)), () =>
        {
            float[] scales = new float[m.Scales.Length];
            for (int o = 0; o < m.Rows; o++)
            {
                for (int g = 0; g < m.Groups; g++)
                    scales[(g * m.Rows) + o] = m.Scales[(o * m.Groups) + g];
            }
            return Half(scales);
        }
    );

    // The value of an index in a stream of bits that runs through the words of a column, from the lowest bit up.
    private static void Put(Span<uint> words, int stride, int column, int index, uint value, int bits)
    {
        (int word, int shift) = Math.DivRem(index * bits, 32);
        words[(word * stride) + column] |= value << shift;
        if (shift + bits > 32)
            words[((word + 1) * stride) + column] |= value >> (32 - shift);
    }

    private static byte[] Bytes(IEnumerable<uint> words) => MemoryMarshal.AsBytes<uint>(words.ToArray()).ToArray();

    private static byte[] Half(float[] values)
    {
        byte[] bytes = new byte[values.Length * sizeof(ushort)];
        ElementConversion.FromSingle(DType.F16, values, bytes);
        return bytes;
    }
}
