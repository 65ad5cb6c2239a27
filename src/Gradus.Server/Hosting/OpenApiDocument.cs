using System.Text.Json.Nodes;

namespace Gradus.Server.Hosting;

/// <summary>
/// What the server answers, as an OpenAPI 3.1 document: every operation with an example to try. The bodies are those of the protocols' own documents, which
/// are not repeated here.
/// </summary>
internal static class OpenApiDocument
{
    private const string Say = """{"model": "MODEL", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64}""";

    private static readonly (string Method, string Path, string Tag, string Summary, string? Example)[] Operations =
    [
        ("post", "/v1/chat/completions", "OpenAI", "Answer a conversation", Say),
        ("post", "/v1/completions", "OpenAI", "Go on from a text or tokens", """{"model": "MODEL", "prompt": "Once upon a time", "max_tokens": 32}"""),
        ("post", "/v1/embeddings", "OpenAI", "Make vectors of texts", """{"model": "MODEL", "input": ["a text", "another"]}"""),
        ("post", "/v1/responses", "OpenAI", "Answer, and go on from an earlier answer", """{"model": "MODEL", "input": "Hello"}"""),
        ("get", "/v1/responses/{id}", "OpenAI", "A stored response", null),
        ("delete", "/v1/responses/{id}", "OpenAI", "Forget a stored response", null),
        ("get", "/v1/models", "OpenAI", "The models", null),
        ("get", "/v1/models/{id}", "OpenAI", "A model", null),
        ("post", "/v1/messages", "Anthropic", "Answer a conversation", Say),
        ("post", "/v1/messages/count_tokens", "Anthropic", "Count the tokens of a conversation", """{"model": "MODEL", "messages": [{"role": "user", "content": "Hello"}]}"""),
        ("post", "/api/chat", "Ollama", "Answer a conversation", """{"model": "MODEL", "messages": [{"role": "user", "content": "Hello"}], "stream": false}"""),
        ("post", "/api/generate", "Ollama", "Answer a prompt", """{"model": "MODEL", "prompt": "Hello", "stream": false}"""),
        ("post", "/api/embed", "Ollama", "Make vectors of texts", """{"model": "MODEL", "input": ["a text"]}"""),
        ("post", "/api/show", "Ollama", "What a model is", """{"model": "MODEL"}"""),
        ("get", "/api/tags", "Ollama", "The models", null),
        ("get", "/api/ps", "Ollama", "The models that are loaded", null),
        ("get", "/api/version", "Ollama", "The version", null),
        ("post", "/v1/rerank", "Ranking", "Rank texts by how well they answer a question", """{"model": "MODEL", "query": "a question", "documents": ["a text", "another"]}"""),
        ("post", "/tokenize", "Tokens", "The tokens of a text or conversation", """{"model": "MODEL", "content": "Hello"}"""),
        ("post", "/detokenize", "Tokens", "The text of tokens", """{"model": "MODEL", "tokens": [1, 2, 3]}"""),
        ("post", "/apply-template", "Tokens", "A conversation as the model reads it", """{"model": "MODEL", "messages": [{"role": "user", "content": "Hello"}]}"""),
        ("get", "/lora-adapters", "Adapters", "The adapters", null),
        ("post", "/v1/load_lora_adapter", "Adapters", "Load an adapter", """{"lora_name": "NAME"}"""),
        ("post", "/v1/unload_lora_adapter", "Adapters", "Take an adapter away", """{"lora_name": "NAME"}"""),
        ("get", "/health", "Server", "Whether the models are loaded", null),
        ("get", "/livez", "Server", "Whether the process works", null),
        ("get", "/metrics", "Server", "Measurements for Prometheus", null),
    ];

    /// <summary>The operations' methods and paths.</summary>
    public static IEnumerable<(string Method, string Path)> Paths => Operations.Select(o => (o.Method, o.Path));

    /// <summary>Makes the document.</summary>
    /// <param name="model">A model's name, for the examples.</param>
    /// <param name="asksForKeys">Whether requests need a key.</param>
    public static JsonObject Create(string model, bool asksForKeys)
    {
        JsonObject paths = [];
        foreach (IGrouping<string, (string Method, string Path, string Tag, string Summary, string? Example)> path in Operations.GroupBy(o => o.Path))
        {
            JsonObject item = [];
            foreach ((string method, _, string tag, string summary, string? example) in path)
                item[method] = Operation(path.Key, tag, summary, example?.Replace("\"MODEL\"", JsonValue.Create(model).ToJsonString(), StringComparison.Ordinal));
            paths[path.Key] = item;
        }
        JsonObject document = new()
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject { ["title"] = "Gradus", ["version"] = typeof(OpenApiDocument).Assembly.GetName().Version!.ToString(3), ["description"] = "Language models behind the APIs of OpenAI, Anthropic and Ollama." },
            ["paths"] = paths,
        };
        if (asksForKeys)
        {
            document["components"] = new JsonObject { ["securitySchemes"] = new JsonObject { ["key"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer" } } };
            document["security"] = new JsonArray(new JsonObject { ["key"] = new JsonArray() });
        }
        return document;
    }

    private static JsonObject Operation(string path, string tag, string summary, string? example)
    {
        JsonObject operation = new()
        {
            ["tags"] = new JsonArray(tag),
            ["summary"] = summary,
            ["responses"] = new JsonObject
            {
                ["200"] = new JsonObject { ["description"] = "Done." },
                ["default"] = new JsonObject { ["description"] = "Refused: what is wrong, in the form of the protocol." },
            },
        };
        if (path.Contains("{id}", StringComparison.Ordinal))
            operation["parameters"] = new JsonArray(new JsonObject { ["name"] = "id", ["in"] = "path", ["required"] = true, ["schema"] = new JsonObject { ["type"] = "string" } });
        if (example is not null)
        {
            operation["requestBody"] = new JsonObject
            {
                ["required"] = true,
                ["content"] = new JsonObject { ["application/json"] = new JsonObject { ["schema"] = new JsonObject { ["type"] = "object" }, ["example"] = JsonNode.Parse(example) } },
            };
        }
        return operation;
    }
}
