namespace Gradus.Generation.Structure;

/// <summary>
/// Lets a model reason before it writes what a structure allows: everything may come until the tokens that end the reasoning, but no end of the
/// text. Where the budget would not hold the structure any more, the reasoning is ended.
/// </summary>
public sealed class ReasoningConstraint : TokenConstraint
{
    private readonly int[] _end;
    private readonly int[] _endTokens;
    private readonly int _reserved;
    private readonly Func<int, TokenConstraint> _after;
    private TokenConstraint? _structure;
    private int _remaining;
    private int _matched;

    /// <summary>A sequence that begins within the reasoning.</summary>
    /// <param name="end">The tokens that end the reasoning, at least one.</param>
    /// <param name="endTokens">The tokens that end a text, forbidden while the model reasons.</param>
    /// <param name="reserved">The tokens that the structure needs at least, ≥ 0.</param>
    /// <param name="maxTokens">The tokens of reasoning and structure together at most.</param>
    /// <param name="after">Makes the constraint of the structure, given how many tokens are left for it.</param>
    /// <exception cref="StructureException">Not even an empty reasoning and the structure fit.</exception>
    public ReasoningConstraint(IReadOnlyList<int> end, IReadOnlyList<int> endTokens, int reserved, int maxTokens, Func<int, TokenConstraint> after)
    {
        ArgumentNullException.ThrowIfNull(end);
        ArgumentNullException.ThrowIfNull(endTokens);
        ArgumentNullException.ThrowIfNull(after);
        ArgumentOutOfRangeException.ThrowIfZero(end.Count, nameof(end));
        ArgumentOutOfRangeException.ThrowIfNegative(reserved);
        if ((long)reserved + end.Count > maxTokens)
            throw new StructureException($"The end of the reasoning and the structure behind it need at least {(long)reserved + end.Count} tokens, but there may be only {maxTokens}; allow more.");
        _end = [.. end];
        _endTokens = [.. endTokens];
        (_reserved, _remaining, _after) = (reserved, maxTokens, after);
    }

    /// <inheritdoc/>
    public override void Prepare() => _structure?.Prepare();

    /// <inheritdoc/>
    public override void Mask(Span<float> logits)
    {
        if (_structure is not null)
        {
            _structure.Mask(logits);
            return;
        }
        int next = _end[_matched];
        if (_remaining <= _reserved + _end.Length)
        {
            float kept = logits[next];
            logits.Fill(float.NegativeInfinity);
            logits[next] = float.IsNegativeInfinity(kept) ? 0 : kept;
            return;
        }
        foreach (int token in _endTokens)
        {
            if ((uint)token < (uint)logits.Length)
                logits[token] = float.NegativeInfinity;
        }
    }

    /// <inheritdoc/>
    public override void Accept(int token)
    {
        if (_structure is not null)
        {
            _structure.Accept(token);
            return;
        }
        _remaining--;
        _matched = token == _end[_matched] ? _matched + 1 : token == _end[0] ? 1 : 0;
        if (_matched == _end.Length)
            _structure = _after(_remaining);
    }
}
