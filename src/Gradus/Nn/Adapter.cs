using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>Few parameters that change what a frozen linear layer computes.</summary>
public abstract class Adapter
{
    /// <summary>The parameters that are trained, with the names of the adapter's file.</summary>
    public abstract IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>The adapted layer: (…, in) → (…, out).</summary>
    /// <param name="layer">The layer it sits on (<see cref="Linear.Base"/> is the frozen product).</param>
    /// <param name="x">The layer's input.</param>
    /// <param name="pass">The forward pass.</param>
    public abstract Tensor Forward(Linear layer, Tensor x, Pass pass);

    /// <summary>The adapted layer, then what the epilogue says.</summary>
    /// <param name="layer">The layer it sits on.</param>
    /// <param name="x">The layer's input.</param>
    /// <param name="pass">The forward pass.</param>
    /// <param name="epilogue">A residual of the result's shape, which is added, or an activation.</param>
    public virtual Tensor Forward(Linear layer, Tensor x, Pass pass, Epilogue epilogue) => epilogue.Of(Forward(layer, x, pass));

    /// <summary>residual + dropout(the adapted layer of x).</summary>
    /// <param name="layer">The layer it sits on.</param>
    /// <param name="residual">(N, out).</param>
    /// <param name="x">(N, in).</param>
    /// <param name="pass">The forward pass.</param>
    /// <param name="dropout">Dropout in training, in [0, 1).</param>
    public virtual Tensor AddTo(Linear layer, Tensor residual, Tensor x, Pass pass, float dropout)
    {
        ArgumentNullException.ThrowIfNull(residual);
        ArgumentNullException.ThrowIfNull(pass);
        return residual.Add(pass.Dropout(Forward(layer, x, pass), dropout));
    }

    /// <summary>
    /// What the adapter adds to the layer's own result, (…, out), where that is all it does: the adapted layer is then the layer's product with this
    /// as its residual (<see cref="Epilogue.Residual"/>). Null where the adapter does something else, or adds nothing this time.
    /// </summary>
    /// <param name="x">The layer's input.</param>
    /// <param name="pass">The forward pass.</param>
    public virtual Tensor? Change(Tensor x, Pass pass) => null;

    /// <summary>Whether there is a matrix that computes the same (<see cref="Merge"/>).</summary>
    public virtual bool CanMerge => true;

    /// <summary>Whether merging the table that this layer shares merges the layer too.</summary>
    public virtual bool MergesWithTable => false;

    /// <summary>The matrix (out, in) that computes the same without the adapter, F32 in the given workspace.</summary>
    /// <exception cref="NotSupportedException">There is none (<see cref="CanMerge"/>).</exception>
    public abstract Tensor Merge(Linear layer, Workspace workspace);

    /// <summary>The bias (out) that goes with <see cref="Merge"/>, or null where it stays the layer's own.</summary>
    public virtual Tensor? MergeBias(Linear layer, Workspace workspace) => null;
}

/// <summary>Few parameters that change what a frozen embedding table gives.</summary>
public abstract class EmbeddingAdapter
{
    /// <summary>The parameters that are trained, with the names of the adapter's file.</summary>
    public abstract IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>The adapted lookup: ids (N) → (N, width).</summary>
    /// <param name="layer">The table it sits on (<see cref="Embedding.Base"/> is the frozen lookup).</param>
    /// <param name="ids">(N), I32.</param>
    public abstract Tensor Forward(Embedding layer, Tensor ids);

    /// <summary>Whether there is a table that gives the same (<see cref="Merge"/>).</summary>
    public virtual bool CanMerge => true;

    /// <summary>The table (count, width) that gives the same without the adapter, F32 in the given workspace.</summary>
    public abstract Tensor Merge(Embedding layer, Workspace workspace);
}
