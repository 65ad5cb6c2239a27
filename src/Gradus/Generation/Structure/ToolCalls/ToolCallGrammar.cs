using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Generation.Structure.Json;
using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure.ToolCalls;

/// <summary>A tool that a model may call.</summary>
/// <param name="Name">Its name, at least one character.</param>
/// <param name="Parameters">The JSON Schema of its arguments, an object; any object where null.</param>
public sealed record CallableTool(string Name, JsonElement? Parameters = null)
{
    /// <summary>Whether a schema that cannot be enforced is an error; else the arguments are any object.</summary>
    public bool Strict { get; init; }
}

/// <summary>What a model may write where it may call tools.</summary>
/// <param name="AllowText">Whether it may write text, before calls or without any; else it must call.</param>
/// <param name="AllowParallel">Whether there may be more than one call.</param>
/// <param name="ReasoningEnd">Ends the reasoning that comes first (<c>&lt;/think&gt;</c>), in which everything is allowed; null where there is none.</param>
public sealed record ToolCallOptions(bool AllowText = true, bool AllowParallel = true, string? ReasoningEnd = null)
{
    /// <summary>The JSON Schema of what it writes where it calls no tool, beside <see cref="AllowText"/>; any text where null.</summary>
    public JsonElement? Answer { get; init; }
}

/// <summary>Makes the grammar of the texts in which tools are called.</summary>
public static class ToolCallGrammar
{
    private const string Answer = "answer-without-a-call";

    /// <summary>The grammar of a format and some tools.</summary>
    /// <param name="format">How calls are written.</param>
    /// <param name="tools">The tools, at least one.</param>
    /// <param name="options">What else may be written; the defaults where null.</param>
    /// <exception cref="StructureException">A strict tool's schema cannot be enforced; the message names the tool and the path.</exception>
    public static Grammar Make(ToolCallFormat format, IReadOnlyList<CallableTool> tools, ToolCallOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(format);
        ArgumentNullException.ThrowIfNull(tools);
        if (tools.Count == 0)
            throw new StructureException("tools: there is none to call.");
        options ??= new();
        JsonObject schemas = [];
        foreach (CallableTool tool in tools)
            schemas[tool.Name] = Enforceable(tool);
        if (options.Answer is { } answer)
            schemas[Answer] = Addressed(answer, "answer:/");
        JsonGrammar json = JsonGrammar.Begin(Element(new JsonObject { ["$defs"] = schemas }));
        Nonterminal whole = json.Rule(rule => Attach(json, rule, format, tools, options));
        return json.Finish(whole, "tools: no call satisfies the schemas.");
    }

    /// <summary>The schema of a tool's arguments with an address of its own, so that its references mean itself.</summary>
    private static JsonNode Enforceable(CallableTool tool)
    {
        JsonNode schema = tool.Parameters is { ValueKind: JsonValueKind.Object } given
            ? Addressed(given, $"tool:/{Uri.EscapeDataString(tool.Name)}")
            : new JsonObject { ["type"] = "object" };
        try
        {
            Grammar.FromJsonSchema(Element(schema));
            return schema;
        }
        catch (StructureException e) when (tool.Strict)
        {
            throw new StructureException($"tool {tool.Name}: {e.Message}");
        }
        catch (StructureException)
        {
            return new JsonObject { ["type"] = "object" };
        }
    }

    private static JsonNode Addressed(JsonElement schema, string address)
    {
        JsonNode node = JsonNode.Parse(schema.GetRawText())!;
        if (node is JsonObject keywords)
            keywords.TryAdd("$id", address);
        return node;
    }

    private static JsonElement Element(JsonNode node)
    {
        using JsonDocument document = JsonDocument.Parse(node.ToJsonString());
        return document.RootElement.Clone();
    }

    private static void Attach(JsonGrammar json, JsonRule rule, ToolCallFormat format, IReadOnlyList<CallableTool> tools, ToolCallOptions options)
    {
        RegexStore regex = json.Regex;
        PlainCoding text = new(regex);
        FixedNode at = rule.Start;
        if (options.ReasoningEnd is { } end)
        {
            FixedNode reasoned = rule.Node();
            rule.Read(at, regex.Concat(Without(text, text.Literal(end)), text.Literal(end), regex.Repeat(text.Of(CodePoints.Space), 0, 2)), reasoned);
            at = reasoned;
        }
        if (options.AllowText && options.Answer is not null)
        {
            at.OwnCalls.Add((json.ValueOf($"#/$defs/{Answer}"), rule.End));
        }
        else if (options.AllowText)
        {
            FixedNode written = rule.Node();
            int free = format.Trigger.Length > 0
                ? Without(text, text.Literal(format.Trigger))
                : regex.Concat(text.Of(CodePoints.Of(('{', '{')).Union(CodePoints.Space).Complement()), text.AnyText);
            rule.Read(at, free, written);
            written.OwnSkips.Add(rule.End);
            at.OwnSkips.Add(rule.End);
            // Without a marker a call is all that there is.
            if (format.Trigger.Length > 0)
                AttachCalls(json, rule, format, tools, options, written);
        }
        AttachCalls(json, rule, format, tools, options, at);
    }

    /// <summary>All texts that do not hold another.</summary>
    private static int Without(CharacterCoding coding, int part) =>
        coding.Regex.Minus(coding.AnyText, coding.Regex.Concat(coding.AnyText, part, coding.AnyText));

    private static void AttachCalls(JsonGrammar json, JsonRule rule, ToolCallFormat format, IReadOnlyList<CallableTool> tools, ToolCallOptions options, FixedNode from)
    {
        RegexStore regex = json.Regex;
        PlainCoding text = new(regex);
        FixedNode called = rule.Node();
        FixedNode before = rule.Node();
        rule.Read(from, text.Literal(format.Open), before);
        foreach (CallableTool tool in tools)
        {
            FixedNode name = rule.Node();
            FixedNode arguments = rule.Node();
            Nonterminal value = json.ValueOf($"#/$defs/{tool.Name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}");
            if (format.ArgumentsKey is { } key)
            {
                int quoted = json.Coding.Literal(tool.Name);
                int space = regex.Repeat(regex.Byte(' '), 0, 2);
                rule.Read(before, regex.Concat(
                    text.Literal(format.CallOpen + "{"), space, text.Literal("\"name\""), space, text.Literal(":"), space, text.Literal("\""), quoted, text.Literal("\""), space,
                    text.Literal(","), space, text.Literal($"\"{key}\""), space, text.Literal(":")), name);
                name.OwnCalls.Add((value, arguments));
                rule.Read(arguments, regex.Concat(space, text.Literal("}" + format.CallClose)), called);
            }
            else
            {
                rule.Read(before, text.Literal(format.CallOpen + tool.Name + format.AfterName), name);
                name.OwnCalls.Add((value, arguments));
                rule.Read(arguments, text.Literal(format.CallClose), called);
            }
        }
        if (format.IsParallel && options.AllowParallel)
            rule.Read(called, text.Literal(format.Separator), before);
        rule.Read(called, text.Literal(format.Close), rule.End);
    }
}
