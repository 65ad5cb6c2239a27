namespace Gradus.Generation.Structure.Languages;

/// <summary>What a regular expression says, before it is a language: anchors and look-aheads have no language of their own.</summary>
internal abstract record Pattern
{
    /// <summary>One character.</summary>
    public sealed record Character(CodePoints Set) : Pattern;

    /// <summary>One after another.</summary>
    public sealed record Sequence(IReadOnlyList<Pattern> Parts) : Pattern;

    /// <summary>Any of several.</summary>
    public sealed record Choice(IReadOnlyList<Pattern> Parts) : Pattern;

    /// <summary>A number of times.</summary>
    public sealed record Times(Pattern Inner, int Min, int Max) : Pattern;

    /// <summary>The start of the text, <c>^</c>.</summary>
    public sealed record Start : Pattern;

    /// <summary>The end of the text, <c>$</c>.</summary>
    public sealed record End : Pattern;

    /// <summary>What follows, or does not.</summary>
    public sealed record Ahead(Pattern Inner, bool Negative) : Pattern;

    /// <summary>Whether there are anchors or look-aheads inside.</summary>
    public bool HasPlaces => this switch
    {
        Sequence s => s.Parts.Any(p => p.HasPlaces),
        Choice c => c.Parts.Any(p => p.HasPlaces),
        Times t => t.Inner.HasPlaces,
        Character => false,
        _ => true,
    };

    /// <summary>The texts that the pattern matches somewhere, or as a whole.</summary>
    /// <param name="coding">How characters become bytes.</param>
    /// <param name="whole">Whether the whole text must match, anchors or not.</param>
    /// <param name="place">What errors call the pattern.</param>
    /// <exception cref="StructureException">An anchor or look-ahead stands where it cannot be told what it means for the whole text.</exception>
    public int ToLanguage(CharacterCoding coding, bool whole, string place) => Texts([this], coding, whole, place);

    private static int Texts(IReadOnlyList<Pattern> parts, CharacterCoding coding, bool whole, string place)
    {
        List<Pattern> flat = [];
        Flatten(parts, flat);
        for (int i = 0; i < flat.Count; i++)
        {
            if (flat[i] is Choice choice && choice.HasPlaces)
                return coding.Regex.Or([.. choice.Parts.Select(p => Texts([.. flat.Take(i), p, .. flat.Skip(i + 1)], coding, whole, place))]);
            if (flat[i] is Times { Min: 0, Max: 1 } maybe && maybe.HasPlaces)
                return coding.Regex.Or(Texts([.. flat.Take(i), .. flat.Skip(i + 1)], coding, whole, place), Texts([.. flat.Take(i), maybe.Inner, .. flat.Skip(i + 1)], coding, whole, place));
            if (flat[i] is Times times && times.HasPlaces)
                throw new StructureException($"{place}: an anchor or look-ahead that is repeated cannot be enforced; take it out of the repetition.");
        }
        bool start = whole;
        while (flat is [Start, ..])
        {
            start = true;
            flat.RemoveAt(0);
        }
        bool end = whole;
        while (flat is [.., End])
        {
            end = true;
            flat.RemoveAt(flat.Count - 1);
        }
        RegexStore regex = coding.Regex;
        int language = end ? RegexStore.Epsilon : coding.AnyText;
        for (int i = flat.Count - 1; i >= 0; i--)
        {
            if (flat[i] is Start or End)
                throw new StructureException($"{place}: {(flat[i] is Start ? "^" : "$")} in the middle cannot be enforced; put it at the end of its branch.");
            if (flat[i] is Ahead ahead)
            {
                // What is looked at begins here and may end anywhere.
                int seen = Texts([new Start(), ahead.Inner], coding, whole: false, place);
                language = ahead.Negative ? regex.Minus(language, seen) : regex.And(language, seen);
                continue;
            }
            language = regex.Concat(Plain(flat[i], coding), language);
        }
        return start ? language : regex.Concat(coding.AnyText, language);
    }

    private static void Flatten(IReadOnlyList<Pattern> parts, List<Pattern> flat)
    {
        foreach (Pattern part in parts)
        {
            if (part is Sequence s)
                Flatten(s.Parts, flat);
            else if (part is Times { Min: 1, Max: 1 } one)
                Flatten([one.Inner], flat);
            else if (part is Choice { Parts: [Pattern only] })
                Flatten([only], flat);
            else
                flat.Add(part);
        }
    }

    private static int Plain(Pattern pattern, CharacterCoding coding) => pattern switch
    {
        Character c => coding.Of(c.Set),
        Sequence s => coding.Regex.Concat([.. s.Parts.Select(p => Plain(p, coding))]),
        Choice c => coding.Regex.Or([.. c.Parts.Select(p => Plain(p, coding))]),
        Times t => coding.Regex.Repeat(Plain(t.Inner, coding), t.Min, t.Max),
        _ => throw new InvalidOperationException("Anchors were taken out before."),
    };
}
