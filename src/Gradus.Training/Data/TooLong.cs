namespace Gradus.Training.Data;

/// <summary>What becomes of a record that is longer than training takes.</summary>
public enum TooLong
{
    /// <summary>It is left out, and counted.</summary>
    Drop,

    /// <summary>The beginning is cut off, as much as it takes; a record whose last answer alone is too long is left out.</summary>
    KeepAnswer,

    /// <summary>It becomes several examples, one after the other.</summary>
    Split,
}

/// <summary>How long examples may be.</summary>
/// <param name="Longest">The most tokens of a sequence, ≥ 1; of a model with an encoder those of either side.</param>
/// <param name="BatchTokens">The most tokens of an example with both sides, ≥ 1.</param>
/// <param name="TooLong">What becomes of longer ones.</param>
public sealed record ExampleLimits(int Longest, int BatchTokens, TooLong TooLong = TooLong.Drop)
{
    /// <summary>The most tokens of an example without a source.</summary>
    public int Tokens => Math.Min(Longest, BatchTokens);

    /// <summary>An example, cut to the limits; none where it does not fit.</summary>
    /// <param name="example">The example.</param>
    /// <param name="bosId">A token that stays at the beginning, or null.</param>
    public IReadOnlyList<Example> Fit(Example example, int? bosId)
    {
        ArgumentNullException.ThrowIfNull(example);
        if (example.Source is { } source)
            return FitSource(example, source);
        if (example.Ids.Length <= Tokens)
            return [example];
        return TooLong switch
        {
            TooLong.KeepAnswer => KeepEnd(example, bosId) is { } kept ? [kept] : [],
            TooLong.Split => [.. Pieces(example, Tokens)],
            _ => [],
        };
    }

    /// <summary>
    /// The pieces of an example that is longer than one may be. Each begins with the last token of the one before, so that every token is learned
    /// once; pieces with nothing to learn are left out.
    /// </summary>
    public static IEnumerable<Example> Pieces(Example example, int limit)
    {
        ArgumentNullException.ThrowIfNull(example);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        for (int start = 0; start + 1 < example.Ids.Length && limit > 1; start += limit - 1)
        {
            Range part = start..Math.Min(example.Ids.Length, start + limit);
            Example piece = new(example.Ids[part], example.Counts?[part]);
            if (piece.HasTarget)
                yield return piece;
        }
    }

    // An answer whose beginning is cut off is no answer: it does not count.
    private Example? KeepEnd(Example example, int? bosId)
    {
        bool keepsBos = bosId is { } bos && example.Ids[0] == bos && Tokens > 1;
        int from = example.Ids.Length - Tokens + (keepsBos ? 1 : 0);
        bool[] counts = example.Counts is { } given ? [.. given] : [.. Enumerable.Repeat(true, example.Ids.Length)];
        if (counts[from - 1])
        {
            for (int i = from; i < counts.Length && counts[i]; i++)
                counts[i] = false;
        }
        Example kept = keepsBos
            ? new([bosId!.Value, .. example.Ids[from..]], [false, .. counts[from..]])
            : new(example.Ids[from..], counts[from..]);
        return kept.HasTarget ? kept : null;
    }

    private IReadOnlyList<Example> FitSource(Example example, int[] source)
    {
        if (source.Length == 0)
            return [];
        if (example.Ids.Length <= Longest && source.Length <= Longest && example.TotalTokens <= BatchTokens)
            return [example];
        int room = Math.Min(Longest, BatchTokens - example.Ids.Length);
        return TooLong == TooLong.KeepAnswer && example.Ids.Length <= Longest && room > 0
            ? [example with { Source = source[^Math.Min(room, source.Length)..] }]
            : [];
    }
}
