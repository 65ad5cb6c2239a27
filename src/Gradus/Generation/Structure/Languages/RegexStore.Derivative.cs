namespace Gradus.Generation.Structure.Languages;

// What follows a byte, whether there is any text, and the shortest one.
internal sealed partial class RegexStore
{
    private const int MostSteps = 200_000;
    private const int Unknown = -1;

    private readonly Dictionary<long, int> _derivatives = [];

    // The length of the shortest text, Unlimited where there is none.
    private readonly Dictionary<int, int> _shortest = [];

    /// <summary>The texts that may follow a byte.</summary>
    public int Derivative(int node, byte b)
    {
        Node n = _nodes[node];
        switch (n.Kind)
        {
            case RegexKind.Empty or RegexKind.Epsilon:
                return Empty;
            case RegexKind.Set:
                return _sets[n.A].Contains(b) ? Epsilon : Empty;
        }
        long key = ((long)node << 8) | b;
        if (_derivatives.TryGetValue(key, out int known))
            return known;
        int result = n.Kind switch
        {
            RegexKind.Concat => IsNullable(n.A) ? Or(Concat(Derivative(n.A, b), n.B), Derivative(n.B, b)) : Concat(Derivative(n.A, b), n.B),
            RegexKind.Repeat => Concat(Derivative(n.A, b), Repeat(n.A, Math.Max(0, n.B - 1), n.C == Unlimited ? Unlimited : n.C - 1)),
            RegexKind.Not => Not(Derivative(n.A, b)),
            RegexKind.Multiple => NextRemainder(n, b),
            _ => OfMany(n, b),
        };
        _derivatives[key] = result;
        return result;
    }

    /// <summary>Whether a text belongs to the language.</summary>
    public bool Matches(int node, ReadOnlySpan<byte> text)
    {
        foreach (byte b in text)
            node = Derivative(node, b);
        return IsNullable(node);
    }

    /// <summary>Whether no text belongs to the language.</summary>
    public bool IsEmpty(int node)
    {
        if (node == Empty || !IsBoolean(node))
            return node == Empty;
        Node n = _nodes[node];
        switch (n.Kind)
        {
            case RegexKind.Concat:
                for (; Kind(node) == RegexKind.Concat; node = _nodes[node].B)
                {
                    if (IsEmpty(_nodes[node].A))
                        return true;
                }
                return IsEmpty(node);
            case RegexKind.Repeat:
                return n.B > 0 && IsEmpty(n.A);
            case RegexKind.Or:
                return !Array.Exists(_lists[n.A], part => !IsBoolean(part)) && Array.TrueForAll(_lists[n.A], IsEmpty);
            default:
                return !n.Nullable && Shortest(node) == Unlimited;
        }
    }

    /// <summary>The length in bytes of the shortest text; <see cref="Unlimited"/> where there is none.</summary>
    /// <exception cref="StructureException">Too many steps would be needed to find it.</exception>
    public int Shortest(int node)
    {
        Node n = _nodes[node];
        if (n.Nullable)
            return 0;
        if (_shortest.TryGetValue(node, out int known))
            return known;
        int length = n.Kind switch
        {
            RegexKind.Empty => Unlimited,
            RegexKind.Set => 1,
            RegexKind.Concat => ShortestOfConcat(node),
            RegexKind.Repeat => Times(Shortest(n.A), n.B),
            RegexKind.Or => ShortestOfMany(_lists[n.A]),
            _ => Search(node),
        };
        _shortest[node] = length;
        return length;
    }

    /// <summary>A shortest text.</summary>
    public byte[] ShortestText(int node)
    {
        int length = Shortest(node);
        byte[] text = new byte[length];
        for (int i = 0; i < length; i++)
        {
            foreach (byte b in Representatives(node))
            {
                int next = Derivative(node, b);
                if (Shortest(next) == length - i - 1)
                {
                    text[i] = b;
                    node = next;
                    break;
                }
            }
        }
        return text;
    }

