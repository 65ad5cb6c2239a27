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

    /// <summary>Encodes whole blocks so that Σ importance·(weight − decoded)² is small, where the format's encoder can weigh weights.</summary>
    /// <param name="weights">The values, a whole number of blocks; finite.</param>
    /// <param name="importance">How much the squared error of each value counts, ≥ 0; as many as weights. A block of zeros counts all alike.</param>
    /// <param name="packed"><see cref="BytesPerBlock"/> bytes for each block.</param>
    /// <exception cref="ArgumentException">The lengths are not those of the same number of blocks.</exception>
    public void Pack(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> packed)
    {
        if (importance.Length != weights.Length)
            throw new ArgumentException($"{Name}: {weights.Length} weights have {importance.Length} importances.", nameof(importance));
        int blocks = Blocks(packed.Length, weights.Length);
        Span<float> relative = stackalloc float[BlockSize];
        for (int b = 0; b < blocks; b++)
        {
            Span<byte> block = packed.Slice(b * BytesPerBlock, BytesPerBlock);
            block.Clear();
            ReadOnlySpan<float> values = weights.Slice(b * BlockSize, BlockSize);
            if (BlockImportance.Relative(importance.Slice(b * BlockSize, BlockSize), relative))
                PackBlock(values, relative, block);
            else
                PackBlock(values, block);
        }
    }

    /// <summary>Bits of a weight's code, which <see cref="SetCode"/> can change by itself; 0 where a block's codes are stored together.</summary>
    public virtual int CodeBits => 0;

    /// <summary>Whether the values that the codes of a block stand for are evenly spaced, ascending or descending.</summary>
    public virtual bool HasEvenLevels => true;

    /// <summary>Gives one weight of a block another code and leaves all else as it is.</summary>
    /// <param name="block">Exactly <see cref="BytesPerBlock"/> bytes.</param>
    /// <param name="index">The weight, below <see cref="BlockSize"/>.</param>
    /// <param name="code">From 0, below 2 to the power of <see cref="CodeBits"/>.</param>
    /// <exception cref="NotSupportedException">A block's codes are stored together.</exception>
    public virtual void SetCode(Span<byte> block, int index, int code) => throw new NotSupportedException($"{Name} stores the codes of a block together; no single one can be set.");

    /// <summary>What the first codes of every weight of a block stand for, under the block's scales.</summary>
    /// <param name="block">Exactly <see cref="BytesPerBlock"/> bytes.</param>
    /// <param name="values">(codes, <see cref="BlockSize"/>), of as many codes as it has rows.</param>
    public void CodeValues(ReadOnlySpan<byte> block, Span<float> values)
    {
        Span<byte> copy = stackalloc byte[BytesPerBlock];
        block.CopyTo(copy);
        for (int code = 0; code < values.Length / BlockSize; code++)
        {
            for (int i = 0; i < BlockSize; i++)
                SetCode(copy, i, code);
            UnpackBlock(copy, values.Slice(code * BlockSize, BlockSize));
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

    /// <summary>Encodes one block with the error of each weight weighted; without regard to that unless a format overrides it.</summary>
    /// <param name="weights">Exactly <see cref="BlockSize"/> values.</param>
    /// <param name="importance">As many, positive, with a mean of about 1.</param>
    /// <param name="block">Exactly <see cref="BytesPerBlock"/> bytes, zero on entry.</param>
    protected virtual void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block) => PackBlock(weights, block);

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
