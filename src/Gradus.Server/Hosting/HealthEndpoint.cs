using System.Text.Json.Nodes;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Hosting;

/// <summary>
/// <c>GET /health</c>: 200 once the models are loaded, 503 before and while the server stops. <c>GET /livez</c>: 200 while the process works.
/// </summary>
internal sealed class HealthEndpoint(InferenceService service)
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    public Task Ready(HttpContext context)
    {
        if (service.IsDraining)
            throw ApiException.Unavailable("server_stopping", "The server is stopping.", Soon);
        if (!service.Catalog.IsReady)
            throw ApiException.Unavailable("model_loading", "Loading model", Soon);
        return JsonAnswer.Write(context, new JsonObject { ["status"] = "ok", ["build"] = service.Options.Build });
    }

    public Task Live(HttpContext context) => JsonAnswer.Write(context, new JsonObject { ["status"] = "ok" });

    public async Task Metrics(HttpContext context)
    {
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        await context.Response.WriteAsync(service.Metrics.Write(service.Catalog), context.RequestAborted).ConfigureAwait(false);
    }
}
