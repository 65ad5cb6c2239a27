using System.Text.Json.Nodes;
using Gradus.Server.Catalog;
using Gradus.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.OpenAi;

/// <summary><c>GET /v1/models</c> and <c>GET /v1/models/{name}</c>; a name may have slashes.</summary>
internal sealed class ModelEndpoint(ModelCatalog catalog)
{
    public Task List(HttpContext context) => JsonAnswer.Write(context, new JsonObject
    {
        ["object"] = "list",
        ["data"] = new JsonArray([.. catalog.Names.Select(n => (JsonNode)Describe(n))]),
    });

    public Task Get(HttpContext context) => JsonAnswer.Write(context, Describe(catalog.Resolve((string?)context.Request.RouteValues["name"])));

    private static JsonObject Describe(CatalogName name)
    {
        JsonObject model = new()
        {
            ["id"] = name.Name,
            ["object"] = "model",
            ["created"] = name.Source.Created.ToUnixTimeSeconds(),
            ["owned_by"] = "gradus",
            ["loaded"] = name.Model is not null,
        };
        if (name.Adapter is not null)
            model["parent"] = name.Source.Name;
        if (name.Model?.Inference is { } inference)
            model["max_model_len"] = inference.ContextLength;
        if (name.Model is not null)
            model["kind"] = name.Model.Inference is not null ? "text" : name.Model.Ranker is not null ? "ranker" : "embedding";
        return model;
    }
}