    /// <summary>Bytes that stand for all others: those that an expression treats alike have one of them.</summary>
    public List<byte> Representatives(int node)
    {
        HashSet<int> sets = [];
        AddFirst(node, sets);
        List<ByteSet> parts = [ByteSet.All];
        foreach (int id in sets)
            _sets[id].Split(parts);
        return parts.ConvertAll(Representative);
    }

    /// <summary>A byte of a set: a letter or digit where there is one, which reads best.</summary>
    public static byte Representative(ByteSet set)
    {
        foreach ((int from, int to) in (ReadOnlySpan<(int, int)>)[('a', 'z'), ('0', '9'), ('A', 'Z'), (0x20, 0x7E), (0, 255)])
        {
            for (int b = from; b <= to; b++)
            {
                if (set.Contains(b))
                    return (byte)b;
            }
        }
        throw new InvalidOperationException("The set of bytes is empty.");
    }

    /// <summary>
    /// How many characters of one kind may come next, whichever they are, without leaving the language's beginnings. A lower bound.
    /// </summary>
    /// <param name="node">The expression.</param>
    /// <param name="character">The expression of one such character.</param>
    public int Accepts(int node, int character)
    {
        Node n = _nodes[node];
        return n.Kind switch
        {
            RegexKind.Concat => Accepts(n.A, character),
            RegexKind.Repeat when n.A == character => n.C,
            RegexKind.Or => _lists[n.A].Max(part => Accepts(part, character)),
            RegexKind.And => _lists[n.A].Min(part => Accepts(part, character)),
            // The complement of finitely many texts never ends in a place from where nothing follows.
            RegexKind.Not => IsFinite(n.A) ? Unlimited : 0,
            _ => 0,
        };
    }

    /// <summary>Whether characters of one kind leave the shortest text as long as it is, or up to two bytes longer.</summary>
    public bool KeepsShortest(int node, int character)
    {
        Node n = _nodes[node];
        return n.Kind switch
        {
            RegexKind.Concat => KeepsShortest(n.A, character),
            RegexKind.Repeat => n.A == character,
            RegexKind.And => Array.TrueForAll(_lists[n.A], part => KeepsShortest(part, character)),
            RegexKind.Not => IsFinite(n.A),
            _ => false,
        };
    }

    private bool IsFinite(int node)
    {
        Node n = _nodes[node];
        return n.Kind switch
        {
            RegexKind.Empty or RegexKind.Epsilon or RegexKind.Set => true,
            RegexKind.Concat => IsFiniteChain(node),
            RegexKind.Repeat => n.C != Unlimited && IsFinite(n.A),
            RegexKind.Or => _lists[n.A].All(IsFinite),
            RegexKind.And => _lists[n.A].Any(IsFinite),
            _ => false,
        };
    }

    private bool IsFiniteChain(int node)
    {
        for (; Kind(node) == RegexKind.Concat; node = _nodes[node].B)
        {
            if (!IsFinite(_nodes[node].A))
                return false;
        }
        return IsFinite(node);
    }

    private static int Times(int length, int count) => (int)Math.Min(Unlimited, (long)length * count);

    private int ShortestOfConcat(int node)
    {
        long sum = 0;
        while (Kind(node) == RegexKind.Concat)
        {
            sum += Shortest(_nodes[node].A);
            node = _nodes[node].B;
        }
        return (int)Math.Min(Unlimited, sum + Shortest(node));
    }

    /// <summary>The shortest of several; what needs a search is left out where it cannot be shorter than the others.</summary>
    private int ShortestOfMany(int[] parts)
    {
        int best = Unlimited;
        foreach (int part in parts)
        {
            if (!IsBoolean(part))
                best = Math.Min(best, Shortest(part));
        }
        foreach (int part in parts)
        {
            if (IsBoolean(part) && AtLeastLong(part) < best)
                best = Math.Min(best, Shortest(part));
        }
        return best;
    }

