// Fill in the middle (Bavarian et al., "Efficient Training of Language Models to Fill in the Middle", 2022): a text is cut at two characters
// before it is tokenized, and its middle moved to the end, so that a decoder learns to write what stands between two texts.

using System.ComponentModel.DataAnnotations;
using Gradus.Tensors;
using Gradus.Text;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>How texts are cut.</summary>
/// <param name="Share">The share of texts that is cut at all; the others stay as they are.</param>
/// <param name="SuffixFirstShare">The share of those whose suffix comes first (SPM): PRE SUF suffix MID prefix middle; the others are PRE prefix SUF suffix MID middle (PSM).</param>
public sealed record FillInTheMiddleOptions([Range(0.0, 1.0)] double Share = 0.5, [Range(0.0, 1.0)] double SuffixFirstShare = 0.5);

/// <summary>The tokens that part a text.</summary>
/// <param name="Prefix">PRE.</param>
/// <param name="Suffix">SUF.</param>
/// <param name="Middle">MID.</param>
/// <param name="End">What ends the middle, and any text.</param>
public sealed record FillInTheMiddleTokens(int Prefix, int Suffix, int Middle, int End)
{
    private static readonly string[][] Names =
    [
        ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"], ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"], ["<fim-prefix>", "<fim-suffix>", "<fim-middle>"],
        ["<PRE>", "<SUF>", "<MID>"], ["▁<PRE>", "▁<SUF>", "▁<MID>"],
    ];

    /// <summary>The tokens of a tokenizer, by the names that known models give them.</summary>
    /// <exception cref="InvalidDataException">It has none.</exception>
    public static FillInTheMiddleTokens Of(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        foreach (string[] names in Names)
        {
            if (names.Select(tokenizer.TokenToId).ToArray() is [{ } prefix, { } suffix, { } middle] && tokenizer.EndOfText is { } end)
                return new FillInTheMiddleTokens(prefix, suffix, middle, end);
        }
        throw new InvalidDataException($"The tokenizer has no tokens to fill in the middle with, such as {string.Join(" ", Names[0])}, or no end of text; add them.");
    }
}

/// <summary>Makes examples for <see cref="NextToken"/>.</summary>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="tokens">PRE, SUF, MID and the end.</param>
/// <param name="options">How texts are cut.</param>
/// <param name="seed">What is drawn from.</param>
public sealed class FillInTheMiddle(Tokenizer tokenizer, FillInTheMiddleTokens tokens, FillInTheMiddleOptions options, ulong seed)
{
    // PRE, SUF, MID, the end; and each cut may cost a token or two more than the text had.
    private const int Reserve = 10;

    private readonly ulong _key = CounterRandom.Derive(seed, "fill in the middle");

    /// <summary>Documents as examples of at most so many tokens. A longer document is parted first, so that no cut text is; no part is left out.</summary>
    /// <param name="documents">The documents.</param>
    /// <param name="limit">The most tokens of an example, more than 20.</param>
    public IEnumerable<Example> Examples(IEnumerable<string> documents, int limit)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(limit, 2 * Reserve);
        long number = 0;
        foreach (string document in documents)
        {
            for (int start = 0; start < document.Length;)
            {
                int length = Math.Max(1, tokenizer.IndexOfTokenCount(document.AsSpan(start), limit - Reserve, out _));
                if (start + length < document.Length && char.IsLowSurrogate(document[start + length]))
                    length = length > 1 ? length - 1 : 2;
                int[] ids = Encode(document.Substring(start, length), number++);
                // A text whose parts come out much longer than the whole stays as it is.
                yield return new Example(ids.Length <= limit ? ids : [.. tokenizer.Encode(document.AsSpan(start, length), addSpecialTokens: false), tokens.End]);
                start += length;
            }
        }
    }

    /// <summary>The tokens of one text, cut or not.</summary>
    /// <param name="text">The text.</param>
    /// <param name="number">Its number, which the draw depends on.</param>
    public int[] Encode(string text, long number)
    {
        ArgumentNullException.ThrowIfNull(text);
        ulong key = CounterRandom.Derive(_key, (ulong)number);
        if (CounterRandom.Uniform(key, 0) >= options.Share)
            return [.. Ids(text), tokens.End];
        int a = Border(text, CounterRandom.Below(key, 1, text.Length + 1)), b = Border(text, CounterRandom.Below(key, 2, text.Length + 1));
        (int first, int last) = (Math.Min(a, b), Math.Max(a, b));
        string prefix = text[..first], middle = text[first..last], suffix = text[last..];
        return CounterRandom.Uniform(key, 3) < options.SuffixFirstShare
            ? [tokens.Prefix, tokens.Suffix, .. Ids(suffix), tokens.Middle, .. Ids(prefix), .. Ids(middle), tokens.End]
            : [tokens.Prefix, .. Ids(prefix), tokens.Suffix, .. Ids(suffix), tokens.Middle, .. Ids(middle), tokens.End];
    }

    private int[] Ids(string text) => text.Length == 0 ? [] : tokenizer.Encode(text, addSpecialTokens: false);

    // A pair of surrogates is not torn apart.
    private static int Border(string text, int at) => at > 0 && at < text.Length && char.IsLowSurrogate(text[at]) ? at - 1 : at;
}
