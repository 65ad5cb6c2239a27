namespace Gradus.Generation;

/// <summary>The usual settings of sampling as one record; each is off at its default. The steps come in the order of transformers' <c>generate</c>.</summary>
/// <param name="Temperature">Above 0.</param>
/// <param name="TopK">Most probable tokens kept; 0 for all.</param>
/// <param name="TopP">Probability mass kept, in [0, 1].</param>
/// <param name="MinP">Least probability, as a part of the largest, in [0, 1].</param>
/// <param name="TypicalP">Mass of the locally typical tokens kept, in (0, 1].</param>
/// <param name="RepetitionPenalty">Above 0; 1 is off.</param>
/// <param name="FrequencyPenalty">OpenAI's, per occurrence.</param>
/// <param name="PresencePenalty">OpenAI's, once.</param>
/// <param name="NoRepeatNgram">Size of n-grams that do not occur twice; 0 for no limit.</param>
/// <param name="MinNewTokens">Tokens before a stop token may come.</param>
public sealed record SamplingOptions(
    float Temperature = 1,
    int TopK = 0,
    float TopP = 1,
    float MinP = 0,
    float TypicalP = 1,
    float RepetitionPenalty = 1,
    float FrequencyPenalty = 0,
    float PresencePenalty = 0,
    int NoRepeatNgram = 0,
    int MinNewTokens = 0)
{
    /// <summary>The steps of the settings that are on.</summary>
    /// <param name="stopTokens">Tokens that end a sequence.</param>
    /// <exception cref="ArgumentOutOfRangeException">A setting is out of its range.</exception>
    public IReadOnlyList<LogitsStep> Steps(IReadOnlyList<int> stopTokens) => new LogitsStep?[]
    {
        RepetitionPenalty == 1 ? null : new RepetitionPenalty(RepetitionPenalty),
        FrequencyPenalty == 0 ? null : new FrequencyPenalty(FrequencyPenalty),
        PresencePenalty == 0 ? null : new PresencePenalty(PresencePenalty),
        NoRepeatNgram == 0 ? null : new NoRepeatNgram(NoRepeatNgram),
        MinNewTokens == 0 ? null : new MinNewTokens(MinNewTokens, stopTokens),
        Temperature == 1 ? null : new Temperature(Temperature),
        TopK == 0 ? null : new TopK(TopK),
        TopP == 1 ? null : new TopP(TopP),
        MinP == 0 ? null : new MinP(MinP),
        TypicalP == 1 ? null : new TypicalP(TypicalP),
    }.OfType<LogitsStep>().ToArray();
}
