using Gradus.Models;

namespace Gradus.Generation;

/// <summary>What to search for. Defaults and meanings are those of transformers' <c>generate</c> with <c>num_beams</c>.</summary>
/// <param name="Prompt">Token ids, at least one, at most the model's context.</param>
public sealed record BeamSearchRequest(int[] Prompt)
{
    /// <summary>What an encoder reads, for models that have one; else null.</summary>
    public int[]? Source { get; init; }

    /// <summary>Sequences that are followed at once, ≥ 1.</summary>
    public int Beams { get; init; } = 4;

    /// <summary>Hypotheses wanted, 1 to <see cref="Beams"/>.</summary>
    public int Returned { get; init; } = 1;

    /// <summary>Exponent p of the score log P / nᵖ, n generated tokens: above 0 favours long sequences, below 0 short ones.</summary>
    public float LengthPenalty { get; init; } = 1;

    /// <summary>
    /// Groups that the beams are in, a divisor of <see cref="Beams"/>: each searches for itself, but away from the tokens that the groups before it have just chosen
    /// (Vijayakumar et al., "Diverse Beam Search", 2016).
    /// </summary>
    public int Groups { get; init; } = 1;

    /// <summary>What a token loses, in nats, for each beam of the groups before that has just chosen it, ≥ 0.</summary>
    public float DiversityPenalty { get; init; }

    /// <summary>When the search ends.</summary>
    public EarlyStopping EarlyStopping { get; init; }

    /// <summary>Tokens after the prompt at most, ≥ 1; by default as many as the context has room for.</summary>
    public int MaxNewTokens { get; init; } = int.MaxValue;

    /// <summary>Tokens that end a hypothesis.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>What happens to the log-probabilities of a beam's next token, in order.</summary>
    public IReadOnlyList<LogitsStep> Steps { get; init; } = [];

    /// <summary>The adapter that it is run with (<see cref="GenerationRequest.Adapter"/>); null for none.</summary>
    public string? Adapter { get; init; }

    /// <summary>Generated tokens at most.</summary>
    internal int Limit(GenerativeModel model) => Math.Min(MaxNewTokens, model.LongestSequence - Prompt.Length);

    /// <summary>Refuses what the model cannot do.</summary>
    /// <exception cref="ArgumentException">A value does not fit; one line that says which and what to do.</exception>
    internal void Check(GenerativeModel model)
    {
        GenerationRequest.CheckPrompt(Prompt, "prompt", model.Config, model.LongestSequence);
        GenerationRequest.CheckSource(Source, model);
        GenerationRequest.CheckAdapter(Adapter, model);
        if (Beams < 1)
            throw new ArgumentException($"Beams is {Beams}; give 1 or more.");
        if (Returned < 1 || Returned > Beams)
            throw new ArgumentException($"Returned is {Returned}, but there are {Beams} beams; give 1 to {Beams}.");
        if (Groups < 1 || Beams % Groups != 0)
            throw new ArgumentException($"Groups is {Groups}, but {Beams} beams are to be divided into them; give a divisor of {Beams}.");
        if (!(DiversityPenalty >= 0) || !float.IsFinite(DiversityPenalty))
            throw new ArgumentException($"DiversityPenalty is {DiversityPenalty}; give 0 or more.");
        if (!float.IsFinite(LengthPenalty))
            throw new ArgumentException($"LengthPenalty is {LengthPenalty}; give a finite number.");
        if (MaxNewTokens < 1)
            throw new ArgumentException($"MaxNewTokens is {MaxNewTokens}; give 1 or more.");
        if (Prompt.Length == model.LongestSequence)
            throw new ArgumentException($"The prompt fills the model's context of {model.LongestSequence} tokens; shorten it.");
        if (Steps is null || Steps.Contains(null!) || StopTokens is null)
            throw new ArgumentException("Steps and StopTokens may be empty, but neither null nor with a null among them.");
    }
}

/// <summary>When a beam search ends, once it has as many finished hypotheses as beams.</summary>
public enum EarlyStopping
{
    /// <summary>When the best beam, scored at its present length, is no better than the worst hypothesis (<c>early_stopping=False</c>).</summary>
    WhenUnlikelyToImprove,

    /// <summary>At once (<c>early_stopping=True</c>).</summary>
    WhenFull,

    /// <summary>When no beam can become better, whatever its length (<c>early_stopping="never"</c>).</summary>
    WhenImpossibleToImprove,
}

/// <summary>A result of beam search.</summary>
/// <param name="Generated">The tokens after the prompt; a stop token is among them.</param>
/// <param name="Score">log P / nᵖ: the sum of the log-probabilities as the steps left them, over the length to the power of the length penalty.</param>
public sealed record Hypothesis(int[] Generated, double Score);
