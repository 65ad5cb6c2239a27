namespace Gradus.Tensors.Packed;

/// <summary>
/// One block-quantized layout: every <see cref="BlockSize"/> consecutive weights of a row share scales and take
/// <see cref="BytesPerBlock"/> bytes. The methods here are the scalar specification; kernels must agree with them.
/// </summary>
public abstract class PackedFormat
{
    /// <summary>The format's name as its field writes it, for example <c>Q4_K</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Weights per block.</summary>
    public abstract int BlockSize { get; }

    /// <summary>Bytes per block.</summary>
    public abstract int BytesPerBlock { get; }

    /// <summary>Bytes for a number of weights.</summary>
    /// <exception cref="ArgumentException"><paramref name="count"/> is negative or not a whole number of blocks.</exception>
    public long ByteLength(long count) => count >= 0 && count % BlockSize == 0
        ? checked(count / BlockSize * BytesPerBlock)
        : throw new ArgumentException($"{Name} packs blocks of {BlockSize} weights; {count} is not a whole number of blocks.", nameof(count));

    /// <summary>Decodes whole blocks.</summary>
    /// <param name="packed">Blocks, <see cref="BytesPerBlock"/> bytes each.</param>
    /// <param name="weights">One value per weight: <see cref="BlockSize"/> for each block.</param>
    /// <exception cref="ArgumentException">The lengths are not those of the same number of blocks.</exception>
    public void Unpack(ReadOnlySpan<byte> packed, Span<float> weights)
    {
        int blocks = Blocks(packed.Length, weights.Length);
        for (int b = 0; b < blocks; b++)
            UnpackBlock(packed.Slice(b * BytesPerBlock, BytesPerBlock), weights.Slice(b * BlockSize, BlockSize));
    }

    /// <summary>Encodes whole blocks.</summary>
    /// <param name="weights">The values, a whole number of blocks; finite.</param>
    /// <param name="packed"><see cref="BytesPerBlock"/> bytes for each block.</param>
    /// <exception cref="ArgumentException">The lengths are not those of the same number of blocks.</exception>
    public void Pack(ReadOnlySpan<float> weights, Span<byte> packed)
    {
        int blocks = Blocks(packed.Length, weights.Length);
        for (int b = 0; b < blocks; b++)
        {
            Span<byte> block = packed.Slice(b * BytesPerBlock, BytesPerBlock);
            block.Clear();
            PackBlock(weights.Slice(b * BlockSize, BlockSize), block);
        }
    }

    /// <summary>Decodes one block.</summary>
    /// <param name="block">Exactly <see cref="BytesPerBlock"/> bytes.</param>
    /// <param name="weights">Exactly <see cref="BlockSize"/> values, all overwritten.</param>
    protected abstract void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights);

    /// <summary>Encodes one block.</summary>
    /// <param name="weights">Exactly <see cref="BlockSize"/> values.</param>
    /// <param name="block">Exactly <see cref="BytesPerBlock"/> bytes, zero on entry.</param>
    protected abstract void PackBlock(ReadOnlySpan<float> weights, Span<byte> block);

    /// <inheritdoc/>
    public override string ToString() => Name;

    private int Blocks(int bytes, int weights)
    {
        int blocks = weights / BlockSize;
        return blocks * BlockSize == weights && (long)blocks * BytesPerBlock == bytes
            ? blocks
            : throw new ArgumentException($"{Name}: {weights} weights and {bytes} bytes are not the same number of blocks ({BlockSize} weights, {BytesPerBlock} bytes each).");
    }
}
