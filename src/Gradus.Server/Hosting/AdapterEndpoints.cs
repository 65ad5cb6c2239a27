using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Server.Catalog;
using Gradus.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Hosting;

/// <summary>
/// <c>GET /lora-adapters</c>, <c>POST /v1/load_lora_adapter</c> and <c>/v1/unload_lora_adapter</c>: adapters that come and go while models work. A request gives the name of a
/// subfolder of the folder that the server was given; paths are not taken from requests.
/// </summary>
internal sealed class AdapterEndpoints(ModelCatalog catalog, string? folder)
{
    public Task List(HttpContext context)
    {
        CatalogName[] loaded = [.. catalog.Names.Where(n => n.Adapter is not null)];
        JsonArray adapters = [.. loaded.Select(n => (JsonNode)Describe(n.Name, n.Source.Name)), .. Known().Keys.Except(loaded.Select(n => n.Name)).Order(StringComparer.Ordinal).Select(n => (JsonNode)Describe(n, null))];
        return JsonAnswer.Write(context, adapters);
    }

    public async Task Load(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        string name = body.Get("lora_name").AsText();
        if (body.Find("lora_path") is not null)
            throw ApiException.Invalid("lora_path", "Paths are not taken from requests: give the name of a folder in the server's folder of adapters (--adapters) as lora_name.", "unsupported_parameter");
        if (!Known().TryGetValue(name, out string? path))
            throw ApiException.NoModel(name, Known().Keys.Order(StringComparer.Ordinal));
        await catalog.AddAdapter(body.Text("model"), new AdapterSource(name, path), context.RequestAborted).ConfigureAwait(false);
        await JsonAnswer.Write(context, Describe(name, catalog.Resolve(name).Source.Name)).ConfigureAwait(false);
    }

    public async Task Unload(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        string name = body.Get("lora_name").AsText();
        catalog.RemoveAdapter(name);
        await JsonAnswer.Write(context, Describe(name, null)).ConfigureAwait(false);
    }

    private static JsonObject Describe(string name, string? model) => new() { ["name"] = name, ["loaded"] = model is not null, ["model"] = model };

    private Dictionary<string, string> Known() => folder is null ? [] : Directory.EnumerateDirectories(folder).Where(PeftFolder.IsAdapter).ToDictionary(d => Path.GetFileName(d), StringComparer.Ordinal);
}
