using System.Text;
using System.Text.Json;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Search;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Gradus.Cli.Verbs;

/// <summary>A tool over an index whose failures are told to the client as the tool's result.</summary>
internal abstract class IndexTool(string name, string description, string schema) : McpServerTool
{
    /// <inheritdoc/>
    public override Tool ProtocolTool { get; } = new()
    {
        Name = name,
        Description = description,
        InputSchema = JsonDocument.Parse(schema).RootElement,
        Annotations = new ToolAnnotations { ReadOnlyHint = true, OpenWorldHint = false },
    };

    /// <inheritdoc/>
    public override IReadOnlyList<object> Metadata => [];

    /// <inheritdoc/>
    public override async ValueTask<CallToolResult> InvokeAsync(RequestContext<CallToolRequestParams> request, CancellationToken cancellationToken = default)
    {
        try
        {
            string text = await RunAsync(request.Params?.Arguments ?? new Dictionary<string, JsonElement>(), cancellationToken).ConfigureAwait(false);
            return new CallToolResult { Content = [new TextContentBlock { Text = text }] };
        }
        catch (Exception e) when (e is ArgumentException or InvalidDataException or IOException or FormatException or InvalidOperationException)
        {
            return new CallToolResult { Content = [new TextContentBlock { Text = e.Message }], IsError = true };
        }
    }

    /// <summary>Runs the tool.</summary>
    protected abstract Task<string> RunAsync(IDictionary<string, JsonElement> arguments, CancellationToken cancellation);

    /// <summary>A text that has to be given.</summary>
    protected static string Required(IDictionary<string, JsonElement> arguments, string key) =>
        arguments.TryGetValue(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new ArgumentException($"{key} is missing; give it as a text.");

    /// <summary>A whole number that may be given.</summary>
    protected static int Number(IDictionary<string, JsonElement> arguments, string key, int standard, int least, int most) =>
        !arguments.TryGetValue(key, out JsonElement value) ? standard
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= least && number <= most ? number
        : throw new ArgumentException($"{key} is a whole number from {least} to {most}.");
}

/// <summary>Finds passages.</summary>
internal sealed class SearchTool(RetrievalIndex index, RetrievalStep recipe, RagModels models) : IndexTool("search", "Find passages in the indexed documents that fit a question.",
    """
    {"type": "object", "properties": {"query": {"type": "string", "description": "What to look for."},
      "count": {"type": "integer", "minimum": 1, "maximum": 50, "description": "Passages to find; 5 without it."},
      "where": {"type": "array", "items": {"type": "string"}, "description": "Conditions on metadata, like status=Final or year>=2020."}}, "required": ["query"]}
    """)
{
    /// <inheritdoc/>
    protected override async Task<string> RunAsync(IDictionary<string, JsonElement> arguments, CancellationToken cancellation)
    {
        string[] where = arguments.TryGetValue("where", out JsonElement list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Select(e => e.ToString())] : [];
        IReadOnlyList<Hit> hits = await recipe.FindAsync(RagVerb.Search(index, recipe, where, models), Required(arguments, "query"), Number(arguments, "count", 5, 1, 50), cancellation).ConfigureAwait(false);
        StringBuilder text = new();
        foreach (StoredChunk chunk in index.Chunks(hits.Select(h => h.Chunk)))
            text.Append($"## {chunk.Source} (characters {chunk.Start} to {chunk.Start + chunk.Text.Length})\n\n{chunk.Text}\n\n");
        return text.Length > 0 ? text.ToString() : "Nothing found.";
    }
}

/// <summary>Reads a part of a document.</summary>
internal sealed class ReadTool(RetrievalIndex index) : IndexTool("read_document", "Read a part of an indexed document.",
    """
    {"type": "object", "properties": {"document": {"type": "string", "description": "The document's name, as search gives it."},
      "start": {"type": "integer", "minimum": 0, "description": "The first character; 0 without it."},
      "length": {"type": "integer", "minimum": 1, "maximum": 100000, "description": "Characters; 8000 without it."}}, "required": ["document"]}
    """)
{
    /// <inheritdoc/>
    protected override Task<string> RunAsync(IDictionary<string, JsonElement> arguments, CancellationToken cancellation)
    {
        string name = Required(arguments, "document");
        string text = index.DocumentText(name) ?? throw new ArgumentException($"{name} is not in the index.");
        int start = Math.Min(text.Length, Number(arguments, "start", 0, 0, int.MaxValue));
        return Task.FromResult(text.Substring(start, Math.Min(text.Length - start, Number(arguments, "length", 8000, 1, 100_000))));
    }
}
