namespace Gradus.Generation.Structure;

/// <summary>
/// Forbids all tokens that a grammar does not allow next, and the end tokens where the text may not end. What it remembers of sequences
/// only saves work: any number of them and of threads may share one step.
/// </summary>
/// <param name="grammar">What the generated text must look like.</param>
/// <param name="tokens">The vocabulary.</param>
/// <param name="endTokens">The tokens that end a text.</param>
/// <param name="maxTokens">The most tokens that are generated; the text is complete by then.</param>
/// <exception cref="StructureException">The vocabulary cannot write such a text, or not with so few tokens.</exception>
public sealed class FollowGrammar(Grammar grammar, TokenBytes tokens, IReadOnlyList<int> endTokens, int maxTokens = int.MaxValue) : LogitsStep
{
    private const int MostRemembered = 256;

    private readonly GrammarMatcher _start = new(grammar, tokens, endTokens, maxTokens);
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, (int[] Tokens, GrammarMatcher Matcher)> _remembered = [];

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The sequence so far does not follow the grammar.</exception>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        GrammarMatcher matcher = Find(state.Generated);
        matcher.Apply(logits);
    }

    private static ulong HashOf(ReadOnlySpan<int> tokens)
    {
        ulong hash = 14695981039346656037;
        foreach (int token in tokens)
            hash = (hash ^ (uint)token) * 1099511628211;
        return hash;
    }

    /// <summary>The matcher after some tokens: one step from that of all but the last, or from the start.</summary>
    private GrammarMatcher Find(ReadOnlySpan<int> generated)
    {
        if (generated.Length == 0)
            return _start.Copy();
        lock (_lock)
        {
            ReadOnlySpan<int> before = generated[..^1];
            GrammarMatcher matcher;
            if (_remembered.TryGetValue(HashOf(before), out (int[] Tokens, GrammarMatcher Matcher) known) && before.SequenceEqual(known.Tokens))
            {
                matcher = known.Matcher.Copy();
            }
            else
            {
                matcher = _start.Copy();
                foreach (int token in before)
                    matcher.Accept(token);
            }
            matcher.Accept(generated[^1]);
            if (_remembered.Count >= MostRemembered)
                _remembered.Clear();
            _remembered[HashOf(generated)] = (generated.ToArray(), matcher);
            return matcher.Copy();
        }
    }
}
