using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure.Json;

/// <summary>A rule of fixed text around JSON values.</summary>
internal sealed class JsonRule
{
    private readonly GrammarNodes _nodes;
    private readonly Lexer _lexer;
    private readonly List<FixedNode> _all = [];

    public JsonRule(GrammarNodes nodes, Lexer lexer, Nonterminal owner)
    {
        (_nodes, _lexer, Owner) = (nodes, lexer, owner);
        Start = Node();
        End = new FixedNode(nodes, owner, accepts: true);
    }

    public Nonterminal Owner { get; }

    public FixedNode Start { get; }

    public FixedNode End { get; }

    public FixedNode Node()
    {
        FixedNode node = new(_nodes, Owner, accepts: false);
        _all.Add(node);
        return node;
    }

    /// <summary>Puts a language between two nodes.</summary>
    public void Read(FixedNode from, int language, FixedNode to)
    {
        if (_lexer.Regex.IsNullable(language))
            from.OwnSkips.Add(to);
        if (language is not (RegexStore.Epsilon or RegexStore.Empty))
            from.OwnReads.Add((_lexer.Lexeme(language), to));
    }

    /// <summary>Finds the shortest ways, once all values are known.</summary>
    public void Finish()
    {
        for (bool better = true; better;)
        {
            better = false;
            foreach (FixedNode node in _all)
                better |= node.Relax(_lexer);
        }
        Owner.Start = Start;
        Owner.Shortest = Start.Shortest;
        Owner.IsNullable = Start.Reached().Contains(End);
    }
}
