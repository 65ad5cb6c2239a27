namespace Gradus.Nn;

/// <summary>
/// Tokens of one or more sequences, laid end to end without padding. Sequences never see each other, so padded batches, packed
/// documents and single sequences are all the same thing.
/// </summary>
public sealed class TokenBatch
{
    /// <summary>Describes sequences whose positions count from 0.</summary>
    /// <param name="ids">All tokens.</param>
    /// <param name="starts">Where each sequence begins, then the total: S + 1 ascending numbers from 0. One sequence where null.</param>
    /// <param name="positions">The position of every token, or null to count from 0 in each sequence.</param>
    /// <param name="tokenTypes">The part of its sequence that every token belongs to (BERT's first and second sentence), or null for 0 everywhere.</param>
    public TokenBatch(int[] ids, int[]? starts = null, int[]? positions = null, int[]? tokenTypes = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        Ids = ids;
        Starts = starts ?? [0, ids.Length];
        if (Starts[^1] != ids.Length)
            throw new ArgumentException($"{ids.Length} tokens, but the sequences end at {Starts[^1]}.", nameof(starts));
        Positions = positions ?? CountPositions(Starts);
        if (Positions.Length != ids.Length)
            throw new ArgumentException($"{ids.Length} tokens, but {Positions.Length} positions.", nameof(positions));
        if (tokenTypes is not null && tokenTypes.Length != ids.Length)
            throw new ArgumentException($"{ids.Length} tokens, but {tokenTypes.Length} token types.", nameof(tokenTypes));
        TokenTypes = tokenTypes;
    }

    /// <summary>All tokens, N of them.</summary>
    public int[] Ids { get; }

    /// <summary>Where each sequence begins, then N.</summary>
    public int[] Starts { get; }

    /// <summary>The position of every token in its sequence.</summary>
    public int[] Positions { get; }

    /// <summary>The part of its sequence that every token belongs to, or null: 0 everywhere.</summary>
    public int[]? TokenTypes { get; }
    /// <summary>What an encoder reads for these sequences, as many; null for models without one.</summary>
    public TokenBatch? Source
    {
        get;
        init => field = value is null || value.Sequences == Sequences
            ? value
            : throw new ArgumentException($"{Sequences} sequences, but {value.Sequences} sources.", nameof(value));
    }

    /// <summary>The task of every sequence, where an adapter has virtual tokens for several; null: 0 everywhere.</summary>
    public int[]? Tasks { get; init; }

    /// <summary>The number of sequences.</summary>
    public int Sequences => Starts.Length - 1;

    /// <summary>The number of tokens.</summary>
    public int Count => Ids.Length;

    /// <summary>A batch of sequences of any lengths.</summary>
    public static TokenBatch Of(IReadOnlyList<int[]> sequences)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        int[] starts = new int[sequences.Count + 1];
        for (int i = 0; i < sequences.Count; i++)
            starts[i + 1] = starts[i] + sequences[i].Length;
        int[] ids = new int[starts[^1]];
        for (int i = 0; i < sequences.Count; i++)
            sequences[i].CopyTo(ids, starts[i]);
        return new TokenBatch(ids, starts);
    }

    private static int[] CountPositions(int[] starts)
    {
        int[] positions = new int[starts[^1]];
        for (int s = 0; s + 1 < starts.Length; s++)
        {
            for (int i = starts[s]; i < starts[s + 1]; i++)
                positions[i] = i - starts[s];
        }
        return positions;
    }
}
