using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Text;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>The arguments of a filter, each of which must be asked for or be refused.</summary>
internal sealed class FilterArguments(JsonObject step)
{
    private readonly HashSet<string> _known = ["function"];

    /// <summary>The filter's name: of Python classes the name under which <see cref="TaskFunctions"/> has them.</summary>
    public string Function(TaskFunctions functions) => step["function"] switch
    {
        JsonValue value when value.TryGetValue(out string? name) => name,
        JsonObject python => functions.FilterClass(python),
        _ => throw new InvalidDataException("filter_list: an entry has no function."),
    };

    public PythonRegex Pattern() => new(Text("regex_pattern", @"#### (\-?[0-9\.\,]+)"));

    public string Text(string name, string missing) => Any(name) is { } node
        ? node is JsonValue value && value.TryGetValue(out string? text) ? text : throw Wrong(name, "a text")
        : missing;

    public int Integer(string name, int? missing) => Any(name) is { } node
        ? node is JsonValue value && value.TryGetValue(out int number) ? number : throw Wrong(name, "a whole number")
        : missing ?? throw new InvalidDataException($"filter_list: {Shown} needs {name}.");

    public bool Flag(string name) => Any(name) is { } node
        && (node.GetValueKind() is JsonValueKind.True or JsonValueKind.False ? node.GetValueKind() == JsonValueKind.True : throw Wrong(name, "true or false"));

    public IEnumerable<string> Texts(string name) => Any(name) switch
    {
        null => [],
        JsonArray list => list.Select(t => t?.ToString() ?? ""),
        _ => throw Wrong(name, "a list of texts"),
    };

    public JsonObject Object(string name) => Any(name) switch
    {
        null => [],
        JsonObject node => node,
        _ => throw Wrong(name, "a map"),
    };

    public JsonNode? Any(string name)
    {
        _known.Add(name);
        return step[name];
    }

    public void RefuseOthers()
    {
        if (step.FirstOrDefault(a => !_known.Contains(a.Key)) is { Key: { } key })
            throw new InvalidDataException($"filter_list: {Shown} has no argument {key}{(_known.Count > 1 ? $"; it has {string.Join(", ", _known.Skip(1))}" : "")}.");
    }

    private string Shown => step["function"]?.ToString() ?? "a filter";

    private InvalidDataException Wrong(string name, string wanted) => new($"filter_list: {Shown}: {name} is {step[name]!.ToJsonString()}; give {wanted}.");
}
