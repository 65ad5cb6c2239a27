// A grammar as one deterministic automaton over bytes whose states are made when they are first reached. A state is a set of threads,
// each a row of the parser and a state of the lexer in the lexeme that began there: a lexeme may end wherever its expression says,
// so that the automaton accepts exactly the grammar's language, with no rule of longest match.
// Sources: Earley, "An efficient context-free parsing algorithm", 1970; Tomita's shared stacks, which the rows are.

using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure;

/// <summary>The automaton of a grammar. Not safe for use by several threads at once.</summary>
internal sealed class GrammarAutomaton
{
    /// <summary>The state from where nothing follows and which is no end.</summary>
    public const int Dead = 0;

    /// <summary>The state before the first byte.</summary>
    public const int Start = 1;

    private const int NotYet = -1;
    private const int MostStates = 4_000_000;

    private readonly Lexer _lexer;
    private readonly Nonterminal _whole;
    private readonly List<ParserRow> _rows = [];
    private readonly Dictionary<int[], ParserRow> _rowIds = new(IntArrays.Comparer);
    private readonly List<int[]> _states = [];
    private readonly Dictionary<int[], int> _ids = new(IntArrays.Comparer);
    private readonly List<int> _shortest = [];
    private readonly List<int> _threads = [];
    private int[] _next = [];

    /// <summary>The automaton of a grammar.</summary>
    /// <param name="lexer">Its lexemes.</param>
    /// <param name="nodes">Its nodes.</param>
    /// <param name="root">What the whole text is.</param>
    public GrammarAutomaton(Lexer lexer, GrammarNodes nodes, Nonterminal root)
    {
        _lexer = lexer;
        _whole = new Nonterminal(-1);
        FixedNode start = new(nodes, _whole, accepts: false);
        start.OwnCalls.Add((root, new FixedNode(nodes, _whole, accepts: true)));
        start.Relax(lexer);
        Classes = lexer.Classes;
        ParserRow first = ParserRow.First(start, lexer);
        _rows.Add(first);
        Intern([0]);
        Intern([first.Accepts ? 1 : 0, first.Id, first.LexerStart]);
    }

    /// <summary>How many classes of bytes there are.</summary>
    public int Classes { get; }

    /// <summary>For every byte its class.</summary>
    public byte[] ClassOf => _lexer.ClassOf;

    /// <summary>How many states there are so far.</summary>
    public int Count => _states.Count;

    public Lexer Lexer => _lexer;

    /// <summary>Whether the text may end in a state.</summary>
    public bool Accepts(int state) => _states[state][0] != 0;

    /// <summary>The state after a byte.</summary>
    public int Next(int state, byte b) => NextOfClass(state, ClassOf[b]);

    /// <summary>The state after a byte of a class.</summary>
    public int NextOfClass(int state, int byteClass)
    {
        int next = _next[(state * Classes) + byteClass];
        return next != NotYet ? next : Make(state, byteClass);
    }

    /// <summary>The fewest bytes from a state to an end.</summary>
    public int Shortest(int state)
    {
        if (_shortest[state] != NotYet)
            return _shortest[state];
        int best = Accepts(state) ? 0 : RegexStore.Unlimited;
        int[] threads = _states[state];
        for (int i = 1; i < threads.Length; i += 2)
        {
            ReadOnlySpan<int> entries = _lexer.Entries(threads[i + 1]);
            for (int e = 0; e < entries.Length; e += 2)
                best = (int)Math.Min(best, (long)_lexer.Regex.Shortest(entries[e + 1]) + _rows[threads[i]].ShortestAfter(entries[e]));
        }
        return _shortest[state] = best;
    }

    /// <summary>A shortest text from a state to an end.</summary>
    public byte[] ShortestText(int state)
    {
        List<byte> text = [];
        if (Accepts(state))
            return [];
        int wanted = Shortest(state);
        int[] threads = _states[state];
        for (int i = 1; i < threads.Length; i += 2)
        {
            ParserRow row = _rows[threads[i]];
            ReadOnlySpan<int> entries = _lexer.Entries(threads[i + 1]);
            for (int e = 0; e < entries.Length; e += 2)
            {
                if ((long)_lexer.Regex.Shortest(entries[e + 1]) + row.ShortestAfter(entries[e]) != wanted)
                    continue;
                text.AddRange(_lexer.Regex.ShortestText(entries[e + 1]));
                AppendRest(row, entries[e], text);
                return [.. text];
            }
        }
        throw new InvalidOperationException("The state has no way to an end.");
    }

    /// <summary>How many characters of one kind may follow, whichever they are, without reaching <see cref="Dead"/>; a lower bound.</summary>
    public int AcceptsOf(int state, int character)
    {
        int best = 0;
        int[] threads = _states[state];
        for (int i = 1; i < threads.Length; i += 2)
        {
            ReadOnlySpan<int> entries = _lexer.Entries(threads[i + 1]);
            for (int e = 1; e < entries.Length; e += 2)
                best = Math.Max(best, _lexer.Regex.Accepts(entries[e], character));
        }
        return best;
    }

    /// <summary>Whether characters of one kind leave the shortest way to an end as it is, or longer by two bytes at most.</summary>
    public bool KeepsShortest(int state, int character)
    {
        int[] threads = _states[state];
        for (int i = 1; i < threads.Length; i += 2)
        {
            ReadOnlySpan<int> entries = _lexer.Entries(threads[i + 1]);
            for (int e = 1; e < entries.Length; e += 2)
            {
                if (!_lexer.Regex.KeepsShortest(entries[e], character))
                    return false;
            }
        }
        return true;
    }

