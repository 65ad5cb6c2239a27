using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Nn;

/// <summary>A table of vectors, one for each token or position.</summary>
public sealed class Embedding
{
    private Parameter? _table;

    internal Embedding(string path, Parameter table, int? padding = null)
    {
        Path = path;
        _table = table;
        Padding = padding;
    }

    internal Embedding(string path, PackedMatrix packed)
    {
        Path = path;
        Packed = packed;
    }

    /// <summary>The dotted path of the layer: <c>model.embed_tokens</c>.</summary>
    public string Path { get; }

    /// <summary>(count, width).</summary>
    /// <exception cref="InvalidDataException">The table is kept in blocks.</exception>
    public Parameter Table => _table ?? throw new InvalidDataException($"{Path} is quantized and can only be looked up in; load the model unquantized.");

    /// <summary>Rows.</summary>
    public int Count => Packed?.Rows ?? Table.Shape[0];

    /// <summary>Columns.</summary>
    public int Width => Packed?.Columns ?? Table.Shape[1];

    /// <summary>The table in blocks, where it is kept so; there is no <see cref="Table"/> then.</summary>
    public PackedMatrix? Packed { get; }

    /// <summary>The row of the padding token, which lookups give no gradient; null for none.</summary>
    public int? Padding { get; }

    /// <summary>What changes the lookup, or null.</summary>
    public EmbeddingAdapter? Adapter { get; set; }

    /// <summary>ids (N) → (N, width).</summary>
    public Tensor Forward(Tensor ids) => Adapter is { } adapter ? adapter.Forward(this, ids) : Base(ids);

    /// <summary>The lookup without its adapter.</summary>
    public Tensor Base(Tensor ids) => Packed?.Gather(ids) ?? Table.Value.Gather(ids, Padding);

    /// <summary>Uses another parameter as the table.</summary>
    internal void Replace(Parameter table) => _table = table;

    /// <summary>Whether this is the table of a parameter.</summary>
    internal bool Uses(Parameter parameter) => _table == parameter;
}

/// <summary>A normalization of vectors.</summary>
public interface INorm
{
    /// <summary>Values of a vector.</summary>
    int Width { get; }

    /// <summary>(…, width) → the same.</summary>
    Tensor Forward(Tensor x);
}

/// <summary>y = (x − mean)/√(var + ε) · w + b; w = 1 and b = 0 where they are null.</summary>
public sealed class LayerNorm(int width, Parameter? weight, Parameter? bias, float epsilon) : INorm
{
    /// <inheritdoc/>
    public int Width => width;

    /// <inheritdoc/>
    public Tensor Forward(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x.LayerNorm(weight?.Value, bias?.Value, epsilon);
    }
}

/// <summary>y = x/√(mean(x²) + ε) · (w + offset).</summary>
/// <param name="weight">(width).</param>
/// <param name="epsilon">ε.</param>
/// <param name="offset">1 in the Gemma family, whose checkpoints store w − 1; else 0.</param>
public sealed class RmsNorm(Parameter weight, float epsilon, float offset = 0) : INorm
{
    /// <inheritdoc/>
    public int Width => weight.Shape[0];

    /// <inheritdoc/>
    public Tensor Forward(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x.RmsNorm(weight.Value, epsilon, offset);
    }
}
