using Gradus.Generation;

namespace Gradus.Bundle;

/// <summary>A text that a model has written.</summary>
/// <param name="Text">The text, without what ended it.</param>
/// <param name="Ids">Its tokens, an end token among them.</param>
/// <param name="Finish">Why the tokens ended.</param>
/// <param name="End">What else may have ended it.</param>
/// <param name="Request">What was asked for.</param>
public sealed record GeneratedText(string Text, int[] Ids, FinishReason Finish, TextEnd End, GenerationRequest Request)
{
    /// <summary>log p of each token under the model itself, in nats, where they were asked for.</summary>
    public IReadOnlyList<float> LogProbabilities { get; init; } = [];

    /// <summary>The most probable tokens beside each of <see cref="LogProbabilities"/>.</summary>
    public IReadOnlyList<TokenScore[]> Alternatives { get; init; } = [];

    /// <summary>Tokens of the prompt that did not have to be read.</summary>
    public int CachedTokens { get; init; }

    /// <summary>The score by which a search ranks it, or null.</summary>
    public double? Score { get; init; }

    /// <summary>When its tokens came; null where a search wrote it as a whole.</summary>
    public TextTiming? Timing { get; init; }

    /// <summary>The text whose tokens are the most probable on average; the first of equal ones. All need their log-probabilities.</summary>
    /// <param name="texts">At least one text.</param>
    public static GeneratedText MostProbable(IReadOnlyList<GeneratedText> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return texts.Select(t => t with { Score = t.LogProbabilities.Count == 0 ? double.NegativeInfinity : t.LogProbabilities.Average(p => (double)p) }).MaxBy(t => t.Score)!;
    }

    /// <summary>
    /// The first text with the answer that most texts have (Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", 2023), scored by the
    /// part of all texts that have it; null where no text has an answer.
    /// </summary>
    /// <param name="texts">The texts.</param>
    /// <param name="answer">Finds the answer in a text, or null.</param>
    public static GeneratedText? MostAgreed(IReadOnlyList<GeneratedText> texts, Func<string, string?> answer)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(answer);
        return texts.Select(t => (Text: t, Answer: answer(t.Text))).Where(t => t.Answer is not null).GroupBy(t => t.Answer, StringComparer.Ordinal)
            .MaxBy(g => g.Count()) is { } most ? most.First().Text with { Score = (double)most.Count() / texts.Count } : null;
    }
}

/// <summary>What ends a text besides its tokens.</summary>
public enum TextEnd
{
    /// <summary>Nothing.</summary>
    Tokens,

    /// <summary>A stop text.</summary>
    StopText,

    /// <summary>Its time was up.</summary>
    Time,

    /// <summary>Whoever asked for it.</summary>
    Cancelled,
}

/// <summary>When the tokens of a text came.</summary>
/// <param name="FirstTokenSeconds">Seconds from the request to its first token.</param>
/// <param name="Seconds">Seconds from the request to its last.</param>
/// <param name="PromptTokens">Tokens of the prompt that were read.</param>
/// <param name="Tokens">Tokens written.</param>
public readonly record struct TextTiming(double FirstTokenSeconds, double Seconds, int PromptTokens, int Tokens)
{
    /// <summary>Tokens of the prompt that were read in a second, until the first token came.</summary>
    public double PrefillRate => PromptTokens / Math.Max(FirstTokenSeconds, 1e-9);

    /// <summary>Tokens written in a second after the first one; 0 where there is no other.</summary>
    public double DecodeRate => Tokens < 2 ? 0 : (Tokens - 1) / Math.Max(Seconds - FirstTokenSeconds, 1e-9);
}
