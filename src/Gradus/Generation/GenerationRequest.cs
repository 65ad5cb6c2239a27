using Gradus.Models;

namespace Gradus.Generation;

/// <summary>What to generate.</summary>
/// <param name="Prompt">Token ids, at least one, at most the model's context.</param>
public sealed record GenerationRequest(int[] Prompt)
{
    /// <summary>What an encoder reads, for models that have one; else null.</summary>
    public int[]? Source { get; init; }

    /// <summary>What happens to the logits before a token is chosen, in order.</summary>
    public IReadOnlyList<LogitsStep> Steps { get; init; } = [];

    /// <summary>Draws tokens with the random numbers of this seed; the most probable token is taken where null.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Tokens after the prompt at most, ≥ 0; by default as many as the context has room for.</summary>
    public int MaxNewTokens { get; init; } = int.MaxValue;

    /// <summary>Tokens that end the sequence; the one that did is its last.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>Sequences of ids that end the sequence when they have been generated; the prompt does not count.</summary>
    public IReadOnlyList<int[]> StopSequences { get; init; } = [];

    /// <summary>Whether the log-probabilities of the chosen tokens are wanted.</summary>
    public bool LogProbabilities { get; init; }

    /// <summary>
    /// The first token of the prompt whose log-probability is wanted, and those after it: 1 for all that have one (the first token has
    /// none), the length of a context for the continuation behind it; null for none.
    /// </summary>
    public int? PromptLogProbabilitiesFrom { get; init; }

    /// <summary>How many of the most probable tokens are wanted wherever log-probabilities are, ≥ 0.</summary>
    public int Alternatives { get; init; }

    /// <summary>Makes what restricts this sequence's tokens to a structure, with a state of its own; null for none.</summary>
    public Func<TokenConstraint>? Constraint { get; init; }

    /// <summary>The adapter that this sequence is run with, by its name in an <see cref="Gradus.Adapters.AdapterSet"/> of the model; null for none.</summary>
    public string? Adapter { get; init; }

    /// <summary>Guesses tokens ahead, of which an engine keeps those that it chooses itself; the text is the same with and without. Null for none.</summary>
    public Speculation? Speculation { get; init; }

    /// <summary>A request to go on from a text, or, of a model with an encoder, to answer it.</summary>
    public static GenerationRequest For(GenerativeModel model, int[] text) =>
        model is EncoderDecoderModel answering ? new([answering.StartToken]) { Source = text } : new(text);

    /// <summary>The tokens that are read first: the source's, or the prompt's where there is none.</summary>
    public int TokensRead => Source?.Length ?? Prompt.Length;

    /// <summary>The tokens that the generated ones go on from as a text: the prompt's, or none where a source is answered.</summary>
    public ReadOnlySpan<int> TextBefore => Source is null ? Prompt : [];

    /// <summary>The request without the oldest tokens of what is read, where that leaves less room than is wanted (<see cref="OverflowPolicy.TruncateLeft"/>).</summary>
    /// <param name="model">The model.</param>
    /// <param name="room">New tokens that there is to be room for in the context, ≥ 0; one token is left of any prompt. A source has its context to itself.</param>
    /// <param name="begin">The token that texts begin with: where it is the first, it stays. Null for none.</param>
    public GenerationRequest TruncateLeft(GenerativeModel model, int room, int? begin = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfNegative(room);
        if (Source is not null)
            return this with { Source = Latest(Source, model.Config.ContextLength, begin) };
        int[] prompt = Latest(Prompt, Math.Max(1, model.LongestSequence - room), begin);
        int cut = Prompt.Length - prompt.Length;
        return cut == 0 ? this : this with
        {
            Prompt = prompt,
            PromptLogProbabilitiesFrom = PromptLogProbabilitiesFrom is { } from ? Math.Clamp(from - cut, 1, prompt.Length) : null,
        };
    }

    private static int[] Latest(int[] tokens, int count, int? begin) =>
        tokens.Length <= count ? tokens
        : count > 1 && tokens[0] == begin ? [tokens[0], .. tokens.AsSpan(tokens.Length - count + 1)]
        : tokens[^count..];

    /// <summary>The tokens that prompt and answer can have together.</summary>
    internal int Capacity(GenerativeModel model) => (int)Math.Min(model.LongestSequence, (long)Prompt.Length + MaxNewTokens);

