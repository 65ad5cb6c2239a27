using System.Runtime.CompilerServices;

namespace Gradus.Applications.Python;

internal sealed class TupleObject(Value[] items) : PyObject
{
    public static readonly TupleObject Empty = new([]);

    public readonly Value[] Items = items;

    /// <summary>The class of a named tuple.</summary>
    public PyClass? Named { get; init; }

    public override PyClass ClassOf => Named ?? Types.Tuple;
}

internal sealed class ListObject : PyObject
{
    public Value[] Items;
    public int Count;

    public ListObject(int capacity = 4) => Items = new Value[capacity];

    public ListObject(Value[] items)
    {
        Items = items;
        Count = items.Length;
    }

    /// <summary>The class of an instance of a subclass of list.</summary>
    public override PyClass ClassOf => Types.List;

    public Span<Value> Span => Items.AsSpan(0, Count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(Value value)
    {
        if (Count == Items.Length)
            Grow(Count + 1);
        Items[Count++] = value;
    }

    public void AddRange(ReadOnlySpan<Value> values)
    {
        if (Count + values.Length > Items.Length)
            Grow(Count + values.Length);
        values.CopyTo(Items.AsSpan(Count));
        Count += values.Length;
    }

    public void Insert(int at, Value value)
    {
        Add(value);
        Items.AsSpan(at, Count - 1 - at).CopyTo(Items.AsSpan(at + 1));
        Items[at] = value;
    }

    public void RemoveAt(int at)
    {
        Items.AsSpan(at + 1, Count - at - 1).CopyTo(Items.AsSpan(at));
        Items[--Count] = default;
    }

    /// <summary>Puts values in the place of others.</summary>
    public void Replace(int start, int count, ReadOnlySpan<Value> with)
    {
        Value[] all = new Value[Count - count + with.Length];
        Items.AsSpan(0, start).CopyTo(all);
        with.CopyTo(all.AsSpan(start));
        Items.AsSpan(start + count, Count - start - count).CopyTo(all.AsSpan(start + with.Length));
        (Items, Count) = (all, all.Length);
    }

    public void Clear() => (Items, Count) = (new Value[4], 0);

    public Value[] ToArray() => Span.ToArray();

    private void Grow(int least)
    {
        Memory.Check((long)Math.Max(least, Items.Length * 2L) * 16);
        Array.Resize(ref Items, (int)Math.Min(Array.MaxLength, Math.Max(least, Math.Max(4, Items.Length * 2L))));
    }
}

internal sealed class RangeObject(long start, long stop, long step) : PyObject
{
    public long Start { get; } = start;

    public long Stop { get; } = stop;

    public long Step { get; } = step;

    public long Length { get; } = step > 0
        ? (start < stop ? (long)(((ulong)stop - (ulong)start - 1) / (ulong)step) + 1 : 0)
        : (start > stop ? (long)(((ulong)start - (ulong)stop - 1) / (0UL - (ulong)step)) + 1 : 0);

    public override PyClass ClassOf => Types.Range;

    public bool Contains(long value) => Length > 0 && (Step > 0 ? value >= Start && value < Stop : value <= Start && value > Stop) && (value - Start) % Step == 0;
}

internal sealed class SliceObject(Value start, Value stop, Value step) : PyObject
{
    public Value Start { get; } = start;

    public Value Stop { get; } = stop;

    public Value Step { get; } = step;

    public override PyClass ClassOf => Types.Slice;

    /// <summary>The indices of a sequence that it means.</summary>
    public (int Start, int Count, int Step) Indices(int length)
    {
        long step = Step.IsNone ? 1 : Operations.ToIndex(Step);
        if (step == 0)
            throw Errors.Value("slice step cannot be zero");
        long low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
        long start = Start.IsNone ? (step > 0 ? low : high) : Bound(Operations.ToIndexClamped(Start));
        long stop = Stop.IsNone ? (step > 0 ? high : low) : Bound(Operations.ToIndexClamped(Stop));
        long count = step > 0 ? (stop > start ? (stop - start - 1) / step + 1 : 0) : (start > stop ? (start - stop - 1) / -step + 1 : 0);
        return ((int)start, (int)count, (int)Math.Clamp(step, int.MinValue, int.MaxValue));

        long Bound(long index) => Math.Clamp(index < 0 ? index + length : index, low, high);
    }
}
