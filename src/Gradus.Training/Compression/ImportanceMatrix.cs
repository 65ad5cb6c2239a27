using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Nn;

namespace Gradus.Training.Compression;

/// <summary>The inputs of one tensor of a GGUF file, or of the matrices stacked in it.</summary>
/// <param name="Columns">Inputs of a matrix.</param>
/// <param name="Squares">Σ x² of every column, matrix after matrix.</param>
/// <param name="Counts">Rows seen, for each matrix.</param>
public sealed record ImportanceEntry(int Columns, float[] Squares, float[] Counts)
{
    /// <summary>The mean of x² of every column of a matrix, or null where it saw nothing.</summary>
    /// <param name="matrix">Which of those stacked.</param>
    public float[]? Mean(int matrix = 0) => Counts[matrix] > 0
        ? [.. Squares.AsSpan(matrix * Columns, Columns).ToArray().Select(s => s / Counts[matrix])]
        : null;
}

/// <summary>
/// The mean squares of the inputs of linear layers under the names that their tensors have in GGUF: what llama.cpp calls an importance matrix.
/// </summary>
public sealed class ImportanceMatrix
{
    private readonly OrderedDictionary<string, ImportanceEntry> _entries = new(StringComparer.Ordinal);

    /// <summary>The entries by the tensors' names, <c>blk.0.attn_q.weight</c>.</summary>
    public IReadOnlyDictionary<string, ImportanceEntry> Entries => _entries;

    /// <summary>Names of the text that was read.</summary>
    public IReadOnlyList<string> DataSets { get; init; } = [];

    /// <summary>How many pieces of text were read.</summary>
    public int Chunks { get; init; }

    /// <summary>Tokens of a piece.</summary>
    public int ChunkSize { get; init; }

    /// <summary>Adds or replaces an entry.</summary>
    /// <exception cref="InvalidDataException">It has not as many numbers as matrices and columns, or one that is negative or not finite.</exception>
    public void Set(string name, ImportanceEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (entry.Columns < 1 || entry.Counts.Length < 1 || entry.Squares.Length != (long)entry.Columns * entry.Counts.Length)
            throw new InvalidDataException($"{name}: {entry.Squares.Length} numbers are not {entry.Counts.Length} matrices of {entry.Columns} columns.");
        foreach (float value in entry.Squares.Concat(entry.Counts))
        {
            if (!(value >= 0) || !float.IsFinite(value))
                throw new InvalidDataException($"{name}: {value} is no sum of squares; the matrix is damaged, make it again.");
        }
        _entries[name] = entry;
    }

    /// <summary>Puts measured moments under the names of GGUF.</summary>
    /// <param name="moments">What was measured.</param>
    /// <param name="targets">Where each parameter goes (<see cref="GgufExport.Targets"/>).</param>
    /// <param name="text">What was read.</param>
    /// <param name="dataSets">Its names.</param>
    public static ImportanceMatrix Of(InputMoments moments, IReadOnlyDictionary<string, (TensorEntry Tensor, int Part)> targets, CalibrationText text, IReadOnlyList<string> dataSets)
    {
        ArgumentNullException.ThrowIfNull(moments);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentNullException.ThrowIfNull(text);
        int sequences = text.Batches.Sum(b => b.Sequences);
        ImportanceMatrix matrix = new() { DataSets = dataSets, Chunks = sequences, ChunkSize = text.Tokens / Math.Max(1, sequences) };
        foreach ((Linear layer, ColumnMoments columns) in moments.Layers)
        {
            if (layer.Weight is not DenseWeight || !targets.TryGetValue(LayerWeights.NameOf(layer), out (TensorEntry Tensor, int Part) target))
                continue;
            int inputs = layer.Weight.Inputs, count = target.Tensor.Shape.Rank == 3 ? target.Tensor.Shape[0] : 1;
            if (!matrix._entries.TryGetValue(target.Tensor.Name, out ImportanceEntry? entry))
                matrix._entries.Add(target.Tensor.Name, entry = new ImportanceEntry(inputs, new float[inputs * count], new float[count]));
            for (int c = 0; c < inputs; c++)
                entry.Squares[(target.Part * inputs) + c] = (float)columns.Squares[c];
            entry.Counts[target.Part] = columns.Rows;
        }
        return matrix;
    }

    /// <summary>The mean squares of a layer's inputs; null where the matrix has none.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="targets">Where each parameter goes.</param>
    /// <exception cref="InvalidDataException">The matrix is of another model: the layer has another number of inputs.</exception>
    public float[]? For(Linear layer, IReadOnlyDictionary<string, (TensorEntry Tensor, int Part)> targets)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(targets);
        if (!targets.TryGetValue(LayerWeights.NameOf(layer), out (TensorEntry Tensor, int Part) target) || !_entries.TryGetValue(target.Tensor.Name, out ImportanceEntry? entry))
            return null;
        int inputs = layer.Weight.Inputs;
        // The former file has the stacked matrices as one.
        if (entry.Columns > inputs && entry.Counts.Length == 1 && entry.Columns % inputs == 0)
            entry = new ImportanceEntry(inputs, entry.Squares, [.. Enumerable.Repeat(entry.Counts[0], entry.Columns / inputs)]);
        return entry.Columns == inputs && target.Part < entry.Counts.Length
            ? entry.Mean(target.Part)
            : throw new InvalidDataException($"The importance matrix has {entry.Columns} columns for {target.Tensor.Name}, but the layer has {layer.Weight.Inputs} inputs; it was made with another model.");
    }
}
