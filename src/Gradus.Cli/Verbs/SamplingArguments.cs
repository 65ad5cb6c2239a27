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
        foreach (Option option in new Option[] { _maxTokens, _temperature, _topK, _topP, _minP, _seed, _greedy, _stop })
            verb.Options.Add(option);
    }

    /// <summary>What was asked for.</summary>
    /// <exception cref="UsageException">Options contradict each other, or a stop text is empty.</exception>
    public TextSampling Read(ParseResult parse)
    {
        bool greedy = parse.GetValue(_greedy);
        Option[] drawing = [_temperature, _topK, _topP, _minP, _seed];
        if (greedy && drawing.FirstOrDefault(o => parse.GetResult(o) is { Implicit: false }) is { } option)
            throw new UsageException($"--greedy always takes the likeliest token, so {option.Name} has no part; leave one of them out.");
        greedy |= parse.GetValue(_temperature) == 0;
        string[] stops = parse.GetValue(_stop)!;
        if (stops.Contains(""))
            throw new UsageException("--stop is empty; give the text to end before.");
        SamplingOptions options = greedy
            ? new SamplingOptions()
            : new SamplingOptions(parse.GetValue(_temperature), parse.GetValue(_topK), parse.GetValue(_topP), parse.GetValue(_minP));
        // Short enough to be typed again.
        ulong seed = parse.GetValue(_seed) ?? (ulong)RandomNumberGenerator.GetInt32(int.MaxValue);
        return new TextSampling(options, greedy ? null : seed, parse.GetValue(_maxTokens), stops);
    }
}
