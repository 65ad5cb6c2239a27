using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files;

/// <summary>The name, type and shape of one tensor in a file.</summary>
public sealed class TensorEntry
{
    /// <summary>Describes a tensor of plain elements.</summary>
    /// <exception cref="ArgumentException">The tensor would take more than 2⁶³ bytes.</exception>
    public TensorEntry(string name, DType dtype, Shape shape)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (shape.Count > long.MaxValue / dtype.Size())
            throw new ArgumentException($"A tensor of shape {shape} and type {dtype} takes more than 2^63 bytes.", nameof(shape));
        Name = name;
        DType = dtype;
        Shape = shape;
        ByteLength = shape.Count * dtype.Size();
    }

    /// <summary>Describes a tensor of packed blocks; its rows are whole numbers of blocks.</summary>
    /// <exception cref="ArgumentException">The last axis is not a whole number of blocks.</exception>
    public TensorEntry(string name, PackedFormat packed, Shape shape)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(packed);
        if (shape.Columns % packed.BlockSize != 0)
            throw new ArgumentException($"{packed.Name} packs blocks of {packed.BlockSize} weights; rows of {shape.Columns} do not fit.", nameof(shape));
        if (shape.Count / packed.BlockSize > long.MaxValue / packed.BytesPerBlock)
            throw new ArgumentException($"A tensor of shape {shape} and type {packed.Name} takes more than 2^63 bytes.", nameof(shape));
        Name = name;
        DType = DType.F32;
        Packed = packed;
        Shape = shape;
        ByteLength = packed.ByteLength(shape.Count);
    }

    /// <summary>The tensor's name in the file.</summary>
    public string Name { get; }

    /// <summary>The type of the stored elements; for packed blocks <see cref="DType.F32"/>, the type they unpack to.</summary>
    public DType DType { get; }

    /// <summary>The block format of packed weights, or null where the file holds plain elements of <see cref="DType"/>.</summary>
    public PackedFormat? Packed { get; }

    /// <summary>The axes, outermost first, counted in elements (also for packed blocks).</summary>
    public Shape Shape { get; }

    /// <summary>Bytes of the stored tensor.</summary>
    public long ByteLength { get; }

    /// <summary>The name of the stored type: <c>F32</c>, <c>Q4_K</c> ….</summary>
    public string TypeName => Packed?.Name ?? DType.ToString().ToUpperInvariant();

    /// <summary>Where the tensor's first byte lies in its file, for readers that map their file.</summary>
    internal long Offset { get; init; }

    /// <summary>The same tensor at another place.</summary>
    internal TensorEntry At(long offset) => Packed is null
        ? new TensorEntry(Name, DType, Shape) { Offset = offset }
        : new TensorEntry(Name, Packed, Shape) { Offset = offset };

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {TypeName} {Shape}";
}
