using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>A model that scores the next token of a sequence, and so can write: decoders, encoder-decoders and recurrent networks.</summary>
public abstract class GenerativeModel : LanguageModel
{
    /// <summary>Logits held at once when only the loss is wanted, in values (64 MiB of F32).</summary>
    private const int ChunkLogits = 16 << 20;

    private protected GenerativeModel(ModelConfig config, Scope scope)
        : base(config, scope)
    {
    }

    /// <summary>Scores of the next token: (N, C) → (N, V).</summary>
    public abstract Linear Head { get; }

    /// <summary>The hidden state of every token before the head, (N, C).</summary>
    /// <exception cref="ArgumentException">A sequence is longer than the context.</exception>
    public abstract Tensor Hidden(Pass pass);

    /// <summary>An empty cache for what this model keeps of the tokens it has read.</summary>
    public abstract SequenceCache NewCache();

    /// <summary>Scores of the next token after every token, (N, V).</summary>
    public Tensor Logits(Pass pass) => Logits(Hidden(pass), pass);

    /// <summary>Scores of the next token after the tokens whose hidden states are given, (M, V): generation wants them of few tokens only.</summary>
    /// <param name="hidden">(M, C): rows of <see cref="Hidden"/>.</param>
    /// <param name="pass">The forward pass.</param>
    public Tensor Logits(Tensor hidden, Pass pass) => Head.Forward(HeadInput(hidden), pass);

    /// <summary>−log p(target) of every token in nats, (N); 0 where the target is negative. Never holds all logits of a large batch.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="targets">(N), I32: the right next token, or −100 where it does not count.</param>
    public Tensor Losses(Pass pass, Tensor targets)
    {
        Tensor hidden = HeadInput(Hidden(pass));
        int vocabulary = Head.Weight.Outputs;
        bool large = hidden.Shape.Rows * vocabulary > ChunkLogits;
        return large && Head is { Adapter: null, Weight: DenseWeight { Layout: WeightLayout.OutIn } dense }
            ? hidden.LinearCrossEntropy(dense.Parameter.Value, Head.Bias?.Value, targets, Math.Max(1, ChunkLogits / vocabulary))
            : Head.Forward(hidden, pass).CrossEntropy(targets);
    }

    /// <summary>What the head is given of the hidden states; these themselves unless the architecture scales them.</summary>
    protected virtual Tensor HeadInput(Tensor hidden) => hidden;

    private protected void CheckLength(Pass pass)
    {
        if (pass.LongestPosition > Config.ContextLength)
            throw new ArgumentException($"The sequence has {pass.LongestPosition} tokens, but the model's context is {Config.ContextLength}; shorten it.");
    }
}
