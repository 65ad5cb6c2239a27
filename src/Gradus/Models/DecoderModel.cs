using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>A decoder-only language model: embeddings, a stack of blocks, a norm, and a head that scores the next token.</summary>
public abstract class DecoderModel : LanguageModel
{
    /// <summary>Logits held at once when only the loss is wanted, in values (64 MiB of F32).</summary>
    private const int ChunkLogits = 16 << 20;

    private protected DecoderModel(ModelConfig config, Scope scope)
        : base(config, scope)
    {
    }

    /// <summary>The blocks, in order.</summary>
    protected abstract IReadOnlyList<IBlock> Blocks { get; }

    /// <summary>Scores of the next token: (N, C) → (N, V).</summary>
    public abstract Linear Head { get; }

    /// <summary>Key/value heads of a layer.</summary>
    protected abstract int CacheHeads { get; }

    /// <summary>Values per key/value head.</summary>
    protected abstract int CacheWidth { get; }

    /// <summary>The input of the first block, (N, C).</summary>
    protected abstract Tensor Embed(Pass pass);

    /// <summary>What follows the last block, (N, C).</summary>
    protected abstract Tensor Normalize(Tensor x, Pass pass);

    /// <summary>The loss that keeps experts equally busy, or null where there are none.</summary>
    public virtual LoadBalancing? LoadBalancing => null;

    /// <summary>The longest sequence, in tokens, for which cached keys hold; null for any (<see cref="RotaryEmbedding.ShortLimit"/>).</summary>
    public virtual int? ShortLimit => null;

    /// <summary>Scores become cap · tanh(score/cap) (Gemma 2); 0 for none.</summary>
    private protected virtual float LogitSoftCap => 0;

    /// <summary>The hidden state of every token before the head, (N, C).</summary>
    /// <exception cref="ArgumentException">A sequence is longer than the context.</exception>
    public Tensor Hidden(Pass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        if (pass.LongestPosition > Config.ContextLength)
            throw new ArgumentException($"The sequence has {pass.LongestPosition} tokens, but the model's context is {Config.ContextLength}; shorten it.");
        Tensor x = Embed(pass);
        // By index: an enumerator over the interface would be an allocation for every token.
        for (int i = 0; i < Blocks.Count; i++)
        {
            pass.Capture?.Hidden(x);
            x = pass.Run(Blocks[i], x);
        }
        x = Normalize(x, pass);
        pass.Capture?.Hidden(x);
        return x;
    }

    /// <summary>Scores of the next token after every token, (N, V).</summary>
    public Tensor Logits(Pass pass) => Logits(Hidden(pass), pass);

    /// <summary>Scores of the next token after the tokens whose hidden states are given, (M, V): generation wants them of few tokens only.</summary>
    /// <param name="hidden">(M, C): rows of <see cref="Hidden"/>.</param>
    /// <param name="pass">The forward pass.</param>
    public Tensor Logits(Tensor hidden, Pass pass)
    {
        Tensor scores = Head.Forward(hidden, pass);
        return LogitSoftCap > 0 ? scores.Scale(1 / LogitSoftCap).Activate(Activation.Tanh).Scale(LogitSoftCap) : scores;
    }

    /// <summary>−log p(target) of every token in nats, (N); 0 where the target is negative. Never holds all logits of a large batch, unless they are capped.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="targets">(N), I32: the right next token, or −100 where it does not count.</param>
    public Tensor Losses(Pass pass, Tensor targets)
    {
        Tensor hidden = Hidden(pass);
        int vocabulary = Head.Weight.Outputs;
        bool large = hidden.Shape.Rows * vocabulary > ChunkLogits;
        return large && LogitSoftCap == 0 && Head is { Adapter: null, Weight: DenseWeight { Layout: WeightLayout.OutIn } dense }
            ? hidden.LinearCrossEntropy(dense.Parameter.Value, Head.Bias?.Value, targets, Math.Max(1, ChunkLogits / vocabulary))
            : Logits(hidden, pass).CrossEntropy(targets);
    }

    /// <summary>An empty cache for this model's keys and values.</summary>
    public KvCache NewCache() => new(Device, Blocks.Count, CacheHeads, CacheWidth);
}
