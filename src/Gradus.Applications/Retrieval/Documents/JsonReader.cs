using System.Text;
using System.Text.Json;

namespace Gradus.Applications.Retrieval.Documents;

/// <summary>JSON and JSON lines: lines <c>path: value</c>; each line of a .jsonl file and each element of an outer array is a section.</summary>
public sealed class JsonReader : DocumentReader
{
    private static readonly JsonDocumentOptions Options = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, MaxDepth = 64 };

    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions { get; } = [".json", ".jsonl", ".ndjson"];

    /// <inheritdoc/>
    public override SourceDocument Read(ReadOnlyMemory<byte> bytes, string name, ReadingLimits limits)
    {
        string decoded = Decode(bytes, limits, out IReadOnlyList<string> remarks);
        StringBuilder text = new();
        HeadingPath path = new();
        if (name.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
            AddWhole(decoded, text, path, limits);
        else
            AddLines(decoded, text, path, limits);
        return new SourceDocument(text.ToString(), [.. path.Sections.Select(s => s with { Headings = [] })], new Dictionary<string, string>()) { Remarks = remarks };
    }

    private static void AddWhole(string decoded, StringBuilder text, HeadingPath path, ReadingLimits limits)
    {
        using JsonDocument json = Parse(decoded, null);
        if (json.RootElement.ValueKind != JsonValueKind.Array)
        {
            Add(json.RootElement, "", text, limits);
            return;
        }
        foreach (JsonElement element in json.RootElement.EnumerateArray())
            AddRecord(element, text, path, limits);
    }

    private static void AddLines(string decoded, StringBuilder text, HeadingPath path, ReadingLimits limits)
    {
        int number = 0;
        using StringReader lines = new(decoded);
        while (lines.ReadLine() is { } line)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            using JsonDocument json = Parse(line, number);
            AddRecord(json.RootElement, text, path, limits);
        }
    }

    private static void AddRecord(JsonElement element, StringBuilder text, HeadingPath path, ReadingLimits limits)
    {
        EndParagraph(text);
        path.Add(text.Length, 1, "");
        Add(element, "", text, limits);
    }

    private static JsonDocument Parse(string text, int? line)
    {
        try
        {
            return JsonDocument.Parse(text, Options);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"is no JSON{(line is null ? "" : $" in line {line}")}: {e.Message.Split('\n')[0]}");
        }
    }

    private static void Add(JsonElement value, string path, StringBuilder text, ReadingLimits limits)
    {
        CheckLength(text.Length, limits);
        if (value.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in value.EnumerateObject())
                Add(property.Value, path.Length == 0 ? property.Name : $"{path}.{property.Name}", text, limits);
        }
        else if (value.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement element in value.EnumerateArray())
                Add(element, path, text, limits);
        }
        else if (value.ToString() is { Length: > 0 } words)
        {
            text.Append(path).Append(path.Length == 0 ? "" : ": ").Append(words).Append('\n');
        }
    }
}
