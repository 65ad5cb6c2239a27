using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>The adapter of every row that layers are given: (N, C) has N of them.</summary>
internal sealed class AdapterRows
{
    private readonly SequenceAdapter?[] _adapters;

    private AdapterRows(SequenceAdapter?[] adapters)
    {
        _adapters = adapters;
        Dictionary<SequenceAdapter, List<int>> rows = [];
        for (int row = 0; row < adapters.Length; row++)
        {
            if (adapters[row] is not { } adapter)
                continue;
            if (!rows.TryGetValue(adapter, out List<int>? own))
                rows.Add(adapter, own = []);
            own.Add(row);
        }
        Groups = [.. rows.Select(r => (r.Key, r.Value.ToArray()))];
    }

    /// <summary>N.</summary>
    public int Count => _adapters.Length;

    /// <summary>The rows of each adapter, ascending; those that have none are left out.</summary>
    public IReadOnlyList<(SequenceAdapter Adapter, int[] Rows)> Groups { get; }

    /// <summary>The rows of sequences that are each run with an adapter, or with none.</summary>
    /// <exception cref="ArgumentException">There are more or fewer adapters than sequences.</exception>
    public static AdapterRows Of(AttentionLayout layout, IReadOnlyList<SequenceAdapter?> adapters)
    {
        if (adapters.Count != layout.Sequences)
            throw new ArgumentException($"Adapters: {adapters.Count} for {layout.Sequences} sequences; give one, or null, for each.", nameof(adapters));
        SequenceAdapter?[] rows = new SequenceAdapter?[layout.QueryStart(layout.Sequences - 1) + layout.QueryCount(layout.Sequences - 1)];
        for (int s = 0; s < layout.Sequences; s++)
            rows.AsSpan(layout.QueryStart(s), layout.QueryCount(s)).Fill(adapters[s]);
        return new AdapterRows(rows);
    }

    /// <summary>Some of the rows, in any order.</summary>
    public AdapterRows Select(ReadOnlySpan<int> rows)
    {
        SequenceAdapter?[] adapters = new SequenceAdapter?[rows.Length];
        for (int i = 0; i < rows.Length; i++)
            adapters[i] = _adapters[rows[i]];
        return new AdapterRows(adapters);
    }
}
