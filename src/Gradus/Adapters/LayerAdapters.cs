using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// Several adapters on one linear layer, of which every sequence goes through its own, or through none (<see cref="Pass.Adapters"/>). The layer's own
/// product is taken once for all rows; an adapter that adds to it (<see cref="Adapter.Change"/>) computes its rows only (Chen et al., "Punica", 2023).
/// One that wraps the product (IA³, DoRA) computes the layer for its rows. Each row has the bits that it has alone. For running, not for training.
/// </summary>
internal sealed class LayerAdapters : Adapter
{
    // Replaced as a whole: a pass that runs meanwhile goes on with the one that it has.
    private volatile Dictionary<SequenceAdapter, Adapter> _adapters = [];

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters => [];

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <summary>Whether there is none left.</summary>
    public bool IsEmpty => _adapters.Count == 0;

    /// <summary>Adds an adapter; one call at a time.</summary>
    public void Add(SequenceAdapter name, Adapter adapter) => _adapters = new Dictionary<SequenceAdapter, Adapter>(_adapters) { [name] = adapter };

    /// <summary>Takes an adapter away; one call at a time.</summary>
    public void Remove(SequenceAdapter name) => _adapters = _adapters.Where(a => a.Key != name).ToDictionary();

    /// <inheritdoc/>
    public override Tensor Forward(Linear layer, Tensor x, Pass pass) => Forward(layer, x, pass, default);

    /// <inheritdoc/>
    public override Tensor Forward(Linear layer, Tensor x, Pass pass, Epilogue epilogue)
    {
        Group[] groups = Groups(layer, x, pass);
        if (groups.Length == 0)
            return layer.Weight.Multiply(x, layer.Bias?.Value, epilogue);
        return groups[0].Rows.Length == x.Shape.Rows
            ? groups[0].Adapter.Forward(layer, x, pass, epilogue)
            : epilogue.Of(Mix(layer, x, groups, pass, sums => sums, (adapter, rows) => adapter.Forward(layer, x.Gather(rows), pass)));
    }

    /// <inheritdoc/>
    public override Tensor AddTo(Linear layer, Tensor residual, Tensor x, Pass pass, float dropout)
    {
        Group[] groups = Groups(layer, x, pass);
        if (groups.Length == 0)
            return layer.Weight.Multiply(x, layer.Bias?.Value, Epilogue.Residual(residual));
        return groups[0].Rows.Length == x.Shape.Rows
            ? groups[0].Adapter.AddTo(layer, residual, x, pass, dropout)
            : Mix(layer, x, groups, pass, residual.Add, (adapter, rows) => adapter.AddTo(layer, residual.Gather(rows), x.Gather(rows), pass, dropout));
    }

    /// <inheritdoc/>
    public override Tensor Merge(Linear layer, Workspace workspace) =>
        throw new NotSupportedException($"{layer.Path}: has several adapters, of which each sequence chooses; merge one that is attached alone.");

    // The rows of every adapter that this layer has.
    private Group[] Groups(Linear layer, Tensor x, Pass pass)
    {
        if (pass.AdapterRows is not { } rows)
            return [];
        if (x.Workspace.Tape is not null)
            throw new InvalidOperationException("Adapters that sequences choose are for running; attach one alone to train it.");
        if (rows.Count != x.Shape.Rows)
            throw new InvalidOperationException($"{layer.Path}: is given {x.Shape.Rows} rows, but the adapters of {rows.Count} are known.");
        Dictionary<SequenceAdapter, Adapter> adapters = _adapters;
        return [.. rows.Groups.Where(g => adapters.ContainsKey(g.Adapter)).Select(g => new Group(adapters[g.Adapter], g.Rows))];
    }

    // The layer's product of all rows with what is added to it, and the rows of those that wrap it in the places of theirs.
    private static Tensor Mix(
        Linear layer, Tensor x, Group[] groups, Pass pass, Func<Tensor, Tensor> end, Func<Adapter, Tensor, Tensor> wrapped)
    {
        Workspace w = x.Workspace;
        Tensor? changes = null;
        List<(Tensor Values, int[] Rows)> wraps = [];
        foreach ((Adapter adapter, int[] rows) in groups)
        {
            Tensor places = w.From(rows.AsSpan());
            if (adapter.Change(x.Gather(places), pass) is not { } change)
            {
                wraps.Add((wrapped(adapter, places), rows));
                continue;
            }
            if (changes is null)
            {
                // A sum with −0 has the bits of the other, a zero's sign too.
                changes = w.Empty(x.Shape.WithColumns(layer.Weight.Outputs));
                changes.Span().Fill(-0f);
            }
            Place(change, rows, changes);
        }
        bool isWhole = wraps.Sum(r => r.Rows.Length) == x.Shape.Rows;
        Tensor y = isWhole
            ? w.Empty(x.Shape.WithColumns(layer.Weight.Outputs))
            : end(layer.Weight.Multiply(x, layer.Bias?.Value, changes is null ? default : Epilogue.Residual(changes)));
        foreach ((Tensor values, int[] rows) in wraps)
            Place(values, rows, y);
        return y;
    }

    private static void Place(Tensor values, int[] rows, Tensor to)
    {
        int width = to.Shape.Columns;
        ReadOnlySpan<float> from = values.Span();
        for (int i = 0; i < rows.Length; i++)
            from.Slice(i * width, width).CopyTo(to.Span().Slice(rows[i] * width, width));
    }

    private readonly record struct Group(Adapter Adapter, int[] Rows);
}
