// Tokens that are guessed ahead and read together with the one before them. Sources: Leviathan, Kalman and Matias, "Fast Inference from Transformers via
// Speculative Decoding", 2023; Saxena, "Prompt Lookup Decoding", 2023. The rule that accepts is stricter than theirs: every token is chosen as it would be without
// guesses, from scores with the same bits and with the random number of its position, and a guess counts only where it is that token.
// Left out: a draft model.

namespace Gradus.Generation;

/// <summary>
/// Guesses the next tokens of a sequence. A <see cref="GenerationEngine"/> reads them beside the last one and keeps those that it chooses itself: the text is the same, bit for
/// bit, and comes in fewer steps where guesses are right. Where few are, it guesses no more for a while.
/// </summary>
public abstract record Speculation
{
    /// <summary>Guesses that a step reads at most: kernels take one token and so many more row by row, with the bits of one at a time.</summary>
    internal const int Most = 3;

    /// <summary>Guesses the tokens that come next.</summary>
    /// <param name="tokens">The prompt and what was generated so far.</param>
    /// <param name="promptLength">How many of them are the prompt.</param>
    /// <param name="guess">Receives the guess.</param>
    /// <returns>How many tokens were guessed; 0 where there is nothing to go by.</returns>
    internal abstract int Guess(ReadOnlySpan<int> tokens, int promptLength, Span<int> guess);

    /// <summary>Copies what follows the last occurrence of the longest suffix of a text in a source, before the source's end; 0 where even the shortest has none.</summary>
    private protected static int Continue(ReadOnlySpan<int> source, ReadOnlySpan<int> text, int longest, int shortest, Span<int> guess)
    {
        for (int n = Math.Min(longest, text.Length); n >= shortest; n--)
        {
            int at = source.IsEmpty ? -1 : source[..^1].LastIndexOf(text[^n..]);
            if (at < 0)
                continue;
            ReadOnlySpan<int> next = source[(at + n)..];
            next = next[..Math.Min(next.Length, guess.Length)];
            next.CopyTo(guess);
            return next.Length;
        }
        return 0;
    }
}

/// <summary>Guesses that the text goes on as it did after the same n tokens before, in the prompt or in what was generated: for summaries, edits, answers from documents, code.</summary>
/// <param name="Longest">The most tokens that are looked for, ≥ <paramref name="Shortest"/>.</param>
/// <param name="Shortest">The fewest, ≥ 1.</param>
public sealed record PromptLookup(int Longest = 4, int Shortest = 2) : Speculation
{
    /// <inheritdoc/>
    internal override int Guess(ReadOnlySpan<int> tokens, int promptLength, Span<int> guess)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Shortest, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Longest, Shortest);
        return Continue(tokens, tokens, Longest, Shortest, guess);
    }
}

/// <summary>Guesses that the text goes on as a given one does: an older version of a document, the file that is edited.</summary>
/// <param name="Tokens">The text.</param>
public sealed record Prediction(IReadOnlyList<int> Tokens) : Speculation
{
    private readonly int[] _tokens = [.. Tokens];

    /// <inheritdoc/>
    internal override int Guess(ReadOnlySpan<int> tokens, int promptLength, Span<int> guess)
    {
        ReadOnlySpan<int> generated = tokens[promptLength..];
        // At first as the text begins; later wherever the last tokens stand in it.
        if (_tokens.AsSpan().StartsWith(generated))
        {
            ReadOnlySpan<int> next = _tokens.AsSpan(generated.Length, Math.Min(guess.Length, _tokens.Length - generated.Length));
            next.CopyTo(guess);
            return next.Length;
        }
        return Continue(_tokens, generated, longest: 6, shortest: 1, guess);
    }
}
