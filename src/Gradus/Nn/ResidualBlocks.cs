using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>x + attention(norm₁(x)), then x + mlp(norm₂(x)): the pre-norm block of GPT-2 and Llama (Xiong et al., 2020).</summary>
/// <param name="norm1">Before attention.</param>
/// <param name="attention">The attention.</param>
/// <param name="norm2">Before the feed-forward layer.</param>
/// <param name="mlp">The feed-forward layer.</param>
/// <param name="dropout">Dropout of what is added to the residual stream, in [0, 1).</param>
public sealed class PreNormBlock(INorm norm1, IBlock attention, INorm norm2, IBlock mlp, float dropout = 0) : IBlock
{
    /// <inheritdoc/>
    public Tensor Forward(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        x = attention.AddTo(x, norm1.Forward(x), pass, dropout);
        return mlp.AddTo(x, norm2.Forward(x), pass, dropout);
    }
}

/// <summary>x + attention(norm₁(x)) + mlp(norm₂(x)): both at once (Wang and Komatsuzaki, "GPT-J-6B", 2021); often with one and the same norm.</summary>
/// <param name="norm1">Before attention.</param>
/// <param name="attention">The attention.</param>
/// <param name="norm2">Before the feed-forward layer; the same object where the two share it.</param>
/// <param name="mlp">The feed-forward layer.</param>
/// <param name="dropout">Dropout of what is added to the residual stream, in [0, 1).</param>
public sealed class ParallelBlock(INorm norm1, IBlock attention, INorm norm2, IBlock mlp, float dropout = 0) : IBlock
{
    /// <inheritdoc/>
    public Tensor Forward(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        Tensor a = norm1.Forward(x), b = norm1 == norm2 ? a : norm2.Forward(x);
        return mlp.AddTo(attention.AddTo(x, a, pass, dropout), b, pass, dropout);
    }
}

/// <summary>x + after₁(attention(before₁(x))), then x + after₂(mlp(before₂(x))): Gemma 2's norms on both sides.</summary>
/// <param name="before1">Before attention.</param>
/// <param name="attention">The attention.</param>
/// <param name="after1">After attention.</param>
/// <param name="before2">Before the feed-forward layer.</param>
/// <param name="mlp">The feed-forward layer.</param>
/// <param name="after2">After the feed-forward layer.</param>
public sealed class SandwichBlock(INorm before1, IBlock attention, INorm after1, INorm before2, IBlock mlp, INorm after2) : IBlock
{
    /// <inheritdoc/>
    public Tensor Forward(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        x = x.Add(after1.Forward(attention.Forward(before1.Forward(x), pass)));
        return x.Add(after2.Forward(mlp.Forward(before2.Forward(x), pass)));
    }
}

/// <summary>norm₁(x + attention(x)), then norm₂(x + mlp(x)): the post-norm block of Vaswani et al. (2017).</summary>
/// <param name="attention">The attention.</param>
/// <param name="norm1">After its sum.</param>
/// <param name="mlp">The feed-forward layer.</param>
/// <param name="norm2">After its sum.</param>
/// <param name="dropout">Dropout of what is added to the residual stream, in [0, 1).</param>
public sealed class PostNormBlock(IBlock attention, INorm norm1, IBlock mlp, INorm norm2, float dropout = 0) : IBlock
{
    /// <inheritdoc/>
    public Tensor Forward(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        x = norm1.Forward(attention.AddTo(x, x, pass, dropout));
        return norm2.Forward(mlp.AddTo(x, x, pass, dropout));
    }
}
