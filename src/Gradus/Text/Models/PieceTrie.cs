// All tokens of a vocabulary as a double array: the child of a node by a byte is one addition and one comparison away.
// Source: Aoe 1989, "An efficient digital search algorithm by using a double-array structure".

namespace Gradus.Text;

internal sealed class PieceTrie
{
    private int[] _base = new int[1024];
    private int[] _check = NewChecks(1024);
    private int[] _value = new int[1024];

    // All slots before this one are taken.
    private int _firstFree = 1;

    /// <summary>A trie of byte strings.</summary>
    /// <param name="tokens">The strings with their values, 0 or more; empty strings are left out, and of equal ones the first counts.</param>
    public PieceTrie(IEnumerable<(byte[] Bytes, int Value)> tokens)
    {
        (byte[] Bytes, int Value)[] sorted = [.. tokens.Where(t => t.Bytes.Length > 0)];
        Array.Sort(sorted, static (a, b) => a.Bytes.AsSpan().SequenceCompareTo(b.Bytes) is not 0 and var c ? c : a.Value.CompareTo(b.Value));
        _check[0] = 0;
        Array.Fill(_value, -1);
        // An explicit stack: hostile tokens may be long.
        Stack<(int Node, int From, int To, int Depth)> pending = new();
        pending.Push((0, 0, sorted.Length, 0));
        Span<int> starts = stackalloc int[257];
        Span<byte> labels = stackalloc byte[256];
        while (pending.TryPop(out (int Node, int From, int To, int Depth) range))
        {
            (int node, int from, int to, int depth) = range;
            if (from < to && sorted[from].Bytes.Length == depth)
            {
                _value[node] = sorted[from].Value;
                while (from < to && sorted[from].Bytes.Length == depth)
                    from++;
            }
            int count = 0;
            for (int i = from; i < to; i++)
            {
                byte label = sorted[i].Bytes[depth];
                if (count == 0 || labels[count - 1] != label)
                {
                    labels[count] = label;
                    starts[count++] = i;
                }
            }
            if (count == 0)
                continue;
            starts[count] = to;
            int place = FindPlace(labels[..count]);
            _base[node] = place;
            for (int k = 0; k < count; k++)
                _check[place + labels[k]] = node;
            for (int k = count - 1; k >= 0; k--)
                pending.Push((place + labels[k], starts[k], starts[k + 1], depth + 1));
        }
    }

    /// <summary>The root.</summary>
    public const int Root = 0;

    /// <summary>The child of a node by a byte, or −1.</summary>
    public int Child(int node, byte label)
    {
        int next = _base[node] + label;
        return _base[node] > 0 && (uint)next < (uint)_check.Length && _check[next] == node ? next : -1;
    }

    /// <summary>The value of the string that ends at a node, or −1.</summary>
    public int Value(int node) => _value[node];

    private static int[] NewChecks(int n)
    {
        int[] checks = new int[n];
        Array.Fill(checks, -1);
        return checks;
    }

    /// <summary>The first base at which all labels have a free slot.</summary>
    private int FindPlace(ReadOnlySpan<byte> labels)
    {
        int tries = 0;
        for (int slot = Math.Max(_firstFree, labels[0] + 1); ; slot++, tries++)
        {
            int place = slot - labels[0];
            Grow(place + 256);
            if (_check[slot] >= 0)
                continue;
            bool fits = true;
            for (int k = 1; k < labels.Length && fits; k++)
                fits = _check[place + labels[k]] < 0;
            if (fits)
            {
                AdvanceFirstFree(tries, slot);
                return place;
            }
        }
    }

    /// <summary>Leaves sparse regions behind once they have cost too many tries; a few lost slots keep building linear.</summary>
    private void AdvanceFirstFree(int tries, int slot)
    {
        if (tries > 256)
            _firstFree = Math.Max(_firstFree, slot - 128);
        while (_firstFree < _check.Length && _check[_firstFree] >= 0)
            _firstFree++;
    }

    private void Grow(int need)
    {
        if (need < _check.Length)
            return;
        int old = _check.Length;
        int size = Math.Max(need + 1, old * 2);
        Array.Resize(ref _base, size);
        Array.Resize(ref _check, size);
        Array.Resize(ref _value, size);
        Array.Fill(_check, -1, old, size - old);
        Array.Fill(_value, -1, old, size - old);
    }
}
