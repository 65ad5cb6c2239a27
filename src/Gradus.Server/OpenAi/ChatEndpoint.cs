using Gradus.Server.Http;
using Gradus.Server.Inference;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.OpenAi;

/// <summary><c>POST /v1/chat/completions</c>.</summary>
internal sealed class ChatEndpoint(InferenceService service)
{
    public async Task Answer(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        ChatRequest request = ChatRequest.Read(body);
        using InferenceSession session = await service.Begin(context, body.Text("model"), request.Inference).ConfigureAwait(false);
        if (request.SkippedTools.Count > 0)
            context.Response.Headers["x-gradus-skipped-tools"] = string.Join(", ", request.SkippedTools.Distinct().Where(IsHeaderText));
        ChatAnswer answer = new(session, service.Options.Build, request.IncludeUsage);
        if (!request.Stream)
        {
            await JsonAnswer.Write(context, answer.Whole(await session.Collect(context.RequestAborted).ConfigureAwait(false))).ConfigureAwait(false);
            return;
        }
        await using EventStream events = await EventStream.Begin(context, service.Options.PingInterval).ConfigureAwait(false);
        await events.Run(async () =>
        {
            await foreach (InferencePiece piece in session.Pieces(context.RequestAborted).ConfigureAwait(false))
            {
                foreach (System.Text.Json.Nodes.JsonObject chunk in answer.Chunks(piece))
                    await events.Send(chunk).ConfigureAwait(false);
            }
            if (request.IncludeUsage)
                await events.Send(answer.UsageChunk()).ConfigureAwait(false);
            await events.Send("[DONE]").ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    private static bool IsHeaderText(string text) => text.Length <= 64 && text.All(c => c is > ' ' and < '\x7f');
}
