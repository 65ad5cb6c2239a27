using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>The hyperparameters of an encoder, which comes as a bare body or with the head of a task.</summary>
[OnlyUsual("is_decoder", "false")]
public abstract record EncoderConfig : ModelConfig
{
    /// <summary>The classes of transformers that can be built of this configuration.</summary>
    [JsonIgnore]
    public abstract IReadOnlyCollection<string> ArchitectureClasses { get; }
}

/// <summary>An encoder-only model: embeddings and a stack of blocks in which every token sees every other.</summary>
public abstract class EncoderModel : LanguageModel
{
    private protected EncoderModel(EncoderConfig config, Scope scope)
        : base(config, scope)
    {
    }

    /// <summary>The blocks, in order.</summary>
    protected abstract IReadOnlyList<IBlock> Blocks { get; }

    /// <summary>The layer that makes one vector of a sequence's first hidden state, or null where the family or the checkpoint has none.</summary>
    public virtual Linear? Pooler => null;

    /// <summary>The input of the first block, (N, C).</summary>
    protected abstract Tensor Embed(Pass pass);

    /// <inheritdoc/>
    public override Tensor Hidden(Pass pass)
    {
        CheckLength(pass);
        Tensor x = Embed(pass);
        pass.Observer?.Hidden(x);
        foreach (IBlock block in Blocks)
        {
            x = pass.Run(block, x);
            pass.Observer?.Hidden(x);
        }
        return x;
    }

    /// <summary>The trained summary of every sequence, tanh(W·first + b): (N, C) → (S, C).</summary>
    /// <param name="hidden">What <see cref="Hidden"/> gave.</param>
    /// <param name="pass">The pass over the tokens.</param>
    /// <exception cref="NotSupportedException">The model has no pooler.</exception>
    public Tensor Pooled(Tensor hidden, Pass pass) => Pooler is { } pooler
        ? pooler.Forward(hidden.Pool(pass, Pooling.First), pass, Epilogue.Activate(Activation.Tanh))
        : throw new NotSupportedException($"This {Config.Architecture} has no pooler; take the mean of the hidden states or the first one.");
}
