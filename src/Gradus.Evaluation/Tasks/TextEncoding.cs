// Source: https://github.com/EleutherAI/lm-evaluation-harness, _encode_pair, loglikelihood and get_rolling_token_windows.

using Gradus.Evaluation.Metrics;

namespace Gradus.Evaluation.Tasks;

/// <summary>
/// Turns the texts of requests into tokens. White space at the end of a context goes to the continuation, and both are encoded together and then
/// parted, so that the tokens at the seam are those of the whole text.
/// </summary>
/// <param name="encode">Encodes a text; the second argument says whether the tokens that a tokenizer puts around texts are wanted.</param>
/// <param name="prefixToken">What the first token of a text is conditioned on: the token that begins texts, else the one that ends them; null where the tokenizer has neither.</param>
/// <param name="encodesApart">Whether context and continuation are encoded each for itself, as encoder-decoder models read them.</param>
public sealed class TextEncoding(Func<string, bool, int[]> encode, int? prefixToken, bool encodesApart)
{
    /// <summary>The tokens of a context and of what follows it.</summary>
    /// <returns>
    /// The two; the context has one token at least, unless both texts are empty or the tokenizer has no prefix token. Without a prefix token the
    /// first token of a text without context is the context and is not scored.
    /// </returns>
    public (int[] Context, int[] Continuation) Pair(string context, string continuation)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(continuation);
        return context.Length == 0 ? First(encode(continuation, false)) : Both(context, continuation);
    }

    /// <summary>Windows of a text in which every token is predicted once: (context, continuation), where a window's context is the token before it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="length">Tokens that a model reads at most, 1 or more.</param>
    public IEnumerable<(int[] Context, int[] Continuation)> Rolling(string text, int length)
    {
        int[] tokens = encode(text, false);
        if (prefixToken is { } prefix)
            return Windows(tokens, prefix, length).Select(Disjoint);
        return tokens.Length < 2 ? [] : Windows(tokens[1..], tokens[0], length).Select(Disjoint);
    }

    /// <summary>Windows that predict every token once, each with as much context as fits.</summary>
    /// <param name="tokens">The tokens to predict.</param>
    /// <param name="prefix">What the first is conditioned on.</param>
    /// <param name="length">Tokens that a model reads at most, 1 or more.</param>
    /// <param name="contextLength">The least context of later windows, from 1 to <paramref name="length"/>.</param>
    /// <returns>(input, predicted) pairs: the last predicted tokens follow the last inputs.</returns>
    public static IEnumerable<(int[] Input, int[] Predicted)> Windows(int[] tokens, int prefix, int length, int contextLength = 1)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(contextLength, length);
        if (tokens.Length == 0)
            yield break;
        int predicted = Math.Min(length, tokens.Length);
        yield return ([prefix, .. tokens[..(predicted - 1)]], tokens[..predicted]);
        while (predicted < tokens.Length)
        {
            int count = Math.Min(tokens.Length - predicted, length - contextLength + 1), end = predicted + count;
            yield return (tokens[Math.Max(0, end - length - 1)..(end - 1)], tokens[predicted..end]);
            predicted = end;
        }
    }

    /// <summary>A window whose context does not overlap with what it predicts.</summary>
    public static (int[] Context, int[] Predicted) Disjoint((int[] Input, int[] Predicted) window) =>
        (window.Input[..(window.Input.Length - (window.Predicted.Length - 1))], window.Predicted);

    private (int[] Context, int[] Continuation) First(int[] tokens)
    {
        bool begins = tokens.Length > 0 && (prefixToken is null || tokens[0] == prefixToken);
        return begins ? (tokens[..1], tokens[1..]) : (prefixToken is { } prefix ? [prefix] : [], tokens);
    }

    private (int[] Context, int[] Continuation) Both(string context, string continuation)
    {
        string kept = PythonText.StripEnd(context);
        continuation = context[kept.Length..] + continuation;
        int[] before = encode(kept, true);
        if (encodesApart)
            return (before, encode(continuation, false));
        int[] whole = encode(kept + continuation, true);
        return (before, whole[Math.Min(before.Length, whole.Length)..]);
    }
}
