namespace Gradus.Generation.Structure.Languages;

/// <summary>
/// Reads lexemes (the terminals of a grammar) byte by byte: a deterministic automaton over sets of them whose states, each a list of
/// expressions that may still follow, are made when they are first needed.
/// </summary>
internal sealed class Lexer
{
    /// <summary>The state from where nothing follows.</summary>
    public const int Dead = 0;

    private const int NotYet = -1;

    private readonly RegexStore _regex;
    private readonly List<int> _lexemes = [];
    private readonly Dictionary<int, int> _lexemeIds = [];
    private readonly List<State> _states = [];
    private readonly Dictionary<int[], int> _ids = new(IntArrays.Comparer);
    private readonly Dictionary<int[], int> _starts = new(IntArrays.Comparer);
    private byte[]? _representatives;

    public Lexer(RegexStore regex)
    {
        _regex = regex;
        _states.Add(new State([], []));
        _ids[[]] = Dead;
    }

    public RegexStore Regex => _regex;

    /// <summary>For every byte its class: bytes of one class never differ for this grammar.</summary>
    public byte[] ClassOf { get; private set; } = [];

    /// <summary>How many classes there are.</summary>
    public int Classes => Representatives.Length;

    /// <summary>A byte of each class.</summary>
    public byte[] Representatives => _representatives ??= MakeClasses();

    /// <summary>The lexeme of an expression, which must not have the empty text alone.</summary>
    public int Lexeme(int expression)
    {
        if (!_lexemeIds.TryGetValue(expression, out int id))
        {
            id = _lexemes.Count;
            _lexemes.Add(expression);
            _lexemeIds[expression] = id;
        }
        return id;
    }

    /// <summary>The expression of a lexeme.</summary>
    public int Expression(int lexeme) => _lexemes[lexeme];

    /// <summary>The state at the start of any of some lexemes, sorted by number.</summary>
    public int Start(int[] lexemes)
    {
        if (_starts.TryGetValue(lexemes, out int state))
            return state;
        List<int> entries = [];
        foreach (int lexeme in lexemes)
        {
            if (_regex.IsEmpty(_lexemes[lexeme]))
                continue;
            entries.Add(lexeme);
            entries.Add(_lexemes[lexeme]);
        }
        return _starts[lexemes] = Intern([.. entries]);
    }

    /// <summary>The state after a byte of a class.</summary>
    public int Next(int state, int byteClass)
    {
        State s = _states[state];
        if (s.Next.Length == 0)
        {
            s.Next = new int[Classes];
            Array.Fill(s.Next, NotYet);
        }
        int next = s.Next[byteClass];
        return next != NotYet ? next : s.Next[byteClass] = Make(s, Representatives[byteClass]);
    }

    /// <summary>The lexemes that are complete in a state.</summary>
    public int[] Complete(int state) => _states[state].Complete;

    /// <summary>The lexemes of a state, each followed by what may still come of it.</summary>
    public ReadOnlySpan<int> Entries(int state) => _states[state].Entries;

    private sealed class State(int[] entries, int[] complete)
    {
        public int[] Entries => entries;

        public int[] Complete => complete;

        public int[] Next { get; set; } = [];
    }

    private int Make(State state, byte b)
    {
        List<int> entries = [];
        for (int i = 0; i < state.Entries.Length; i += 2)
        {
            int next = _regex.Derivative(state.Entries[i + 1], b);
            if (_regex.IsEmpty(next))
                continue;
            entries.Add(state.Entries[i]);
            entries.Add(next);
        }
        return Intern([.. entries]);
    }

    private int Intern(int[] entries)
    {
        if (_ids.TryGetValue(entries, out int id))
            return id;
        List<int> complete = [];
        for (int i = 0; i < entries.Length; i += 2)
        {
            if (_regex.IsNullable(entries[i + 1]))
                complete.Add(entries[i]);
        }
        id = _states.Count;
        _states.Add(new State(entries, [.. complete]));
        return _ids[entries] = id;
    }

    /// <summary>Bytes that lie in the same sets of all expressions are one class.</summary>
    private byte[] MakeClasses()
    {
        List<ByteSet> parts = [ByteSet.All];
        foreach (ByteSet set in _regex.Sets)
            set.Split(parts);
        ClassOf = new byte[256];
        byte[] representatives = new byte[parts.Count];
        for (int c = 0; c < parts.Count; c++)
        {
            for (int b = 255; b >= 0; b--)
            {
                if (!parts[c].Contains(b))
                    continue;
                ClassOf[b] = (byte)c;
                representatives[c] = (byte)b;
            }
        }
        return representatives;
    }
}
