using System.Text.Json.Nodes;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>
/// A key such as <c>doc_to_text</c>: a column's name, a template, a fixed value, or a Python function. What a template prints is read as Python
/// would: digits are a number where the task has choices, what stands in brackets is a list.
/// </summary>
internal sealed class DocumentField
{
    private readonly string _task;
    private readonly string _key;
    private readonly JsonNode _given;
    private readonly string? _column;
    private readonly TextTemplate? _template;
    private readonly DocumentFunction? _function;

    private DocumentField(HarnessConfig config, string key, JsonNode given, IReadOnlySet<string> columns)
    {
        _task = config.Name;
        _key = key;
        _given = given;
        if (TaskFunctions.IsFunction(given))
        {
            _function = config.Functions.Document(given);
            return;
        }
        if (given is not JsonValue value || !value.TryGetValue(out string? text))
            return;
        if (columns.Contains(text))
            _column = text;
        else
            _template = Parse(text);
    }

    /// <summary>The field of a key, or null where the key is absent.</summary>
    public static DocumentField? Of(HarnessConfig config, string key, JsonNode? given, IReadOnlySet<string> columns) =>
        given is null ? null : new DocumentField(config, key, given, columns);

    /// <summary><c>doc_to_text</c>: a text, or the number of a choice.</summary>
    public JsonNode Text(JsonObject document, bool hasChoices) => Read(document, text => PythonStrings.IsDigit(text) && hasChoices ? Literal(text) : text)
        ?? throw Error("is null; give a text.");

    /// <summary><c>doc_to_target</c>: a text, the number of a choice, or a list of such.</summary>
    public JsonNode? Target(JsonObject document, bool hasChoices) => Read(document, text =>
    {
        if (PythonStrings.IsDigit(text) && hasChoices)
            return Literal(text);
        if (text is not ['[', .., ']'])
            return text;
        try
        {
            return PythonLiteral.Parse(text);
        }
        catch (FormatException)
        {
            return text;
        }
    });

    /// <summary><c>doc_to_choice</c>: the choices as texts.</summary>
    public IReadOnlyList<string> Choices(JsonObject document)
    {
        JsonNode? choices = Read(document, Literal);
        if (choices is JsonObject map)
            choices = new JsonArray([.. map.Select(p => p.Value?.DeepClone())]);
        return choices is JsonArray { Count: > 0 } list
            ? [.. list.Select(c => c is JsonValue value && value.TryGetValue(out string? text) ? text : PythonStrings.Str(c))]
            : throw Error("gives no list of choices.");
    }

    /// <summary>A plain text, as a description or a prefix of the answer is.</summary>
    public string Plain(JsonObject document) => Read(document, text => text)?.ToString() ?? "";

    private JsonNode? Read(JsonObject document, Func<string, JsonNode?> rendered)
    {
        try
        {
            if (_function is not null)
                return _function(document);
            if (_column is not null)
                return document.TryGetPropertyValue(_column, out JsonNode? value) ? value : throw Error($"asks for the column \"{_column}\", which is missing.");
            return _template is null ? _given : rendered(_template.Render(document));
        }
        catch (Exception e) when (e is ChatTemplateException or FormatException)
        {
            throw Error(e is ChatTemplateException template ? $"line {template.Line}, column {template.Column}: {template.Reason}." : $"gives what cannot be read: {e.Message}");
        }
        catch (Exception e) when (e is InvalidDataException && !e.Message.StartsWith("task ", StringComparison.Ordinal))
        {
            throw Error(e.Message);
        }
    }

    private TextTemplate Parse(string text)
    {
        try
        {
            return TextTemplate.Parse(text);
        }
        catch (ChatTemplateException e)
        {
            throw Error($"line {e.Line}, column {e.Column}: {e.Reason}.");
        }
    }

    private static JsonNode? Literal(string text) => PythonLiteral.Parse(text);

    private InvalidDataException Error(string what) => new($"task {_task}: {_key}: {what}");
}
