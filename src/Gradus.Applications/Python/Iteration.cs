namespace Gradus.Applications.Python;

/// <summary>Gives one value after the other.</summary>
internal interface IIterator
{
    /// <summary>The next value; false at the end.</summary>
    bool Next(out Value value);
}

/// <summary>An iterator as a value: what iter() and the like give.</summary>
internal sealed class IteratorObject(IIterator inner) : PyObject, IIterator
{
    public override PyClass ClassOf => Types.Iterator;

    public bool Next(out Value value) => inner.Next(out value);
}

internal sealed class ArrayIterator(Value[] items) : IIterator
{
    private int _at;

    public bool Next(out Value value)
    {
        value = _at < items.Length ? items[_at++] : default;
        return !value.IsUnbound;
    }
}

internal sealed class ListIterator(ListObject list) : IIterator
{
    private int _at;

    public bool Next(out Value value)
    {
        if (_at < list.Count)
        {
            value = list.Items[_at++];
            return true;
        }
        value = default;
        return false;
    }
}

internal sealed class RangeIterator(RangeObject range) : IIterator
{
    private long _value = range.Start;
    private long _left = range.Length;

    public bool Next(out Value value)
    {
        value = Value.Of(_value);
        if (_left <= 0)
            return false;
        _left--;
        _value += range.Step;
        return true;
    }
}

internal sealed class TextIterator(StrObject text) : IIterator
{
    private int _at;

    public bool Next(out Value value)
    {
        if (_at >= text.Length)
        {
            value = default;
            return false;
        }
        value = Value.Of(text.At(_at++));
        return true;
    }
}

/// <summary>The entries of a dict or set, which must not change meanwhile.</summary>
internal sealed class TableIterator(Table table, DictPart part, string kind) : IIterator
{
    private readonly int _version = table.Version;
    private int _place;

    public bool Next(out Value value)
    {
        if (table.Version != _version)
            throw Errors.Make("RuntimeError", $"{kind} changed size during iteration");
        bool more = table.Next(ref _place, out Value key, out Value entry);
        value = !more ? default : part switch { DictPart.Keys => key, DictPart.Values => entry, _ => Value.Of(new TupleObject([key, entry])) };
        return more;
    }
}

/// <summary>What C# enumerates.</summary>
internal sealed class EnumerableIterator(IEnumerable<Value> items) : IIterator
{
    private readonly IEnumerator<Value> _items = items.GetEnumerator();

    public bool Next(out Value value)
    {
        bool more = _items.MoveNext();
        value = more ? _items.Current : default;
        return more;
    }
}

/// <summary>An object with __next__.</summary>
internal sealed class ObjectIterator(Interpreter it, Value iterator) : IIterator
{
    public bool Next(out Value value)
    {
        Frame? top = it.Top;
        try
        {
            value = it.CallMethod(iterator, "__next__");
            return true;
        }
        catch (PyError e) when (e.Error.Of.Is(Types.Exceptions["StopIteration"]))
        {
            it.Leave(top);
            value = default;
            return false;
        }
    }
}

/// <summary>An object with __getitem__ alone.</summary>
internal sealed class IndexIterator(Interpreter it, Value sequence) : IIterator
{
    private long _at;

    public bool Next(out Value value)
    {
        Frame? top = it.Top;
        try
        {
            value = it.CallMethod(sequence, "__getitem__", Value.Of(_at++));
            return true;
        }
        catch (PyError e) when (e.Error.Of.Is(Types.Exceptions["IndexError"]))
        {
            it.Leave(top);
            value = default;
            return false;
        }
    }
}
