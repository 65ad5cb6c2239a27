using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// Attention of every token to itself and those before it, with grouped key/value heads (Ainslie et al., "GQA", 2023):
/// output(attend(rotate(norm(q)), rotate(norm(k)), v)). What is null is left out.
/// </summary>
/// <param name="layer">The layer's number, by which the cache knows it.</param>
/// <param name="project">How queries, keys and values are made.</param>
/// <param name="output">(H·D) → (C).</param>
/// <param name="options">Scale, window and soft cap.</param>
public sealed class SelfAttention(int layer, QueryKeyValue project, Linear output, AttentionOptions options) : IBlock
{
    /// <summary>Rotary positions.</summary>
    public RotaryEmbedding? Rotary { get; init; }

    /// <summary>The norm of queries: of every head (width D), or of all heads together (width H·D).</summary>
    public INorm? QueryNorm { get; init; }

    /// <summary>The norm of keys, likewise.</summary>
    public INorm? KeyNorm { get; init; }

    /// <summary>Slopes of linear position biases (H).</summary>
    public Tensor? Slopes { get; init; }

    /// <summary>Dropout of the probabilities in training, in [0, 1).</summary>
    public float Dropout { get; init; }

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, Pass pass) => output.Forward(Attend(x, pass), pass);

    /// <inheritdoc/>
    public Tensor AddTo(Tensor residual, Tensor x, Pass pass, float dropout) => output.AddTo(residual, Attend(x, pass), pass, dropout);

    // (N, C) → (N, H·D).
    private Tensor Attend(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        if (ReadsProjection(pass) && project is FusedProjection fused)
            return pass.Attend(fused.Project(x, pass), fused.Heads, options, Slopes, Dropout);
        (Tensor q, Tensor k, Tensor v) = project.Forward(x, pass);
        q = Normalize(q, QueryNorm);
        k = Normalize(k, KeyNorm);
        if (Rotary is not null)
        {
            q = Rotary.Forward(q, pass);
            k = Rotary.Forward(k, pass);
        }
        return pass.Attend(layer, q, k, v, options, Slopes, dropout: Dropout);
    }

    // Whether nobody between the projection and the attention wants queries and keys for themselves.
    private bool ReadsProjection(Pass pass) => Rotary is null && QueryNorm is null && KeyNorm is null && !pass.NeedsKeys;

    private static Tensor Normalize(Tensor x, INorm? norm) => norm is null
        ? x
        : norm.Forward(x.Reshape(checked((int)(x.Count / norm.Width)), norm.Width)).Reshape(x.Shape[0], x.Shape[1], x.Shape[2]);
}

/// <summary>How a layer makes queries, keys and values of its input.</summary>
public abstract class QueryKeyValue
{
    /// <summary>(N, C) → q (N, H, D), k and v (N, Hkv, D).</summary>
    public abstract (Tensor Q, Tensor K, Tensor V) Forward(Tensor x, Pass pass);
}

/// <summary>A projection each.</summary>
/// <param name="query">(C) → (H·D).</param>
/// <param name="key">(C) → (Hkv·D).</param>
/// <param name="value">(C) → (Hkv·D).</param>
/// <param name="width">Values per head D.</param>
public sealed class SeparateProjections(Linear query, Linear key, Linear value, int width) : QueryKeyValue
{
    /// <summary>Projections under the names <c>q_proj</c>, <c>k_proj</c>, <c>v_proj</c>.</summary>
    /// <param name="scope">Their place.</param>
    /// <param name="inputs">C.</param>
    /// <param name="heads">H.</param>
    /// <param name="keyValueHeads">Hkv.</param>
    /// <param name="width">D.</param>
    /// <param name="bias">Whether they have biases.</param>
    /// <param name="init">How the weights start out.</param>
    public SeparateProjections(Scope scope, int inputs, int heads, int keyValueHeads, int width, bool bias, Init init)
        : this(
            scope.Linear("q_proj", inputs, heads * width, bias, init),
            scope.Linear("k_proj", inputs, keyValueHeads * width, bias, init),
            scope.Linear("v_proj", inputs, keyValueHeads * width, bias, init),
            width)
    {
    }

    /// <inheritdoc/>
    public override (Tensor Q, Tensor K, Tensor V) Forward(Tensor x, Pass pass) =>
        (Heads(query.Forward(x, pass)), Heads(key.Forward(x, pass)), Heads(value.Forward(x, pass)));

    private Tensor Heads(Tensor x) => x.Reshape(x.Shape[0], x.Shape.Columns / width, width);
}

/// <summary>
/// One projection, whose output is a number of equal groups of heads, each of them some queries, then some keys, then as many values:
/// one group of all heads in Phi-3, a group for each head in GPT-NeoX and BLOOM, one for each key/value head in Falcon.
/// </summary>
/// <param name="projection">(C) → ((H + 2·Hkv)·D).</param>
/// <param name="groups">Groups, dividing H and Hkv.</param>
/// <param name="heads">H.</param>
/// <param name="keyValueHeads">Hkv.</param>
/// <param name="width">D.</param>
public sealed class FusedProjection(Linear projection, int groups, int heads, int keyValueHeads, int width) : QueryKeyValue
{
    /// <summary>What lies where in a row of the projection.</summary>
    public FusedHeads Heads { get; } = new(groups, heads, keyValueHeads, width);

    /// <summary>(N, C) → (N, (H + 2·Hkv)·D).</summary>
    public Tensor Project(Tensor x, Pass pass) => projection.Forward(x, pass);

    /// <inheritdoc/>
    public override (Tensor Q, Tensor K, Tensor V) Forward(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        int n = x.Shape[0], queries = heads / groups * width, keys = keyValueHeads / groups * width;
        Tensor all = Project(x, pass).Reshape(n * groups, queries + (2 * keys));
        return (
            all.Columns(0, queries).Reshape(n, heads, width),
            all.Columns(queries, keys).Reshape(n, keyValueHeads, width),
            all.Columns(queries + keys, keys).Reshape(n, keyValueHeads, width));
    }
}
