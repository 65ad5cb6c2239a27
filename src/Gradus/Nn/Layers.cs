using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>A table of vectors, one for each token or position.</summary>
public sealed class Embedding
{
    internal Embedding(string path, Parameter table)
    {
        Path = path;
        Table = table;
    }

    /// <summary>The dotted path of the layer: <c>model.embed_tokens</c>.</summary>
    public string Path { get; }

    /// <summary>(count, width).</summary>
    public Parameter Table { get; }

    /// <summary>What changes the lookup, or null.</summary>
    public EmbeddingAdapter? Adapter { get; set; }

    /// <summary>ids (N) → (N, width).</summary>
    public Tensor Forward(Tensor ids) => Adapter is { } adapter ? adapter.Forward(this, ids) : Base(ids);

    /// <summary>The lookup without its adapter.</summary>
    public Tensor Base(Tensor ids) => Table.Value.Gather(ids);
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
