using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// A decoder-only language model: a token table, a stack of blocks, a norm, and a head that scores the next token. An architecture's
/// constructor makes these parts; <see cref="Llama"/> shows how.
/// </summary>
public abstract class DecoderModel : GenerativeModel
{
    private readonly int _keyValueHeads;
    private readonly int _headWidth;

    /// <summary>Prepares a decoder; the constructor of the architecture makes the parts.</summary>
    /// <param name="config">The hyperparameters.</param>
    /// <param name="scope">The root of the model.</param>
    /// <param name="keyValueHeads">Key/value heads of a layer Hkv.</param>
    /// <param name="headWidth">Values per head D.</param>
    private protected DecoderModel(DecoderConfig config, Scope scope, int keyValueHeads, int headWidth)
        : base(config, scope)
    {
        _keyValueHeads = keyValueHeads;
        _headWidth = headWidth;
    }

    /// <summary>Makes a decoder with rotary positions, named as <see cref="Llama"/> is: <c>model.embed_tokens</c>, <c>model.layers</c>, <c>lm_head</c>.</summary>
    /// <param name="config">The hyperparameters.</param>
    /// <param name="scope">The root of the model.</param>
    /// <param name="block">Makes a block of its number, the rotary positions and its scope.</param>
    /// <param name="norm">Makes the last norm in the scope <c>model</c>.</param>
    /// <param name="headBias">Whether the head has a bias.</param>
    private protected DecoderModel(
        RotaryDecoderConfig config, Scope scope, Func<int, RotaryEmbedding, Scope, IBlock> block, Func<Scope, INorm> norm, bool headBias = false)
        : this(config, scope, config.KeyValueHeads, config.HeadWidth)
    {
        Scope body = scope["model"];
        RotaryEmbedding rotary = Rotary = config.Rotary(scope);
        Tokens = body.Embedding("embed_tokens", config.VocabSize, config.HiddenSize, config.Init, config.PadTokenId);
        Blocks = Repeat(config.NumHiddenLayers, body["layers"], (i, layer) => block(i, rotary, layer));
        Norm = norm(body);
        Head = MakeHead(scope, "lm_head", config.HiddenSize, config.Init, headBias);
    }

    /// <inheritdoc/>
    public sealed override int? ShortLimit => Rotary is { LongFrequencies: not null } rotary ? rotary.ShortLimit : null;

    internal sealed override int? PrefixLimit => Rotary is { FrequenciesOfLength: not null } rotary ? rotary.ShortLimit : ShortLimit;

    /// <summary>A vector for each token.</summary>
    private protected Embedding Tokens { get; init; } = null!;

    /// <summary>Factor of these vectors.</summary>
    private protected float EmbeddingScale { get; init; } = 1;

    /// <summary>Dropout of these vectors, in [0, 1).</summary>
    private protected float EmbeddingDropout { get; init; }

    /// <summary>Rotary positions, or null.</summary>
    private protected RotaryEmbedding? Rotary { get; init; }

    /// <summary>The blocks, in order.</summary>
    private protected IBlock[] Blocks { get; init; } = [];

    /// <summary>Probability with which training leaves a block out, in [0, 1).</summary>
    private protected float BlockDropout { get; init; }

    /// <summary>What follows the last block, or null.</summary>
    private protected INorm? Norm { get; init; }

    /// <inheritdoc/>
    public sealed override Tensor Hidden(Pass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        // A cache has the prefix already.
        if (Prefix is null || pass.Cache is not null)
            return Read(pass);
        Tensor all = Read(pass.Prepend(Prefix, Config.Vocabulary));
        return Prefix is VirtualTokens tokens && !pass.KeepsVirtualTokens ? all.Gather(pass.Workspace.From(pass.Inputs.RowsBehind(tokens))) : all;
    }

    // The blocks, one upon the other.
    private Tensor Read(Pass pass)
    {
        CheckLength(pass);
        Tensor x = Embed(pass);
        foreach (IBlock block in Blocks)
        {
            pass.Observer?.Hidden(x);
            x = pass.Noise.DropsBlock(BlockDropout) ? x : pass.Run(block, x);
        }
        x = Finish(x, pass);
        pass.Observer?.Hidden(x);
        return x;
    }

    /// <inheritdoc/>
    public sealed override KvCache NewCache() => new(Device, Blocks.Length, _keyValueHeads, _headWidth);

    internal override (int Layers, int Heads, int Width)? CacheShape => (Blocks.Length, _keyValueHeads, _headWidth);

    /// <summary>The input of the first block, (N, C).</summary>
    protected virtual Tensor Embed(Pass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        Tensor x = Tokens.Forward(pass.Ids);
        return pass.Dropout(EmbeddingScale == 1 ? x : x.Scale(EmbeddingScale), EmbeddingDropout);
    }

    /// <summary>What follows the last block, (N, C).</summary>
    protected virtual Tensor Finish(Tensor x, Pass pass) => Norm?.Forward(x) ?? x;

    /// <summary>
    /// The head over <see cref="Tokens"/>: the table itself where the configuration ties the two, else a layer of its own; in the body
    /// of a classifier none.
    /// </summary>
    private protected Linear MakeHead(Scope scope, string name, int width, Init init, bool bias = false)
    {
        DecoderConfig config = (DecoderConfig)Config;
        if (config.IsClassifier)
            return scope.AbsentLinear(name, width, config.VocabSize);
        return config.TieWordEmbeddings ? scope.TiedLinear(name, Tokens, bias) : scope.Linear(name, width, config.VocabSize, bias, init);
    }

    /// <summary>As many blocks as asked for, each of its number and its scope.</summary>
    private protected static IBlock[] Repeat(int count, Scope scope, Func<int, Scope, IBlock> block)
    {
        IBlock[] blocks = new IBlock[count];
        for (int i = 0; i < count; i++)
            blocks[i] = block(i, scope[i]);
        return blocks;
    }
}
