using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure.Json;

/// <summary>
/// What one alternative says of objects, as a grammar: every property by name at most once, in any order, and others by the language of
/// their names. Nodes remember which properties there were, as far as it matters.
/// </summary>
internal sealed class ObjectShape
{
    private readonly Dictionary<int[], ObjectNode> _nodes = new(IntArrays.Comparer);

    /// <summary>A property that has a name, or names of a language.</summary>
    /// <param name="Lexeme">The name and the colon.</param>
    /// <param name="Value">What its value is.</param>
    /// <param name="Counts">Which of the wanted ones it is, as bits.</param>
    internal sealed record Entry(int Lexeme, Nonterminal Value, int Counts);

    public ObjectShape(JsonGrammar grammar, Nonterminal owner, ObjectRules rules)
    {
        Grammar = grammar;
        Owner = owner;
        Min = rules.Min;
        Max = rules.Max;
        Wanted = rules.Some.Count;
        if (Wanted > 8)
            throw new StructureException("#: more than 8 properties of which there must be some cannot be enforced together.");
        string[] names = [.. rules.Required.Concat(rules.Dependent.SelectMany(d => d.Needs.Prepend(d.Name))).Concat(rules.Properties.SelectMany(p => p.Named.Keys)).Distinct()];
        Dictionary<string, int> index = new(StringComparer.Ordinal);
        foreach (string name in names)
        {
            index[name] = index.Count;
            Named.Add(NamedEntries(rules, name));
        }
        Required = [.. rules.Required.Select(n => index[n])];
        Dependent = [.. rules.Dependent.Select(d => (index[d.Name], d.Needs.Select(n => index[n]).ToArray()))];
        AddOthers(rules, names);
    }

    public JsonGrammar Grammar { get; }

    public Nonterminal Owner { get; }

    public int Min { get; }

    public int Max { get; }

    /// <summary>How many kinds of properties there must be one of.</summary>
    public int Wanted { get; }

    /// <summary>For every name the ways its property can be; none where it is forbidden.</summary>
    public List<Entry[]> Named { get; } = [];

    /// <summary>Properties of other names.</summary>
    public List<Entry> Others { get; } = [];

    public int[] Required { get; }

    public (int Name, int[] Needs)[] Dependent { get; }

    /// <summary>Whether the number of properties matters.</summary>
    public bool CountsProperties => Min > 0 || Max != int.MaxValue;

    /// <summary>Whether a property may make the object impossible to complete.</summary>
    public bool MayFail => Max != int.MaxValue || Dependent.Length > 0 || Wanted > 0;

    /// <summary>The node of a state.</summary>
    public ObjectNode Node(ObjectPhase phase, ulong[] seen, int count, int had)
    {
        int[] key = new int[3 + (seen.Length * 2)];
        (key[0], key[1], key[2]) = ((int)phase, count, had);
        System.Runtime.InteropServices.MemoryMarshal.AsBytes(seen.AsSpan()).CopyTo(System.Runtime.InteropServices.MemoryMarshal.AsBytes(key.AsSpan(3)));
        if (!_nodes.TryGetValue(key, out ObjectNode? node))
            _nodes[key] = node = new ObjectNode(this, phase, seen, count, had);
        return node;
    }

    /// <summary>The schemas that a property's value must satisfy.</summary>
    public static Literals ValueOf(ObjectRules rules, string name, RegexStore regex, CharacterCoding coding)
    {
        Literals all = Literals.None;
        foreach (PropertyRules properties in rules.Properties)
        {
            bool found = properties.Named.TryGetValue(name, out int literal);
            if (found)
                all = all.And(literal);
            foreach ((int pattern, int value) in properties.Patterned)
            {
                if (!regex.Matches(pattern, JsonText.Write(name)))
                    continue;
                all = all.And(value);
                found = true;
            }
            if (!found && properties.Others is { } others)
                all = all.And(others);
        }
        return all;
    }

    private Entry[] NamedEntries(ObjectRules rules, string name)
    {
        RegexStore regex = Grammar.Regex;
        byte[] text = JsonText.Write(name);
        if (rules.Names is { } names && !regex.Matches(names, text))
            return [];
        Literals value = ValueOf(rules, name, regex, Grammar.Coding);
        return Variants(Grammar.Name(Grammar.Coding.Literal(name)), value, rules.Some.Select(s => (regex.Matches(s.Names, text), s.Literal)));
    }

    /// <summary>A property, and once more for every wanted kind that it can be.</summary>
    private Entry[] Variants(int lexeme, Literals value, IEnumerable<(bool Applies, int Literal)> wanted)
    {
        List<Entry> entries = [new Entry(lexeme, Grammar.Value(value), 0)];
        int bit = 0;
        foreach ((bool applies, int literal) in wanted)
        {
            if (applies)
                entries.AddRange(entries.ToArray().Select(e => new Entry(lexeme, Grammar.Value(Grammar.LiteralsOf(e.Value).And(literal)), e.Counts | (1 << bit))));
            bit++;
        }
        return [.. entries];
    }

    /// <summary>Other names, by which of the patterns they match: each kind has its own values.</summary>
    private void AddOthers(ObjectRules rules, string[] names)
    {
        RegexStore regex = Grammar.Regex;
        int[] patterns = [.. rules.Properties.SelectMany(p => p.Patterned.Select(x => x.Names)).Concat(rules.Some.Select(s => s.Names)).Distinct()];
        if (patterns.Length > 10)
            throw new StructureException("#: more than 10 patterns of property names cannot be enforced together.");
        int rest = regex.Minus(rules.Names ?? Grammar.Coding.AnyText, Grammar.Coding.Literals(names));
        for (int subset = 0; subset < 1 << patterns.Length; subset++)
        {
            int language = rest;
            for (int i = 0; i < patterns.Length; i++)
                language = (subset >> i & 1) != 0 ? regex.And(language, patterns[i]) : regex.Minus(language, patterns[i]);
            if (regex.IsEmpty(language))
                continue;
            Literals value = Literals.None;
            foreach (PropertyRules properties in rules.Properties)
            {
                int[] matched = [.. properties.Patterned.Where(p => (subset >> Array.IndexOf(patterns, p.Names) & 1) != 0).Select(p => p.Literal)];
                foreach (int literal in matched)
                    value = value.And(literal);
                if (matched.Length == 0 && properties.Others is { } others)
                    value = value.And(others);
            }
            Others.AddRange(Variants(Grammar.Name(language), value, rules.Some.Select(s => ((subset >> Array.IndexOf(patterns, s.Names) & 1) != 0, s.Literal))));
        }
    }
}

/// <summary>Where in an object the text stands.</summary>
internal enum ObjectPhase
{
    /// <summary>After {.</summary>
    Open,

    /// <summary>After a value.</summary>
    Value,

    /// <summary>After a comma.</summary>
    Comma,
}
