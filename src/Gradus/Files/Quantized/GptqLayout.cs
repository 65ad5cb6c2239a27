using Gradus.Tensors;

namespace Gradus.Files.Quantized;

/// <summary>
/// A weight as GPTQ stores it (Frantar et al., 2022; AutoGPTQ's layout): w = scale · (q − zero) with one scale and zero for each output and
/// group of inputs. Sources: <c>qweight</c> int32 (in · bits / 32, out), inputs from the lowest bits up; <c>qzeros</c> int32
/// (groups, out · bits / 32), zeros less one but in format v2; <c>scales</c> (groups, out); <c>g_idx</c> int32 (in), the group of each input,
/// or none where groups follow one another.
/// </summary>
internal sealed class GptqLayout(Shape shape, DType type, int bits, int groupSize, int zeroOffset) : DequantizedLayout(shape, type)
{
    private readonly Shape _shape = shape;

    /// <summary>The layout of a weight, its tensors checked against one another.</summary>
    /// <exception cref="InvalidDataException">They do not fit.</exception>
    public static MappedTensor Create(TensorFile file, string stem, int bits, int groupSize, int zeroOffset)
    {
        TensorEntry weight = Find("qweight", DType.I32), zeros = Find("qzeros", DType.I32), scales = file[stem + ".scales"];
        if (weight.Shape.Rank != 2 || scales.Shape.Rank != 2 || weight.Shape[0] * 32L % bits != 0)
            throw Malformed.Tensor(file.Path, weight.Name, $"has the shape {weight.Shape}, which GPTQ with {bits} bits does not give; get the files again.");
        int outputs = weight.Shape[1], inputs = checked((int)(weight.Shape[0] * 32L / bits)), groups = scales.Shape[0];
        if (scales.Shape[1] != outputs || zeros.Shape != new Shape(groups, checked((int)((outputs * (long)bits + 31) / 32))))
            throw Malformed.Tensor(file.Path, scales.Name, $"of the shape {scales.Shape} and zeros of {zeros.Shape} do not fit a weight of {outputs} × {inputs} with {bits} bits; get the files again.");
        List<TensorEntry> sources = [weight, zeros, scales];
        int size = groupSize > 0 ? groupSize : inputs;
        if (file.TryGet(stem + ".g_idx", out TensorEntry? order))
        {
            if (order.DType != DType.I32 || order.Shape != new Shape(inputs) || Stored<int>(file, order).ContainsAnyExceptInRange(0, groups - 1))
                throw Malformed.Tensor(file.Path, order.Name, $"does not give one of {groups} groups for each of {inputs} inputs; get the files again.");
            sources.Add(order);
        }
        else if ((inputs + size - 1L) / size > groups)
        {
            throw Malformed.Tensor(file.Path, scales.Name, $"has {groups} groups, too few for {inputs} inputs in groups of {size}; get the files again.");
        }
        return new MappedTensor(stem + ".weight", new GptqLayout(new Shape(outputs, inputs), scales.DType, bits, size, zeroOffset), sources);

        TensorEntry Find(string name, DType type) => file[$"{stem}.{name}"] is var entry && entry.Packed is null && entry.DType == type
            ? entry
            : throw Malformed.Tensor(file.Path, $"{stem}.{name}", $"is not of the type {type}; get the files again.");
    }

    /// <inheritdoc/>
    protected override void ReadRows(TensorFile file, IReadOnlyList<TensorEntry> sources, int first, Span<float> destination)
    {
        int outputs = _shape[0], inputs = _shape[1], rows = destination.Length / inputs;
        ReadOnlySpan<uint> weight = Stored<uint>(file, sources[0]), zeros = Stored<uint>(file, sources[1]);
        ReadOnlySpan<int> order = sources.Count > 3 ? Stored<int>(file, sources[3]) : default;
        float[] scales = Floats(file, sources[2]);
        int zeroWords = sources[1].Shape.Columns, groups = sources[2].Shape[0];
        uint mask = uint.MaxValue >> (32 - bits);
        // zero · scale of the rows asked for, for each group.
        int[] zero = new int[groups * rows];
        for (int g = 0; g < groups; g++)
        {
            for (int r = 0; r < rows; r++)
                zero[(g * rows) + r] = (int)((Bits(zeros.Slice(g * zeroWords, zeroWords), 1, 0, first + r) + (uint)zeroOffset) & mask);
        }
        // Inputs outside: neighbouring outputs lie side by side.
        for (int i = 0; i < inputs; i++)
        {
            int g = order.IsEmpty ? i / groupSize : order[i];
            for (int r = 0; r < rows; r++)
            {
                int q = (int)Bits(weight, outputs, first + r, i);
                destination[(r * inputs) + i] = scales[(g * outputs) + first + r] * (q - zero[(g * rows) + r]);
            }
        }
    }

    // The value of an index in a stream of bits that runs through the words of a column, from the lowest bit up.
    private uint Bits(ReadOnlySpan<uint> words, int stride, int column, int index)
    {
        (int word, int shift) = Math.DivRem(index * bits, 32);
        uint value = words[(word * stride) + column] >> shift;
        if (shift + bits > 32)
            value |= words[((word + 1) * stride) + column] << (32 - shift);
        return value & (uint.MaxValue >> (32 - bits));
    }
}
