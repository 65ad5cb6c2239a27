namespace Gradus.Training.Data.Tokens;

/// <summary>Tokens that follow each other, in memory or in files. Safe for use by many threads.</summary>
public abstract class TokenSequence
{
    /// <summary>How many there are.</summary>
    public abstract long Length { get; }

    /// <summary>Reads tokens.</summary>
    /// <param name="start">The place of the first.</param>
    /// <param name="destination">Becomes the tokens.</param>
    public abstract void Read(long start, Span<int> destination);

    /// <summary>Tokens in memory.</summary>
    public static TokenSequence Of(int[] tokens) => new InArray(tokens);

    private sealed class InArray(int[] tokens) : TokenSequence
    {
        public override long Length => tokens.Length;

        public override void Read(long start, Span<int> destination) => tokens.AsSpan((int)start, destination.Length).CopyTo(destination);
    }
}

/// <summary>Some documents of shards that follow each other.</summary>
/// <param name="shards">The shards.</param>
/// <param name="from">The first document.</param>
/// <param name="to">The one behind the last.</param>
public sealed class DocumentTokens(TokenShards shards, int from, int to) : TokenSequence
{
    private readonly long _start = shards.StartOf(from);

    /// <summary>How many documents there are.</summary>
    public int Documents => to - from;

    /// <summary>UTF-8 bytes of their text.</summary>
    public long TextBytes { get; } = shards.TextBytes(from, to);

    /// <inheritdoc/>
    public override long Length { get; } = shards.StartOf(to) - shards.StartOf(from);

    /// <summary>The place of a document's first token in this sequence; of the number of documents: its length.</summary>
    public long StartOf(int document) => shards.StartOf(from + document) - _start;

    /// <inheritdoc/>
    public override void Read(long start, Span<int> destination) => shards.Read(_start + start, destination);
}

/// <summary>
/// Documents as examples: a document longer than the limit is several, each of which begins with the last token of the one before, so that
/// every token is predicted once.
/// </summary>
public sealed class DocumentExamples : ExampleSet
{
    private readonly DocumentTokens _documents;
    private readonly List<long> _starts = [];
    private readonly List<int> _lengths = [];

    /// <summary>Cuts documents.</summary>
    /// <param name="documents">The documents.</param>
    /// <param name="limit">The most tokens of an example, ≥ 2.</param>
    public DocumentExamples(DocumentTokens documents, int limit)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 2);
        _documents = documents;
        for (int i = 0; i < documents.Documents; i++)
        {
            long end = documents.StartOf(i + 1);
            for (long start = documents.StartOf(i); start + 1 < end; start += limit - 1)
            {
                _starts.Add(start);
                _lengths.Add((int)Math.Min(limit, end - start));
            }
        }
    }

    /// <inheritdoc/>
    public override int Count => _starts.Count;

    /// <summary>Tokens that are predicted.</summary>
    public long Targets => _lengths.Sum(l => (long)l - 1);

    /// <inheritdoc/>
    public override Example this[int index]
    {
        get
        {
            int[] ids = new int[_lengths[index]];
            _documents.Read(_starts[index], ids);
            return new Example(ids);
        }
    }

    /// <inheritdoc/>
    public override int TokensOf(int index) => _lengths[index];
}
