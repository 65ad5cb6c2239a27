// Regular languages over bytes as hash-consed expressions, closed under intersection and complement, with Brzozowski's derivatives.
// Source: Owens, Reppy and Turon, "Regular-expression derivatives re-examined", 2009. Equal expressions have one number, so that
// derivatives, tests for emptiness and the states made of them are found again. Besides the usual forms there is one that counts in
// arithmetic: the decimals that are multiples of a number.

namespace Gradus.Generation.Structure.Languages;

/// <summary>What an expression is.</summary>
internal enum RegexKind : byte
{
    /// <summary>No text at all.</summary>
    Empty,

    /// <summary>The empty text.</summary>
    Epsilon,

    /// <summary>One byte of a set.</summary>
    Set,

    /// <summary>One language after another.</summary>
    Concat,

    /// <summary>Any of several.</summary>
    Or,

    /// <summary>All of several.</summary>
    And,

    /// <summary>All other texts.</summary>
    Not,

    /// <summary>A number of times.</summary>
    Repeat,

    /// <summary>The rest of a decimal that is a multiple.</summary>
    Multiple,
}

/// <summary>Expressions by their numbers. Belongs to one grammar; not safe for use by several threads at once.</summary>
internal sealed partial class RegexStore
{
    /// <summary>The expression of no text.</summary>
    public const int Empty = 0;

    /// <summary>The expression of the empty text.</summary>
    public const int Epsilon = 1;

    /// <summary>Stands for no upper limit of a repetition.</summary>
    public const int Unlimited = int.MaxValue;

    private const int MostNodes = 2_000_000;

    private readonly List<Node> _nodes = [];
    private readonly Dictionary<Node, int> _ids = [];
    private readonly List<ByteSet> _sets = [];
    private readonly Dictionary<ByteSet, int> _setIds = [];
    private readonly List<int[]> _lists = [];
    private readonly Dictionary<int[], int> _listIds = new(IntArrays.Comparer);
    private readonly List<(long Factor, int Digits)> _multiples = [];

    public RegexStore()
    {
        Add(new Node(RegexKind.Empty, 0, 0, 0, false, false));
        Add(new Node(RegexKind.Epsilon, 0, 0, 0, true, false));
        AnyByte = Set(ByteSet.All);
        All = Repeat(AnyByte, 0, Unlimited);
    }

    /// <summary>One byte of any value.</summary>
    public int AnyByte { get; }

    /// <summary>Every text.</summary>
    public int All { get; }

    /// <summary>The sets of bytes that expressions are made of.</summary>
    public IReadOnlyList<ByteSet> Sets => _sets;

    public bool IsNullable(int node) => _nodes[node].Nullable;

    /// <summary>Whether there may be an intersection or complement inside, so that it may have no text without being <see cref="Empty"/>.</summary>
    public bool IsBoolean(int node) => _nodes[node].Boolean;

    public int Set(ByteSet set)
    {
        if (set.IsEmpty)
            return Empty;
        if (!_setIds.TryGetValue(set, out int id))
        {
            id = _sets.Count;
            _sets.Add(set);
            _setIds[set] = id;
        }
        return Intern(new Node(RegexKind.Set, id, 0, 0, false, false));
    }

    public int Byte(int b) => Set(ByteSet.Of((byte)b));

    /// <summary>A fixed text.</summary>
    public int Literal(ReadOnlySpan<byte> text)
    {
        int node = Epsilon;
        for (int i = text.Length - 1; i >= 0; i--)
            node = Concat(Byte(text[i]), node);
        return node;
    }

    public int Concat(int first, int second)
    {
        if (first == Empty || second == Empty)
            return Empty;
        if (first == Epsilon)
            return second;
        if (second == Epsilon)
            return first;
        // Long texts are long chains: no recursion.
        List<int> heads = [];
        for (; Kind(first) == RegexKind.Concat; first = _nodes[first].B)
            heads.Add(_nodes[first].A);
        heads.Add(first);
        for (int i = heads.Count - 1; i >= 0; i--)
        {
            Node head = _nodes[heads[i]];
            second = Intern(new Node(RegexKind.Concat, heads[i], second, 0, head.Nullable && IsNullable(second), head.Boolean || IsBoolean(second)));
        }
        return second;
    }

