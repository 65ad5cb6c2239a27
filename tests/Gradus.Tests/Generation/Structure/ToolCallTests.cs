using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Generation.Structure;
using Gradus.Generation.Structure.ToolCalls;
using Gradus.Testing;

namespace Gradus.Tests.Generation.Structure;

/// <summary>Calls of tools in every format: the grammar allows them, the parser takes them apart however they are cut.</summary>
public sealed class ToolCallTests
{
    private static readonly CallableTool[] Tools =
    [
        new("get_weather", Json("""{"type":"object","properties":{"city":{"type":"string"},"days":{"$ref":"#/$defs/n"}},"required":["city"],"additionalProperties":false,"$defs":{"n":{"type":"integer","minimum":1}}}""")),
        new("now"),
    ];

    public static TheoryData<string> Formats() => [.. ToolCallFormat.All.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void CallsFollowTheGrammarAndComeOutOfTheParser(string name)
    {
        ToolCallFormat format = ToolCallFormat.Find(name);
        (string, string)[] calls = [("get_weather", """{"city": "Rome {\"]\\", "days": 2}"""), ("now", "{}")];
        string one = Write(format, calls[..1]);
        string two = Write(format, calls);
        Grammar must = ToolCallGrammar.Make(format, Tools, new ToolCallOptions(AllowText: false));
        Grammar may = ToolCallGrammar.Make(format, Tools);
        Assert.True(Matches(must, one));
        Assert.Equal(format.IsParallel, Matches(must, two));
        Assert.False(Matches(ToolCallGrammar.Make(format, Tools, new ToolCallOptions(AllowText: false, AllowParallel: false)), two));
        Assert.False(Matches(must, "Sure."));
        Assert.True(Matches(may, "Sure."));
        Assert.True(Matches(may, ""));
        Assert.False(Matches(must, one.Replace("\"days\": 2", "\"days\": 0", StringComparison.Ordinal)));
        Assert.False(Matches(must, one.Replace("get_weather", "get_whether", StringComparison.Ordinal)));
        Assert.False(Matches(must, one.Replace("\"city\"", "\"town\"", StringComparison.Ordinal)));
        if (format.Open.Length + format.CallOpen.Length > 0)
            Assert.True(Matches(may, "Let me look.\n" + one));
        Assert.True(Matches(ToolCallGrammar.Make(format, Tools, new ToolCallOptions(AllowText: false, ReasoningEnd: "</think>")), "I { need <tool_call> it.</think>\n\n" + one));
        foreach (int size in new[] { 1, 2, 3, 7, 1000 })
        {
            string text = format.Open.Length + format.CallOpen.Length > 0 ? "Let me look <to.\n" : "";
            (string, List<(string, string)>) parsed = Parse(format, text + (format.IsParallel ? two : one), size);
            Assert.Equal(text, parsed.Item1);
            Assert.Equal(format.IsParallel ? calls : calls[..1], parsed.Item2);
            parsed = Parse(format, "A < b, [x] and {y}.", size);
            Assert.Equal("A < b, [x] and {y}.", parsed.Item1);
            Assert.Empty(parsed.Item2);
        }
    }

    [SharedTheory("data", "tool-calls")]
    [MemberData(nameof(Formats))]
    public void RealCallsOfRealToolsFollowTheGrammar(string name)
    {
        ToolCallFormat format = ToolCallFormat.Find(name);
        int seen = 0;
        foreach (string line in File.ReadLines(SharedFolder.Find("data", "tool-calls", "glaive_toolcall_en.jsonl")!).Take(60))
        {
            JsonNode record = JsonNode.Parse(line)!;
            if (record["tools"]?.GetValue<string>() is not { Length: > 2 } listed)
                continue;
            CallableTool[] tools = [.. JsonNode.Parse(listed)!.AsArray().Select(t => new CallableTool(t!["name"]!.GetValue<string>(), Json(t["parameters"]!.ToJsonString())))];
            Grammar grammar = ToolCallGrammar.Make(format, tools);
            foreach (JsonNode? turn in record["conversations"]!.AsArray().Where(t => t!["from"]!.GetValue<string>() == "function_call"))
            {
                JsonNode call = JsonNode.Parse(turn!["value"]!.GetValue<string>())!;
                string tool = call["name"]!.GetValue<string>();
                string arguments = call["arguments"]!.ToJsonString();
                string text = Write(format, [(tool, arguments)]);
                bool valid = Grammar.FromJsonSchema(tools.First(t => t.Name == tool).Parameters!.Value).Matches(Encoding.UTF8.GetBytes(arguments));
                Assert.Equal(valid, Matches(grammar, text));
                Assert.Equal([(tool, arguments)], Parse(format, text, 5).Calls);
                seen++;
            }
        }
        Assert.True(seen > 20, $"{seen}");
    }

    [Fact]
    public void AToolWhoseSchemaCannotBeEnforcedIsRefusedIfStrictAndFreeOtherwise()
    {
        CallableTool tool = new("f", Json("""{"type":"object","properties":{"a":{"pattern":"(?<=x)y"}}}"""));
        Assert.True(Matches(ToolCallGrammar.Make(ToolCallFormat.Hermes, [tool], new ToolCallOptions(AllowText: false)), Write(ToolCallFormat.Hermes, [("f", """{"a":1}""")])));
        Assert.StartsWith("tool f: #/properties/a/pattern", Assert.Throws<StructureException>(() => ToolCallGrammar.Make(ToolCallFormat.Hermes, [tool with { Strict = true }])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheFormatIsThatOfTheChatTemplate()
    {
        Assert.Equal(ToolCallFormat.Hermes, ToolCallFormat.OfTemplate(Gradus.Text.Chat.ChatTemplate.ChatMl));
        Assert.Equal(ToolCallFormat.Mistral, ToolCallFormat.OfTemplate("{{ '[TOOL_CALLS][' }}"));
        Assert.Equal(ToolCallFormat.DeepSeekR1, ToolCallFormat.OfTemplate("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>{{ n }}\n```json\n"));
        Assert.Equal(ToolCallFormat.DeepSeek, ToolCallFormat.OfTemplate("<｜tool▁call▁begin｜>{{ n }}<｜tool▁sep｜>{{ a }}"));
        Assert.Null(ToolCallFormat.OfTemplate("{{ messages }}"));
    }

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement.Clone();

    private static bool Matches(Grammar grammar, string text) => grammar.Matches(Encoding.UTF8.GetBytes(text));

    private static string Write(ToolCallFormat format, (string Name, string Arguments)[] calls) => format.Open + string.Join(format.Separator, calls.Select(c => format.CallOpen + (format.ArgumentsKey is { } key
        ? $$"""{"name": "{{c.Name}}", "{{key}}": {{c.Arguments}}}"""
        : c.Name + format.AfterName + c.Arguments) + format.CallClose)) + format.Close;

    private static (string Text, List<(string, string)> Calls) Parse(ToolCallFormat format, string answer, int size)
    {
        ToolCallParser parser = new(format);
        StringBuilder text = new();
        List<(string Name, string Arguments)> calls = [];
        List<ToolCallPiece> pieces = [];
        for (int i = 0; i < answer.Length; i += size)
            pieces.AddRange(parser.Add(answer.Substring(i, Math.Min(size, answer.Length - i))));
        pieces.AddRange(parser.Finish());
        foreach (ToolCallPiece piece in pieces)
        {
            text.Append(piece.Text);
            if (piece.Name is not null)
                calls.Add((piece.Name, ""));
            if (piece.Arguments is not null)
                calls[piece.Call] = (calls[piece.Call].Name, calls[piece.Call].Arguments + piece.Arguments);
        }
        return (text.ToString(), calls);
    }
}
