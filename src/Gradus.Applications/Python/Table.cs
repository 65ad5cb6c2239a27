using System.Diagnostics.CodeAnalysis;

namespace Gradus.Applications.Python;

/// <summary>The hash table of dicts and sets: entries in the order in which they came, found by open addressing.</summary>
internal sealed class Table
{
    private const int Free = -1;
    private Entry[] _entries = new Entry[8];
    private int[] _index = NewIndex(16);
    private int _end;

    private struct Entry
    {
        public Value Key;
        public Value Value;
        public int Hash;
        public bool Present;
    }

    public int Count { get; private set; }

    /// <summary>Changes whenever a key comes or goes.</summary>
    public int Version { get; private set; }

    public Table Copy()
    {
        Table copy = new() { _entries = (Entry[])_entries.Clone(), _index = (int[])_index.Clone(), _end = _end, Count = Count };
        return copy;
    }

    public bool TryGet(Value key, out Value value)
    {
        int at = Find(key, Operations.Hash(key));
        value = at < 0 ? default : _entries[at].Value;
        return at >= 0;
    }

    public bool Contains(Value key) => Find(key, Operations.Hash(key)) >= 0;

    public void Set(Value key, Value value)
    {
        int hash = Operations.Hash(key), at = Find(key, hash);
        if (at >= 0)
        {
            _entries[at].Value = value;
            return;
        }
        Insert(key, value, hash);
    }

    /// <summary>Adds a key where it is absent.</summary>
    /// <returns>Whether it was.</returns>
    public bool Add(Value key, Value value = default)
    {
        int hash = Operations.Hash(key);
        if (Find(key, hash) >= 0)
            return false;
        Insert(key, value, hash);
        return true;
    }

    public bool Remove(Value key, out Value value)
    {
        int at = Find(key, Operations.Hash(key));
        value = at < 0 ? default : _entries[at].Value;
        if (at < 0)
            return false;
        // The slot stays taken until the table is built anew, so that searches go on past it.
        _entries[at] = default;
        Count--;
        Version++;
        if (Count == 0)
            Clear();
        return true;
    }

    public bool Last(out Value key, out Value value)
    {
        for (int i = _end - 1; i >= 0; i--)
        {
            if (_entries[i].Present)
            {
                (key, value) = (_entries[i].Key, _entries[i].Value);
                return true;
            }
        }
        key = value = default;
        return false;
    }

    public void Clear()
    {
        (_entries, _index, _end, Count) = (new Entry[8], NewIndex(16), 0, 0);
        Version++;
    }

    /// <summary>The next entry at or behind a place; the place moves behind it.</summary>
    public bool Next(ref int place, out Value key, out Value value)
    {
        while (place < _end)
        {
            ref Entry entry = ref _entries[place++];
            if (entry.Present)
            {
                (key, value) = (entry.Key, entry.Value);
                return true;
            }
        }
        key = value = default;
        return false;
    }

    public Value[] Keys()
    {
        Value[] keys = new Value[Count];
        int place = 0, n = 0;
        while (Next(ref place, out Value key, out _))
            keys[n++] = key;
        return keys;
    }

    public void Update(Table other)
    {
        int place = 0;
        while (other.Next(ref place, out Value key, out Value value))
            Set(key, value);
    }

    private int Find(Value key, int hash)
    {
        int mask = _index.Length - 1;
        for (int slot = Spread(hash) & mask; ; slot = (slot + 1) & mask)
        {
            int at = _index[slot];
            if (at == Free)
                return -1;
            ref Entry entry = ref _entries[at];
            if (entry.Hash == hash && entry.Present && (entry.Key.Is(key) || Operations.Equal(entry.Key, key)))
                return at;
        }
    }

    private void Insert(Value key, Value value, int hash)
    {
        if (_end == _entries.Length)
            Rebuild();
        _entries[_end] = new Entry { Key = key, Value = value, Hash = hash, Present = true };
        Place(_end++, hash);
        Count++;
        Version++;
    }

    private void Place(int at, int hash)
    {
        int mask = _index.Length - 1, slot = Spread(hash) & mask;
        while (_index[slot] != Free)
            slot = (slot + 1) & mask;
        _index[slot] = at;
    }

    private void Rebuild()
    {
        int capacity = Math.Max(8, Count * 2);
        Memory.Check(capacity * 48L);
        Entry[] old = _entries;
        int end = _end;
        _entries = new Entry[capacity];
        int size = 16;
        while (size < capacity * 2)
            size *= 2;
        _index = NewIndex(size);
        _end = 0;
        for (int i = 0; i < end; i++)
        {
            if (!old[i].Present)
                continue;
            _entries[_end] = old[i];
            Place(_end++, old[i].Hash);
        }
    }

    private static int Spread(int hash) => (int)((uint)hash * 0x9E3779B9u >> 7) ^ hash;

    private static int[] NewIndex(int size)
    {
        int[] index = new int[size];
        Array.Fill(index, Free);
        return index;
    }
}

/// <summary>A dict.</summary>
internal sealed class DictObject(Table table) : PyObject
{
    public DictObject()
        : this(new Table())
    {
    }

    public Table Table { get; } = table;

    /// <summary>Makes the value of a key that is absent (defaultdict); unbound for none.</summary>
    public Value Factory { get; set; }

    /// <summary>dict, or one of collections' kinds.</summary>
    public PyClass Of { get; init; } = Types.Dict;

    public override PyClass ClassOf => Of;
}

/// <summary>A set or a frozenset.</summary>
internal sealed class SetObject(Table table, bool frozen = false) : PyObject
{
    public SetObject()
        : this(new Table())
    {
    }

    public Table Table { get; } = table;

    public bool Frozen { get; } = frozen;

    public override PyClass ClassOf => Frozen ? Types.FrozenSet : Types.Set;
}

/// <summary>What <c>keys()</c>, <c>values()</c> and <c>items()</c> of a dict give.</summary>
internal sealed class DictView(Table table, DictPart part) : PyObject
{
    public Table Table { get; } = table;

    public DictPart Part { get; } = part;

    public override PyClass ClassOf => Part switch { DictPart.Keys => Types.DictKeys, DictPart.Values => Types.DictValues, _ => Types.DictItems };
}

internal enum DictPart { Keys, Values, Items }

/// <summary>The memory that a program may hold at once.</summary>
internal static class Memory
{
    [ThreadStatic]
    private static long s_limit;

    [ThreadStatic]
    private static long s_ground;

    /// <summary>Begins to count on this thread.</summary>
    public static void Limit(long bytes) => (s_limit, s_ground) = (bytes, GC.GetTotalMemory(forceFullCollection: false));

    /// <summary>Refuses a piece that alone is more than is allowed, and any piece when too much is held.</summary>
    /// <param name="bytes">The size of what is about to be made.</param>
    public static void Check(long bytes)
    {
        if (s_limit <= 0 || (bytes < 1 << 16 && bytes >= 0))
            return;
        if (bytes < 0 || bytes > s_limit)
            throw Errors.Memory();
        if (GC.GetTotalMemory(forceFullCollection: false) - s_ground + bytes > s_limit && GC.GetTotalMemory(forceFullCollection: true) - s_ground + bytes > s_limit)
            throw Errors.Memory();
    }

    /// <summary>Called every so often.</summary>
    [SuppressMessage("Performance", "CA1806", Justification = "only the check counts")]
    public static void CheckHeld() => Check(1 << 16);
}