    /// <summary>A length that no text falls below, found without a search.</summary>
    private int AtLeastLong(int node)
    {
        Node n = _nodes[node];
        if (n.Nullable)
            return 0;
        switch (n.Kind)
        {
            case RegexKind.Concat:
                long sum = 0;
                for (; Kind(node) == RegexKind.Concat; node = _nodes[node].B)
                    sum += AtLeastLong(_nodes[node].A);
                return (int)Math.Min(Unlimited, sum + AtLeastLong(node));
            case RegexKind.And:
                return _lists[n.A].Max(AtLeastLong);
            case RegexKind.Or:
                return _lists[n.A].Min(AtLeastLong);
            case RegexKind.Repeat:
                return Times(AtLeastLong(n.A), n.B);
            default:
                return n.Boolean ? 1 : Shortest(node);
        }
    }

    private int OfMany(Node n, byte b)
    {
        int[] parts = _lists[n.A];
        int[] next = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            next[i] = Derivative(parts[i], b);
            if (n.Kind == RegexKind.And && next[i] == Empty)
                return Empty;
        }
        return n.Kind == RegexKind.Or ? Or(next) : And(next);
    }

    private int NextRemainder(Node n, byte b)
    {
        (long factor, int digits) = _multiples[n.A];
        if (b == '.')
            return n.C == 1 ? Remainder(n.A, Value(n), 2) : Empty;
        if (b is < (byte)'0' or > (byte)'9')
            return Empty;
        int digit = b - '0';
        int phase = n.C;
        // Behind the digits that count only zeros keep a multiple one.
        if (phase >= 2 + digits)
            return digit == 0 ? Remainder(n.A, Value(n), digits == 0 ? 3 : phase) : Empty;
        long next = (long)(((Int128)Value(n) * 10 + digit) % factor);
        return Remainder(n.A, next, phase switch { 0 => 1, 1 => 1, _ => phase + 1 });

        static long Value(Node n) => ((long)n.RemainderHigh << 32) | (uint)n.B;
    }

    /// <summary>The shortest text of an expression whose form does not tell it, breadth first over its derivatives.</summary>
    private int Search(int start)
    {
        Dictionary<int, (int From, int Depth)> seen = new() { [start] = (Unknown, 0) };
        List<int> order = [start];
        int best = Unlimited;
        int last = Unknown;
        for (int i = 0; i < order.Count && seen[order[i]].Depth + 1 < best; i++)
        {
            int node = order[i];
            int depth = seen[node].Depth + 1;
            foreach (byte b in Representatives(node))
            {
                int next = Derivative(node, b);
                if (next == Empty || seen.ContainsKey(next))
                    continue;
                seen[next] = (node, depth);
                if (IsNullable(next) || !IsBoolean(next) || _shortest.ContainsKey(next))
                {
                    int rest = Shortest(next);
                    if (rest != Unlimited && depth + rest < best)
                        (best, last) = (depth + rest, node);
                    continue;
                }
                order.Add(next);
                if (order.Count > MostSteps)
                    throw new StructureException($"Whether a combination of patterns can be met at all takes more than {MostSteps:N0} steps to find out; make it simpler.");
            }
        }
        if (best == Unlimited)
        {
            foreach (int node in order)
                _shortest[node] = Unlimited;
            return Unlimited;
        }
        for (int node = last; node != Unknown; node = seen[node].From)
            _shortest[node] = best - seen[node].Depth;
        return best;
    }

    private void AddFirst(int node, HashSet<int> sets)
    {
        Node n = _nodes[node];
        switch (n.Kind)
        {
            case RegexKind.Set:
                sets.Add(n.A);
                break;
            case RegexKind.Concat:
                AddFirst(n.A, sets);
                if (IsNullable(n.A))
                    AddFirst(n.B, sets);
                break;
            case RegexKind.Or or RegexKind.And:
                foreach (int part in _lists[n.A])
                    AddFirst(part, sets);
                break;
            case RegexKind.Repeat or RegexKind.Not:
                AddFirst(n.A, sets);
                break;
            case RegexKind.Multiple:
                for (int d = '0'; d <= '9'; d++)
                    sets.Add(_setIds[ByteSet.Of((byte)d)]);
                sets.Add(_setIds[ByteSet.Of((byte)'.')]);
                break;
        }
    }
}
