using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// LoRA on an embedding table: y = table[ids] + s·B·A[:, ids], A (r, V), B (C, r). A starts out as zeros and B as normal numbers, and
/// there is no dropout, as in PEFT. Left out: DoRA and starts that take from the table.
/// </summary>
public sealed class LoraEmbeddingAdapter : EmbeddingAdapter
{
    /// <summary>Makes the adapter of a table.</summary>
    /// <param name="layer">The table.</param>
    /// <param name="config">Rank and scale.</param>
    /// <param name="place">Where the parameters come from.</param>
    /// <exception cref="InvalidDataException">The configuration asks for DoRA, or a start that takes from the weight.</exception>
    public LoraEmbeddingAdapter(Embedding layer, LoraConfig config, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(place);
        if (config.UseDora || config.InitLoraWeights?.TakesFromBase == true)
            throw new InvalidDataException($"{(config.UseDora ? "use_dora" : "init_lora_weights")}: does not work on the embedding {layer.Path}; take it out of target_modules.");
        int rank = config.RankOf(layer.Path);
        Scale = config.ScaleOf(layer.Path);
        bool random = config.InitLoraWeights == LoraInit.Random;
        A = place.Parameter("lora_embedding_A", new Shape(rank, layer.Packed?.Rows ?? layer.Table.Shape[0]), random ? Init.Normal(1) : Init.Zeros);
        B = place.Parameter("lora_embedding_B", new Shape(layer.Packed?.Columns ?? layer.Table.Shape[1], rank), Init.Normal(1));
        Parameters = [A, B];
    }

    /// <summary>s.</summary>
    public float Scale { get; }

    /// <summary>(r, V).</summary>
    public Parameter A { get; }

    /// <summary>(C, r).</summary>
    public Parameter B { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Forward(Embedding layer, Tensor ids)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(ids);
        Tensor rows = A.In(ids.Workspace).SwapAxes().Gather(ids);              // (N, r)
        return layer.Base(ids).Add(rows.Scale(Scale).Linear(B.Value));
    }

    /// <inheritdoc/>
    public override Tensor Merge(Embedding layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        Tensor change = workspace.Adopt(A.Value).Scale(Scale).MatMul(workspace.Adopt(B.Value), transposeA: true, transposeB: true);
        return workspace.Adopt(layer.Table.Value).ToF32().Add(change);
    }
}
