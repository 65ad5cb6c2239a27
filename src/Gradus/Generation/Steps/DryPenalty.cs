namespace Gradus.Generation;

/// <summary>
/// DRY ("don't repeat yourself"): a token that would continue a repetition of L tokens loses multiplier · base^(L − allowed) where L is at least
/// the allowed length; no repetition goes over a breaker (p-e-w, text-generation-webui #5677, 2024).
/// </summary>
/// <param name="multiplier">0 or more.</param>
/// <param name="penaltyBase">1 or more.</param>
/// <param name="allowed">Tokens that may be repeated freely, ≥ 1.</param>
/// <param name="breakers">Tokens that end a repetition, such as line ends and quotes.</param>
public sealed class DryPenalty(float multiplier, float penaltyBase = 1.75f, int allowed = 2, IReadOnlyList<int>? breakers = null) : LogitsStep
{
    private const double MostPenalty = 1e6;

    private readonly float _multiplier = multiplier >= 0 && float.IsFinite(multiplier) ? multiplier : throw new ArgumentOutOfRangeException(nameof(multiplier), multiplier, "multiplier is 0 or more.");
    private readonly float _base = penaltyBase >= 1 && float.IsFinite(penaltyBase) ? penaltyBase : throw new ArgumentOutOfRangeException(nameof(penaltyBase), penaltyBase, "penaltyBase is 1 or more.");
    private readonly int _allowed = AtLeastOne(allowed, nameof(allowed));
    private readonly HashSet<int> _breakers = [.. Ids(breakers ?? [], nameof(breakers))];

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        ReadOnlySpan<int> tokens = state.Tokens;
        int last = tokens.Length - 1;
        if (_multiplier == 0 || last < _allowed || _breakers.Contains(tokens[last]))
            return;
        Span<int> longest = state.Scratch.Counts(logits.Length);
        Span<int> lengths = state.Scratch.Ints(tokens.Length);
        CommonSuffixes(tokens, lengths);
        // For each token the longest repetition that it would continue.
        for (int end = 0; end < last; end++)
        {
            int next = tokens[end + 1];
            if (lengths[end] >= _allowed && (uint)next < (uint)logits.Length && !_breakers.Contains(next))
                longest[next] = Math.Max(longest[next], lengths[end]);
        }
        for (int end = 0; end < last; end++)
        {
            int next = tokens[end + 1];
            if ((uint)next >= (uint)logits.Length || longest[next] == 0)
                continue;
            logits[next] -= (float)(_multiplier * Math.Min(MostPenalty, Math.Pow(_base, longest[next] - _allowed)));
            longest[next] = 0;
        }
    }

    // How many tokens up to each place are those at the end, breakers apart: the Z-algorithm from behind, O(n).
    private void CommonSuffixes(ReadOnlySpan<int> tokens, Span<int> lengths)
    {
        int n = tokens.Length, suffix = 0;
        while (suffix < n && !_breakers.Contains(tokens[n - 1 - suffix]))
            suffix++;
        // (left, right) in distances from the end: the stretch that reaches furthest.
        int left = 0, right = 0;
        lengths[n - 1] = suffix;
        for (int distance = 1; distance < n; distance++)
        {
            int length = distance < right ? Math.Min(right - distance, lengths[n - 1 - (distance - left)]) : 0;
            while (distance + length < n && length < suffix && tokens[n - 1 - length] == tokens[n - 1 - distance - length])
                length++;
            if (distance + length > right)
                (left, right) = (distance, distance + length);
            lengths[n - 1 - distance] = length;
        }
    }
}
