namespace Gradus.Clients;

/// <summary>
/// The names in <c>ChatOptions.AdditionalProperties</c> that a <see cref="LocalChatClient"/> knows, beyond what ChatOptions has itself. Values are .NET's or
/// JSON's. Any other name is refused.
/// </summary>
public static class ChatProperties
{
    /// <summary>Least probability of a token, as a part of the largest, in [0, 1].</summary>
    public const string MinP = "min_p";

    /// <summary>Mass of the locally typical tokens kept, in (0, 1].</summary>
    public const string TypicalP = "typical_p";

    /// <summary>Above 0; 1 is off.</summary>
    public const string RepetitionPenalty = "repetition_penalty";

    /// <summary>Size of n-grams that do not occur twice; 0 for no limit.</summary>
    public const string NoRepeatNgram = "no_repeat_ngram_size";

    /// <summary>Tokens before the answer may end.</summary>
    public const string MinTokens = "min_tokens";

    /// <summary>An object of token ids and what is added to their logits.</summary>
    public const string LogitBias = "logit_bias";

    /// <summary>Whether the log-probabilities of the answer's tokens are wanted: a list of <see cref="TokenLogProbability"/> under the same name in the response.</summary>
    public const string LogProbabilities = "logprobs";

    /// <summary>How many alternatives are wanted beside each token, 0 to 20.</summary>
    public const string Alternatives = "top_logprobs";

    /// <summary>A regular expression that the whole answer matches.</summary>
    public const string Regex = "regex";

    /// <summary>A grammar in GBNF that the answer follows.</summary>
    public const string Grammar = "grammar";

    /// <summary>A list of texts of which the answer is one.</summary>
    public const string Choices = "choices";

    /// <summary>The name of the format in which the model writes calls of tools, where the chat template does not say it.</summary>
    public const string ToolFormat = "tool_format";

    /// <summary>An object of further variables of the chat template.</summary>
    public const string TemplateVariables = "chat_template_kwargs";

    /// <summary>The name of the adapter that the request is run with.</summary>
    public const string Adapter = "adapter";

    /// <summary>A number: requests of a higher one go first.</summary>
    public const string Priority = "priority";

    /// <summary>Whoever asks, by name: clients share the machine in equal parts.</summary>
    public const string Client = "client";

    /// <summary>In the response: the seed that the answer was drawn with; none where the most probable tokens were taken.</summary>
    public const string Seed = "seed";

    /// <summary>In the response: how many of the oldest messages were left out, where <see cref="LocalChatOptions.Overflow"/> allows it and there was no room for them.</summary>
    public const string ForgottenMessages = "forgotten_messages";

    /// <summary>All names that a request may have.</summary>
    public static IReadOnlyList<string> Known { get; } =
    [
        MinP, TypicalP, RepetitionPenalty, NoRepeatNgram, MinTokens, LogitBias, LogProbabilities, Alternatives, Regex, Grammar, Choices, ToolFormat, TemplateVariables,
        Adapter, Priority, Client,
    ];
}
