// A grammar as a recursive transition network: every nonterminal is an automaton whose edges read a lexeme or call a nonterminal.
// Its states may be made when they are first reached, so that a JSON object can remember which of its properties it has had without
// a rule for every subset of them. Source: Woods, "Transition network grammars for natural language analysis", 1970.

using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure;

/// <summary>A part of a grammar that can be called by name.</summary>
/// <param name="id">Its number.</param>
internal sealed class Nonterminal(int id)
{
    public int Id => id;

    /// <summary>Where it begins.</summary>
    public GrammarNode Start { get; set; } = null!;

    /// <summary>Whether it may be the empty text.</summary>
    public bool IsNullable { get; set; }

    /// <summary>The bytes of its shortest text; <see cref="RegexStore.Unlimited"/> where it has none.</summary>
    public int Shortest { get; set; } = RegexStore.Unlimited;
}

/// <summary>A state of a nonterminal.</summary>
internal abstract class GrammarNode
{
    private (int Lexeme, GrammarNode Target)[]? _reads;
    private (Nonterminal Called, GrammarNode Target)[]? _calls;

    protected GrammarNode(GrammarNodes nodes, Nonterminal owner)
    {
        Owner = owner;
        Id = nodes.Count++;
    }

    public int Id { get; }

    public Nonterminal Owner { get; }

    /// <summary>Whether the nonterminal may end here.</summary>
    public abstract bool Accepts { get; }

    /// <summary>The fewest bytes from here to the end of the nonterminal.</summary>
    public abstract int Shortest { get; }

    /// <summary>The lexemes that may come next. Every one leads to a node from where there is a way to the end.</summary>
    public (int Lexeme, GrammarNode Target)[] Reads
    {
        get
        {
            Expand();
            return _reads!;
        }
    }

    /// <summary>The nonterminals that may come next; as for <see cref="Reads"/>.</summary>
    public (Nonterminal Called, GrammarNode Target)[] Calls
    {
        get
        {
            Expand();
            return _calls!;
        }
    }

    protected abstract void Expand(List<(int Lexeme, GrammarNode Target)> reads, List<(Nonterminal Called, GrammarNode Target)> calls);

    protected static int Sum(int a, int b) => (int)Math.Min(RegexStore.Unlimited, (long)a + b);

    private void Expand()
    {
        if (_reads is not null)
            return;
        List<(int, GrammarNode)> reads = [];
        List<(Nonterminal, GrammarNode)> calls = [];
        Expand(reads, calls);
        _calls = [.. calls];
        _reads = [.. reads];
    }
}

/// <summary>Numbers the nodes of one grammar.</summary>
internal sealed class GrammarNodes
{
    public int Count { get; set; }
}

/// <summary>A node whose edges are all known when the grammar is made.</summary>
internal sealed class FixedNode(GrammarNodes nodes, Nonterminal owner, bool accepts) : GrammarNode(nodes, owner)
{
    private int _shortest = accepts ? 0 : RegexStore.Unlimited;
    private List<FixedNode>? _reached;

    public List<(int Lexeme, GrammarNode Target)> OwnReads { get; } = [];

    public List<(Nonterminal Called, GrammarNode Target)> OwnCalls { get; } = [];

    /// <summary>Nodes that are reached without reading anything.</summary>
    public List<FixedNode> OwnSkips { get; } = [];

    public override bool Accepts => accepts || (OwnSkips.Count > 0 && Reached().Exists(n => n.IsEnd));

    public override int Shortest => _shortest;

    private bool IsEnd => accepts;

    /// <summary>This node and all that are reached without reading anything.</summary>
    public List<FixedNode> Reached()
    {
        if (_reached is not null)
            return _reached;
        List<FixedNode> reached = [this];
        for (int i = 0; i < reached.Count; i++)
        {
            foreach (FixedNode next in reached[i].OwnSkips)
            {
                if (!reached.Contains(next))
                    reached.Add(next);
            }
        }
        return _reached = reached;
    }

    /// <summary>Takes what is known of the edges into account; returns whether the shortest way became shorter.</summary>
    public bool Relax(Lexer lexer)
    {
        int best = _shortest;
        foreach ((int lexeme, GrammarNode target) in OwnReads)
            best = Math.Min(best, Sum(lexer.Regex.Shortest(lexer.Expression(lexeme)), target.Shortest));
        foreach ((Nonterminal called, GrammarNode target) in OwnCalls)
            best = Math.Min(best, Sum(called.Shortest, target.Shortest));
        foreach (FixedNode next in OwnSkips)
            best = Math.Min(best, next._shortest);
        bool better = best < _shortest;
        _shortest = best;
        return better;
    }

    protected override void Expand(List<(int Lexeme, GrammarNode Target)> reads, List<(Nonterminal Called, GrammarNode Target)> calls)
    {
        foreach (FixedNode node in OwnSkips.Count == 0 ? [this] : Reached())
        {
            reads.AddRange(node.OwnReads.Where(r => r.Target.Shortest != RegexStore.Unlimited));
            calls.AddRange(node.OwnCalls.Where(c => c.Called.Shortest != RegexStore.Unlimited && c.Target.Shortest != RegexStore.Unlimited));
        }
    }
}
