using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Server.Catalog;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Server.OpenAi;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Ollama;

/// <summary><c>POST /api/chat</c>, <c>/api/generate</c>, <c>/api/embed</c> and <c>/api/embeddings</c>. Streams are lines of JSON. Source: Ollama's API documentation.</summary>
internal sealed class OllamaEndpoint(InferenceService service)
{
    private readonly EmbeddingEndpoint _embeddings = new(service);

    public async Task Chat(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        string model = Keep(body);
        if (!body.Get("messages").Elements().Any())
            await LoadOnly(context, model, body, "message").ConfigureAwait(false);
        else
            await Answer(context, model, OllamaRequest.Chat(body), chat: true).ConfigureAwait(false);
    }

    public async Task Generate(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        string model = Keep(body);
        if (body.Text("prompt") is null or "")
            await LoadOnly(context, model, body, "response").ConfigureAwait(false);
        else
            await Answer(context, model, OllamaRequest.Generate(body), chat: false).ConfigureAwait(false);
    }

    public async Task Embed(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        IReadOnlyList<string> inputs = body.Get("input").IsText ? [body.Get("input").AsText()] : body.Texts("input");
        long begun = System.Diagnostics.Stopwatch.GetTimestamp();
        (float[][] vectors, int tokens, string model) = await Embed(context, Keep(body), inputs, (int?)body.Whole("dimensions", 1, int.MaxValue)).ConfigureAwait(false);
        await JsonAnswer.Write(context, new JsonObject
        {
            ["model"] = model,
            ["embeddings"] = new JsonArray([.. vectors.Select(v => (JsonNode)Numbers(v))]),
            ["total_duration"] = Nanoseconds(System.Diagnostics.Stopwatch.GetElapsedTime(begun)),
            ["load_duration"] = 0,
            ["prompt_eval_count"] = tokens,
        }).ConfigureAwait(false);
    }

    /// <summary>The older form: one text, one vector.</summary>
    public async Task EmbedOne(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        (float[][] vectors, _, _) = await Embed(context, Keep(body), [body.Get("prompt").AsText()], null).ConfigureAwait(false);
        await JsonAnswer.Write(context, new JsonObject { ["embedding"] = Numbers(vectors[0]) }).ConfigureAwait(false);
    }

    private static JsonArray Numbers(float[] vector) => [.. vector.Select(x => (JsonNode)x)];

    private static long Nanoseconds(TimeSpan time) => time.Ticks * TimeSpan.NanosecondsPerTick;

    private static string DoneReason(AnswerSummary end) => end.Reason == AnswerEnd.Length ? "length" : "stop";

    private Task<(float[][] Vectors, int Tokens, string Model)> Embed(HttpContext context, string model, IReadOnlyList<string> texts, int? dimensions) =>
        _embeddings.Embed(context, model, dimensions, bundle => [.. texts.Select((t, i) => EmbeddingEndpoint.Ids(t, $"input[{i}]", bundle))]);

    // How long a model stays: seconds, a time such as 5m or 1h30m, below zero for ever. Applied before the use, so that 0 means: gone after it.
    private string Keep(JsonField body)
    {
        string model = OllamaNames.Of(body);
        if (body.Find("keep_alive") is { } keep)
        {
            double seconds = keep.IsText ? Seconds(keep) : keep.AsNumber(double.MinValue, 1e9);
            service.Catalog.KeepAlive(model, seconds < 0 ? null : TimeSpan.FromSeconds(seconds));
        }
        return model;
    }

