// Tools stand between a model, which may have read anything, and the world. So: only the tools of a list, arguments checked against the tool's schema,
// consent before a call that needs it, a limit of time, and a result that is data, marked as such and cut to a length.

using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Gradus.Applications.Agents;

/// <summary>A call that is about to be made, for the one who consents.</summary>
/// <param name="Tool">The tool.</param>
/// <param name="Arguments">A JSON object.</param>
public sealed record ToolCall(AIFunction Tool, string Arguments);

/// <summary>What a call gave.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Text">The result, or what was wrong, for the model to read.</param>
public sealed record ToolResult(ToolOutcome Outcome, string Text);

/// <summary>The tools of an agent.</summary>
public sealed class ToolBox
{
    private readonly Dictionary<string, AIFunction> _tools;
    private readonly Func<ToolCall, CancellationToken, ValueTask<bool>>? _consent;
    private readonly HashSet<string> _free;

    /// <summary>Tools, of which some may be called without asking.</summary>
    /// <param name="tools">The tools; their names differ.</param>
    /// <param name="consent">Is asked before each call; null asks nobody.</param>
    /// <param name="withoutAsking">Names of tools that need no consent.</param>
    /// <param name="allowed">Only these names; null for all.</param>
    /// <param name="timeout">Time for one call; a minute where null.</param>
    /// <param name="maxCharacters">The longest result, in characters; more is cut off.</param>
    public ToolBox(
        IEnumerable<AIFunction> tools, Func<ToolCall, CancellationToken, ValueTask<bool>>? consent = null, IEnumerable<string>? withoutAsking = null,
        IReadOnlyCollection<string>? allowed = null, TimeSpan? timeout = null, int maxCharacters = 8000)
    {
        ArgumentNullException.ThrowIfNull(tools);
        _tools = new Dictionary<string, AIFunction>(StringComparer.Ordinal);
        foreach (AIFunction tool in tools)
        {
            if (!_tools.TryAdd(tool.Name, tool))
                throw new ArgumentException($"two tools are called {tool.Name}.");
        }
        foreach (string name in (allowed ?? []).Concat(withoutAsking ?? []))
        {
            if (!_tools.ContainsKey(name))
                throw new ArgumentException($"there is no tool called {name}; there are {Names}.");
        }
        if (allowed is not null)
            _tools = _tools.Where(pair => allowed.Contains(pair.Key)).ToDictionary(StringComparer.Ordinal);
        _consent = consent;
        _free = [.. withoutAsking ?? []];
        Timeout = timeout ?? TimeSpan.FromMinutes(1);
        MaxCharacters = maxCharacters;
    }

    /// <summary>No tools.</summary>
    public static ToolBox Empty { get; } = new([]);

    /// <summary>The tools that may be called, in their order.</summary>
    public IReadOnlyCollection<AIFunction> Tools => _tools.Values;

    /// <summary>Time for one call.</summary>
    public TimeSpan Timeout { get; }

    /// <summary>The longest result.</summary>
    public int MaxCharacters { get; }

    /// <summary>The tools' names for a sentence.</summary>
    public string Names => _tools.Count == 0 ? "no tools" : string.Join(", ", _tools.Keys);

    /// <summary>Calls a tool. Whatever is wrong with the call is a result for the model, never an exception.</summary>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public async Task<ToolResult> CallAsync(string name, string arguments, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!_tools.TryGetValue(name, out AIFunction? tool))
            return new ToolResult(ToolOutcome.Unknown, $"There is no tool called {name}. There are: {Names}.");
        if (Read(tool, arguments, out string? problem) is not { } values)
            return new ToolResult(ToolOutcome.BadArguments, problem!);
        if (_consent is not null && !_free.Contains(name) && !await _consent(new ToolCall(tool, arguments), cancellation).ConfigureAwait(false))
            return new ToolResult(ToolOutcome.Refused, $"The call of {name} was not allowed. Go on without it.");
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(Timeout);
        try
        {
            // A tool that takes no notice of the token must not hold the agent up.
            object? result = await Task.Run(() => tool.InvokeAsync(new AIFunctionArguments(values), timeout.Token).AsTask(), CancellationToken.None)
                .WaitAsync(timeout.Token).ConfigureAwait(false);
            return new ToolResult(ToolOutcome.Done, Cut(Text(result)));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new ToolResult(ToolOutcome.TimedOut, string.Create(CultureInfo.InvariantCulture, $"{name} did not answer within {Timeout.TotalSeconds:0.##} seconds."));
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            return new ToolResult(ToolOutcome.Failed, Cut($"{name} failed: {e.Message}"));
        }
    }

    private static Dictionary<string, object?>? Read(AIFunction tool, string arguments, out string? problem)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(arguments.Length == 0 ? "{}" : arguments);
            problem = document.RootElement.ValueKind != JsonValueKind.Object ? "is no JSON object"
                : Required(tool.JsonSchema).FirstOrDefault(name => !document.RootElement.TryGetProperty(name, out _)) is { } missing ? $"lacks {missing}"
                : document.RootElement.EnumerateObject().FirstOrDefault(p => !IsKnown(tool.JsonSchema, p.Name)) is { Value.ValueKind: not JsonValueKind.Undefined } unknown
                    ? $"has {unknown.Name}, which {tool.Name} does not take"
                : null;
            if (problem is null)
                return document.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => (object?)p.Value.Clone());
        }
        catch (JsonException e)
        {
            problem = $"is no JSON ({e.Message})";
        }
        problem = $"The argument of {tool.Name} {problem}. It takes a JSON object that follows {tool.JsonSchema.GetRawText()}";
        return null;
    }

    private static IEnumerable<string> Required(JsonElement schema) =>
        schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("required", out JsonElement list) && list.ValueKind == JsonValueKind.Array
            ? list.EnumerateArray().Select(name => name.GetString()!) : [];

    private static bool IsKnown(JsonElement schema, string name) =>
        schema.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("properties", out JsonElement properties)
        || properties.TryGetProperty(name, out _) || (schema.TryGetProperty("additionalProperties", out JsonElement more) && more.ValueKind != JsonValueKind.False);

    private static string Text(object? result) => result switch
    {
        null => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } element => element.GetString()!,
        JsonElement element => element.GetRawText(),
        TextContent content => content.Text,
        IEnumerable<AIContent> contents => string.Join('\n', contents.Select(c => c is TextContent t ? t.Text : $"({c.GetType().Name})")),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => result.ToString() ?? "",
    };

    private string Cut(string text)
    {
        if (text.Length <= MaxCharacters)
            return text;
        int end = char.IsHighSurrogate(text[MaxCharacters - 1]) ? MaxCharacters - 1 : MaxCharacters;
        return $"{text[..end]}\n({text.Length - end} more characters were cut off)";
    }
}