    public int Concat(params ReadOnlySpan<int> parts)
    {
        int node = Epsilon;
        for (int i = parts.Length - 1; i >= 0; i--)
            node = Concat(parts[i], node);
        return node;
    }

    public int Optional(int node) => Repeat(node, 0, 1);

    public int Repeat(int node, int min, int max)
    {
        if (max == 0 || node == Epsilon)
            return Epsilon;
        if (node == Empty)
            return min == 0 ? Epsilon : Empty;
        if (IsNullable(node))
            min = 0;
        if (min == 1 && max == 1)
            return node;
        Node inner = _nodes[node];
        if (inner is { Kind: RegexKind.Repeat, B: 0, C: Unlimited })
            return node;
        return Intern(new Node(RegexKind.Repeat, node, min, max, min == 0, inner.Boolean));
    }

    public int Or(params ReadOnlySpan<int> parts)
    {
        List<int> list = new(parts.Length);
        ByteSet set = default;
        foreach (int part in parts)
            AddAlternative(part, list, ref set);
        if (!set.IsEmpty)
            list.Add(Set(set));
        if (list.Contains(All))
            return All;
        if (list.Count == 0)
            return Empty;
        int[] sorted = Sorted(list);
        if (sorted.Length == 2 && sorted[0] == Epsilon && IsNullable(sorted[1]))
            return sorted[1];
        return sorted.Length == 1 ? sorted[0] : Many(RegexKind.Or, sorted, sorted.Any(IsNullable));
    }

    public int And(params ReadOnlySpan<int> parts)
    {
        List<int> list = new(parts.Length);
        ByteSet set = ByteSet.All;
        bool hasSet = false;
        foreach (int part in parts)
        {
            if (!AddConjunct(part, list, ref set, ref hasSet))
                return Empty;
        }
        if (hasSet)
            list.Add(Set(set));
        if (list.Count == 0)
            return All;
        int[] sorted = Sorted(list);
        if (sorted[0] == Empty)
            return Empty;
        if (sorted[0] == Epsilon)
            return sorted.All(IsNullable) ? Epsilon : Empty;
        foreach (int part in sorted)
        {
            if (Kind(part) == RegexKind.Not && sorted.Contains(_nodes[part].A))
                return Empty;
        }
        return sorted.Length == 1 ? sorted[0] : Many(RegexKind.And, sorted, sorted.All(IsNullable));
    }

    public int Not(int node)
    {
        if (node == Empty)
            return All;
        if (node == All)
            return Empty;
        Node inner = _nodes[node];
        return inner.Kind == RegexKind.Not ? inner.A : Intern(new Node(RegexKind.Not, node, 0, 0, !inner.Nullable, true));
    }

    /// <summary>Texts of the first that are none of the second.</summary>
    public int Minus(int node, int without) => without == Empty ? node : And(node, Not(without));

    /// <summary>One of many fixed texts, as a tree of their common beginnings.</summary>
    public int Literals(IEnumerable<byte[]> texts)
    {
        byte[][] sorted = [.. texts.OrderBy(t => t, ByteTexts.Comparer)];
        return Tree(sorted, 0);
    }

    /// <summary>Digits, and perhaps a point and more of them, that are a multiple of factor / 10^digits; no sign, no exponent.</summary>
    /// <param name="factor">At least 1, less than 2^55.</param>
    /// <param name="digits">How many digits after the point count; others are zeros.</param>
    public int MultipleOf(long factor, int digits)
    {
        int form = _multiples.IndexOf((factor, digits));
        if (form < 0)
        {
            form = _multiples.Count;
            _multiples.Add((factor, digits));
        }
        for (int d = '0'; d <= '9'; d++)
            Byte(d);
        Byte('.');
        return Remainder(form, 0, 0);
    }

