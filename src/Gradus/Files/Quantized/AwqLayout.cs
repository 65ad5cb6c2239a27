using Gradus.Tensors;

namespace Gradus.Files.Quantized;

/// <summary>
/// A weight as AWQ stores it for its GEMM kernels (Lin et al., 2023; AutoAWQ): w = scale · (q − zero), 4 bits. Sources: <c>qweight</c> int32
/// (in, out / 8) whose nibbles are the outputs 0 2 4 6 1 3 5 7 of each eight; <c>qzeros</c> int32 (groups, out / 8), the same;
/// <c>scales</c> (groups, out).
/// </summary>
internal sealed class AwqLayout(Shape shape, DType type, int groupSize) : DequantizedLayout(shape, type)
{
    // Where an output lies in its word: the inverse of 0 2 4 6 1 3 5 7.
    private static readonly int[] Nibble = [0, 4, 1, 5, 2, 6, 3, 7];
    private readonly Shape _shape = shape;

    /// <summary>The layout of a weight, its tensors checked against one another.</summary>
    /// <exception cref="InvalidDataException">They do not fit.</exception>
    public static MappedTensor Create(TensorFile file, string stem, int groupSize)
    {
        TensorEntry weight = file[stem + ".qweight"], zeros = file[stem + ".qzeros"], scales = file[stem + ".scales"];
        if (weight.DType != DType.I32 || zeros.DType != DType.I32 || weight.Shape.Rank != 2 || zeros.Shape.Rank != 2 || scales.Shape.Rank != 2)
            throw Malformed.Tensor(file.Path, weight.Name, $"is {weight.TypeName} of the shape {weight.Shape}; AWQ stores matrices of I32; get the files again.");
        int inputs = weight.Shape[0], outputs = checked(weight.Shape[1] * 8), groups = scales.Shape[0];
        int size = groupSize > 0 ? groupSize : inputs;
        if (scales.Shape[1] != outputs || zeros.Shape != new Shape(groups, outputs / 8) || (inputs + size - 1L) / size > groups)
            throw Malformed.Tensor(file.Path, scales.Name, $"of the shape {scales.Shape} and zeros of {zeros.Shape} do not fit a weight of {outputs} × {inputs} in groups of {size}; get the files again.");
        return new MappedTensor(stem + ".weight", new AwqLayout(new Shape(outputs, inputs), scales.DType, size), weight, zeros, scales);
    }

    /// <inheritdoc/>
    protected override void ReadRows(TensorFile file, IReadOnlyList<TensorEntry> sources, int first, Span<float> destination)
    {
        int outputs = _shape[0], inputs = _shape[1], rows = destination.Length / inputs, words = outputs / 8;
        ReadOnlySpan<uint> weight = Stored<uint>(file, sources[0]), zeros = Stored<uint>(file, sources[1]);
        float[] scales = Floats(file, sources[2]);
        for (int i = 0; i < inputs; i++)
        {
            int g = i / groupSize;
            for (int r = 0; r < rows; r++)
            {
                (int word, int within) = Math.DivRem(first + r, 8);
                int shift = 4 * Nibble[within];
                int q = (int)((weight[(i * words) + word] >> shift) & 15), zero = (int)((zeros[(g * words) + word] >> shift) & 15);
                destination[(r * inputs) + i] = scales[(g * outputs) + first + r] * (q - zero);
            }
        }
    }
}
