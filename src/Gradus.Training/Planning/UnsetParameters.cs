using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Training.Planning;

/// <summary>Parameters without values, for a model that is only counted.</summary>
/// <param name="type">How they are stored.</param>
/// <param name="format">The blocks of the matrices in <paramref name="packed"/>.</param>
/// <param name="packed">Paths of the matrices that are kept in blocks.</param>
/// <param name="doubleQuantization">Whether the scales of NF4's blocks are quantized too.</param>
internal sealed class UnsetParameters(DType type, PackedFormat? format = null, IReadOnlySet<string>? packed = null, bool doubleQuantization = false) : ParameterSource
{
    public override Tensor Get(string name, Shape shape, Init init, Workspace store) => store.Empty(shape, type);

    public override PackedMatrix? GetPacked(string name, Shape shape, Workspace store)
    {
        if (format is null || packed?.Contains(name) != true || shape[1] % format.BlockSize != 0)
            return null;
        return doubleQuantization
            ? new PackedMatrix(store, shape[0], shape[1], DoubleQuantizedScales.Of(new float[shape.Count / format.BlockSize]))
            : new PackedMatrix(store, format, shape[0], shape[1]);
    }
}
