using System.Text.Json;
using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure.Json;

/// <summary>What one alternative says of arrays, as a grammar. Nodes remember how many items there were, as far as it matters.</summary>
internal sealed class ArrayShape
{
    private const int MostUnique = 30;
    private const int MostItems = 100_000;

    private readonly Dictionary<int[], ArrayNode> _nodes = new(IntArrays.Comparer);
    private readonly List<Option[]> _options = [];
    private readonly ArrayRules _rules;

    /// <summary>What an item can be.</summary>
    /// <param name="Value">Its value.</param>
    /// <param name="Counted">Which counts it adds to, as bits.</param>
    /// <param name="Unique">Which of the values it is where all must differ, or −1.</param>
    internal sealed record Option(Nonterminal Value, int Counted, int Unique);

    public ArrayShape(JsonGrammar grammar, Nonterminal owner, ArrayRules rules)
    {
        (Grammar, Owner, _rules) = (grammar, owner, rules);
        if (rules.Min > MostItems)
            throw new StructureException($"#: arrays of more than {MostItems:N0} items at least cannot be enforced.");
        if (rules.Counts.Count > 8)
            throw new StructureException("#: more than 8 contains together cannot be enforced.");
        // From this item on all are alike.
        Alike = Math.Max(rules.Items.Select(i => i.First.Count).DefaultIfEmpty(0).Max(), rules.Counts.Select(c => c.From).DefaultIfEmpty(0).Max());
        for (int i = 0; i <= Alike; i++)
            _options.Add([]);
        for (int i = 0; i <= Alike; i++)
            _options[i] = MakeOptions(i);
    }

    public JsonGrammar Grammar { get; }

    public Nonterminal Owner { get; }

    public int Alike { get; }

    public int Min => _rules.Min;

    public int Max => _rules.Max;

    public IReadOnlyList<ItemCount> Counts => _rules.Counts;

    /// <summary>What the item with a number can be.</summary>
    public Option[] Options(int item) => _options[Math.Min(item, Alike)];

    /// <summary>The number of items as far as it matters.</summary>
    public int Saturated(int items) => Math.Min(items, Max == int.MaxValue ? Math.Max(Min, Alike) : Math.Max(Max, Alike) + 1);

    public ArrayNode Node(ObjectPhase phase, int items, int[] counts, int used)
    {
        int[] key = [(int)phase, items, used, .. counts];
        if (!_nodes.TryGetValue(key, out ArrayNode? node))
            _nodes[key] = node = new ArrayNode(this, phase, items, counts, used);
        return node;
    }

    private Option[] MakeOptions(int item)
    {
        Literals value = Literals.None;
        foreach (ItemRules items in _rules.Items)
        {
            if (item < items.First.Count)
                value = value.And(items.First[item]);
            else if (items.Others is { } others)
                value = value.And(others);
        }
        List<Option> options = [new Option(Grammar.Value(value), 0, -1)];
        if (_rules.Unique is { } path && Max > 1)
            options = Unique(value, path);
        for (int c = 0; c < Counts.Count; c++)
        {
            if (item < Counts[c].From)
                continue;
            List<Option> more = options.ConvertAll(o => o with { Value = Grammar.Value(Grammar.LiteralsOf(o.Value).And(Counts[c].Literal)), Counted = o.Counted | (1 << c) });
            // Where there may be only so many, all others must be something else.
            if (Counts[c].Max != int.MaxValue)
                options = options.ConvertAll(o => o with { Value = Grammar.Value(Grammar.LiteralsOf(o.Value).And(Counts[c].Literal ^ 1)) });
            options.AddRange(more);
        }
        return [.. options];
    }

    /// <summary>Items that must differ are enforced where they are one of some constants.</summary>
    private List<Option> Unique(Literals value, string path)
    {
        List<Conjunct> alternatives = Grammar.Expansion.Expand(value);
        List<string> values = [];
        foreach (Conjunct c in alternatives)
        {
            if (c.Values is not null)
                values.AddRange(c.Values);
            else if ((c.Types & ~(JsonTypes.Null | JsonTypes.True | JsonTypes.False)) == 0)
                values.AddRange(new[] { (JsonTypes.Null, "null"), (JsonTypes.True, "true"), (JsonTypes.False, "false") }.Where(t => (c.Types & t.Item1) != 0).Select(t => t.Item2));
            else
                throw new StructureException($"{path}: that items differ can be enforced only where they are of a list (enum) or there is at most one.");
        }
        if (values.Count > MostUnique || Alike > 0)
            throw new StructureException($"{path}: that items differ can be enforced only for lists of up to {MostUnique} values, the same for all items.");
        List<Option> options = [];
        foreach (string text in values.Distinct())
        {
            using JsonDocument document = JsonDocument.Parse(text);
            options.Add(new Option(Grammar.Value(value.And(Grammar.Expansion.Constant(document.RootElement))), 0, options.Count));
        }
        return options;
    }
}

