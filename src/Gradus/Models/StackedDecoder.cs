using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>The parts of a decoder, from bottom to top.</summary>
/// <param name="Tokens">A vector for each token.</param>
/// <param name="Blocks">The blocks, in order.</param>
/// <param name="Norm">What follows the last block, or null.</param>
/// <param name="Head">Scores of the next token.</param>
/// <param name="CacheHeads">Key/value heads of a layer.</param>
/// <param name="CacheWidth">Values per key/value head.</param>
/// <param name="Rotary">Rotary positions, or null.</param>
internal sealed record DecoderStack(
    Embedding Tokens, IBlock[] Blocks, INorm? Norm, Linear Head, int CacheHeads, int CacheWidth, RotaryEmbedding? Rotary = null);

/// <summary>A decoder of the usual parts: a token table, blocks, a norm, a head.</summary>
public abstract class StackedDecoder : DecoderModel
{
    private readonly DecoderStack _stack;

    private protected StackedDecoder(ModelConfig config, Scope scope, DecoderStack stack)
        : base(config, scope)
    {
        _stack = stack;
    }

    /// <inheritdoc/>
    public sealed override Linear Head => _stack.Head;

    /// <inheritdoc/>
    public sealed override int? ShortLimit => _stack.Rotary is { LongFrequencies: not null } rotary ? rotary.ShortLimit : null;

    /// <inheritdoc/>
    protected sealed override IReadOnlyList<IBlock> Blocks => _stack.Blocks;

    /// <inheritdoc/>
    protected sealed override int CacheHeads => _stack.CacheHeads;

    /// <inheritdoc/>
    protected sealed override int CacheWidth => _stack.CacheWidth;

    /// <summary>Dropout of the embeddings, in [0, 1).</summary>
    private protected float EmbeddingDropout { get; init; }

    /// <inheritdoc/>
    protected override Tensor Embed(Pass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        return pass.Dropout(_stack.Tokens.Forward(pass.Ids), EmbeddingDropout);
    }

    /// <inheritdoc/>
    protected override Tensor Normalize(Tensor x, Pass pass) => _stack.Norm?.Forward(x) ?? x;

    /// <summary>The head: the token table where the configuration ties the two, else a layer of its own.</summary>
    private protected static Linear MakeHead(DecoderConfig config, Scope scope, string name, Embedding tokens, int width, bool bias, Init init) => config.TieWordEmbeddings
        ? scope.TiedLinear(name, tokens, bias)
        : scope.Linear(name, width, config.VocabSize, bias, init);

    /// <summary>Makes a block of a decoder with rotary positions from its place.</summary>
    internal delegate IBlock BlockBuilder(int layer, RotaryEmbedding rotary, Scope place);

    /// <summary>The parts of a decoder with rotary positions under the names of LlamaForCausalLM: <c>model.embed_tokens</c>, <c>model.layers</c>, <c>lm_head</c>.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="scope">The root of the model.</param>
    /// <param name="block">Makes the blocks.</param>
    /// <param name="norm">Makes the last norm of its place, <c>model</c>.</param>
    /// <param name="headBias">Whether the head has a bias.</param>
    private protected static DecoderStack RotaryStack(RotaryDecoderConfig config, Scope scope, BlockBuilder block, Func<Scope, INorm> norm, bool headBias = false)
    {
        Scope body = scope["model"];
        RotaryEmbedding rotary = config.Rotary(scope);
        Embedding tokens = body.Embedding("embed_tokens", config.VocabSize, config.HiddenSize, config.Init, config.PadTokenId);
        return new DecoderStack(
            tokens,
            Repeat(config.NumHiddenLayers, body["layers"], (i, place) => block(i, rotary, place)),
            norm(body),
            MakeHead(config, scope, "lm_head", tokens, config.HiddenSize, headBias, config.Init),
            config.KeyValueHeads,
            config.HeadWidth,
            rotary);
    }

    /// <summary>As many blocks as asked for, each from its place below <paramref name="scope"/>.</summary>
    private protected static IBlock[] Repeat(int count, Scope scope, Func<int, Scope, IBlock> block)
    {
        IBlock[] blocks = new IBlock[count];
        for (int i = 0; i < count; i++)
            blocks[i] = block(i, scope[i]);
        return blocks;
    }
}
