using System.Text.Json.Nodes;
using Gradus.Generation.Structure.ToolCalls;
using Gradus.Server.Http;
using Gradus.Server.Inference;

namespace Gradus.Server.OpenAi;

/// <summary>The tools of a request, and what it says about their use.</summary>
/// <param name="Use">What may be called; null for nothing.</param>
/// <param name="Definitions">The tools as chat templates read them; null for none.</param>
/// <param name="Skipped">Kinds of tools that are not run here and were left out.</param>
internal sealed record ToolFields(ToolUse? Use, JsonArray? Definitions, IReadOnlyList<string> Skipped)
{
    /// <summary>Reads <c>tools</c>, <c>tool_choice</c> and <c>parallel_tool_calls</c>, in the form of chat completions or of Responses (names at the top).</summary>
    /// <exception cref="ApiException">A tool is not well formed, or a choice means none of them.</exception>
    public static ToolFields Read(JsonField body)
    {
        List<CallableTool> tools = [];
        JsonArray definitions = [];
        List<string> skipped = [];
        foreach (JsonField tool in body.Find("tools")?.Elements() ?? [])
        {
            string type = tool.AsObject().Get("type").AsText();
            if (type != "function")
            {
                skipped.Add(type);
                continue;
            }
            JsonField function = tool.Find("function")?.AsObject() ?? tool;
            CallableTool callable = Callable(function);
            if (tools.Exists(t => t.Name == callable.Name))
                throw ApiException.Invalid(function.Path, $"Two tools are called '{callable.Name}'.", "invalid_value");
            tools.Add(callable);
            definitions.Add((JsonNode)Definition(callable.Name, function.Text("description"), function.Find("parameters")?.AsNode()));
        }
        return Choose(body, tools, definitions, skipped);
    }

    /// <summary>A tool as chat templates read it.</summary>
    public static JsonObject Definition(string name, string? description, JsonNode? parameters)
    {
        JsonObject function = new() { ["name"] = name };
        if (description is not null)
            function["description"] = description;
        function["parameters"] = parameters ?? new JsonObject { ["type"] = "object", ["properties"] = new JsonObject() };
        return new JsonObject { ["type"] = "function", ["function"] = function };
    }

    /// <summary>Reads one tool.</summary>
    private static CallableTool Callable(JsonField function)
    {
        string name = function.Get("name").AsText();
        if (name.Length is 0 or > 128)
            throw ApiException.Invalid($"{function.Path}.name", $"Invalid value for '{function.Path}.name': a name has 1 to 128 characters.", "invalid_value");
        return new CallableTool(name, function.Find("parameters")?.AsObject().Value) { Strict = function.Flag("strict") ?? false };
    }

    private static ToolFields Choose(JsonField body, List<CallableTool> tools, JsonArray definitions, List<string> skipped)
    {
        bool parallel = body.Flag("parallel_tool_calls") ?? true;
        (string mode, IReadOnlyList<string>? names) = Choice(body);
        if (tools.Count == 0 && mode == "required")
            throw ApiException.Invalid("tool_choice", "'tool_choice' asks for a call, but there are no tools.", "invalid_value");
        if (names?.FirstOrDefault(n => tools.TrueForAll(t => t.Name != n)) is { } missing)
            throw ApiException.Invalid("tool_choice", $"Tool choice '{missing}' not found in 'tools'.", "invalid_value");
        if (tools.Count == 0 || mode == "none")
            return new ToolFields(null, null, skipped);
        CallableTool[] allowed = [.. tools.Where(t => names is null || names.Contains(t.Name))];
        return new ToolFields(new ToolUse(allowed, mode == "required", parallel), definitions, skipped);
    }

    private static (string Mode, IReadOnlyList<string>? Names) Choice(JsonField body)
    {
        if (body.Find("tool_choice") is not { } choice)
            return ("auto", null);
        if (choice.IsText)
            return choice.AsText() is "none" or "auto" or "required" ? (choice.AsText(), null) : throw choice.Unknown("'none', 'auto', 'required', a tool and allowed tools");
        string type = choice.AsObject().Get("type").AsText();
        if (type == "allowed_tools")
        {
            JsonField allowed = choice.Find("allowed_tools")?.AsObject() ?? choice;
            string mode = allowed.Text("mode") ?? "auto";
            return (mode is "auto" or "required" ? mode : throw allowed.Get("mode").Unknown("'auto' and 'required'"), [.. allowed.Get("tools").Elements().Select(Name)]);
        }
        return type == "function" ? ("required", [Name(choice)]) : throw choice.Get("type").Unknown("'function' and 'allowed_tools'");
    }

    private static string Name(JsonField tool) => (tool.AsObject().Find("function")?.AsObject() ?? tool).Get("name").AsText();
}
