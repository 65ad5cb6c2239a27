using Gradus.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Security;

/// <summary>
/// Who may ask: a key where keys are asked for; no web page of another origin unless listed, since a browser would lend it the machine's own
/// access; and no foreign host name while the server listens on loopback, which a page could point at it (DNS rebinding).
/// </summary>
internal sealed class RequestGuard(ServerOptions options)
{
    private static readonly string[] Open = ["/health", "/healthz", "/livez", "/readyz", "/", "/page", "/favicon.ico", "/openapi.json"];
    private static readonly string[] ForAdministrators = ["/metrics", "/admin", "/api/pull", "/api/delete", "/lora-adapters", "/v1/load_lora_adapter", "/v1/unload_lora_adapter"];

    /// <summary>Lets a request pass.</summary>
    /// <exception cref="ApiException">It may not (401, 403).</exception>
    public void Check(HttpContext context)
    {
        CheckHost(context.Request.Host.Host);
        CheckOrigin(context.Request);
        if (options.Keys is not { } keys || HttpMethods.IsOptions(context.Request.Method) || IsOpen(context.Request.Path))
            return;
        string? secret = Secret(context.Request);
        ApiKey key = (secret is null ? null : keys.Find(secret)) ?? throw new ApiException(401, "authentication_error", "invalid_api_key", null, secret is null
            ? "No API key was sent; send it as Authorization: Bearer KEY, or as x-api-key."
            : "The API key is not known.");
        string scope = Array.Exists(ForAdministrators, p => context.Request.Path.StartsWithSegments(p, StringComparison.Ordinal)) ? ApiKeys.Admin : ApiKeys.Inference;
        if (!key.Scopes.Contains(scope))
            throw new ApiException(403, "permission_error", "insufficient_scope", null, $"The API key may not be used for this; it needs the scope {scope}.");
        context.Items[typeof(ApiKey)] = key;
    }

    /// <summary>Whether pages of an origin may use the server.</summary>
    public bool Allows(string origin) => options.AllowedOrigins.Contains("*") || options.AllowedOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase);

    private static bool IsOpen(PathString path) => Array.Exists(Open, p => path == p) || path.StartsWithSegments("/page", StringComparison.Ordinal) || path.StartsWithSegments("/scalar", StringComparison.Ordinal);

    private static string? Secret(HttpRequest request)
    {
        string? bearer = request.Headers.Authorization;
        if (bearer is not null && bearer.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
            return bearer["Bearer ".Length..].Trim();
        return request.Headers.TryGetValue("x-api-key", out Microsoft.Extensions.Primitives.StringValues key) ? key.ToString() : null;
    }

    private void CheckHost(string host)
    {
        if (!options.IsLoopback && options.AllowedHosts.Count == 0)
            return;
        string name = host.Trim('[', ']');
        bool isOwn = name is "localhost" || (System.Net.IPAddress.TryParse(name, out System.Net.IPAddress? address) && (!options.IsLoopback || System.Net.IPAddress.IsLoopback(address)));
        if (!isOwn && !options.AllowedHosts.Contains("*") && !options.AllowedHosts.Contains(name, StringComparer.OrdinalIgnoreCase))
            throw new ApiException(403, "permission_error", "host_not_allowed", null, "The server does not go by that host name; allow it where the server is started.");
    }

    private void CheckOrigin(HttpRequest request)
    {
        string? origin = request.Headers.Origin;
        if (string.IsNullOrEmpty(origin) || HttpMethods.IsOptions(request.Method) || Allows(origin) || string.Equals(origin, $"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase))
            return;
        throw new ApiException(403, "permission_error", "origin_not_allowed", null, "Pages of that origin may not use the server; allow it where the server is started.");
    }
}
