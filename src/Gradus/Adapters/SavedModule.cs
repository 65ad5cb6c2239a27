using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>A linear layer of modules_to_save: a trained copy of weight and bias that takes the layer's place.</summary>
internal sealed class SavedLinear : Adapter
{
    private readonly DenseWeight _weight;
    private readonly Parameter? _bias;

    public SavedLinear(Linear layer, Scope place)
    {
        if (layer.Weight is not DenseWeight dense)
            throw new InvalidDataException($"modules_to_save: {layer.Path} is quantized and cannot be trained as a whole; load it unquantized or take it out.");
        _weight = new DenseWeight(place.Parameter("weight", dense.Parameter.Shape, new CopyInit(dense.Parameter.Value)), dense.Layout);
        if (layer.Bias is { } bias)
            _bias = place.Parameter("bias", bias.Shape, new CopyInit(bias.Value));
        Parameters = _bias is null ? [_weight.Parameter] : [_weight.Parameter, _bias];
    }

    public override IReadOnlyList<Parameter> Parameters { get; }

    public override Tensor Forward(Linear layer, Tensor x, Pass pass) => _weight.Multiply(x, _bias?.Value);

    public override Tensor Merge(Linear layer, Workspace workspace) => _weight.Dense(workspace);

    public override Tensor? MergeBias(Linear layer, Workspace workspace) => _bias is null ? null : workspace.Adopt(_bias.Value);
}

/// <summary>An embedding of modules_to_save: a trained copy of the table that takes its place.</summary>
internal sealed class SavedEmbedding : EmbeddingAdapter
{
    private readonly Parameter _table;

    public SavedEmbedding(Embedding layer, Scope place)
    {
        if (layer.Packed is not null)
            throw new InvalidDataException($"modules_to_save: {layer.Path} is quantized and cannot be trained as a whole; load it unquantized or take it out.");
        _table = place.Parameter("weight", layer.Table.Shape, new CopyInit(layer.Table.Value));
        Parameters = [_table];
    }

    public override IReadOnlyList<Parameter> Parameters { get; }

    public override Tensor Forward(Embedding layer, Tensor ids) => _table.Value.Gather(ids);

    public override Tensor Merge(Embedding layer, Workspace workspace) => workspace.Adopt(_table.Value);
}
