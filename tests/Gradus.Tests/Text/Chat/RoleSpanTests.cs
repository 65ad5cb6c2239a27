using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Text.Chat;

namespace Gradus.Tests.Text.Chat;

/// <summary>Assistant spans, shown in the rendered text between « and ».</summary>
public sealed class RoleSpanTests
{
    private const string Loop = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>\n{% endfor %}";

    private static readonly ChatMessage[] Turns =
        [new("system", "S"), new("user", "U"), new("assistant", "A1"), new("user", "V"), new("assistant", "A2")];

    [Theory]
    // The header is what the generation prompt adds; the line break behind the end token is left out.
    [InlineData(Loop + "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        "<|system|>S</s>\n<|user|>U</s>\n<|assistant|>«A1</s>»\n<|user|>V</s>\n<|assistant|>«A2</s>»\n")]
    // No prompt at all: the turn is the answer.
    [InlineData("{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content }}</s>{% else %}[{{ m.content }}]{% endif %}{% endfor %}",
        "[S][U]«A1</s>»[V]«A2</s>»")]
    // A prompt that opens a thought which these turns do not have.
    [InlineData(Loop + "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}",
        "<|system|>S</s>\n<|user|>U</s>\n<|assistant|>«A1</s>»\n<|user|>V</s>\n<|assistant|>«A2</s>»\n")]
    // The end of the rendering is not part of the prompt, whichever branch prints it.
    [InlineData(Loop + "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ '<|end|>' }}{% endif %}",
        "<|system|>S</s>\n<|user|>U</s>\n<|assistant|>«A1</s>»\n<|user|>V</s>\n<|assistant|>«A2</s>»\n<|end|>")]
    // Loops over indices are turns as well.
    [InlineData("{% for i in range(messages | length) %}<{{ messages[i].role }}>{{ messages[i]['content'] }}.\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
        "<system>S.\n<user>U.\n<assistant>«A1.»\n<user>V.\n<assistant>«A2.»\n")]
    // Earlier turns change with later ones, so that no prefix of the conversation renders to a prefix of the text.
    [InlineData("{{ messages | length }}:{% for m in messages %}<{{ m.role }}>{{ m.content if loop.last else m.content[0] }};{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
        "5:<system>S;<user>U;<assistant>«A;»<user>V;<assistant>«A2;»")]
    // Macros, captures, filters and string methods carry the trace.
    [InlineData("{% macro turn(m) %}<{{ m.role }}>{% set c %} {{ m.content | replace('A', '') | trim }}{% endset %}{{ c.split(' ')[1] ~ '!' }}{% endmacro %}{% for m in messages[1:] %}{{ turn(m) }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
        "<user>U!<assistant>«1!»<user>V!<assistant>«2!»")]
    // Generation blocks win over everything.
    [InlineData("{% for m in messages %}{{ m.role[0] }}:{% if m.role == 'assistant' %}{% generation %}{{ m.content }};{% endgeneration %}{% else %}{{ m.content }};{% endif %}\n{% endfor %}",
        "s:S;u:U;a:«A1;»u:V;a:«A2;»")]
    // Without a loop only the content can be known.
    [InlineData("{{ messages[1].content }} -> {{ messages[2].content }} -> {{ messages[3].content }}",
        "U -> «A1» -> V")]
    // Another role's text inside the assistant's turn is not the assistant's.
    [InlineData("{% for m in messages if m.role == 'assistant' %}{{ m.content }}({{ messages[1].content }}){% endfor %}",
        "«A1(»U)«A2(»U)")]
    public void TheAssistantWrites(string template, string expected) =>
        Assert.Equal(expected, Shown(ChatTemplate.Parse(template).RenderWithRoles(new ChatConversation(Turns))));

    [Fact]
    public void MessageSpansHoldWholeTurnsInOrder()
    {
        ChatRendering rendering = ChatTemplate.Parse(Loop).RenderWithRoles(new ChatConversation(Turns));
        Assert.Equal(["system", "user", "assistant", "user", "assistant"], rendering.Messages.Select(m => m.Role));
        Assert.Equal(rendering.Text, string.Concat(rendering.Messages.Select(m => rendering.Text.Substring(m.Start, m.Length))));
    }

    [Fact]
    public void ASystemMessageInsideAUserTurnHasASpanInsideIt()
    {
        ChatTemplate template = ChatTemplate.Parse("{% for m in messages[1:] %}[{% if loop.first %}{{ messages[0].content }}/{% endif %}{{ m.content }}]{% endfor %}");
        ChatRendering rendering = template.RenderWithRoles(new ChatConversation(Turns[..2]));
        Assert.Equal("[S/U]", rendering.Text);
        Assert.Equal([new RoleSpan(1, "user", 0, 5), new RoleSpan(0, "system", 1, 1)], rendering.Messages);
        Assert.Equal(6, rendering.Messages[0].End + 1);
    }

    [Fact]
    public void ToolCallsBelongToTheAssistantAndResultsDoNot()
    {
        ChatMessage call = new ChatMessage("assistant", null).With("tool_calls", JsonNode.Parse("""[{"function": {"name": "f", "arguments": {"x": 1.0}}}]"""));
        ChatMessage result = new ChatMessage("tool", "{\"y\": 2}").With("name", "f");
        ChatConversation conversation = new([new("user", "U"), call, result, new("assistant", "A")], new JsonArray(JsonNode.Parse("""{"name": "f"}""")));
        string expected = """
            You can call these tools:
            <tools>
            {"name": "f"}
            </tools>
            To call one, write:
            <tool_call>
            {"name": "NAME", "arguments": {}}
            </tool_call><|im_end|>
            <|im_start|>user
            U<|im_end|>
            <|im_start|>assistant
            «<tool_call>
            {"name": "f", "arguments": {"x": 1.0}}
            </tool_call><|im_end|>»
            <|im_start|>tool
            {"y": 2}<|im_end|>
            <|im_start|>assistant
            «A<|im_end|>»

            """;
        ChatTemplate template = ChatTemplate.Parse(ChatTemplate.ChatMl);
        Assert.True(template.HasGenerationBlocks);
        Assert.Equal("<|im_start|>system\n" + expected, Shown(template.RenderWithRoles(conversation)));

        // Without its generation blocks the same spans are found by tracing.
        string untold = ChatTemplate.ChatMl.Replace("{%- generation %}", "", StringComparison.Ordinal).Replace("{%- endgeneration %}", "", StringComparison.Ordinal);
        Assert.Equal("<|im_start|>system\n" + expected, Shown(ChatTemplate.Parse(untold).RenderWithRoles(conversation)));
    }

    [Fact]
    public void ChatMlRendersPlainConversationsAndTheGenerationPrompt()
    {
        ChatConversation conversation = ChatConversation.FromJson(JsonDocument.Parse("""{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]}""").RootElement);
        Assert.Equal(
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n",
            ChatTemplate.Parse(ChatTemplate.ChatMl).Render(conversation, new ChatRenderOptions(AddGenerationPrompt: true)));
    }

    [Fact]
    public void MessagesKeepTheirFieldsAndNumbers()
    {
        const string Json = """{"role":"user","content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}],"n":1.0,"big":12345678901234567890,"deep":{"x":[null,true,-2]}}""";
        ChatMessage message = ChatMessage.FromJson(JsonDocument.Parse(Json).RootElement);
        Assert.Equal(("user", "ab"), (message.Role, message.Text));
        Assert.Equal(Json, message.ToJson().ToJsonString());
        Assert.Equal(Json, ChatMessage.FromJson(JsonNode.Parse(Json)!).ToJson().ToJsonString());
        Assert.Equal("tool", message.With("role", "tool").Role);
        Assert.Equal("user", message.Role);
        Assert.Null(new ChatMessage("assistant", null).Text);
        Assert.Equal("2.0 2 0.5", ChatTemplate.Parse("{{ a }} {{ b }} {{ c }}").Render(new ChatConversation([]), new ChatRenderOptions(Variables: new Dictionary<string, JsonNode?> { ["a"] = 2.0, ["b"] = 2, ["c"] = 0.5f })));
    }

    [Theory]
    [InlineData("""{"messages": 1}""", "array")]
    [InlineData("""[{"role": "user"}, {"content": "x"}]""", "Message 1")]
    [InlineData("""[{"role": 1}]""", "'role'")]
    [InlineData("[[]]", "object")]
    [InlineData("\"x\"", "array")]
    [InlineData("""{"messages": [], "tools": {}}""", "'tools'")]
    public void MalformedConversationsAreRefused(string json, string reason)
    {
        FormatException error = Assert.Throws<FormatException>(() => ChatConversation.FromJson(JsonDocument.Parse(json).RootElement));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private static string Shown(ChatRendering rendering)
    {
        StringBuilder shown = new(rendering.Text);
        foreach (RoleSpan span in rendering.Assistant.Reverse())
            shown.Insert(span.End, '»').Insert(span.Start, '«');
        return shown.ToString();
    }
}
