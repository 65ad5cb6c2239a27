using System.Text.Json.Nodes;
using Gradus.Server.Catalog;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Server.Security;
using Gradus.Text;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Ranking;

/// <summary>
/// <c>POST /rerank</c> (also <c>/v1/rerank</c>, <c>/v2/rerank</c>): texts ordered by how well they answer a question, in the shape of Jina and Cohere (<c>documents</c>) or of
/// Text Embeddings Inference (<c>texts</c>). Scores lie between 0 and 1.
/// </summary>
internal sealed class RankEndpoint(InferenceService service)
{
    private const int MostTexts = 2048;

    public async Task Answer(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        string question = body.Get("query").AsText();
        bool tei = body.Find("documents") is null && body.Find("texts") is not null;
        string[] texts = [.. body.Get(tei ? "texts" : "documents").Elements().Select(e => e.IsText ? e.AsText() : e.AsObject().Get("text").AsText())];
        if (texts.Length is 0 or > MostTexts)
            throw ApiException.Invalid(tei ? "texts" : "documents", $"Give 1 to {MostTexts} texts.", "invalid_value");
        int top = (int)Math.Min(texts.Length, body.Whole("top_n", 1, int.MaxValue) ?? texts.Length);
        bool returns = body.Flag(tei ? "return_text" : "return_documents") ?? false, raw = body.Flag("raw_scores") ?? false;
        (float[] scores, int tokens, string model) = await Rank(context, body.Text("model"), question, texts).ConfigureAwait(false);
        int[] order = [.. Enumerable.Range(0, texts.Length).OrderByDescending(i => scores[i]).ThenBy(i => i).Take(top)];
        await JsonAnswer.Write(context, tei ? Tei() : Jina()).ConfigureAwait(false);

        JsonNode Score(int i) => raw ? scores[i] : 1 / (1 + MathF.Exp(-scores[i]));

        JsonArray Tei() => [.. order.Select(i =>
        {
            JsonObject result = new() { ["index"] = i, ["score"] = Score(i) };
            if (returns)
                result["text"] = texts[i];
            return (JsonNode)result;
        })];

        JsonObject Jina() => new()
        {
            ["id"] = $"rerank-{Guid.NewGuid():N}",
            ["object"] = "list",
            ["model"] = model,
            ["results"] = new JsonArray([.. order.Select(i =>
            {
                JsonObject result = new() { ["index"] = i, ["relevance_score"] = Score(i) };
                if (returns)
                    result["document"] = new JsonObject { ["text"] = texts[i] };
                return (JsonNode)result;
            })]),
            ["usage"] = new JsonObject { ["prompt_tokens"] = tokens, ["total_tokens"] = tokens },
        };
    }

    private async Task<(float[] Scores, int Tokens, string Model)> Rank(HttpContext context, string? name, string question, string[] texts)
    {
        using IDisposable place = service.Enter(context, 1, out RequestTicket? ticket);
        using ModelLease lease = await service.Catalog.Acquire(name, context.RequestAborted).ConfigureAwait(false);
        PairRanker ranker = lease.Model.Ranker ?? throw ApiException.Invalid("model", $"The model '{lease.Name}' ranks no texts; serve a cross-encoder, which gives one number for a pair.", "unsupported_model");
        await lease.Model.Beside.WaitAsync(context.RequestAborted).ConfigureAwait(false);
        try
        {
            TokenEncoding[] pairs = [.. texts.Select(t => ranker.Encode(question, t))];
            float[] scores = await Task.Run(() => ranker.Rank(pairs, context.RequestAborted), context.RequestAborted).ConfigureAwait(false);
            int tokens = pairs.Sum(p => p.Length);
            ticket?.Count(tokens);
            return (scores, tokens, lease.Name);
        }
        catch (ArgumentException e)
        {
            throw ApiException.Invalid("query", e.Message);
        }
        finally
        {
            lease.Model.Beside.Release();
        }
    }
}
