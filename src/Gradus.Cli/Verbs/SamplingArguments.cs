using System.CommandLine;
using System.Security.Cryptography;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Generation;

namespace Gradus.Cli.Verbs;

/// <summary>How text is drawn from a model, as <c>generate</c> and <c>chat</c> are told; one instance per verb.</summary>
internal sealed class SamplingArguments
{
    private readonly Option<float> _temperature = Numeric.Option("--temperature", "Above 1 bolder, below 1 surer; 0 always takes the likeliest token.", 0f, 100f, 0.8f);
    private readonly Option<int> _topK = Numeric.Option("--top-k", "Choose among that many likeliest tokens; 0 for all.", 0, int.MaxValue, 0);
    private readonly Option<float> _topP = Numeric.Option("--top-p", "Choose among the likeliest tokens that together have this probability.", 0f, 1f, 0.95f);
    private readonly Option<float> _minP = Numeric.Option("--min-p", "Leave out tokens less probable than this part of the likeliest one.", 0f, 1f, 0f);
    private readonly Option<float> _typicalP = Numeric.Option("--typical-p", "Choose among the tokens of typical surprise that together have this probability.", 0.001f, 1f, 1f);
    private readonly Option<float> _topNSigma = Numeric.Option("--top-n-sigma", "Keep tokens whose score is within so many standard deviations of the largest; 0 for all.", 0f, 100f, 0f);
    private readonly Option<float> _epsilon = Numeric.Option("--epsilon-cutoff", "Leave out tokens less probable than this.", 0f, 0.999f, 0f);
    private readonly Option<float> _eta = Numeric.Option("--eta-cutoff", "The same, but lower where many tokens are probable.", 0f, 0.999f, 0f);
    private readonly Option<float> _xtcProbability = Numeric.Option("--xtc-probability", "How often all tokens of at least --xtc-threshold but the least probable of them are left out.", 0f, 1f, 0f);
    private readonly Option<float> _xtcThreshold = Numeric.Option("--xtc-threshold", "The probability of a top choice for --xtc-probability.", 0f, 1f, 0.1f);
    private readonly Option<float?> _mirostat = Numeric.Optional("--mirostat", "Keep the surprise of the text near so many bits (Mirostat 2).", 0.01f, 100f);
    private readonly Option<float> _mirostatRate = Numeric.Option("--mirostat-rate", "How fast --mirostat learns.", 0.001f, 1f, 0.1f);
    private readonly Option<float> _repetition = Numeric.Option("--repetition-penalty", "Above 1: tokens that have come are less probable.", 0.01f, 100f, 1f);
    private readonly Option<float> _frequency = Numeric.Option("--frequency-penalty", "What a token loses each time it has come.", -100f, 100f, 0f);
    private readonly Option<float> _presence = Numeric.Option("--presence-penalty", "What a token loses once it has come.", -100f, 100f, 0f);
    private readonly Option<float> _dry = Numeric.Option("--dry-multiplier", "Penalty of tokens that continue a repeated stretch (DRY); 0 is off.", 0f, 100f, 0f);
    private readonly Option<float> _dryBase = Numeric.Option("--dry-base", "How fast that penalty grows with the stretch.", 1f, 10f, 1.75f);
    private readonly Option<int> _dryAllowed = Numeric.Option("--dry-allowed-length", "Tokens of a stretch that may be repeated freely.", 1, 10_000, 2);
    private readonly Option<int> _noRepeat = Numeric.Option("--no-repeat-ngram", "No stretch of so many tokens comes twice; 0 for no limit.", 0, 10_000, 0);
    private readonly Option<int> _minTokens = Numeric.Option("--min-tokens", "Tokens before the text may end.", 0, int.MaxValue, 0);
    private readonly Option<ulong?> _seed = Numeric.Optional("--seed", "Draws the same text again; without it each run draws another.", 0UL, ulong.MaxValue);
    private readonly Option<bool> _greedy = new("--greedy") { Description = "Always take the likeliest token." };
    private readonly Option<string[]> _stop = new("--stop") { Description = "End before this text; repeat it for more.", HelpName = "TEXT", DefaultValueFactory = _ => [] };
    private readonly Option<int> _maxTokens;

    /// <summary>Adds the options to a verb.</summary>
    /// <param name="verb">The verb.</param>
    /// <param name="maxTokens">The most tokens where <c>--max-tokens</c> is not given.</param>
    public SamplingArguments(Command verb, int maxTokens)
    {
        _maxTokens = Numeric.Option("--max-tokens", "End after so many tokens, or where the model's context is full.", 1, int.MaxValue, maxTokens);
        foreach (Option option in (Option[])[
            _maxTokens, _temperature, _topK, _topP, _minP, _seed, _greedy, _stop, _minTokens, _repetition, _frequency, _presence, _noRepeat, _typicalP, _topNSigma, _epsilon, _eta,
            _xtcProbability, _xtcThreshold, _mirostat, _mirostatRate, _dry, _dryBase, _dryAllowed])
            verb.Options.Add(option);
    }

    private Option[] Drawing => [_temperature, _topK, _topP, _minP, _seed, _typicalP, _topNSigma, _epsilon, _eta, _xtcProbability, _mirostat];

    /// <summary>What was asked for.</summary>
    /// <exception cref="UsageException">Options contradict each other, or a stop text is empty.</exception>
    public TextSampling Read(ParseResult parse)
    {
        bool greedy = parse.GetValue(_greedy);
        if (greedy && FirstDrawing(parse) is { } option)
            throw new UsageException($"--greedy always takes the likeliest token, so {option} has no part; leave one of them out.");
        greedy |= parse.GetValue(_temperature) == 0;
        string[] stops = parse.GetValue(_stop)!;
        if (stops.Contains(""))
            throw new UsageException("--stop is empty; give the text to end before.");
        SamplingOptions options = new(
            RepetitionPenalty: parse.GetValue(_repetition),
            FrequencyPenalty: parse.GetValue(_frequency),
            PresencePenalty: parse.GetValue(_presence),
            NoRepeatNgram: parse.GetValue(_noRepeat),
            MinNewTokens: parse.GetValue(_minTokens),
            DryMultiplier: parse.GetValue(_dry),
            DryBase: parse.GetValue(_dryBase),
            DryAllowedLength: parse.GetValue(_dryAllowed));
        if (!greedy)
        {
            options = options with
            {
                Temperature = parse.GetValue(_temperature),
                TopK = parse.GetValue(_topK),
                TopP = parse.GetValue(_topP),
                MinP = parse.GetValue(_minP),
                TypicalP = parse.GetValue(_typicalP),
                TopNSigma = parse.GetValue(_topNSigma),
                EpsilonCutoff = parse.GetValue(_epsilon),
                EtaCutoff = parse.GetValue(_eta),
                XtcProbability = parse.GetValue(_xtcProbability),
                XtcThreshold = parse.GetValue(_xtcThreshold),
            };
        }
        // Short enough to be typed again.
        ulong seed = parse.GetValue(_seed) ?? (ulong)RandomNumberGenerator.GetInt32(int.MaxValue);
        return new TextSampling(options, greedy ? null : seed, parse.GetValue(_maxTokens), stops)
        {
            Mirostat = greedy || parse.GetValue(_mirostat) is not { } surprise ? null : (surprise, parse.GetValue(_mirostatRate)),
        };
    }

    /// <summary>The first option given that has a part only where tokens are drawn, or null.</summary>
    public string? FirstDrawing(ParseResult parse) => Drawing.FirstOrDefault(o => parse.GetResult(o) is { Implicit: false })?.Name;
}