    private void AppendRest(ParserRow row, int lexeme, List<byte> text)
    {
        int wanted = row.ShortestAfter(lexeme);
        (GrammarNode Node, ParserRow Origin)? at = row.Read(lexeme).First(r => (long)r.Node.Shortest + r.Origin.ShortestAfter(r.Node.Owner) == wanted);
        while (at is { } item)
        {
            Append(item.Node, text);
            at = item.Origin.SoonestAfter(item.Node.Owner);
        }
    }

    /// <summary>The shortest text from a node to the end of its nonterminal.</summary>
    private void Append(GrammarNode node, List<byte> text)
    {
        while (node.Shortest > 0 || !node.Accepts)
        {
            (int Lexeme, GrammarNode Target)? read = null;
            (Nonterminal Called, GrammarNode Target)? call = null;
            long best = long.MaxValue;
            foreach ((int lexeme, GrammarNode target) in node.Reads)
            {
                long length = (long)_lexer.Regex.Shortest(_lexer.Expression(lexeme)) + target.Shortest;
                if (length < best)
                    (best, read) = (length, (lexeme, target));
            }
            foreach ((Nonterminal called, GrammarNode target) in node.Calls)
            {
                long length = (long)called.Shortest + target.Shortest;
                if (length < best)
                    (best, read, call) = (length, null, (called, target));
            }
            if (call is { } c)
            {
                Append(c.Called.Start, text);
                node = c.Target;
            }
            else
            {
                text.AddRange(_lexer.Regex.ShortestText(_lexer.Expression(read!.Value.Lexeme)));
                node = read.Value.Target;
            }
        }
    }

    private int Make(int state, int byteClass)
    {
        int[] threads = _states[state];
        List<int> next = _threads;
        next.Clear();
        bool accepts = false;
        for (int i = 1; i < threads.Length; i += 2)
        {
            int lexerState = _lexer.Next(threads[i + 1], byteClass);
            if (lexerState == Lexer.Dead)
                continue;
            ParserRow row = _rows[threads[i]];
            if (GoesOn(lexerState))
                AddThread(next, row.Id, lexerState);
            if (_lexer.Complete(lexerState).Length == 0)
                continue;
            ParserRow after = Advance(row, lexerState);
            accepts |= after.Accepts;
            if (after.LexerStart != Lexer.Dead)
                AddThread(next, after.Id, after.LexerStart);
        }
        int id = next.Count == 0 && !accepts ? Dead : Intern(Sorted(next, accepts));
        _next[(state * Classes) + byteClass] = id;
        return id;
    }

    private bool GoesOn(int lexerState)
    {
        ReadOnlySpan<int> entries = _lexer.Entries(lexerState);
        for (int e = 1; e < entries.Length; e += 2)
        {
            if (entries[e] != RegexStore.Epsilon)
                return true;
        }
        return false;
    }

    private static void AddThread(List<int> threads, int row, int lexerState)
    {
        for (int i = 0; i < threads.Count; i += 2)
        {
            if (threads[i] == row && threads[i + 1] == lexerState)
                return;
        }
        threads.Add(row);
        threads.Add(lexerState);
    }

    private static int[] Sorted(List<int> threads, bool accepts)
    {
        int[] state = new int[threads.Count + 1];
        state[0] = accepts ? 1 : 0;
        if (threads.Count == 2)
        {
            (state[1], state[2]) = (threads[0], threads[1]);
            return state;
        }
        List<(int, int)> pairs = [];
        for (int i = 0; i < threads.Count; i += 2)
            pairs.Add((threads[i], threads[i + 1]));
        pairs.Sort();
        for (int i = 0; i < pairs.Count; i++)
            (state[(2 * i) + 1], state[(2 * i) + 2]) = pairs[i];
        return state;
    }

    private ParserRow Advance(ParserRow row, int lexerState)
    {
        if (row.After.TryGetValue(lexerState, out ParserRow? after))
            return after;
        List<(GrammarNode Node, ParserRow Origin)> kernel = [];
        foreach (int lexeme in _lexer.Complete(lexerState))
            kernel.AddRange(row.Read(lexeme));
        List<(int Node, int Origin)> items = kernel.ConvertAll(k => (k.Node.Id, k.Origin.Id));
        items.Sort();
        int[] key = new int[items.Count * 2];
        for (int i = 0; i < items.Count; i++)
            (key[2 * i], key[(2 * i) + 1]) = items[i];
        if (!_rowIds.TryGetValue(key, out after))
        {
            after = ParserRow.Of(_rows.Count, kernel, _whole, _lexer);
            _rows.Add(after);
            _rowIds[key] = after;
        }
        return row.After[lexerState] = after;
    }

    private int Intern(int[] state)
    {
        if (_ids.TryGetValue(state, out int id))
            return id;
        id = _states.Count;
        if (id >= MostStates)
            throw new StructureException($"The grammar needs more than {MostStates:N0} states for this text; make it simpler.");
        _states.Add(state);
        _shortest.Add(NotYet);
        if (_next.Length < (id + 1) * Classes)
        {
            int before = _next.Length;
            Array.Resize(ref _next, Math.Max(before * 2, (id + 16) * Classes));
            Array.Fill(_next, NotYet, before, _next.Length - before);
        }
        return _ids[state] = id;
    }

    /// <summary>The states after every class of bytes; <c>-1</c> where they are not known yet.</summary>
    public int[] Table => _next;
}
