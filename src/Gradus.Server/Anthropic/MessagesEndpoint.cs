using System.Text.Json.Nodes;
using Gradus.Server.Catalog;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Anthropic;

/// <summary><c>POST /v1/messages</c> and <c>/v1/messages/count_tokens</c>.</summary>
internal sealed class MessagesEndpoint(InferenceService service)
{
    public async Task Answer(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        MessagesRequest request = MessagesRequest.Read(body);
        using InferenceSession session = await service.Begin(context, body.Text("model"), request.Inference).ConfigureAwait(false);
        MessagesAnswer answer = new(session);
        if (session.Seed is { } seed)
            context.Response.Headers["x-gradus-seed"] = $"{seed}";
        if (!request.Stream)
        {
            await JsonAnswer.Write(context, answer.Whole((await session.Collect(context.RequestAborted).ConfigureAwait(false))[0])).ConfigureAwait(false);
            return;
        }
        await using EventStream events = await EventStream.Begin(context, service.Options.PingInterval).ConfigureAwait(false);
        await events.Run(async () =>
        {
            await Send(events, answer.Start()).ConfigureAwait(false);
            await foreach (InferencePiece piece in session.Pieces(context.RequestAborted).ConfigureAwait(false))
            {
                foreach (JsonObject data in answer.Events(piece))
                    await Send(events, data).ConfigureAwait(false);
            }
        }, "error").ConfigureAwait(false);
    }

    public async Task Count(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        MessagesRequest request = MessagesRequest.Read(body, counts: true);
        using ModelLease lease = await service.Catalog.Acquire(body.Text("model"), context.RequestAborted).ConfigureAwait(false);
        int[] ids = lease.Model.Inference?.Tokenize(request.Inference.Prompt, lease.Adapter) ?? throw ApiException.Invalid("model", $"model: '{lease.Name}' does not write text.");
        await JsonAnswer.Write(context, new JsonObject { ["input_tokens"] = ids.Length }).ConfigureAwait(false);
    }

    private static Task Send(EventStream events, JsonObject data) => events.Send(data, (string)data["type"]!);
}
