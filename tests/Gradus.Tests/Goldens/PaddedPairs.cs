using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Tests.Goldens;

/// <summary>
/// A sequence-to-sequence batch of a golden file: sources (rows, columns) with padding, and labels. The decoder reads the labels one
/// place to the right, behind a start token; places that do not count hold the padding token, as in the reference.
/// </summary>
internal sealed class PaddedPairs
{
    private readonly int[] _sourceIds;
    private readonly int[] _sourceStarts;
    private readonly Shape _labels;

    public PaddedPairs(TensorsOf file, string prefix)
    {
        Shape shape = file.ShapeOf($"{prefix}input_ids");
        int[] ids = file.Ints($"{prefix}input_ids");
        int[] mask = file.Has($"{prefix}attention_mask") ? file.Ints($"{prefix}attention_mask") : [.. ids.Select(_ => 1)];
        KeptSources = [.. Enumerable.Range(0, ids.Length).Where(i => mask[i] == 1)];
        _sourceIds = [.. KeptSources.Select(i => ids[i])];
        _sourceStarts = [.. Enumerable.Range(0, shape[0] + 1).Select(r => mask.Take(r * shape[1]).Sum())];
        _labels = file.ShapeOf($"{prefix}labels");
        Targets = file.Ints($"{prefix}labels");
        KeptTargets = [.. Enumerable.Range(0, Targets.Length)];
    }

    /// <summary>Rows of the file's tensors that are no padding of the source.</summary>
    public IReadOnlyList<int> KeptSources { get; }

    /// <summary>All rows of the labels: nothing hides those that do not count.</summary>
    public IReadOnlyList<int> KeptTargets { get; }

    /// <summary>The right token after every one that the decoder reads, or −100.</summary>
    public int[] Targets { get; }

    public TokenBatch Batch(int start, int padding)
    {
        int columns = _labels[1];
        int[] ids = new int[Targets.Length];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = i % columns == 0 ? start : Targets[i - 1] < 0 ? padding : Targets[i - 1];
        return new TokenBatch(ids, [.. Enumerable.Range(0, _labels[0] + 1).Select(r => r * columns)]) { Source = new TokenBatch(_sourceIds, _sourceStarts) };
    }
}
