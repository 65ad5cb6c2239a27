namespace Gradus.Training.Data.Cleaning;

/// <summary>Joins documents that were found alike to clusters, each with one that is kept: the root of a union by size (Galler and Fischer, 1964).</summary>
/// <param name="documents">How many documents there are.</param>
public sealed class DuplicateClusters(int documents)
{
    private readonly int[] _parent = [.. Enumerable.Range(0, documents)];
    private readonly int[] _size = [.. Enumerable.Repeat(1, documents)];

    /// <summary>Joins the clusters of two documents; the larger one's root stays, of equals that of the first.</summary>
    public void Join(int first, int second)
    {
        int a = RootOf(first), b = RootOf(second);
        if (a == b)
            return;
        if (_size[a] < _size[b])
            (a, b) = (b, a);
        _parent[b] = a;
        _size[a] += _size[b];
    }

    /// <summary>The document of a cluster that is kept.</summary>
    public int RootOf(int document)
    {
        while (_parent[document] != document)
            document = _parent[document] = _parent[_parent[document]];
        return document;
    }

    /// <summary>Whether a document is kept.</summary>
    public bool IsKept(int document) => RootOf(document) == document;

    /// <summary>Documents of the cluster of a document.</summary>
    public int SizeOf(int document) => _size[RootOf(document)];

    /// <summary>The pairs of a bucket: neighbours with equal minima, sorted by minima, then by file and record.</summary>
    /// <param name="signatures">The minima of every document in this bucket, end to end.</param>
    /// <param name="width">Minima of a document.</param>
    /// <param name="documents">The document of every row.</param>
    /// <param name="order">The places of documents by file and record, where that is not their number; null where it is.</param>
    public static IEnumerable<(int First, int Second)> Pairs(ulong[] signatures, int width, int[] documents, Comparison<int>? order = null)
    {
        ArgumentNullException.ThrowIfNull(signatures);
        ArgumentNullException.ThrowIfNull(documents);
        order ??= static (a, b) => a.CompareTo(b);
        int[] rows = [.. Enumerable.Range(0, documents.Length)];
        Array.Sort(rows, (x, y) =>
        {
            int compared = signatures.AsSpan(x * width, width).SequenceCompareTo(signatures.AsSpan(y * width, width));
            return compared != 0 ? compared : order(documents[x], documents[y]);
        });
        for (int i = 1; i < rows.Length; i++)
        {
            if (signatures.AsSpan(rows[i - 1] * width, width).SequenceEqual(signatures.AsSpan(rows[i] * width, width)))
                yield return (documents[rows[i - 1]], documents[rows[i]]);
        }
    }
}