    private static double Seconds(JsonField keep)
    {
        string text = keep.AsText();
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double plain) && Math.Abs(plain) <= 1e9)
            return plain;
        double seconds = 0;
        foreach (System.Text.RegularExpressions.Match part in System.Text.RegularExpressions.Regex.Matches(text, @"\G-?(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)"))
            seconds += double.Parse(part.Groups[1].ValueSpan, CultureInfo.InvariantCulture) * part.Groups[2].Value switch { "ms" => 0.001, "s" => 1, "m" => 60, _ => 3600 };
        return seconds is > 0 and <= 1e9 ? text.StartsWith('-') ? -seconds : seconds : throw keep.Unknown("seconds, and times such as '5m'");
    }

    private async Task LoadOnly(HttpContext context, string model, JsonField body, string field)
    {
        bool unload = body.Find("keep_alive") is { } keep && (keep.IsText ? Seconds(keep) : keep.AsNumber(double.MinValue, 1e9)) == 0;
        string name;
        using (ModelLease lease = await service.Catalog.Acquire(model, context.RequestAborted).ConfigureAwait(false))
            name = lease.Name;
        await JsonAnswer.Write(context, new JsonObject
        {
            ["model"] = name,
            ["created_at"] = OllamaNames.Time(DateTimeOffset.UtcNow),
            [field] = field == "message" ? new JsonObject { ["role"] = "assistant", ["content"] = "" } : "",
            ["done"] = true,
            ["done_reason"] = unload ? "unload" : "load",
        }).ConfigureAwait(false);
    }

    private async Task Answer(HttpContext context, string model, OllamaRequest request, bool chat)
    {
        using InferenceSession session = await service.Begin(context, model, request.Inference).ConfigureAwait(false);
        if (session.Seed is { } seed)
            context.Response.Headers["x-gradus-seed"] = $"{seed}";
        if (!request.Stream)
        {
            CollectedAnswer answer = (await session.Collect(context.RequestAborted).ConfigureAwait(false))[0];
            JsonObject whole = Piece(session, chat, answer.Text, answer.Reasoning, answer.Calls, answer.Tokens, done: true);
            End(whole, session, answer.End);
            await JsonAnswer.Write(context, whole).ConfigureAwait(false);
            return;
        }
        context.Response.ContentType = "application/x-ndjson";
        CollectedAnswer calls = new();
        try
        {
            await foreach (InferencePiece piece in session.Pieces(context.RequestAborted).ConfigureAwait(false))
            {
                calls.Add(piece);
                if (piece.Text.Length > 0 || piece.Reasoning.Length > 0)
                    await Line(context, Piece(session, chat, piece.Text, piece.Reasoning, [], piece.Tokens, done: false)).ConfigureAwait(false);
                if (piece.End is not { } end)
                    continue;
                // A call is told when it is whole.
                if (calls.Calls.Count > 0)
                    await Line(context, Piece(session, chat, "", "", calls.Calls, [], done: false)).ConfigureAwait(false);
                JsonObject last = Piece(session, chat, "", "", [], [], done: true);
                End(last, session, end);
                await Line(context, last).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
        {
            RequestLog.Failed(context, e);
            await Line(context, ErrorAnswer.Body(context, ErrorAnswer.Of(e))).ConfigureAwait(false);
        }
    }

    private static async Task Line(HttpContext context, JsonObject value)
    {
        await context.Response.Body.WriteAsync(JsonAnswer.Bytes(value), context.RequestAborted).ConfigureAwait(false);
        await context.Response.Body.WriteAsync("\n"u8.ToArray(), context.RequestAborted).ConfigureAwait(false);
        await context.Response.Body.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    private static JsonObject Piece(InferenceSession session, bool chat, string text, string reasoning, IReadOnlyList<CollectedCall> calls, IReadOnlyList<ScoredToken> tokens, bool done)
    {
        JsonObject piece = new() { ["model"] = session.Model, ["created_at"] = OllamaNames.Time(DateTimeOffset.UtcNow) };
        JsonObject holder = chat ? new JsonObject { ["role"] = "assistant", ["content"] = text } : piece;
        if (chat)
            piece["message"] = holder;
        else
            piece["response"] = text;
        if (reasoning.Length > 0)
            holder["thinking"] = reasoning;
        if (calls.Count > 0)
        {
            holder["tool_calls"] = new JsonArray([.. calls.Select(c => (JsonNode)new JsonObject
            {
                ["id"] = c.Id,
                ["function"] = new JsonObject { ["name"] = c.Name, ["arguments"] = c.ArgumentsObject() },
            })]);
        }
        if (session.Request.LogProbabilities && tokens.Count > 0)
            piece["logprobs"] = new JsonArray([.. tokens.Select(t => (JsonNode)ChatAnswer.Score(t, session.Request.Alternatives > 0))]);
        piece["done"] = done;
        return piece;
    }

    private static void End(JsonObject piece, InferenceSession session, AnswerSummary end)
    {
        TimeSpan first = session.FirstPiece ?? session.Elapsed;
        piece["done_reason"] = DoneReason(end);
        piece["total_duration"] = Nanoseconds(session.Elapsed);
        piece["load_duration"] = 0;
        piece["prompt_eval_count"] = session.Prompt.Count;
        piece["prompt_eval_duration"] = Nanoseconds(first);
        piece["eval_count"] = end.Tokens;
        piece["eval_duration"] = Nanoseconds(session.Elapsed - first);
    }
}