    private static class ByteTexts
    {
        public static readonly IComparer<byte[]> Comparer = Comparer<byte[]>.Create(static (x, y) => x.AsSpan().SequenceCompareTo(y));
    }

    // A: set, first part, list, inner or form; B: second part, least count or remainder; C: most or phase.
    private readonly record struct Node(RegexKind Kind, int A, int B, int C, bool Nullable, bool Boolean)
    {
        public int RemainderHigh { get; init; }
    }

    private RegexKind Kind(int node) => _nodes[node].Kind;

    private static int[] Sorted(List<int> list)
    {
        list.Sort();
        int n = 0;
        for (int i = 0; i < list.Count; i++)
        {
            if (i == 0 || list[i] != list[i - 1])
                list[n++] = list[i];
        }
        return [.. list[..n]];
    }

    private void AddAlternative(int part, List<int> list, ref ByteSet set)
    {
        Node node = _nodes[part];
        if (node.Kind == RegexKind.Or)
        {
            foreach (int inner in _lists[node.A])
                AddAlternative(inner, list, ref set);
        }
        else if (node.Kind == RegexKind.Set)
        {
            set |= _sets[node.A];
        }
        else if (node.Kind != RegexKind.Empty)
        {
            list.Add(part);
        }
    }

    private bool AddConjunct(int part, List<int> list, ref ByteSet set, ref bool hasSet)
    {
        Node node = _nodes[part];
        if (node.Kind == RegexKind.Empty)
            return false;
        if (node.Kind == RegexKind.And)
        {
            foreach (int inner in _lists[node.A])
            {
                if (!AddConjunct(inner, list, ref set, ref hasSet))
                    return false;
            }
        }
        else if (node.Kind == RegexKind.Set)
        {
            set &= _sets[node.A];
            hasSet = true;
            return !set.IsEmpty;
        }
        else if (part != All)
        {
            list.Add(part);
        }
        return true;
    }

    private int Many(RegexKind kind, int[] parts, bool nullable)
    {
        if (!_listIds.TryGetValue(parts, out int list))
        {
            list = _lists.Count;
            _lists.Add(parts);
            _listIds[parts] = list;
        }
        return Intern(new Node(kind, list, 0, 0, nullable, kind == RegexKind.And || parts.Any(IsBoolean)));
    }

    private int Tree(ReadOnlySpan<byte[]> sorted, int depth)
    {
        List<int> branches = [];
        for (int i = 0; i < sorted.Length;)
        {
            if (sorted[i].Length == depth)
            {
                branches.Add(Epsilon);
                i++;
                continue;
            }
            byte b = sorted[i][depth];
            int end = i + 1;
            while (end < sorted.Length && sorted[end][depth] == b)
                end++;
            // A text alone needs no recursion, which would go as deep as it is long.
            branches.Add(end == i + 1 ? Literal(sorted[i].AsSpan(depth)) : Concat(Byte(b), Tree(sorted[i..end], depth + 1)));
            i = end;
        }
        return Or([.. branches]);
    }

    private int Remainder(int form, long remainder, int phase)
    {
        (long factor, int digits) = _multiples[form];
        // phase 0: nothing yet; 1: digits before the point; 2 + k: k digits after it.
        long rest = remainder;
        for (int k = Math.Max(phase - 2, 0); k < digits && rest != 0; k++)
            rest = (long)((Int128)rest * 10 % factor);
        bool nullable = phase is not 0 and not 2 && rest == 0;
        return Intern(new Node(RegexKind.Multiple, form, (int)remainder, phase, nullable, true) { RemainderHigh = (int)(remainder >> 32) });
    }

    private int Intern(Node node) => _ids.TryGetValue(node, out int id) ? id : Add(node);

    private int Add(Node node)
    {
        if (_nodes.Count >= MostNodes)
            throw new StructureException($"The grammar needs more than {MostNodes:N0} expressions; make it simpler.");
        int id = _nodes.Count;
        _nodes.Add(node);
        _ids[node] = id;
        return id;
    }
}
