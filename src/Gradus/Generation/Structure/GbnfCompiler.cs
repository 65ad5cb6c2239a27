using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure;

/// <summary>Makes a grammar of rules. Rules that do not call themselves are regular and become lexemes; the others become nonterminals.</summary>
internal sealed class GbnfCompiler
{
    private const int MostNodes = 200_000;

    private readonly Dictionary<string, GbnfExpression> _rules;
    private readonly Lexer _lexer = new(new RegexStore());
    private readonly PlainCoding _coding;
    private readonly GrammarNodes _nodes = new();
    private readonly Dictionary<string, int?> _languages = new(StringComparer.Ordinal);
    private readonly HashSet<string> _open = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Nonterminal> _nonterminals = new(StringComparer.Ordinal);
    private readonly Queue<string> _unmade = [];
    private readonly List<FixedNode> _all = [];

    private GbnfCompiler(Dictionary<string, GbnfExpression> rules)
    {
        _rules = rules;
        _coding = new PlainCoding(_lexer.Regex);
    }

    public static Grammar Compile(Dictionary<string, GbnfExpression> rules)
    {
        GbnfCompiler compiler = new(rules);
        if (!rules.ContainsKey("root"))
            throw new StructureException("grammar: there is no rule root, which is the whole text.");
        compiler.CheckReferences();
        return compiler.Make();
    }

    private void CheckReferences()
    {
        foreach (GbnfExpression rule in _rules.Values)
            Check(rule);

        void Check(GbnfExpression expression)
        {
            switch (expression)
            {
                case GbnfExpression.Reference r when !_rules.ContainsKey(r.Name):
                    throw new StructureException($"grammar, line {r.Line}: there is no rule {r.Name}.");
                case GbnfExpression.Sequence s:
                    foreach (GbnfExpression part in s.Parts)
                        Check(part);
                    break;
                case GbnfExpression.Choice c:
                    foreach (GbnfExpression part in c.Parts)
                        Check(part);
                    break;
                case GbnfExpression.Times t:
                    Check(t.Inner);
                    break;
            }
        }
    }

    private Grammar Make()
    {
        Nonterminal root = Called("root");
        while (_unmade.TryDequeue(out string? name))
        {
            Nonterminal rule = _nonterminals[name];
            FixedNode start = Node(rule, accepts: false);
            FixedNode end = Node(rule, accepts: true);
            rule.Start = start;
            Attach(_rules[name], start, end);
        }
        FindNullable();
        for (bool better = true; better;)
        {
            better = false;
            foreach (FixedNode node in _all)
            {
                if (!node.Relax(_lexer))
                    continue;
                better = true;
                if (node == node.Owner.Start)
                    node.Owner.Shortest = node.Shortest;
            }
        }
        return root.Shortest == RegexStore.Unlimited ? throw new StructureException("grammar: the rule root allows no text.") : new Grammar(_lexer, _nodes, root);
    }

    private void FindNullable()
    {
        for (bool more = true; more;)
        {
            more = false;
            foreach (Nonterminal rule in _nonterminals.Values.Where(r => !r.IsNullable))
            {
                if (!ReachesEnd((FixedNode)rule.Start))
                    continue;
                rule.IsNullable = more = true;
            }
        }

        static bool ReachesEnd(FixedNode start)
        {
            List<FixedNode> reached = [.. start.Reached()];
            for (int i = 0; i < reached.Count; i++)
            {
                if (reached[i].Accepts)
                    return true;
                foreach ((Nonterminal called, GrammarNode target) in reached[i].OwnCalls)
                {
                    if (called.IsNullable)
                        reached.AddRange(((FixedNode)target).Reached().Except(reached).ToArray());
                }
            }
            return false;
        }
    }

    private FixedNode Node(Nonterminal owner, bool accepts)
    {
        if (_all.Count >= MostNodes)
            throw new StructureException($"grammar: it has more than {MostNodes:N0} places; make it smaller.");
        FixedNode node = new(_nodes, owner, accepts);
        _all.Add(node);
        return node;
    }

    private Nonterminal Called(string name)
    {
        if (_nonterminals.TryGetValue(name, out Nonterminal? rule))
            return rule;
        _unmade.Enqueue(name);
        return _nonterminals[name] = new Nonterminal(_nonterminals.Count);
    }

