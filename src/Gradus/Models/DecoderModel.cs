using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>A decoder-only language model: embeddings, a stack of blocks, a norm, and a head that scores the next token.</summary>
public abstract class DecoderModel : GenerativeModel
{
    private protected DecoderModel(ModelConfig config, Scope scope)
        : base(config, scope)
    {
    }

    /// <summary>The blocks, in order.</summary>
    protected abstract IReadOnlyList<IBlock> Blocks { get; }

    /// <summary>Key/value heads of a layer.</summary>
    protected abstract int CacheHeads { get; }

    /// <summary>Values per key/value head.</summary>
    protected abstract int CacheWidth { get; }

    /// <summary>Probability with which training leaves a block out, in [0, 1).</summary>
    private protected float BlockDropout { get; init; }

    /// <summary>The input of the first block, (N, C).</summary>
    protected abstract Tensor Embed(Pass pass);

    /// <summary>What follows the last block, (N, C).</summary>
    protected abstract Tensor Normalize(Tensor x, Pass pass);

    /// <inheritdoc/>
    public override Tensor Hidden(Pass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        CheckLength(pass);
        Tensor x = Embed(pass);
        // By index: an enumerator over the interface would be an allocation for every token.
        for (int i = 0; i < Blocks.Count; i++)
        {
            pass.Capture?.Hidden(x);
            x = pass.Leaves(BlockDropout) ? x : pass.Run(Blocks[i], x);
        }
        x = Normalize(x, pass);
        pass.Capture?.Hidden(x);
        return x;
    }

    /// <inheritdoc/>
    public override KvCache NewCache() => new(Device, Blocks.Count, CacheHeads, CacheWidth);
}
