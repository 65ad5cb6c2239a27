using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gradus.Applications.Agents;

/// <summary>How an agent's work ended.</summary>
public enum AgentEnd
{
    /// <summary>With an answer.</summary>
    Answered,

    /// <summary>Its calls of the model were used up.</summary>
    CallsUsedUp,

    /// <summary>Its calls of tools were used up.</summary>
    ToolCallsUsedUp,

    /// <summary>Its tokens were used up.</summary>
    TokensUsedUp,

    /// <summary>Its time was up.</summary>
    TimeUsedUp,

    /// <summary>It did the same again and again.</summary>
    Repeated,

    /// <summary>The model's answers could not be used.</summary>
    NoAnswer,

    /// <summary>The model failed.</summary>
    ModelFailed,
}

/// <summary>What a step was.</summary>
public enum AgentStepKind
{
    /// <summary>The model answered.</summary>
    Model,

    /// <summary>A tool was called.</summary>
    Tool,

    /// <summary>A program was run.</summary>
    Program,

    /// <summary>The agent itself decided something: a vote, a change of method.</summary>
    Decision,
}

/// <summary>How a tool's call ended.</summary>
public enum ToolOutcome
{
    /// <summary>With a result.</summary>
    Done,

    /// <summary>There is no such tool, or it is not on the list of those allowed.</summary>
    Unknown,

    /// <summary>Its arguments were no JSON object, or lacked something.</summary>
    BadArguments,

    /// <summary>The person, or the rules, did not consent.</summary>
    Refused,

    /// <summary>It failed.</summary>
    Failed,

    /// <summary>It took too long.</summary>
    TimedOut,
}

/// <summary>A tool that the model asked for.</summary>
/// <param name="Id">The call's id.</param>
/// <param name="Name">The tool.</param>
/// <param name="Arguments">A JSON object.</param>
public sealed record RequestedCall(string Id, string Name, string Arguments);

/// <summary>One step of an agent.</summary>
/// <param name="Number">From 1 on.</param>
/// <param name="Kind">What it was.</param>
/// <param name="Title">What it was for, in a word or two; a tool's name.</param>
/// <param name="Key">A hash of what was asked: a resumed run takes the recorded answer only where it asks the same.</param>
/// <param name="Input">The last message to the model, a tool's arguments, a program.</param>
/// <param name="Output">The answer, the result, what was decided.</param>
public sealed record AgentStep(int Number, AgentStepKind Kind, string Title, string Key, string Input, string Output)
{
    /// <summary>Tools that the model asked for.</summary>
    public IReadOnlyList<RequestedCall> Calls { get; init; } = [];

    /// <summary>How the call of a tool ended.</summary>
    public ToolOutcome? Outcome { get; init; }

    /// <summary>Tokens read and written, as the model counts them.</summary>
    public long Tokens { get; init; }

    /// <summary>Milliseconds that it took.</summary>
    public long Milliseconds { get; init; }

    /// <summary>One line of JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, AgentStepJson.Default.AgentStep);
}

/// <summary>Everything an agent did for one question.</summary>
/// <param name="Method">The method's name.</param>
/// <param name="Question">The question.</param>
/// <param name="Seed">What random choices began with.</param>
/// <param name="Steps">The steps in their order.</param>
/// <param name="End">How it ended; null while it goes on.</param>
/// <param name="Answer">The answer; null without one.</param>
/// <param name="Reason">Why there is none; null with one.</param>
public sealed record AgentTrace(string Method, string Question, long Seed, IReadOnlyList<AgentStep> Steps, AgentEnd? End, string? Answer, string? Reason)
{
    /// <summary>JSON, indented.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, AgentJson.Default.AgentTrace);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is no trace.</exception>
    public static AgentTrace Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, AgentJson.Default.AgentTrace) is { Question: not null, Steps: not null } trace
                ? trace
                : throw new InvalidDataException("not a trace of an agent: it has no question or no steps.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"not a trace of an agent: {e.Message}", e);
        }
    }
}

[JsonSourceGenerationOptions(
    WriteIndented = true, NewLine = "\n", PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AgentTrace))]
internal sealed partial class AgentJson : JsonSerializerContext;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AgentStep))]
internal sealed partial class AgentStepJson : JsonSerializerContext;
