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
/// <param name="TopNSigma">Standard deviations below the largest logit that are kept; 0 for all.</param>
/// <param name="EpsilonCutoff">Least probability of a token, in [0, 1).</param>
/// <param name="EtaCutoff">The same, lower where the distribution is flat, in [0, 1).</param>
/// <param name="XtcProbability">How often the top choices are left out, in [0, 1].</param>
/// <param name="XtcThreshold">The probability of a top choice, in [0, 1].</param>
/// <param name="DryMultiplier">Penalty of repeated stretches; 0 is off.</param>
/// <param name="DryBase">Its growth with each token of the stretch, 1 or more.</param>
/// <param name="DryAllowedLength">Tokens that may be repeated freely, ≥ 1.</param>
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
    int MinNewTokens = 0,
    float TopNSigma = 0,
    float EpsilonCutoff = 0,
    float EtaCutoff = 0,
    float XtcProbability = 0,
    float XtcThreshold = 0.1f,
    float DryMultiplier = 0,
    float DryBase = 1.75f,
    int DryAllowedLength = 2)
{
    /// <summary>The steps of the settings that are on.</summary>
    /// <param name="stopTokens">Tokens that end a sequence.</param>
    /// <param name="seed">The seed of what is left to chance beside the draw itself.</param>
    /// <exception cref="ArgumentOutOfRangeException">A setting is out of its range.</exception>
    public IReadOnlyList<LogitsStep> Steps(IReadOnlyList<int> stopTokens, ulong seed = 0) => new LogitsStep?[]
    {
        RepetitionPenalty == 1 ? null : new RepetitionPenalty(RepetitionPenalty),
        FrequencyPenalty == 0 ? null : new FrequencyPenalty(FrequencyPenalty),
        PresencePenalty == 0 ? null : new PresencePenalty(PresencePenalty),
        DryMultiplier == 0 ? null : new DryPenalty(DryMultiplier, DryBase, DryAllowedLength),
        NoRepeatNgram == 0 ? null : new NoRepeatNgram(NoRepeatNgram),
        MinNewTokens == 0 ? null : new MinNewTokens(MinNewTokens, stopTokens),
        Temperature == 1 ? null : new Temperature(Temperature),
        TopK == 0 ? null : new TopK(TopK),
        TopP == 1 ? null : new TopP(TopP),
        MinP == 0 ? null : new MinP(MinP),
        TypicalP == 1 ? null : new TypicalP(TypicalP),
        EpsilonCutoff == 0 ? null : new EpsilonCutoff(EpsilonCutoff),
        EtaCutoff == 0 ? null : new EtaCutoff(EtaCutoff),
        TopNSigma == 0 ? null : new TopNSigma(TopNSigma),
        XtcProbability == 0 ? null : new ExcludeTopChoices(XtcProbability, XtcThreshold, seed),
    }.OfType<LogitsStep>().ToArray();
}
