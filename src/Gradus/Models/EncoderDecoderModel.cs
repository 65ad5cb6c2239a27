using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// A model that reads a source and writes a target (Vaswani et al., "Attention Is All You Need", 2017): an encoder whose tokens all see
/// each other, and a decoder whose layers also attend to what the encoder made. A run's batch holds the target's tokens, which begin
/// with <see cref="StartToken"/>, and the sources (<see cref="TokenBatch.Source"/>); in generation the cache keeps what was encoded.
/// </summary>
public abstract class EncoderDecoderModel : GenerativeModel
{
    private protected EncoderDecoderModel(ModelConfig config, Scope scope)
        : base(config, scope)
    {
    }

    /// <summary>The token that begins every target.</summary>
    public abstract int StartToken { get; }

    /// <summary>Reads the source.</summary>
    protected abstract Stack Encoder { get; }

    /// <summary>Writes the target.</summary>
    protected abstract Stack Decoder { get; }

    /// <summary>The decoder's layers, as they look at the source.</summary>
    protected abstract IReadOnlyList<ISourceAttention> SourceAttentions { get; }

    /// <summary>Attention heads of the decoder.</summary>
    protected abstract int CacheHeads { get; }

    /// <summary>Values per head of the decoder.</summary>
    protected abstract int CacheWidth { get; }

    /// <summary>What the encoder makes of the tokens of a run, (M, C).</summary>
    /// <exception cref="ArgumentException">A source is longer than the context.</exception>
    public Tensor Encode(Pass source)
    {
        ArgumentNullException.ThrowIfNull(source);
        CheckLength(source);
        return Encoder.Forward(source);
    }

    /// <inheritdoc/>
    public override Tensor Hidden(Pass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        CheckLength(pass);
        if (pass.Cache is null)
        {
            Pass source = pass.Source ?? throw new ArgumentException($"A {Config.ArchitectureClass} reads a source and writes a target, but the batch has no source.", nameof(pass));
            source.Recompute = pass.Recompute;
            if (Prefix is VirtualTokens)
                pass = pass.Reading(source = WithPrefix(source));
            source.Encoded = Encode(source);
            if (Prefix is KeyValuePrefix prefix)
                pass = pass.Prepend(prefix, Config.Vocabulary);
        }
        return Decoder.Forward(pass);
    }

    /// <inheritdoc/>
    public override int LongestSequence => Config.ContextLength - (Prefix is KeyValuePrefix prefix ? prefix.Length : 0);

    internal override (int Layers, int Heads, int Width)? CacheShape => (SourceAttentions.Count, CacheHeads, CacheWidth);

    /// <summary>Virtual tokens that stand before every source.</summary>
    internal int SourcePrefix => Prefix is VirtualTokens tokens ? tokens.Length : 0;

    /// <summary>A run over sources with the virtual tokens before them.</summary>
    internal Pass WithPrefix(Pass source) => Prefix is VirtualTokens tokens ? source.Prepend(tokens, Config.Vocabulary) : source;

    /// <summary>Keys and values of a decoder layer for what the encoder made.</summary>
    internal (Tensor Keys, Tensor Values) SourceKeysAndValues(int layer, Tensor encoded, Pass pass) =>
        SourceAttentions[layer].KeysAndValues(encoded, pass);

    /// <inheritdoc/>
    public override SequenceCache NewCache() => new EncoderDecoderCache(this, SourceAttentions.Count, CacheHeads, CacheWidth);

    /// <summary>One half of the model: embeddings, blocks, and what follows the last one.</summary>
    protected abstract class Stack
    {
        /// <summary>The blocks, in order.</summary>
        protected abstract IReadOnlyList<IBlock> Blocks { get; }

        /// <summary>Probability with which training leaves a block out, in [0, 1).</summary>
        protected virtual float BlockDropout => 0;

        /// <summary>All of the half: (N, C).</summary>
        public Tensor Forward(Pass pass)
        {
            ArgumentNullException.ThrowIfNull(pass);
            Tensor x = Embed(pass);
            for (int i = 0; i < Blocks.Count; i++)
            {
                pass.Observer?.Hidden(x);
                x = pass.Noise.DropsBlock(BlockDropout) ? x : pass.Run(Blocks[i], x);
            }
            x = Finish(x, pass);
            pass.Observer?.Hidden(x);
            return x;
        }

        /// <summary>The input of the first block, (N, C).</summary>
        protected abstract Tensor Embed(Pass pass);

        /// <summary>What follows the last block, (N, C).</summary>
        protected virtual Tensor Finish(Tensor x, Pass pass) => x;
    }
}
