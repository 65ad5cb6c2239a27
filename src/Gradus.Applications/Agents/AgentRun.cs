using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Gradus.Applications.Python;
using Microsoft.Extensions.AI;

namespace Gradus.Applications.Agents;

/// <summary>What the model said.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Calls">Tools that it asked for.</param>
public sealed record ModelReply(string Text, IReadOnlyList<RequestedCall> Calls);

/// <summary>
/// One question on its way: every call of the model, of a tool and of a program goes through here, is counted against the limits and becomes a step.
/// A resumed run takes the answers of recorded steps for as long as it asks the same.
/// </summary>
public sealed class AgentRun
{
    private readonly IChatClient _client;
    private readonly ToolBox _tools;
    private readonly AgentOptions _options;
    private readonly ProgramRunner? _programs;
    private readonly Queue<AgentStep> _recorded;
    private readonly Action<AgentStep>? _onStep;
    private readonly List<AgentStep> _steps = [];
    private readonly long _start = Stopwatch.GetTimestamp();
    private int _modelCalls;
    private int _toolCalls;
    private long _tokens;

    internal AgentRun(
        string question, IChatClient client, ToolBox tools, AgentOptions options, ProgramRunner? programs, IReadOnlyList<AgentStep> recorded, Action<AgentStep>? onStep)
    {
        Question = question;
        (_client, _tools, _options, _programs, _recorded, _onStep) = (client, tools, options, programs, new Queue<AgentStep>(recorded), onStep);
    }

    /// <summary>The question.</summary>
    public string Question { get; }

    /// <summary>What the agent may use.</summary>
    public AgentOptions Options => _options;

    /// <summary>The tools.</summary>
    public ToolBox Tools => _tools;

    /// <summary>What was done so far.</summary>
    public IReadOnlyList<AgentStep> Steps => _steps;

    /// <summary>Whether programs can be run.</summary>
    public bool RunsPrograms => _programs is not null;

    /// <summary>Asks the model.</summary>
    /// <param name="title">What for.</param>
    /// <param name="messages">The conversation.</param>
    /// <param name="temperature">0 for the most probable answer.</param>
    /// <param name="withTools">Whether the model is told of the tools and may ask for them.</param>
    /// <param name="stop">Texts at which its answer ends.</param>
    /// <param name="cancellation">Ends the work.</param>
    public async Task<ModelReply> AskAsync(
        string title, IReadOnlyList<ChatMessage> messages, float temperature, bool withTools, IReadOnlyList<string> stop, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (_modelCalls >= _options.ModelCalls)
            throw new AgentStoppedException(AgentEnd.CallsUsedUp, $"{_options.ModelCalls} calls of the model are used up.");
        CheckLimits();
        _modelCalls++;
        ChatOptions chat = new()
        {
            Temperature = temperature,
            Seed = _options.Seed + _modelCalls - 1,
            MaxOutputTokens = _options.MaxOutputTokens,
            StopSequences = stop.Count > 0 ? [.. stop] : null,
            Tools = withTools && _tools.Tools.Count > 0 ? [.. _tools.Tools] : null,
        };
        string key = Hash([title, chat.Seed.ToString()!, .. messages.SelectMany(m => (IEnumerable<string>)[m.Role.Value, TextOf(m)])]);
        string input = messages.Count > 0 ? TextOf(messages[^1]) : "";
        if (TakeRecorded(AgentStepKind.Model, key) is { } recorded)
            return new ModelReply(recorded.Output, recorded.Calls);
        long start = Stopwatch.GetTimestamp();
        ChatResponse response = await GetResponseAsync(messages, chat, cancellation).ConfigureAwait(false);
        RequestedCall[] calls = [.. response.Messages.SelectMany(m => m.Contents).OfType<FunctionCallContent>().Select(Describe)];
        string text = Stopped(response.Text ?? "", stop);
        long tokens = response.Usage?.TotalTokenCount ?? (response.Usage?.InputTokenCount ?? 0) + (response.Usage?.OutputTokenCount ?? 0);
        Add(new AgentStep(_steps.Count + 1, AgentStepKind.Model, title, key, input, text) { Calls = calls, Tokens = tokens, Milliseconds = Since(start) });
        return new ModelReply(text, calls);
    }

    /// <summary>Calls a tool.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="arguments">A JSON object.</param>
    /// <param name="cancellation">Ends the work.</param>
    public async Task<ToolResult> CallToolAsync(string name, string arguments, CancellationToken cancellation)
    {
        if (_toolCalls >= _options.ToolCalls)
            throw new AgentStoppedException(AgentEnd.ToolCallsUsedUp, $"{_options.ToolCalls} calls of tools are used up.");
        CheckLimits();
        _toolCalls++;
        string key = Hash([name, arguments]);
        if (TakeRecorded(AgentStepKind.Tool, key) is { Outcome: { } outcome } recorded)
            return new ToolResult(outcome, recorded.Output);
        long start = Stopwatch.GetTimestamp();
        ToolResult result = await _tools.CallAsync(name, arguments, cancellation).ConfigureAwait(false);
        Add(new AgentStep(_steps.Count + 1, AgentStepKind.Tool, name, key, arguments, result.Text) { Outcome = result.Outcome, Milliseconds = Since(start) });
        return result;
    }