/// <summary>A place in an array.</summary>
/// <param name="shape">What the array is like.</param>
/// <param name="phase">After what the text stands.</param>
/// <param name="items">How many items there were, as far as it matters.</param>
/// <param name="counts">How many of them each contains has, as far as it matters.</param>
/// <param name="used">The values that there were, where all must differ, as bits.</param>
internal sealed class ArrayNode(ArrayShape shape, ObjectPhase phase, int items, int[] counts, int used) : GrammarNode(shape.Grammar.Nodes, shape.Owner)
{
    private int? _shortest;

    public override bool Accepts => false;

    public override int Shortest => _shortest ?? (shape.Grammar.IsFinished ? (_shortest = Cost()).Value : Cost());

    protected override void Expand(List<(int Lexeme, GrammarNode Target)> reads, List<(Nonterminal Called, GrammarNode Target)> calls)
    {
        JsonGrammar grammar = shape.Grammar;
        if (phase != ObjectPhase.Comma && items >= shape.Min && items <= shape.Max && Missing() == 0)
            reads.Add((grammar.CloseBracket, grammar.End(shape.Owner)));
        if (phase == ObjectPhase.Value)
        {
            ArrayNode next = shape.Node(ObjectPhase.Comma, items, counts, used);
            if (next.Shortest != RegexStore.Unlimited)
                reads.Add((grammar.Comma, next));
            return;
        }
        foreach (ArrayShape.Option option in Open())
        {
            if (After(option) is { Shortest: not RegexStore.Unlimited } next)
                calls.Add((option.Value, next));
        }
    }

    /// <summary>What the next item can be.</summary>
    private IEnumerable<ArrayShape.Option> Open() =>
        shape.Options(items).Where(o => o.Value.Shortest != RegexStore.Unlimited && (o.Unique < 0 || (used >> o.Unique & 1) == 0));

    private ArrayNode? After(ArrayShape.Option option)
    {
        int[] next = (int[])counts.Clone();
        for (int c = 0; c < next.Length; c++)
        {
            if ((option.Counted >> c & 1) == 0)
                continue;
            ItemCount count = shape.Counts[c];
            next[c] = Math.Min(next[c] + 1, count.Max == int.MaxValue ? count.Min : count.Max + 1);
            if (next[c] > count.Max)
                return null;
        }
        return items + 1 > shape.Max ? null : shape.Node(ObjectPhase.Value, shape.Saturated(items + 1), next, option.Unique < 0 ? used : used | (1 << option.Unique));
    }

    private int Missing()
    {
        int missing = 0;
        for (int c = 0; c < counts.Length; c++)
            missing += Math.Max(0, shape.Counts[c].Min - counts[c]);
        return missing;
    }

    /// <summary>The fewest bytes to the closing bracket, or a few more where one item could serve several contains.</summary>
    private int Cost()
    {
        int wanted = Math.Max(Math.Max(shape.Min - items, phase == ObjectPhase.Comma ? 1 : 0), Missing());
        if (items > shape.Max || (shape.Max != int.MaxValue && items + wanted > shape.Max))
            return RegexStore.Unlimited;
        long cost = 1;
        int[] left = new int[counts.Length];
        for (int c = 0; c < left.Length; c++)
            left[c] = Math.Max(0, shape.Counts[c].Min - counts[c]);
        int taken = used;
        for (int i = 0; i < wanted; i++)
        {
            (long best, ArrayShape.Option? option) = Cheapest(items + i, left, taken, wanted - i);
            if (option is null)
                return RegexStore.Unlimited;
            for (int c = 0; c < left.Length; c++)
                left[c] -= (option.Counted >> c & 1) != 0 && left[c] > 0 ? 1 : 0;
            taken |= option.Unique < 0 ? 0 : 1 << option.Unique;
            cost += best;
            if (cost >= RegexStore.Unlimited)
                return RegexStore.Unlimited;
        }
        if (left.Any(l => l > 0))
            return RegexStore.Unlimited;
        return (int)Math.Min(RegexStore.Unlimited, cost + (phase == ObjectPhase.Value ? wanted : Math.Max(0, wanted - 1)));
    }

    /// <summary>The cheapest next item: one that a contains still wants where there is just room for those.</summary>
    private (long Cost, ArrayShape.Option? Option) Cheapest(int item, int[] left, int taken, int room)
    {
        bool mustCount = left.Sum() >= room && left.Sum() > 0;
        long best = RegexStore.Unlimited;
        ArrayShape.Option? chosen = null;
        foreach (ArrayShape.Option option in shape.Options(item))
        {
            bool counts = Enumerable.Range(0, left.Length).Any(c => left[c] > 0 && (option.Counted >> c & 1) != 0);
            if (option.Value.Shortest < best && (counts || !mustCount || item < shape.Alike) && (option.Unique < 0 || (taken >> option.Unique & 1) == 0))
                (best, chosen) = (option.Value.Shortest, option);
        }
        return (best, chosen);
    }
}
