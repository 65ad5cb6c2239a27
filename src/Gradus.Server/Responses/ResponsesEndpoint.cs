using System.Text.Json.Nodes;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Server.OpenAi;
using Gradus.Text.Chat;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Responses;

/// <summary><c>POST /v1/responses</c>, <c>GET</c> and <c>DELETE /v1/responses/{id}</c>: OpenAI's Responses API, stateless or going on from stored responses.</summary>
internal sealed class ResponsesEndpoint(InferenceService service, ResponseStore store)
{
    public async Task Answer(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        string owner = InferenceService.KeyOf(context)?.Name ?? "";
        IReadOnlyList<ChatMessage> earlier = body.Text("previous_response_id") is { } previous
            ? store.Messages(previous, owner) ?? throw new ApiException(404, "invalid_request_error", "previous_response_not_found", "previous_response_id", $"Previous response with id '{previous}' not found.")
            : [];
        ResponsesRequest request = ResponsesRequest.Read(body, earlier);
        using InferenceSession session = await service.Begin(context, body.Text("model"), request.Inference).ConfigureAwait(false);
        string id = $"resp_{Guid.NewGuid():N}";
        ResponsesAnswer answer = new(session, body, request, id);
        if (!request.Stream)
        {
            CollectedAnswer collected = new();
            JsonObject? whole = null;
            await foreach (InferencePiece piece in session.Pieces(context.RequestAborted).ConfigureAwait(false))
            {
                collected.Add(piece);
                whole = answer.Take(piece).LastOrDefault()?["response"]?.DeepClone() as JsonObject ?? whole;
            }
            Store(request, id, owner, whole!, collected);
            await JsonAnswer.Write(context, whole!).ConfigureAwait(false);
            return;
        }
        await using EventStream events = await EventStream.Begin(context, service.Options.PingInterval).ConfigureAwait(false);
        await events.Run(() => Stream(context, events, session, answer, request, id, owner), "error").ConfigureAwait(false);
    }

    public Task Get(HttpContext context) => JsonAnswer.Write(context, store.Body(Id(context), Owner(context)) ?? throw NotFound(context));

    public Task Delete(HttpContext context) => store.Remove(Id(context), Owner(context))
        ? JsonAnswer.Write(context, new JsonObject { ["id"] = Id(context), ["object"] = "response", ["deleted"] = true })
        : throw NotFound(context);

    private static string Id(HttpContext context) => (string)context.Request.RouteValues["id"]!;

    private static string Owner(HttpContext context) => InferenceService.KeyOf(context)?.Name ?? "";

    private static ApiException NotFound(HttpContext context) => new(404, "invalid_request_error", "response_not_found", "id", $"Response with id '{Id(context)}' not found.");

    private async Task Stream(HttpContext context, EventStream events, InferenceSession session, ResponsesAnswer answer, ResponsesRequest request, string id, string owner)
    {
        foreach (JsonObject data in answer.Start())
            await Send(events, data).ConfigureAwait(false);
        CollectedAnswer collected = new();
        await foreach (InferencePiece piece in session.Pieces(context.RequestAborted).ConfigureAwait(false))
        {
            collected.Add(piece);
            foreach (JsonObject data in answer.Take(piece))
            {
                // Whoever has seen the end can go on from it.
                if (data["response"] is JsonObject whole)
                    Store(request, id, owner, whole, collected);
                await Send(events, data).ConfigureAwait(false);
            }
        }
    }

    private static Task Send(EventStream events, JsonObject data) => events.Send(data, (string)data["type"]!);

    private void Store(ResponsesRequest request, string id, string owner, JsonObject whole, CollectedAnswer answer)
    {
        if (!request.Store)
            return;
        ChatMessage said = new("assistant", answer.Text);
        if (answer.Reasoning.Length > 0)
            said = said.With("reasoning_content", answer.Reasoning);
        // The calls under the names that the client was told.
        JsonArray calls = [.. ((JsonArray)whole["output"]!).Where(i => (string?)i!["type"] == "function_call").Select(i => (JsonNode)ChatMessages.Call((string)i!["call_id"]!, (string)i["name"]!, (string)i["arguments"]!))];
        if (calls.Count > 0)
            said = said.With("tool_calls", calls);
        store.Add(id, owner, whole, [.. request.Messages, said]);
    }
}
