using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>A model that gives a hidden state for every token: what the heads of tasks stand on.</summary>
public abstract class BodyModel : LanguageModel
{
    private protected BodyModel(ModelConfig config, Scope scope)
        : base(config, scope)
    {
    }

    /// <summary>The hidden state of every token after the last block, (N, C).</summary>
    /// <exception cref="ArgumentException">A sequence is longer than the context.</exception>
    public abstract Tensor Hidden(Pass pass);
}
