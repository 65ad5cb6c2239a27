using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Compression.Pruning;

/// <summary>Makes weights of a model's blocks zero, block by block: each is judged by what the pruned ones before it give.</summary>
/// <param name="model">The model, in F32 and without adapters; changed.</param>
/// <param name="method">How weights are chosen.</param>
/// <param name="sparsity">How many.</param>
public sealed class ModelPruner(LanguageModel model, PruningMethod method, Sparsity sparsity)
{
    private readonly List<LayerLoss> _layers = [];
    private readonly HashSet<Parameter> _done = [];

    /// <summary>Is told of every layer that is done.</summary>
    public Action<LayerLoss>? Progress { get; init; }

    /// <summary>Ends the work between layers.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Prunes the linear layers of the blocks; heads, tables and routers of experts stay.</summary>
    /// <param name="text">The calibration text; magnitude needs none, and then has no error to tell of but that of the weights.</param>
    /// <exception cref="ArgumentException">The method needs text and there is none.</exception>
    /// <exception cref="InvalidDataException">Activations are not finite; one line.</exception>
    public IReadOnlyList<LayerLoss> Run(CalibrationText? text)
    {
        if (text is null)
        {
            if (method != PruningMethod.Magnitude)
                throw new ArgumentException($"{method} looks at activations; give calibration text.", nameof(text));
            foreach (Linear layer in Blocks.Of(model.Parts.Linears).SelectMany(b => b).Where(IsWanted))
                Prune(layer, null, null);
            return _layers;
        }
        using BlockWalk walk = new(model, text);
        while (walk.Current < walk.Count)
        {
            Cancellation.ThrowIfCancellationRequested();
            InputMoments moments = new();
            InputHessians? hessians = method == PruningMethod.SparseGpt ? new InputHessians(IsWanted) : null;
            walk.Observe(moments);
            if (hessians is not null)
                walk.Observe(hessians);
            foreach ((Linear layer, ColumnMoments columns) in moments.Layers)
            {
                InputMoments.Require(layer, columns.Largest);
                if (IsWanted(layer))
                    Prune(layer, columns, hessians?.Of(layer));
            }
            walk.Advance();
        }
        return _layers;
    }

    private bool IsWanted(Linear layer) => layer.Weight is DenseWeight dense && layer.Name is not ("gate" or "shared_expert_gate")
        && (model as GenerativeModel)?.Head != layer && !_done.Contains(dense.Parameter);

    private void Prune(Linear layer, ColumnMoments? moments, float[]? hessian)
    {
        float[] before = LayerWeights.Read(layer), weight = [.. before];
        int columns = layer.Weight.Inputs;
        string? note = sparsity.HasPattern && columns % sparsity.Of != 0 ? $"rows of {columns} are no whole groups of {sparsity.Of}" : null;
        float[] squares = moments is { Rows: > 0 } ? moments.MeanSquares : [.. Enumerable.Repeat(1f, columns)];
        if (method == PruningMethod.SparseGpt)
        {
            string? problem = moments is { Rows: > 0 } && hessian is not null ? WeightPruning.SparseGpt(weight, hessian, columns, sparsity) : "no activations were seen";
            note = problem ?? note;
            if (problem is not null)
                weight = Zeroed(before, WeightPruning.Wanda(before, squares, sparsity));
        }
        else
        {
            weight = Zeroed(before, method == PruningMethod.Wanda ? WeightPruning.Wanda(before, squares, sparsity) : WeightPruning.Magnitude(before, columns, sparsity));
        }
        LayerWeights.Write(layer, weight);
        _done.Add(((DenseWeight)layer.Weight).Parameter);
        LayerLoss loss = new(layer.Path, hessian is not null ? Gptq.Error(before, weight, hessian, columns) : Weighted(before, weight, squares), weight.Length * sizeof(float), note);
        _layers.Add(loss);
        Progress?.Invoke(loss);
    }

    private static float[] Zeroed(float[] weight, bool[] mask) => [.. weight.Zip(mask, (w, zero) => zero ? 0 : w)];

    private static double Weighted(float[] before, float[] after, float[] squares)
    {
        double off = 0, size = 0;
        for (int i = 0; i < before.Length; i++)
        {
            double counted = squares[i % squares.Length], d = (double)before[i] - after[i];
            off += counted * d * d;
            size += counted * before[i] * before[i];
        }
        return size > 0 ? off / size : 0;
    }
}
