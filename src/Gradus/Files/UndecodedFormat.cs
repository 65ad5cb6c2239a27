using Gradus.Tensors.Packed;

namespace Gradus.Files;

/// <summary>A type of stored values that can be listed and carried from file to file but not read: there is no code here for its values.</summary>
/// <param name="name">The name that the file format has for it.</param>
/// <param name="blockSize">Values of a block.</param>
/// <param name="bytesPerBlock">Bytes of a block.</param>
internal sealed class UndecodedFormat(string name, int blockSize, int bytesPerBlock) : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override int BlockSize => blockSize;

    /// <inheritdoc/>
    public override int BytesPerBlock => bytesPerBlock;

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights) => throw NotHere();

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block) => throw NotHere();

    private NotSupportedException NotHere() =>
        new($"values of the type {name} cannot be read or written here; get the model in F32, BF16, F16 or one of {string.Join(", ", PackedFormats.All)}.");
}
