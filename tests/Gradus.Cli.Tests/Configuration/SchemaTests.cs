using System.Text.Json.Nodes;
using Gradus.Cli.Configuration;

namespace Gradus.Cli.Tests.Configuration;

public sealed class SchemaTests
{
    private static readonly string s_text = ConfigurationSchema.Write(SampleContext.Default.SampleRecipe, new SampleRecipe());
    private static readonly JsonNode s_schema = JsonNode.Parse(s_text)!;

    private static JsonNode Property(string path)
    {
        return path.Split('.').Aggregate(s_schema, (node, key) => node["properties"]![key]!);
    }

    private static void Is(string expected, JsonNode? actual)
    {
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), actual), $"expected {expected}\ngot {actual?.ToJsonString()}");
    }

    [Fact]
    public void TheRootNamesTheDraftAndTheRecipesOwnKeys()
    {
        Assert.Equal("https://json-schema.org/draft/2020-12/schema", (string?)s_schema["$schema"]);
        Assert.Equal("SampleRecipe", (string?)s_schema["title"]);
        Assert.Equal("A sample of everything a recipe may hold.", (string?)s_schema["description"]);
        Assert.Equal("""{"$ref":"#/$defs/(size)"}""", Property("sizes")["additionalProperties"]!.ToJsonString());
        Assert.Equal(s_text, ConfigurationSchema.Write(SampleContext.Default.SampleRecipe, new SampleRecipe()));
    }

    [Fact]
    public void ValuesHaveTypeRangeDefaultAndDescription()
    {
        Is("""{ "type": "integer", "minimum": 1, "maximum": 4096, "default": 8, "description": "Examples per update." }""", Property("training.batch_size"));
        Is("""{ "type": "integer", "minimum": 1, "maximum": 2147483647, "default": 1000, "description": "How many updates, of BatchSize examples each." }""", Property("training.steps"));
        Is("""{ "type": ["number", "null"], "exclusiveMinimum": 0, "default": 1, "description": "The largest norm of a gradient, or null for none." }""", Property("training.clip"));
        Is("""{ "type": "boolean", "default": false, "description": "Whether to go on from a checkpoint." }""", Property("training.resume"));
        Is("""{ "type": ["string", "null"], "default": null, "description": "What the run is called, or null." }""", Property("training.name"));
        Is("""{ "type": "string", "enum": ["fp32", "bf16", "int8_dynamic"], "default": "fp32", "description": "How numbers are held." }""", Property("training.precision"));
        Is("""{ "type": ["string", "null"], "enum": ["fp32", "bf16", "int8_dynamic", null], "default": null }""", Property("training.compute"));
        Is("""{ "type": "integer", "minimum": 0, "maximum": 255, "default": 3 }""", Property("training.level"));
        Is("""{ "type": "array", "items": { "type": "integer", "minimum": -2147483648, "maximum": 2147483647 }, "default": [100, 200] }""", Property("training.milestones"));
        Is("""{ "type": "array", "minItems": 1, "items": { "type": "string" }, "default": ["a"] }""", Property("training.tags"));
        Is("""{ "default": { "free": 1 } }""", Property("training.extra"));
        Assert.Equal("00:10:00", (string?)Property("training.save_every")["default"]);
        Is("""
            { "type": "object", "additionalProperties": { "type": "number", "minimum": 0, "maximum": 1 },
              "default": { "code": 0.25, "prose": 0.75 }, "description": "Shares of tasks." }
            """, Property("mix"));
        Assert.Null(Property("training")["required"]);
        Assert.False((bool)Property("training")["additionalProperties"]!);
    }

    [Fact]
    public void KindsAreToldApartByTheirConstant()
    {
        JsonArray kinds = Property("optimizer")["oneOf"]!.AsArray();
        Assert.Equal(3, kinds.Count);
        Is("""{ "const": "adamw", "default": "adamw" }""", kinds[0]!["properties"]!["kind"]);
        Is("""{ "$ref": "#/$defs/Muon", "required": ["kind"] }""", kinds[1]);
        JsonNode muon = SchemaCheck.Resolve(s_schema, "#/$defs/Muon");
        Is("""{ "const": "muon" }""", muon["properties"]!["kind"]);
        Assert.Equal(0.02, (double)muon["properties"]!["learning_rate"]!["default"]!);
        Assert.Equal("Orthogonal momentum.", (string?)muon["description"]);
        Assert.Equal(2, (int)muon["properties"]!["inner"]!["properties"]!["rank"]!["default"]!);
    }

    [Fact]
    public void DefaultsAreThoseOfThePlace()
    {
        JsonNode schema = JsonNode.Parse(ConfigurationSchema.Write(
            SampleContext.Default.SampleRecipe, new SampleRecipe { Seed = 5, Optimizer = new Muon { Momentum = 0.5 } }))!;
        Assert.Equal(5, (int)schema["properties"]!["seed"]!["default"]!);
        Assert.Equal(0.5, (double)schema["properties"]!["optimizer"]!["oneOf"]![1]!["properties"]!["momentum"]!["default"]!);
        Assert.Equal(0.95, (double)schema["$defs"]!["Muon"]!["properties"]!["momentum"]!["default"]!);
    }

    [Fact]
    public void EveryReferenceIsDefined()
    {
        static IEnumerable<string> References(JsonNode? node) => node switch
        {
            JsonObject o => o.SelectMany(m => m is { Key: "$ref", Value: JsonValue target } ? [(string)target!] : References(m.Value)),
            JsonArray a => a.SelectMany(References),
            _ => [],
        };
        string[] all = [.. References(s_schema).Distinct()];
        Assert.True(all.Length > 5);
        Assert.All(all, r => Assert.NotNull(SchemaCheck.Resolve(s_schema, r)));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{ "training": { "tags": [""] } }""")]
    [InlineData("""{ "$schema": "s.json", "description": "d", "training": { "steps": 5, "save_every": "00:00:01" } }""")]
    [InlineData("""{ "optimizer": { "learning_rate": 0.5 }, "adapter": { "rank": 3 } }""")]
    [InlineData("""{ "optimizer": { "kind": "muon", "inner": { "rank": 7 } }, "fallback": null, "adapter": null }""")]
    [InlineData("""{ "optimizer": { "kind": "chain", "parts": [{ "kind": "chain", "parts": [] }, { "kind": "adamw", "betas": null }] } }""")]
    [InlineData("""{ "by_layer": { "0": { "kind": "muon" } }, "mix": { "x": 1 }, "sources": [{ "path": "a", "shards": 1 }] }""")]
    [InlineData("""{ "sizes": { "baby": { "training": { "steps": 5 }, "optimizer": { "kind": "muon" } }, "big": {} } }""")]
    public void WhatResolvesIsValid(string recipe)
    {
        SampleRecipe resolved = Sample.Resolve(recipe, "--training.warmup=0");
        Assert.True(SchemaCheck.Accepts(s_schema, recipe));
        Assert.True(SchemaCheck.Accepts(s_schema, Sample.Json(resolved)));
    }

    [Theory]
    [InlineData("""{ "stepz": 1 }""")]
    [InlineData("""{ "training": { "stepz": 1 } }""")]
    [InlineData("""{ "training": { "steps": 0 } }""")]
    [InlineData("""{ "training": { "steps": 1.5 } }""")]
    [InlineData("""{ "training": { "steps": null } }""")]
    [InlineData("""{ "training": { "precision": "fp16" } }""")]
    [InlineData("""{ "training": { "tags": [] } }""")]
    [InlineData("""{ "training": { "warmup": 3000000000 } }""")]
    [InlineData("""{ "training": { "clip": 0 } }""")]
    [InlineData("""{ "training": null }""")]
    [InlineData("""{ "mix": { "x": 2 } }""")]
    [InlineData("""{ "optimizer": { "kind": "sgd" } }""")]
    [InlineData("""{ "optimizer": { "momentum": 0.5 } }""")]
    [InlineData("""{ "optimizer": { "kind": "muon", "betas": [] } }""")]
    [InlineData("""{ "optimizer": { "betas": [1] } }""")]
    [InlineData("""{ "fallback": { "momentum": 0.5 } }""")]
    [InlineData("""{ "optimizer": { "kind": "chain", "parts": [{}] } }""")]
    [InlineData("""{ "by_layer": { "0": {} } }""")]
    [InlineData("""{ "sources": [{ "path": "", "shards": 1 }] }""")]
    [InlineData("""{ "sizes": { "baby": { "training": { "stepz": 5 } } } }""")]
    [InlineData("""{ "sizes": { "baby": { "sizes": {} } } }""")]
    public void WhatDoesNotResolveIsNotValid(string recipe)
    {
        Sample.Problems(recipe, "--training.warmup=0");
        Assert.False(SchemaCheck.Accepts(s_schema, recipe));
    }

    [Fact]
    public void WithoutDocumentationThereAreNoDescriptions()
    {
        XmlDescriptions none = new(Path.Combine(AppContext.BaseDirectory, "absent"));
        Assert.Null(none.Of(typeof(SampleRecipe)));
        Assert.Equal("A sample of everything a recipe may hold.", new XmlDescriptions(AppContext.BaseDirectory).Of(typeof(SampleRecipe)));
    }
}
