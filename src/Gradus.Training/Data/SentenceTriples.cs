using Gradus.Nn;

namespace Gradus.Training.Data;

/// <summary>Texts that belong together, tokenized.</summary>
/// <param name="Anchor">A text.</param>
/// <param name="Positive">A text that is to lie near it.</param>
/// <param name="Negative">A text that is not; null for none.</param>
public sealed record SentenceTriple(int[] Anchor, int[] Positive, int[]? Negative)
{
    /// <summary>All tokens that go through the model.</summary>
    public int TotalTokens => Anchor.Length + Positive.Length + (Negative?.Length ?? 0);
}

/// <summary>Texts that go through the model at once: the positives and negatives of others are negatives of each.</summary>
/// <param name="Tokens">P anchors, then the P positives in the same order, then as many negatives, or none.</param>
/// <param name="Pairs">P.</param>
/// <param name="Same">For every anchor and candidate (positives, then negatives), row by row, whether the candidate is the anchor's own positive once more, and so no negative.</param>
public sealed record TripleBatch(TokenBatch Tokens, int Pairs, IReadOnlyList<bool> Same) : TrainingBatch
{
    /// <summary>Positives and negatives.</summary>
    public int Candidates => Tokens.Sequences - Pairs;

    /// <inheritdoc/>
    public override long TokenCount => Tokens.Count;

    /// <inheritdoc/>
    public override IReadOnlyList<double> Weights => [Pairs];
}

/// <summary>Texts that belong together, packed into micro-batches.</summary>
public sealed class SentenceTriples
{
    private readonly IReadOnlyList<SentenceTriple> _triples;
    private readonly PassOrder _order;

    /// <summary>Packs texts.</summary>
    /// <param name="triples">At least one; all have a negative, or none has.</param>
    /// <param name="tokens">The most tokens per micro-batch: the more, the more negatives each text has.</param>
    /// <param name="seed">Which order they come in.</param>
    /// <exception cref="InvalidDataException">There are none, or one is too long.</exception>
    public SentenceTriples(IReadOnlyList<SentenceTriple> triples, int tokens, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(triples);
        (_triples, _order) = (triples, new PassOrder([.. triples.Select(t => t.TotalTokens)], tokens, seed));
    }

    /// <summary>The micro-batch of a number, from 0, without end.</summary>
    public TripleBatch this[long index] => Pack(_order[index]);

    /// <summary>Micro-batches in which a number of passes come to their end.</summary>
    public long BatchesOf(long passes) => _order.BatchesOf(passes);

    /// <summary>Everything once, in order.</summary>
    public IEnumerable<TripleBatch> All() => _order.All().Select(Pack);

    private TripleBatch Pack(IReadOnlyList<int> chosen)
    {
        SentenceTriple[] triples = [.. chosen.Select(i => _triples[i])];
        int[][] candidates = [.. triples.Select(t => t.Positive), .. triples.Select(t => t.Negative).OfType<int[]>()];
        bool[] same = new bool[triples.Length * candidates.Length];
        for (int i = 0; i < triples.Length; i++)
        {
            for (int j = 0; j < candidates.Length; j++)
                same[(i * candidates.Length) + j] = j != i && candidates[j].AsSpan().SequenceEqual(triples[i].Positive);
        }
        return new TripleBatch(TokenBatch.Of([.. triples.Select(t => t.Anchor), .. candidates]), triples.Length, same);
    }
}
