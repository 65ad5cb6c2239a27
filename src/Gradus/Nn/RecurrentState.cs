using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>Where the recurrent layers of a run begin, and where what they end with is kept.</summary>
public abstract class RecurrentMemory
{
    /// <summary>What a layer begins with, (S, H) each; null for zeros. The LSTM has a memory beside the hidden state.</summary>
    public abstract (Tensor? Hidden, Tensor? Memory) First(int layer, Workspace workspace);

    /// <summary>Takes what a layer ended with.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="order">The order of the rows.</param>
    /// <param name="hidden">(N, H): hidden states after every token, in that order.</param>
    /// <param name="memory">(N, H): the LSTM's memory, or null.</param>
    public abstract void Keep(int layer, RecurrentLayout order, Tensor hidden, Tensor? memory);
}

/// <summary>States given by the caller, to whom the last ones are handed back: a text that is read block by block.</summary>
/// <param name="firstHidden">For each layer the hidden states of all sequences, (S, H).</param>
/// <param name="firstMemory">For each layer of an LSTM its memory, (S, H); else null.</param>
public sealed class RecurrentState(IReadOnlyList<Tensor> firstHidden, IReadOnlyList<Tensor>? firstMemory) : RecurrentMemory
{
    private readonly float[][] _lastHidden = new float[firstHidden.Count][];
    private readonly float[][] _lastMemory = new float[firstMemory?.Count ?? 0][];

    /// <summary>For each layer the hidden states (S, H) after the run, row-major.</summary>
    public IReadOnlyList<float[]> LastHidden => _lastHidden;

    /// <summary>For each layer of an LSTM its memory (S, H) after the run, row-major.</summary>
    public IReadOnlyList<float[]> LastMemory => _lastMemory;

    /// <inheritdoc/>
    public override (Tensor? Hidden, Tensor? Memory) First(int layer, Workspace workspace) => (firstHidden[layer], firstMemory?[layer]);

    /// <inheritdoc/>
    public override void Keep(int layer, RecurrentLayout order, Tensor hidden, Tensor? memory)
    {
        ArgumentNullException.ThrowIfNull(order);
        ArgumentNullException.ThrowIfNull(hidden);
        _lastHidden[layer] = Last(firstHidden[layer], order, hidden);
        if (memory is not null)
            _lastMemory[layer] = Last(firstMemory![layer], order, memory);
    }

    // A sequence without tokens ends as it began.
    private static float[] Last(Tensor first, RecurrentLayout order, Tensor states)
    {
        float[] last = first.ToArray(), all = states.ToArray();
        int width = states.Shape.Columns;
        for (int rank = 0; rank < order.Running; rank++)
            all.AsSpan(order.LastRows[rank] * width, width).CopyTo(last.AsSpan(order.RunningSequences[rank] * width));
        return last;
    }
}
