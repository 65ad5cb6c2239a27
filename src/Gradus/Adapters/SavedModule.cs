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
        // A quantized layer's copy is whole.
        (Shape shape, Init init, WeightLayout layout) = layer.Weight is DenseWeight dense
            ? (dense.Parameter.Shape, new CopyInit(dense.Parameter.Value), dense.Layout)
            : (new Shape(layer.Weight.Outputs, layer.Weight.Inputs), (Init)new DenseInit(layer), WeightLayout.OutIn);
        _weight = new DenseWeight(place.Parameter("weight", shape, init), layout);
        if (layer.Bias is { } bias)
            _bias = place.Parameter("bias", bias.Shape, new CopyInit(bias.Value));
        Parameters = _bias is null ? [_weight.Parameter] : [_weight.Parameter, _bias];
    }

    public override IReadOnlyList<Parameter> Parameters { get; }

    public override Tensor Forward(Linear layer, Tensor x, Pass pass) => _weight.Multiply(x, _bias?.Value);

    public override Tensor Merge(Linear layer, Workspace workspace) => _weight.Dense(workspace);

    public override Tensor? MergeBias(Linear layer, Workspace workspace) => _bias is null ? null : workspace.Adopt(_bias.Value);

    private sealed record DenseInit(Linear Layer) : Init
    {
        public override void Fill(Span<float> values, ulong key)
        {
            using Workspace scratch = new(((PackedWeight)Layer.Weight).Matrix.Device);
            Layer.Weight.Dense(scratch).Values().CopyTo(values);
        }
    }
}

/// <summary>An embedding of modules_to_save: a trained copy of the table that takes its place.</summary>
internal sealed class SavedEmbedding : EmbeddingAdapter
{
    private readonly Parameter _table;

    public SavedEmbedding(Embedding layer, Scope place)
    {
        _table = place.Parameter("weight", new Shape(layer.Count, layer.Width), layer.Packed is null ? new CopyInit(layer.Table.Value) : new RowsInit(layer));
        Parameters = [_table];
    }

    public override IReadOnlyList<Parameter> Parameters { get; }

    public override Tensor Forward(Embedding layer, Tensor ids) => _table.Value.Gather(ids);

    public override Tensor Merge(Embedding layer, Workspace workspace) => workspace.Adopt(_table.Value);

    private sealed record RowsInit(Embedding Layer) : Init
    {
        public override void Fill(Span<float> values, ulong key)
        {
            using Workspace scratch = new(Layer.Packed!.Device);
            Layer.Packed.Dense(scratch).Values().CopyTo(values);
        }
    }
}