    /// <summary>Refuses what the model cannot do.</summary>
    /// <exception cref="ArgumentException">A value does not fit the model; one line that says which and what to do.</exception>
    internal void Check(GenerativeModel model)
    {
        CheckPrompt(Prompt, "prompt", model.Config, model.LongestSequence);
        CheckSource(Source, model);
        CheckAdapter(Adapter, model);
        if (MaxNewTokens < 0)
            throw new ArgumentException($"MaxNewTokens is {MaxNewTokens}; give 0 or more.");
        if (Steps is null || Steps.Contains(null!) || StopTokens is null || StopSequences is null)
            throw new ArgumentException("Steps, StopTokens and StopSequences may be empty, but neither null nor with a null among them.");
        if (PromptLogProbabilitiesFrom is { } from && (from < 1 || from > Prompt.Length))
            throw new ArgumentException($"PromptLogProbabilitiesFrom is {from}, but the prompt has {Prompt.Length} tokens, of which the first has no probability; give 1 to {Prompt.Length}.");
        if (Alternatives < 0 || Alternatives > model.Config.Vocabulary)
            throw new ArgumentException($"Alternatives is {Alternatives}; give 0 to {model.Config.Vocabulary}.");
        if (StopSequences.Any(s => s is null || s.Length == 0))
            throw new ArgumentException("A stop sequence is empty; give at least one token id, or leave it out.");
    }

    /// <summary>Refuses an adapter that the model does not have.</summary>
    /// <exception cref="ArgumentException">There is none of this name.</exception>
    internal static void CheckAdapter(string? adapter, GenerativeModel model)
    {
        if (adapter is not null)
            model.Acquire(adapter).Release();
    }

    /// <summary>Refuses a source that the model cannot read.</summary>
    /// <exception cref="ArgumentException">It is missing, or given to a model without an encoder, or wrong as a prompt may be.</exception>
    internal static void CheckSource(int[]? source, GenerativeModel model)
    {
        if (model is EncoderDecoderModel != source is not null)
        {
            throw new ArgumentException(source is null
                ? $"A {model.Config.ArchitectureClass} answers a source text; give Source."
                : $"A {model.Config.ArchitectureClass} has no encoder to read Source; put the text into the prompt.");
        }
        if (source is not null)
            CheckPrompt(source, "source", model.Config, model.Config.ContextLength);
    }

    /// <summary>Refuses a prompt that the model cannot read.</summary>
    /// <exception cref="ArgumentException">The prompt is empty, too long or holds an id that the model does not know.</exception>
    internal static void CheckPrompt(int[] prompt, string name, ModelConfig config, int longest)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        if (prompt.Length == 0)
            throw new ArgumentException($"The {name} has no token; begin with the model's begin-of-text token.");
        if (prompt.Length > longest)
            throw new ContextOverflowException(prompt.Length, longest, $"The {name} has {prompt.Length} tokens, but the model's context is {longest}; shorten the {name}.");
        for (int i = 0; i < prompt.Length; i++)
        {
            if ((uint)prompt[i] >= (uint)config.Vocabulary)
                throw new ArgumentException($"Token {i} of the {name} is {prompt[i]}, but the model has {config.Vocabulary} tokens; does the tokenizer fit the model?");
        }
    }
}

#pragma warning disable RCS1194 // The usual constructors would make errors without the two lengths.

/// <summary>A prompt that is longer than what it has to fit into.</summary>
public sealed class ContextOverflowException : ArgumentException
{
    /// <summary>Makes an error.</summary>
    /// <param name="tokens">The tokens of the prompt.</param>
    /// <param name="limit">The tokens that there is room for.</param>
    /// <param name="message">One line with both.</param>
    public ContextOverflowException(int tokens, int limit, string message)
        : base(message) =>
        (Tokens, Limit) = (tokens, limit);

    /// <summary>The tokens of the prompt.</summary>
    public int Tokens { get; }

    /// <summary>The tokens that there is room for.</summary>
    public int Limit { get; }
}

#pragma warning restore RCS1194

/// <summary>Why a sequence ended.</summary>
public enum FinishReason
{
    /// <summary>A stop token was generated.</summary>
    StopToken,

    /// <summary>A stop sequence was generated.</summary>
    StopSequence,

    /// <summary>It has as many new tokens as were asked for.</summary>
    Length,

    /// <summary>It fills the model's context.</summary>
    ContextFull,

    /// <summary>The steps forbid every token.</summary>
    NothingAllowed,

    /// <summary>It was cancelled.</summary>
    Cancelled,
}
