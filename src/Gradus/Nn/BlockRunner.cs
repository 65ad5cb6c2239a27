using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// Runs the blocks of a model in its stead (<see cref="Pass.Runner"/>): to leave some out, or to hand over what an earlier pass has computed.
/// Every model of the registry runs its blocks through <see cref="Pass.Run"/>, so that this works for all of them.
/// </summary>
public abstract class BlockRunner
{
    /// <summary>The output of a block.</summary>
    /// <param name="pass">The pass; of a model with an encoder, the encoder's or the decoder's.</param>
    /// <param name="block">The block.</param>
    /// <param name="x">Its input.</param>
    public abstract Tensor Run(Pass pass, IBlock block, Tensor x);

    /// <summary>Runs a block without a tape; its intermediate values are gone when it is done.</summary>
    protected static Tensor Compute(Pass pass, IBlock block, Tensor x) => Recomputation.Run(pass, block, x);
}