    /// <summary>Runs a program.</summary>
    /// <returns>The value that was asked for, or what went wrong.</returns>
    public async Task<PythonResult> RunProgramAsync(string source, string resultVariable, CancellationToken cancellation)
    {
        if (_programs is null)
            throw new InvalidOperationException("this agent was given no way to run programs.");
        CheckLimits();
        string key = Hash([source, resultVariable]);
        if (TakeRecorded(AgentStepKind.Program, key) is { } recorded)
            return recorded.Outcome == ToolOutcome.Done ? new PythonResult("", recorded.Output, null) : new PythonResult("", null, recorded.Output);
        long start = Stopwatch.GetTimestamp();
        PythonResult result = await _programs(source, resultVariable, cancellation).ConfigureAwait(false);
        Add(new AgentStep(_steps.Count + 1, AgentStepKind.Program, "program", key, source, result.Error ?? result.Result ?? "")
        {
            Outcome = result.Error is null ? ToolOutcome.Done : ToolOutcome.Failed,
            Milliseconds = Since(start),
        });
        return result;
    }

    /// <summary>Records what the agent decided by itself.</summary>
    public void Decide(string title, string text)
    {
        string key = Hash([title, text]);
        if (TakeRecorded(AgentStepKind.Decision, key) is null)
            Add(new AgentStep(_steps.Count + 1, AgentStepKind.Decision, title, key, "", text));
    }

    private async Task<ChatResponse> GetResponseAsync(IReadOnlyList<ChatMessage> messages, ChatOptions chat, CancellationToken cancellation)
    {
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (_options.Time is { } time)
            timeout.CancelAfter(TimeSpan.FromTicks(Math.Max(1, (time - Stopwatch.GetElapsedTime(_start)).Ticks)));
        try
        {
            return await _client.GetResponseAsync(messages, chat, timeout.Token).WaitAsync(timeout.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new AgentStoppedException(AgentEnd.TimeUsedUp, $"{_options.Time} is used up.");
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException or AgentStoppedException))
        {
            throw new AgentStoppedException(AgentEnd.ModelFailed, $"the model failed: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private void CheckLimits()
    {
        if (_tokens >= _options.Tokens)
            throw new AgentStoppedException(AgentEnd.TokensUsedUp, $"{_options.Tokens} tokens are used up.");
        if (_options.Time is { } time && Stopwatch.GetElapsedTime(_start) >= time)
            throw new AgentStoppedException(AgentEnd.TimeUsedUp, $"{time} is used up.");
    }

    private AgentStep? TakeRecorded(AgentStepKind kind, string key)
    {
        if (!_recorded.TryDequeue(out AgentStep? step))
            return null;
        if (step.Kind != kind || step.Key != key)
            throw new InvalidDataException($"the trace cannot be resumed: its step {step.Number} ({step.Title}) was another; the question, the method, the tools or the options differ.");
        _tokens += step.Tokens;
        _steps.Add(step);
        return step;
    }

    private void Add(AgentStep step)
    {
        _tokens += step.Tokens;
        _steps.Add(step);
        _onStep?.Invoke(step);
    }

    private static RequestedCall Describe(FunctionCallContent call)
    {
        // What could not be read stays text that is no JSON, so that the call is answered with what is wrong.
        string arguments = call.Exception is not null || call.Arguments is null ? call.Exception is null ? "{}" : $"({call.Exception.Message})" : Write(call.Arguments);
        return new RequestedCall(call.CallId, call.Name, arguments);
    }

    private static string Write(IDictionary<string, object?> arguments)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream))
        {
            writer.WriteStartObject();
            foreach ((string name, object? value) in arguments)
            {
                writer.WritePropertyName(name);
                JsonSerializer.Serialize(writer, value, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object)));
            }
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static string TextOf(ChatMessage message) => string.Join('\n', message.Contents.Select(content => content switch
    {
        TextContent text => text.Text,
        FunctionCallContent call => $"{call.Name} {Describe(call).Arguments}",
        FunctionResultContent result => result.Result?.ToString() ?? "",
        _ => content.GetType().Name,
    }));

    // Not every client knows stop texts.
    private static string Stopped(string text, IReadOnlyList<string> stop)
    {
        foreach (string end in stop)
        {
            int at = text.IndexOf(end, StringComparison.Ordinal);
            if (at >= 0)
                text = text[..at];
        }
        return text;
    }

    private static string Hash(IEnumerable<string> parts)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string part in parts)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(part);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }

    private static long Since(long start) => (long)Stopwatch.GetElapsedTime(start).TotalMilliseconds;
}
