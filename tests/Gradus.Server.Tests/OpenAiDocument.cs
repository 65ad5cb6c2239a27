using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Testing;
using Json.Schema;

namespace Gradus.Server.Tests;

/// <summary>The OpenAPI document of the OpenAI API: bodies and events are held against its schemas where the shared folder has it.</summary>
internal static class OpenAiDocument
{
    private static readonly Uri Address = new("https://api.openai.com/openapi.json");
    private static readonly Lazy<bool> Loaded = new(Load);

    /// <summary>Whether the document is there.</summary>
    public static bool IsThere => SharedFolder.Find("reference", "openai-openapi.json.gz") is not null;

    /// <summary>Refuses a value that is not as a schema says.</summary>
    public static void Check(string schema, JsonElement value)
    {
        if (!IsThere || !Loaded.Value)
            return;
        EvaluationResults results = JsonSchema.FromText($$"""{"$ref": "{{Address}}#/components/schemas/{{schema}}"}""").Evaluate(value, new EvaluationOptions { OutputFormat = OutputFormat.List });
        Assert.True(results.IsValid, $"{schema}: {string.Join("; ", (results.Details ?? []).Where(d => d.Errors is { Count: > 0 }).Select(d => $"{d.InstanceLocation} {string.Join(", ", d.Errors!.Values)}").Take(8))}\n{value}");
    }

    private static bool Load()
    {
        using FileStream file = File.OpenRead(SharedFolder.Find("reference", "openai-openapi.json.gz")!);
        using GZipStream zipped = new(file, CompressionMode.Decompress);
        JsonNode document = JsonNode.Parse(zipped)!;
        // What version 3.0 wrote as nullable is left over in places.
        Widen(document["components"]!["schemas"], isMap: true);
        JsonObject kept = new()
        {
            ["$id"] = Address.ToString(),
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["components"] = new JsonObject { ["schemas"] = document["components"]!["schemas"]!.DeepClone() },
        };
        SchemaRegistry.Global.Register(Address, JsonSchema.FromText(kept.ToJsonString()));
        return true;
    }

    private static void Widen(JsonNode? node, bool isMap = false)
    {
        if (node is JsonArray list)
        {
            foreach (JsonNode? element in list)
                Widen(element);
        }
        if (node is not JsonObject o)
            return;
        foreach ((string name, JsonNode? value) in o.ToArray())
        {
            // Keywords of OpenAPI and of vendors, which JSON Schema does not know, and those of an older draft; a property may be called so.
            if (!isMap && (name.StartsWith("x-", StringComparison.Ordinal) || name is "discriminator" or "example" or "$recursiveAnchor" or "$recursiveRef"))
                o.Remove(name);
            else if (name is not ("enum" or "default" or "const" or "examples"))
                Widen(value, !isMap && name is "properties" or "schemas");
        }
        if (!isMap && o["nullable"] is JsonValue flag && flag.TryGetValue(out bool nullable))
        {
            JsonObject strict = (JsonObject)o.DeepClone();
            strict.Remove("nullable");
            if (!nullable)
            {
                o.Remove("nullable");
                return;
            }
            o.Clear();
            o["anyOf"] = new JsonArray(strict, new JsonObject { ["type"] = "null" });
        }
    }
}
