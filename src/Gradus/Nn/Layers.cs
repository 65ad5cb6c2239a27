using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>A table of vectors, one for each token or position.</summary>
public sealed class Embedding(Parameter table)
{
    /// <summary>(count, width).</summary>
    public Parameter Table { get; } = table;

    /// <summary>ids (N) → (N, width).</summary>
    public Tensor Forward(Tensor ids) => Table.Value.Gather(ids);
}

/// <summary>y = (x − mean)/√(var + ε) · w + b.</summary>
public sealed class LayerNorm(Parameter weight, Parameter bias, float epsilon)
{
    /// <summary>(…, width) → the same.</summary>
    public Tensor Forward(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x.LayerNorm(weight.Value, bias.Value, epsilon);
    }
}

/// <summary>y = x/√(mean(x²) + ε) · w.</summary>
public sealed class RmsNorm(Parameter weight, float epsilon)
{
    /// <summary>(…, width) → the same.</summary>
    public Tensor Forward(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x.RmsNorm(weight.Value, epsilon);
    }
}
