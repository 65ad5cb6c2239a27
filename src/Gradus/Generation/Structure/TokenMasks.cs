namespace Gradus.Generation.Structure;

/// <summary>Which tokens may come next in a state.</summary>
/// <param name="Bits">A bit for every token.</param>
/// <param name="MostAfter">The most bytes that may be needed for an end after one of them.</param>
/// <param name="Plain">The tokens among them that are plain characters of a string, where they were not looked at one by one.</param>
internal sealed record TokenMask(ulong[] Bits, int MostAfter, ulong[]? Plain);

/// <summary>The masks of one grammar for one vocabulary, made when a state is first reached. Used under the grammar's lock.</summary>
internal sealed class TokenMasks
{
    private readonly GrammarAutomaton _automaton;
    private readonly Dictionary<int, TokenMask> _masks = [];
    private readonly Dictionary<int, int> _fewest = [];
    private readonly int _character;
    private int[] _stack = [];

    public TokenMasks(Grammar grammar, TokenBytes tokens)
    {
        _automaton = grammar.Automaton;
        _character = grammar.StringCharacter;
        Tokens = tokens;
    }

    public TokenBytes Tokens { get; }

    /// <summary>The mask of a state, whatever remains of the budget.</summary>
    public TokenMask Of(int state)
    {
        if (!_masks.TryGetValue(state, out TokenMask? mask))
            _masks[state] = mask = Make(state);
        return mask;
    }

    /// <summary>Writes the mask of a state when so many more tokens may follow the next one.</summary>
    /// <returns>How many tokens it allows.</returns>
    public int Limited(int state, int after, Span<ulong> bits)
    {
        TokenMask mask = Of(state);
        bits.Clear();
        int count = 0;
        // Plain characters of a string all fit, or each is looked at.
        ulong[]? plain = Tokens.WritesEveryByte && mask.Plain is not null && _automaton.KeepsShortest(state, _character) && _automaton.Shortest(state) + 2 <= after ? mask.Plain : null;
        for (int word = 0; word < mask.Bits.Length; word++)
        {
            ulong fits = plain is null ? 0 : mask.Bits[word] & plain[word];
            bits[word] = fits;
            count += System.Numerics.BitOperations.PopCount(fits);
            for (ulong rest = mask.Bits[word] & ~fits; rest != 0; rest &= rest - 1)
            {
                int id = (word << 6) + System.Numerics.BitOperations.TrailingZeroCount(rest);
                if (!Fits(After(state, Tokens[id]), after))
                    continue;
                bits[word] |= 1UL << (id & 63);
                count++;
            }
        }
        return count;
    }

    /// <summary>Whether a text can be completed with so many tokens.</summary>
    public bool Fits(int state, int tokens)
    {
        if (Tokens.WritesEveryByte && _automaton.Shortest(state) <= tokens)
            return true;
        return Fewest(state) <= tokens;
    }

    /// <summary>The fewest tokens that are known to complete a text: those of its shortest completion in bytes.</summary>
    public int Fewest(int state)
    {
        if (!_fewest.TryGetValue(state, out int count))
            _fewest[state] = count = Completion(state)?.Length ?? int.MaxValue;
        return count;
    }

    /// <summary>Tokens that complete a text; null where the vocabulary cannot write its shortest completion.</summary>
    public int[]? Completion(int state) => Tokens.Fewest(_automaton.ShortestText(state));

    public int After(int state, ReadOnlySpan<byte> text)
    {
        foreach (byte b in text)
        {
            state = _automaton.Next(state, b);
            if (state == GrammarAutomaton.Dead)
                break;
        }
        return state;
    }

    private TokenMask Make(int state)
    {
        int characters = _character == Languages.RegexStore.Empty ? 0 : _automaton.AcceptsOf(state, _character);
        PlainTokens? plain = Tokens.Plain(characters);
        ulong[] bits = plain is null ? new ulong[(Tokens.Count + 63) / 64] : (ulong[])plain.Mask.Clone();
        // Plain characters bring the end no further away, unless the state is of a kind where that is not plain to see.
        int most = plain is null ? 0 : _automaton.KeepsShortest(state, _character) ? _automaton.Shortest(state) + 2 : int.MaxValue;
        Walk(state, plain?.Others ?? Tokens.All, bits, ref most);
        return new TokenMask(bits, most, plain?.Mask);
    }

    private void Walk(int state, TokenTree tree, ulong[] bits, ref int most)
    {
        if (_stack.Length <= tree.MaxDepth + 1)
            _stack = new int[tree.MaxDepth + 2];
        int[] stack = _stack;
        stack[0] = state;
        byte[] classOf = _automaton.ClassOf;
        int classes = _automaton.Classes;
        int[] table = _automaton.Table;
        byte[] bytes = tree.Bytes;
        int[] tokens = tree.Tokens;
        ushort[] depths = tree.Depths;
        int last = GrammarAutomaton.Dead;
        for (int node = 0; node < bytes.Length;)
        {
            int depth = depths[node];
            int from = stack[depth];
            int next = table[(from * classes) + classOf[bytes[node]]];
            if (next < 0)
            {
                next = _automaton.Next(from, bytes[node]);
                table = _automaton.Table;
            }
            if (next == GrammarAutomaton.Dead)
            {
                node = tree.Ends[node];
                continue;
            }
            stack[depth + 1] = next;
            int token = tokens[node];
            if (token >= 0)
            {
                bits[token >> 6] |= 1UL << (token & 63);
                foreach (int same in tree.MoreAt(node))
                    bits[same >> 6] |= 1UL << (same & 63);
                if (next != last)
                {
                    most = Math.Max(most, _automaton.Shortest(next));
                    last = next;
                }
            }
            node++;
        }
    }
}
