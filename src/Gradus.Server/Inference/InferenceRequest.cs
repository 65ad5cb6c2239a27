using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Gradus.Generation.Structure.ToolCalls;
using Gradus.Text.Chat;

namespace Gradus.Server.Inference;

/// <summary>What a model is to read.</summary>
public abstract record InferencePrompt;

/// <summary>A conversation that the assistant is to go on with.</summary>
/// <param name="Messages">The messages in order; system messages first.</param>
/// <param name="Tools">Tools as JSON schemas, for the chat template; null for none.</param>
/// <param name="Variables">Further variables of the chat template, such as <c>enable_thinking</c>.</param>
/// <param name="Prefill">What the assistant's answer begins with; null for nothing.</param>
public sealed record ConversationPrompt(
    IReadOnlyList<ChatMessage> Messages, JsonArray? Tools = null, IReadOnlyDictionary<string, JsonNode?>? Variables = null, string? Prefill = null) : InferencePrompt;

/// <summary>A text to go on with, as it stands.</summary>
/// <param name="Text">The text.</param>
/// <param name="AddSpecialTokens">Whether the tokenizer's special tokens are put around it.</param>
public sealed record TextPrompt(string Text, bool AddSpecialTokens = true) : InferencePrompt;

/// <summary>Tokens to go on with.</summary>
/// <param name="Ids">The ids, at least one.</param>
public sealed record TokenPrompt(int[] Ids) : InferencePrompt;

/// <summary>Which calls of tools an answer may hold.</summary>
/// <param name="Tools">The tools that may be called, at least one.</param>
/// <param name="Required">Whether the answer must be a call.</param>
/// <param name="Parallel">Whether there may be more than one call.</param>
public sealed record ToolUse(IReadOnlyList<CallableTool> Tools, bool Required = false, bool Parallel = true);

/// <summary>The structure that an answer must have.</summary>
/// <param name="Source">The schema or grammar as it was sent; equal sources share one compiled grammar.</param>
/// <param name="Parameter">The request's field that asked for it, for messages.</param>
/// <param name="Compile">Compiles it.</param>
public sealed record AnswerStructure(string Source, string Parameter, Func<Grammar> Compile)
{
    /// <summary>The JSON Schema, where it is one; only such a structure can stand beside tools that may be called.</summary>
    public JsonElement? Schema { get; init; }
}

/// <summary>The one request that every protocol of the server is translated into.</summary>
/// <param name="Prompt">What the model reads.</param>
public sealed record InferenceRequest(InferencePrompt Prompt)
{
    /// <summary>The adapter that the model runs with, by name; null for the model itself.</summary>
    public string? Adapter { get; init; }

    /// <summary>The steps between scores and choice; the seed decides whether anything is drawn.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Whether the most probable token is taken each time.</summary>
    public bool Greedy { get; init; }

    /// <summary>The seed of the first answer, each further one has the next; null for one that is chosen and told.</summary>
    public ulong? Seed { get; init; }

    /// <summary>New tokens at most, ≥ 0; null for as many as the context has room for.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>The request's field that says so, for messages.</summary>
    public string MaxTokensParameter { get; init; } = "max_tokens";

    /// <summary>Texts that end an answer and are not part of it.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>Token ids that end an answer, besides the model's own.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>Whether the tokens that end a text are treated as any other.</summary>
    public bool IgnoreEnd { get; init; }

    /// <summary>What is added to the scores of tokens.</summary>
    public IReadOnlyDictionary<int, float> Bias { get; init; } = new Dictionary<int, float>();

    /// <summary>Whether the log-probabilities of the answer's tokens are wanted.</summary>
    public bool LogProbabilities { get; init; }

    /// <summary>The most probable tokens wanted beside each, ≥ 0.</summary>
    public int Alternatives { get; init; }

    /// <summary>Whether the log-probabilities of the prompt's tokens are wanted too.</summary>
    public bool PromptLogProbabilities { get; init; }

    /// <summary>Whether answers begin with the prompt.</summary>
    public bool Echo { get; init; }

    /// <summary>Answers wanted, ≥ 1.</summary>
    public int Count { get; init; } = 1;

    /// <summary>Tools that may be called; null for none.</summary>
    public ToolUse? Tools { get; init; }

    /// <summary>The structure of the answer; null for none.</summary>
    public AnswerStructure? Structure { get; init; }

    /// <summary>Who asks, and how urgently.</summary>
    public RequestClass Class { get; init; } = new();
}
