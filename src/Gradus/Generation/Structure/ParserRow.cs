using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure;

/// <summary>
/// A set of Earley's items between two lexemes: where in the grammar the text may stand. Items point to the rows where their
/// nonterminals began. Rows with the same items are one object, so that a list of any length comes back to the same row.
/// </summary>
internal sealed class ParserRow
{
    private readonly List<(GrammarNode Node, ParserRow Origin)> _items = [];
    private readonly HashSet<(int, int)> _seen = [];
    private readonly List<(Nonterminal Called, GrammarNode Target, ParserRow Origin)> _callers = [];
    private readonly Dictionary<int, List<(GrammarNode Node, ParserRow Origin)>> _reads = [];
    private readonly Dictionary<int, int> _shortestAfter = [];

    private ParserRow(int id) => Id = id;

    public int Id { get; }

    /// <summary>Whether the whole text may end here.</summary>
    public bool Accepts { get; private set; }

    /// <summary>The lexer's state at the start of what may come next.</summary>
    public int LexerStart { get; private set; }

    /// <summary>Rows after a lexeme, by the lexer's state that completed it.</summary>
    public Dictionary<int, ParserRow> After { get; } = [];

    /// <summary>The row before the first byte.</summary>
    /// <param name="start">A node that calls the root and ends.</param>
    /// <param name="lexer">The lexer.</param>
    public static ParserRow First(GrammarNode start, Lexer lexer)
    {
        ParserRow row = new(0);
        row.Add(start, row);
        row.Close(start.Owner, lexer);
        return row;
    }

    /// <summary>The row of some items.</summary>
    public static ParserRow Of(int id, List<(GrammarNode Node, ParserRow Origin)> kernel, Nonterminal whole, Lexer lexer)
    {
        ParserRow row = new(id);
        foreach ((GrammarNode node, ParserRow origin) in kernel)
            row.Add(node, origin);
        row.Close(whole, lexer);
        return row;
    }

    /// <summary>The items after a lexeme.</summary>
    public List<(GrammarNode Node, ParserRow Origin)> Read(int lexeme) => _reads[lexeme];

    /// <summary>The fewest bytes from the end of a lexeme, read here, to the end of the whole text.</summary>
    public int ShortestAfter(int lexeme)
    {
        int best = RegexStore.Unlimited;
        foreach ((GrammarNode node, ParserRow origin) in _reads[lexeme])
            best = Math.Min(best, Sum(node.Shortest, origin.ShortestAfter(node.Owner)));
        return best;
    }

    /// <summary>The fewest bytes from the end of a nonterminal that began here to the end of the whole text.</summary>
    public int ShortestAfter(Nonterminal ended) => _shortestAfter.GetValueOrDefault(ended.Id, RegexStore.Unlimited);

    /// <summary>The item from where the whole text is completed soonest after a nonterminal that began here; null after the whole.</summary>
    public (GrammarNode Node, ParserRow Origin)? SoonestAfter(Nonterminal ended)
    {
        int wanted = ShortestAfter(ended);
        foreach ((Nonterminal called, GrammarNode target, ParserRow origin) in _callers)
        {
            if (called == ended && Sum(target.Shortest, origin.ShortestAfter(target.Owner)) == wanted)
                return (target, origin);
        }
        return null;
    }

    private static int Sum(int a, int b) => (int)Math.Min(RegexStore.Unlimited, (long)a + b);

    private void Add(GrammarNode node, ParserRow origin)
    {
        if (_seen.Add((node.Id, origin.Id)))
            _items.Add((node, origin));
    }

    private void Close(Nonterminal whole, Lexer lexer)
    {
        for (int i = 0; i < _items.Count; i++)
        {
            (GrammarNode node, ParserRow origin) = _items[i];
            if (node.Accepts)
            {
                Accepts |= node.Owner == whole;
                Complete(node.Owner, origin);
            }
            foreach ((Nonterminal called, GrammarNode target) in node.Calls)
            {
                _callers.Add((called, target, origin));
                Add(called.Start, this);
                if (called.IsNullable)
                    Add(target, origin);
            }
            foreach ((int lexeme, GrammarNode target) in node.Reads)
            {
                if (!_reads.TryGetValue(lexeme, out List<(GrammarNode, ParserRow)>? list))
                    _reads[lexeme] = list = [];
                list.Add((target, origin));
            }
        }
        _seen.Clear();
        _seen.TrimExcess();
        int[] lexemes = [.. _reads.Keys];
        Array.Sort(lexemes);
        LexerStart = lexer.Start(lexemes);
        FindShortest(whole);
    }

    /// <summary>A nonterminal that is empty where it began has been passed over by its callers.</summary>
    private void Complete(Nonterminal ended, ParserRow origin)
    {
        if (origin == this)
            return;
        foreach ((Nonterminal called, GrammarNode target, ParserRow before) in origin._callers)
        {
            if (called == ended)
                Add(target, before);
        }
    }

    private void FindShortest(Nonterminal whole)
    {
        if (Id == 0)
            _shortestAfter[whole.Id] = 0;
        for (bool better = true; better;)
        {
            better = false;
            foreach ((Nonterminal called, GrammarNode target, ParserRow origin) in _callers)
            {
                int length = Sum(target.Shortest, origin.ShortestAfter(target.Owner));
                if (length < ShortestAfter(called))
                {
                    _shortestAfter[called.Id] = length;
                    better = true;
                }
            }
        }
    }
}
