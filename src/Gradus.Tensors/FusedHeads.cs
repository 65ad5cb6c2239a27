namespace Gradus.Tensors;

/// <summary>
/// Queries, keys and values that one projection made, side by side in the rows of one tensor: equal groups, each of them some queries, then
/// some keys, then as many values.
/// </summary>
/// <param name="Groups">Groups, dividing the two numbers of heads.</param>
/// <param name="Heads">Heads of queries H.</param>
/// <param name="KeyValueHeads">Heads of keys and of values Hkv, dividing H.</param>
/// <param name="Width">Values of a head D.</param>
public readonly record struct FusedHeads(int Groups, int Heads, int KeyValueHeads, int Width)
{
    /// <summary>Columns of a row: (H + 2·Hkv)·D.</summary>
    public int Columns => (Heads + (2 * KeyValueHeads)) * Width;

    /// <summary>Where the queries lie in a tensor of such rows.</summary>
    internal HeadRows Queries(Tensor x) => Place(x, 0, Heads);

    /// <summary>Where the keys lie.</summary>
    internal HeadRows Keys(Tensor x) => Place(x, Heads, KeyValueHeads);

    /// <summary>Where the values lie.</summary>
    internal HeadRows Values(Tensor x) => Place(x, Heads + KeyValueHeads, KeyValueHeads);

    private unsafe HeadRows Place(Tensor x, int before, int heads) =>
        new(x.Floats + (before / Groups * Width), Columns, Width, Math.Max(1, heads / Groups), Columns / Groups);
}

/// <summary>Where the heads of rows lie in memory.</summary>
/// <param name="first">The first head of the first row.</param>
/// <param name="row">The distance of rows.</param>
/// <param name="width">The distance of the heads of a group.</param>
/// <param name="groupHeads">Heads of a group.</param>
/// <param name="group">The distance of groups.</param>
internal readonly unsafe struct HeadRows(float* first, nint row, int width, int groupHeads, int group)
{
    /// <summary>(rows, heads, width), one after the other.</summary>
    public HeadRows(Tensor x)
        : this(x.Floats, x.Shape[-2] * x.Shape[-1], x.Shape[-1], Math.Max(1, x.Shape[-2]), 0)
    {
    }

    /// <summary>The distance of rows.</summary>
    public nint Row { get; } = row;

    /// <summary>The values of one head of one row.</summary>
    public float* At(long row, int head) => first + Offset(row, head);

    /// <summary>How far behind the first value they begin.</summary>
    public long Offset(long row, int head) => (row * Row) + ((long)(head / groupHeads) * group) + (head % groupHeads * width);
}