    /// <summary>Puts what an expression reads between two nodes.</summary>
    private void Attach(GbnfExpression expression, FixedNode from, FixedNode to)
    {
        if (Language(expression) is { } language)
        {
            if (_lexer.Regex.IsNullable(language))
                from.OwnSkips.Add(to);
            if (language is not (RegexStore.Epsilon or RegexStore.Empty))
                from.OwnReads.Add((_lexer.Lexeme(language), to));
            return;
        }
        switch (expression)
        {
            case GbnfExpression.Reference r:
                from.OwnCalls.Add((Called(r.Name), to));
                break;
            case GbnfExpression.Choice c:
                foreach (GbnfExpression part in c.Parts)
                    Attach(part, from, to);
                break;
            case GbnfExpression.Sequence s:
                AttachSequence(s.Parts, from, to);
                break;
            case GbnfExpression.Times t:
                AttachTimes(t, from, to);
                break;
        }
    }

    /// <summary>Neighbours that are regular are one lexeme.</summary>
    private void AttachSequence(IReadOnlyList<GbnfExpression> parts, FixedNode from, FixedNode to)
    {
        List<GbnfExpression> joined = [];
        for (int i = 0; i < parts.Count;)
        {
            int end = i + 1;
            if (Language(parts[i]) is not null)
            {
                while (end < parts.Count && Language(parts[end]) is not null)
                    end++;
            }
            joined.Add(end == i + 1 ? parts[i] : new GbnfExpression.Sequence([.. parts.Skip(i).Take(end - i)]));
            i = end;
        }
        for (int i = 0; i < joined.Count; i++)
        {
            FixedNode next = i == joined.Count - 1 ? to : Node(from.Owner, accepts: false);
            Attach(joined[i], from, next);
            from = next;
        }
    }

    private void AttachTimes(GbnfExpression.Times times, FixedNode from, FixedNode to)
    {
        for (int i = 0; i < times.Min; i++)
        {
            FixedNode next = Node(from.Owner, accepts: false);
            Attach(times.Inner, from, next);
            from = next;
        }
        if (times.Max == RegexStore.Unlimited)
        {
            FixedNode again = Node(from.Owner, accepts: false);
            FixedNode done = Node(from.Owner, accepts: false);
            from.OwnSkips.Add(again);
            Attach(times.Inner, again, done);
            done.OwnSkips.Add(again);
            again.OwnSkips.Add(to);
            return;
        }
        for (int i = times.Min; i < times.Max; i++)
        {
            FixedNode next = Node(from.Owner, accepts: false);
            from.OwnSkips.Add(to);
            Attach(times.Inner, from, next);
            from = next;
        }
        from.OwnSkips.Add(to);
    }

    /// <summary>The language of an expression; null where it calls a rule that calls itself.</summary>
    private int? Language(GbnfExpression expression)
    {
        RegexStore regex = _lexer.Regex;
        switch (expression)
        {
            case GbnfExpression.Literal l:
                return _coding.Literal(l.Text);
            case GbnfExpression.Class c:
                return _coding.Of(c.Set);
            case GbnfExpression.Times t:
                return Language(t.Inner) is { } inner ? regex.Repeat(inner, t.Min, t.Max) : null;
            case GbnfExpression.Reference r:
                return Language(r.Name);
        }
        bool choice = expression is GbnfExpression.Choice;
        IReadOnlyList<GbnfExpression> parts = expression is GbnfExpression.Choice o ? o.Parts : ((GbnfExpression.Sequence)expression).Parts;
        List<int> languages = [];
        foreach (GbnfExpression part in parts)
        {
            if (Language(part) is not { } language)
                return null;
            languages.Add(language);
        }
        return choice ? regex.Or([.. languages]) : regex.Concat([.. languages]);
    }

    private int? Language(string rule)
    {
        if (_languages.TryGetValue(rule, out int? known))
            return known;
        if (!_open.Add(rule))
            return null;
        if (_open.Count > 500)
            throw new StructureException("grammar: rules call one another through more than 500 steps; make it simpler.");
        int? language = Language(_rules[rule]);
        _open.Remove(rule);
        // A rule inside a cycle may look different from elsewhere; only what is regular for certain is kept.
        if (language is not null || _open.Count == 0)
            _languages[rule] = language;
        return language;
    }
}
