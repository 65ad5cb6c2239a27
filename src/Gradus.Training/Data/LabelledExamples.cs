using Gradus.Nn;

namespace Gradus.Training.Data;

/// <summary>A tokenized text with what a head should make of it.</summary>
/// <param name="Ids">The text's tokens, special ones included.</param>
public sealed record LabelledExample(int[] Ids)
{
    /// <summary>The part of the sequence that every token belongs to, or null for 0 everywhere.</summary>
    public int[]? TokenTypes { get; init; }

    /// <summary>The class of the text (one value) or of every token; null where the labels are numbers or a span.</summary>
    public int[]? Classes { get; init; }

    /// <summary>Numbers of the text: one for a regression, one for each label of several; null otherwise.</summary>
    public float[]? Numbers { get; init; }

    /// <summary>The first and the last token of an answer, counted from 0; −1 where it has none. Null otherwise.</summary>
    public (int First, int Last)? Span { get; init; }
}

/// <summary>Labelled texts packed into micro-batches. They never see each other.</summary>
public sealed class LabelledExamples : TaskSource
{
    private readonly IReadOnlyList<LabelledExample> _examples;
    private readonly PassOrder _order;

    /// <summary>Packs examples.</summary>
    /// <param name="examples">At least one, each at most <paramref name="tokens"/> long, all labelled for the same kind of head.</param>
    /// <param name="tokens">The most tokens per micro-batch.</param>
    /// <param name="seed">Which order they come in.</param>
    /// <exception cref="InvalidDataException">There are no examples, or one is too long.</exception>
    public LabelledExamples(IReadOnlyList<LabelledExample> examples, int tokens, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(examples);
        _examples = examples;
        _order = new PassOrder([.. examples.Select(e => e.Ids.Length)], tokens, seed);
    }

    /// <inheritdoc/>
    public override TaskBatch this[long index] => Pack(_order[index]);

    /// <inheritdoc/>
    public override IEnumerable<TaskBatch> All() => _order.All().Select(Pack);

    private TaskBatch Pack(IReadOnlyList<int> chosen)
    {
        LabelledExample[] examples = [.. chosen.Select(i => _examples[i])];
        int[] starts = new int[examples.Length + 1];
        for (int i = 0; i < examples.Length; i++)
            starts[i + 1] = starts[i] + examples[i].Ids.Length;
        int[]? types = examples.Any(e => e.TokenTypes is not null) ? [.. examples.SelectMany(e => e.TokenTypes ?? new int[e.Ids.Length])] : null;
        TokenBatch tokens = new([.. examples.SelectMany(e => e.Ids)], starts, tokenTypes: types);
        return new TaskBatch(tokens, [examples[0] switch
        {
            { Span: not null } => HeadTargets.OfSpans(tokens, [.. examples.Select(e => e.Span!.Value)]),
            { Numbers: { } numbers } => HeadTargets.Of([.. examples.SelectMany(e => e.Numbers!)], numbers.Length),
            _ => HeadTargets.Of([.. examples.SelectMany(e => e.Classes!)]),
        }]);
    }
}
