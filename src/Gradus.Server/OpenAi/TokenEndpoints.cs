using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Server.Catalog;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Text.Chat;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.OpenAi;

/// <summary>
/// <c>POST /tokenize</c>, <c>/detokenize</c> and <c>/apply-template</c>: what a model sees of a text or conversation. Fields of llama.cpp's server
/// (<c>content</c>, <c>with_pieces</c>) and of vLLM's (<c>prompt</c>, <c>messages</c>, <c>return_token_strs</c>) are both understood.
/// </summary>
internal sealed class TokenEndpoints(ModelCatalog catalog)
{
    public async Task Tokenize(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        using ModelLease lease = await catalog.Acquire(body.Text("model"), context.RequestAborted).ConfigureAwait(false);
        ModelBundle bundle = Bundle(lease);
        int[] ids = body.Find("messages") is { } messages
            ? lease.Model.Inference?.Tokenize(new ConversationPrompt(ChatMessages.Read(messages), ToolFields.Read(body).Definitions), lease.Adapter) ?? throw Unsupported(lease)
            : bundle.Tokenizer.Encode((body.Find("prompt") ?? body.Get("content")).AsText(), body.Flag("add_special") ?? body.Flag("add_special_tokens") ?? body.Find("prompt") is not null);
        JsonObject answer = new() { ["tokens"] = JsonAnswer.Numbers(ids), ["count"] = ids.Length, ["max_model_len"] = bundle.ContextLength };
        if (body.Flag("with_pieces") ?? false)
            answer["tokens"] = new JsonArray([.. ids.Select(id => (JsonNode)new JsonObject { ["id"] = id, ["piece"] = bundle.Tokenizer.IdToToken(id) })]);
        if (body.Flag("return_token_strs") ?? false)
            answer["token_strs"] = JsonAnswer.Texts(ids.Select(id => bundle.Tokenizer.IdToToken(id) ?? ""));
        await JsonAnswer.Write(context, answer).ConfigureAwait(false);
    }

    public async Task Detokenize(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        using ModelLease lease = await catalog.Acquire(body.Text("model"), context.RequestAborted).ConfigureAwait(false);
        ModelBundle bundle = Bundle(lease);
        int[] ids = [.. body.Get("tokens").Elements().Select(e => (int)e.AsWhole(0, bundle.Model.Config.Vocabulary - 1))];
        string text = bundle.Tokenizer.Decode(ids, skipSpecialTokens: false);
        await JsonAnswer.Write(context, new JsonObject { ["content"] = text, ["prompt"] = text }).ConfigureAwait(false);
    }

    public async Task ApplyTemplate(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        ChatRequest request = ChatRequest.Read(body);
        using ModelLease lease = await catalog.Acquire(body.Text("model"), context.RequestAborted).ConfigureAwait(false);
        ConversationPrompt prompt = (ConversationPrompt)request.Inference.Prompt;
        string text;
        try
        {
            text = Bundle(lease).Chat.RenderPrompt(new ChatConversation(prompt.Messages, prompt.Tools), prompt.Variables) + prompt.Prefill;
        }
        catch (Exception e) when (e is ChatTemplateException or InvalidDataException)
        {
            throw ApiException.Invalid("messages", e.Message);
        }
        await JsonAnswer.Write(context, new JsonObject { ["prompt"] = text }).ConfigureAwait(false);
    }

    private static ModelBundle Bundle(ModelLease lease) => lease.Model.Bundle ?? throw Unsupported(lease);

    private static ApiException Unsupported(ModelLease lease) => ApiException.Invalid("model", $"The model '{lease.Name}' has no tokenizer here.", "unsupported_model");
}
