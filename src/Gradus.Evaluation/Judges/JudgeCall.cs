using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Gradus.Evaluation.Judges;

/// <summary>One question to a judge: a schema that its answer has to follow, and what counts as no answer.</summary>
/// <param name="client">The model that judges.</param>
/// <param name="options">How it is asked, checked.</param>
/// <param name="schema">The JSON schema of an answer, an object.</param>
/// <param name="schemaName">The schema's name, for services that want one.</param>
public sealed class JudgeCall(IChatClient client, JudgeOptions options, string schema, string schemaName)
{
    private readonly JsonElement _schema = Parse(schema);
    private long _calls;

    /// <summary>Asks until there is an answer, or the attempts are used up.</summary>
    /// <param name="messages">The question.</param>
    /// <param name="read">Reads the answer's object; null, or an exception of a format, where it is none.</param>
    /// <param name="failures">Takes a line for every call without an answer.</param>
    /// <param name="cancellation">Ends the work; that is no failure of the judge.</param>
    /// <returns>The answer, or null.</returns>
    public async Task<T?> AskAsync<T>(IReadOnlyList<ChatMessage> messages, Func<JsonElement, T?> read, List<string> failures, CancellationToken cancellation)
        where T : class
    {
        for (int attempt = 0; attempt < options.Attempts; attempt++)
        {
            cancellation.ThrowIfCancellationRequested();
            (T? answer, string? failure) = await OnceAsync(messages, read, cancellation).ConfigureAwait(false);
            if (answer is not null)
                return answer;
            failures.Add(failure ?? "no answer");
        }
        return null;
    }

    private async Task<(T? Answer, string? Failure)> OnceAsync<T>(IReadOnlyList<ChatMessage> messages, Func<JsonElement, T?> read, CancellationToken cancellation)
        where T : class
    {
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(TimeSpan.FromSeconds(options.TimeoutSeconds));
        try
        {
            ChatOptions chat = new()
            {
                Temperature = options.Temperature,
                Seed = options.Seed + Interlocked.Increment(ref _calls) - 1,
                ResponseFormat = ChatResponseFormat.ForJsonSchema(_schema, schemaName),
            };
            // A client that takes no notice of the token must not hold the judgement up.
            ChatResponse response = await client.GetResponseAsync(messages, chat, timeout.Token).WaitAsync(timeout.Token).ConfigureAwait(false);
            if (response.FinishReason == ChatFinishReason.ContentFilter)
                return (null, "the judge refused to answer");
            if (response.FinishReason == ChatFinishReason.Length)
                return (null, "the judge's answer was cut off at its length limit");
            return Read(response.Text ?? "", read);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return (null, string.Create(CultureInfo.InvariantCulture, $"the judge did not answer within {options.TimeoutSeconds:0.##} seconds"));
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            // Whatever a client throws is a failure of the judge, not of what is judged.
            return (null, $"the judge failed: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static (T? Answer, string? Failure) Read<T>(string text, Func<JsonElement, T?> read)
        where T : class
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                return (null, $"the judge answered no object: {Excerpt(text)}");
            return read(document.RootElement) is { } answer ? (answer, null) : (null, $"the judge's answer is out of range or lacks a field: {Excerpt(text)}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            return (null, $"the judge's answer is no whole JSON of the schema: {Excerpt(text)}");
        }
    }

    private static string Excerpt(string text)
    {
        string line = text.ReplaceLineEndings(" ");
        return line.Length <= 80 ? $"\"{line}\"" : $"\"{line[..80]}…\"";
    }

    private static JsonElement Parse(string schema)
    {
        using JsonDocument document = JsonDocument.Parse(schema);
        return document.RootElement.Clone();
    }
}
