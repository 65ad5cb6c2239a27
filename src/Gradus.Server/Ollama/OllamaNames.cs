using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Server.Catalog;
using Gradus.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Ollama;

/// <summary>
/// <c>GET /api/tags</c>, <c>/api/ps</c> and <c>/api/version</c>, <c>POST /api/show</c>: what models there are, as Ollama tells it. Source: Ollama's API documentation.
/// </summary>
internal sealed class OllamaNames(ModelCatalog catalog, string build)
{
    private const string UsualTag = ":latest";

    /// <summary>The name of a model as the catalog has it: Ollama's clients add a tag.</summary>
    public static string Plain(string name) => name.EndsWith(UsualTag, StringComparison.Ordinal) ? name[..^UsualTag.Length] : name;

    /// <summary>The name of a body's model.</summary>
    public static string Of(JsonField body) => Plain((body.Find("model") ?? body.Get("name")).AsText());

    /// <summary>A time as Ollama writes it.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", System.Globalization.CultureInfo.InvariantCulture);

    public Task Tags(HttpContext context) => JsonAnswer.Write(context, new JsonObject
    {
        ["models"] = new JsonArray([.. catalog.Names.Select(n => (JsonNode)Describe(n))]),
    });

    public Task Running(HttpContext context) => JsonAnswer.Write(context, new JsonObject
    {
        ["models"] = new JsonArray([.. catalog.Names.Where(n => n is { Adapter: null, Model: not null }).Select(n =>
        {
            JsonObject model = Describe(n);
            model["expires_at"] = Time(n.Expires ?? DateTimeOffset.MaxValue);
            model["size_vram"] = 0;
            if (n.Model!.Inference is { } inference)
                model["context_length"] = inference.ContextLength;
            return (JsonNode)model;
        })]),
    });

    public Task Version(HttpContext context) => JsonAnswer.Write(context, new JsonObject { ["version"] = "0.33.0", ["server"] = build });

    public async Task Show(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        using ModelLease lease = await catalog.Acquire(Of(body), context.RequestAborted).ConfigureAwait(false);
        CatalogName name = catalog.Resolve(lease.Name);
        JsonArray capabilities = [];
        if (lease.Model.Inference is not null)
            capabilities.Add((JsonNode)"completion");
        if (lease.Model.Bundle?.Template is { } template)
        {
            if (template.Source.Contains("tools", StringComparison.Ordinal))
                capabilities.Add((JsonNode)"tools");
            if (template.Source.Contains("</think>", StringComparison.Ordinal))
                capabilities.Add((JsonNode)"thinking");
        }
        if (lease.Model.Inference is null)
            capabilities.Add((JsonNode)"embedding");
        JsonObject info = [];
        if (lease.Model.Bundle is { } bundle)
        {
            info["general.architecture"] = bundle.Model.Config.Architecture;
            info["general.parameter_count"] = bundle.Model.ParameterCount;
            info[$"{bundle.Model.Config.Architecture}.context_length"] = bundle.ContextLength;
        }
        await JsonAnswer.Write(context, new JsonObject
        {
            ["license"] = "",
            ["modelfile"] = "",
            ["parameters"] = "",
            ["template"] = lease.Model.Bundle?.Template?.Source ?? "",
            ["details"] = Details(lease.Model.Bundle, name),
            ["model_info"] = info,
            ["capabilities"] = capabilities,
            ["modified_at"] = Time(name.Source.Created),
        }).ConfigureAwait(false);
    }

    private static JsonObject Describe(CatalogName name) => new()
    {
        ["name"] = name.Name,
        ["model"] = name.Name,
        ["modified_at"] = Time(name.Source.Created),
        ["size"] = name.Model?.Bundle?.Model.ParameterCount ?? 0,
        ["digest"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{name.Name} {name.Source.Created.ToUnixTimeSeconds()}"))),
        ["details"] = Details(name.Model?.Bundle, name),
    };

    private static JsonObject Details(ModelBundle? bundle, CatalogName name)
    {
        string family = bundle?.Model.Config.Architecture ?? "";
        return new JsonObject
        {
            ["parent_model"] = name.Adapter is null ? "" : name.Source.Name,
            ["format"] = bundle is { Location.Folder: { } folder } && folder.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) ? "gguf" : "safetensors",
            ["family"] = family,
            ["families"] = new JsonArray(family),
            ["parameter_size"] = bundle is null ? "" : Size(bundle.Model.ParameterCount),
            ["quantization_level"] = "",
        };
    }

    private static string Size(long parameters) => parameters switch
    {
        >= 1_000_000_000 => $"{parameters / 1e9:0.0}B",
        >= 1_000_000 => $"{parameters / 1e6:0.0}M",
        _ => $"{parameters / 1e3:0.0}K",
    };
}
