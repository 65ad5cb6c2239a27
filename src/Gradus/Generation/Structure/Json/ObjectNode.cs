using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure.Json;

/// <summary>A place in an object.</summary>
/// <param name="shape">What the object is like.</param>
/// <param name="phase">After what the text stands.</param>
/// <param name="seen">The properties by name that there were, as bits.</param>
/// <param name="count">How many properties there were, as far as it matters.</param>
/// <param name="had">The wanted kinds of which there was one, as bits.</param>
internal sealed class ObjectNode(ObjectShape shape, ObjectPhase phase, ulong[] seen, int count, int had) : GrammarNode(shape.Grammar.Nodes, shape.Owner)
{
    private int? _shortest;

    public override bool Accepts => false;

    public override int Shortest => _shortest ?? (shape.Grammar.IsFinished ? (_shortest = Cost(seen, count, had, phase)).Value : Cost(seen, count, had, phase));

    protected override void Expand(List<(int Lexeme, GrammarNode Target)> reads, List<(Nonterminal Called, GrammarNode Target)> calls)
    {
        JsonGrammar grammar = shape.Grammar;
        if (phase != ObjectPhase.Comma && IsComplete())
            reads.Add((grammar.CloseBrace, grammar.End(shape.Owner)));
        if (phase == ObjectPhase.Value)
        {
            ObjectNode next = shape.Node(ObjectPhase.Comma, seen, count, had);
            if (next.Shortest != RegexStore.Unlimited)
                reads.Add((grammar.Comma, next));
            return;
        }
        for (int i = 0; i < shape.Named.Count; i++)
        {
            if ((seen[i >> 6] >> (i & 63) & 1) != 0)
                continue;
            foreach (ObjectShape.Entry entry in shape.Named[i])
                Add(entry, i, reads);
        }
        foreach (ObjectShape.Entry entry in shape.Others)
            Add(entry, -1, reads);
    }

    private void Add(ObjectShape.Entry entry, int name, List<(int Lexeme, GrammarNode Target)> reads)
    {
        if (entry.Value.Shortest == RegexStore.Unlimited)
            return;
        ulong[] after = seen;
        if (name >= 0)
        {
            after = (ulong[])seen.Clone();
            after[name >> 6] |= 1UL << (name & 63);
        }
        int counted = shape.CountsProperties ? Math.Min(count + 1, shape.Max == int.MaxValue ? shape.Min : shape.Max + 1) : 0;
        if (shape.MayFail && Cost(after, counted, had | entry.Counts, ObjectPhase.Value) == RegexStore.Unlimited)
            return;
        reads.Add((entry.Lexeme, shape.Grammar.Before(entry.Value, shape.Node(ObjectPhase.Value, after, counted, had | entry.Counts))));
    }

    private bool IsComplete() => count >= shape.Min && count <= shape.Max && had == (1 << shape.Wanted) - 1 && Missing(seen).Count == 0;

    /// <summary>The properties that there must still be.</summary>
    private List<int> Missing(ulong[] present)
    {
        List<int> missing = [];
        bool Has(int name) => (present[name >> 6] >> (name & 63) & 1) != 0 || missing.Contains(name);
        foreach (int name in shape.Required)
        {
            if (!Has(name))
                missing.Add(name);
        }
        for (bool more = shape.Dependent.Length > 0; more;)
        {
            more = false;
            foreach ((int name, int[] needs) in shape.Dependent)
            {
                if (!Has(name))
                    continue;
                foreach (int need in needs)
                {
                    if (Has(need))
                        continue;
                    missing.Add(need);
                    more = true;
                }
            }
        }
        return missing;
    }

    /// <summary>The fewest bytes to the closing brace; exact but where wanted kinds could be met by one property.</summary>
    private int Cost(ulong[] present, int so, int wantedHad, ObjectPhase at)
    {
        if (so > shape.Max)
            return RegexStore.Unlimited;
        List<int> missing = Missing(present);
        long cost = 0;
        int added = 0;
        foreach (int name in missing)
        {
            cost += Best(shape.Named[name]);
            added++;
        }
        for (int kind = 0; kind < shape.Wanted; kind++)
        {
            if ((wantedHad >> kind & 1) != 0)
                continue;
            (long extra, bool isMissing) = Wanted(kind, present, missing);
            cost += extra;
            added += isMissing ? 0 : 1;
        }
        int least = Math.Max(shape.Min - so, at == ObjectPhase.Comma ? 1 : 0);
        if (added < least)
        {
            cost += Filler(present, missing, least - added);
            added = least;
        }
        if (cost >= RegexStore.Unlimited || (shape.Max != int.MaxValue && so + added > shape.Max))
            return RegexStore.Unlimited;
        // A comma before every property but the first, and the brace.
        int commas = at == ObjectPhase.Value ? added : Math.Max(0, added - 1);
        return (int)Math.Min(RegexStore.Unlimited, cost + commas + 1);
    }

    private long Best(IEnumerable<ObjectShape.Entry> entries)
    {
        long best = RegexStore.Unlimited;
        foreach (ObjectShape.Entry entry in entries)
            best = Math.Min(best, Cost(entry));
        return best;
    }

    private long Cost(ObjectShape.Entry entry) => entry.Value.Shortest == RegexStore.Unlimited ? RegexStore.Unlimited : shape.Grammar.ShortestLexeme(entry.Lexeme) + (long)entry.Value.Shortest;

    /// <summary>The cheapest property of a wanted kind, and whether it is one that must be there anyway.</summary>
    private (long Cost, bool IsMissing) Wanted(int kind, ulong[] present, List<int> missing)
    {
        long best = Best(shape.Others.Where(e => (e.Counts >> kind & 1) != 0));
        bool isMissing = false;
        for (int i = 0; i < shape.Named.Count; i++)
        {
            if ((present[i >> 6] >> (i & 63) & 1) != 0)
                continue;
            long cost = Best(shape.Named[i].Where(e => (e.Counts >> kind & 1) != 0));
            if (cost < best)
                (best, isMissing) = (cost, missing.Contains(i));
        }
        return (best, isMissing);
    }

    /// <summary>Properties that only make up the number.</summary>
    private long Filler(ulong[] present, List<int> missing, int wanted)
    {
        long other = Best(shape.Others);
        List<long> named = [];
        for (int i = 0; i < shape.Named.Count; i++)
        {
            if ((present[i >> 6] >> (i & 63) & 1) == 0 && !missing.Contains(i))
                named.Add(Best(shape.Named[i]));
        }
        named.Sort();
        long cost = 0;
        for (int i = 0; i < wanted; i++)
            cost += i < named.Count ? Math.Min(named[i], other) : other;
        return cost;
    }
}
