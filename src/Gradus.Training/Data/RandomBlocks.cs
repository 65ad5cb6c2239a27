using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data.Tokens;

namespace Gradus.Training.Data;

/// <summary>Blocks of equal length from random places of one long text, as nanoGPT draws them.</summary>
public sealed class RandomBlocks : BatchSource
{
    private readonly TokenSequence _tokens;
    private readonly int _block;
    private readonly int _count;
    private readonly ulong _key;
    private readonly int[] _starts;

    /// <summary>Draws from a text.</summary>
    /// <param name="tokens">The text; at least one token longer than a block.</param>
    /// <param name="block">Tokens per block, ≥ 1.</param>
    /// <param name="count">Blocks per micro-batch, ≥ 1.</param>
    /// <param name="seed">Which places are drawn.</param>
    /// <exception cref="InvalidDataException">The text is shorter than one block.</exception>
    public RandomBlocks(int[] tokens, int block, int count, ulong seed)
        : this(TokenSequence.Of(tokens), block, count, seed)
    {
    }

    /// <inheritdoc cref="RandomBlocks(int[], int, int, ulong)"/>
    public RandomBlocks(TokenSequence tokens, int block, int count, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(block, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (tokens.Length <= block)
            throw new InvalidDataException($"The text has {tokens.Length} tokens, but a block takes {block} and the one that follows; give more text or a shorter block.");
        _tokens = tokens;
        _block = block;
        _count = count;
        _key = CounterRandom.Derive(seed, "blocks");
        _starts = [.. Enumerable.Range(0, count + 1).Select(i => i * block)];
    }

    /// <inheritdoc/>
    public override MicroBatch this[long index]
    {
        get
        {
            int[] ids = new int[_count * _block], targets = new int[_count * _block], block = new int[_block + 1];
            for (int b = 0; b < _count; b++)
            {
                _tokens.Read(Place((index * _count) + b, _tokens.Length - _block), block);
                block.AsSpan(0, _block).CopyTo(ids.AsSpan(b * _block));
                block.AsSpan(1).CopyTo(targets.AsSpan(b * _block));
            }
            return new MicroBatch(new TokenBatch(ids, _starts), targets);
        }
    }

    /// <summary>The whole text in blocks that follow each other; the last one may be shorter.</summary>
    public override IEnumerable<MicroBatch> All()
    {
        for (long start = 0; start < _tokens.Length - 1; start += _count * _block)
        {
            int total = (int)Math.Min(_count * _block, _tokens.Length - 1 - start);
            List<int> starts = [];
            for (int i = 0; i < total; i += _block)
                starts.Add(i);
            starts.Add(total);
            int[] part = new int[total + 1];
            _tokens.Read(start, part);
            yield return new MicroBatch(new TokenBatch(part[..^1], [.. starts]), part[1..]);
        }
    }

    private long Place(long index, long places) => places <= int.MaxValue
        ? CounterRandom.Below(_key, index, (int)places)
        : (long)Math.BigMul(CounterRandom.Bits64(_key, index), (ulong)places, out _);
}
