// The measures of a language model's loss, from sums over a text: never average ratios of parts.
// Source: https://github.com/EleutherAI/lm-evaluation-harness (aggregations perplexity, word_perplexity, byte_perplexity, bits_per_byte).

namespace Gradus.Evaluation.Metrics;

/// <summary>What a summed negative log-likelihood says of a language model. Lower is better in all of them.</summary>
public static class LanguageModelLoss
{
    /// <summary>exp(nats / tokens): the number of equally likely tokens that would be as hard to guess. 1 or more.</summary>
    /// <param name="nats">−Σ ln p over the predicted tokens.</param>
    /// <param name="tokens">The number of predicted tokens, 1 or more. Comparable between models with one tokenizer only.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are no tokens.</exception>
    public static double Perplexity(double nats, long tokens) => Math.Exp(nats / Positive(tokens, nameof(tokens)));

    /// <summary>exp(nats / words): perplexity per word, comparable between tokenizers.</summary>
    /// <param name="nats">−Σ ln p over the predicted tokens of the text.</param>
    /// <param name="words">The number of words of the text, by white space; 1 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are no words.</exception>
    public static double WordPerplexity(double nats, long words) => Math.Exp(nats / Positive(words, nameof(words)));

    /// <summary>exp(nats / bytes): perplexity per byte, comparable between tokenizers and languages' scripts.</summary>
    /// <param name="nats">−Σ ln p over the predicted tokens of the text.</param>
    /// <param name="bytes">The length of the text in UTF-8, 1 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are no bytes.</exception>
    public static double BytePerplexity(double nats, long bytes) => Math.Exp(nats / Positive(bytes, nameof(bytes)));

    /// <summary>nats / (bytes · ln 2): the bits per byte to which the model would compress the text.</summary>
    /// <param name="nats">−Σ ln p over the predicted tokens of the text.</param>
    /// <param name="bytes">The length of the text in UTF-8, 1 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are no bytes.</exception>
    public static double BitsPerByte(double nats, long bytes) => nats / Positive(bytes, nameof(bytes)) / Math.Log(2);

    private static long Positive(long count, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1, name);
        return count;
    }
}
