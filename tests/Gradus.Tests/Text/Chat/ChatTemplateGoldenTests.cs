using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Testing;
using Gradus.Text.Chat;

namespace Gradus.Tests.Text.Chat;

/// <summary>Templates of the shared folder, rendered by transformers.</summary>
public sealed class ChatTemplateGoldenTests
{
    private const string File = "expected.json";

    [SharedFact("golden", "tokenizers", "chat_templates", File)]
    public void EveryRenderingIsTheSameAsTheReference()
    {
        List<string> failures = [];
        int rows = ForEachRow((name, template, conversation, options, row) =>
        {
            try
            {
                string rendered = template.Render(conversation, options);
                if (!row.TryGetProperty("rendered", out JsonElement expected))
                    failures.Add($"{name}: should have been refused with {row.GetProperty("error").GetString()}");
                else if (expected.GetString() != rendered)
                    failures.Add($"{name}:\n expected {expected.GetRawText()}\n rendered {JsonSerializer.Serialize(rendered)}");
            }
            catch (ChatTemplateRaisedException refused) when (row.TryGetProperty("error", out JsonElement error))
            {
                if (!error.GetString()!.Contains(refused.TemplateMessage, StringComparison.Ordinal))
                    failures.Add($"{name}: refused with {refused.TemplateMessage}");
            }
            catch (ChatTemplateException failed)
            {
                failures.Add($"{name}: {failed.Message}");
            }
        });
        Assert.True(rows > 0);
        Assert.True(failures.Count == 0, string.Join("\n\n", failures));
    }

    [SharedFact("golden", "tokenizers", "chat_templates", File)]
    public void TracingRolesDoesNotChangeTheText()
    {
        ForEachRow((name, template, conversation, options, row) =>
        {
            if (!row.TryGetProperty("rendered", out JsonElement expected))
                return;
            ChatRendering rendering = template.RenderWithRoles(conversation, options);
            Assert.Equal(expected.GetString(), rendering.Text);
        });
    }

    [SharedFact("golden", "tokenizers", "chat_templates", File)]
    public void AssistantSpansHoldEveryAnswerAndNothingOfOthers()
    {
        int checkedAnswers = 0;
        ForEachRow((name, template, conversation, options, row) =>
        {
            if (!row.TryGetProperty("rendered", out _))
                return;
            ChatRendering rendering = template.RenderWithRoles(conversation, options);
            int end = 0;
            foreach (RoleSpan span in rendering.Assistant)
            {
                Assert.True(span.Start >= end && span.Length > 0 && span.End <= rendering.Text.Length, name);
                Assert.Equal("assistant", span.Role);
                end = span.End;
            }
            for (int i = 0; i < conversation.Messages.Count; i++)
            {
                string content = (conversation.Messages[i].Text ?? "").Trim();
                string[] spans = [.. rendering.Assistant.Where(s => s.Message == i).Select(s => rendering.Text.Substring(s.Start, s.Length))];
                if (conversation.Messages[i].Role != "assistant")
                    Assert.Empty(spans);
                else if (content.Length > 0 && rendering.Messages.Any(m => m.Message == i))
                    Assert.True(spans.Any(s => s.Contains(content, StringComparison.Ordinal)) && ++checkedAnswers > 0, $"{name}: message {i} in\n{rendering.Text}\n{string.Join('|', spans)}");
                foreach (string span in spans)
                    Assert.DoesNotContain("|im_start|", span, StringComparison.Ordinal);
            }
        });
        Assert.True(checkedAnswers > 100, $"only {checkedAnswers}");
    }

    private static int ForEachRow(Action<string, ChatTemplate, ChatConversation, ChatRenderOptions, JsonElement> check)
    {
        using JsonDocument golden = JsonDocument.Parse(System.IO.File.ReadAllBytes(SharedFolder.Find("golden", "tokenizers", "chat_templates", File)!));
        JsonElement root = golden.RootElement;
        Dictionary<string, ChatTemplate> templates = [];
        foreach (JsonProperty template in root.GetProperty("templates").EnumerateObject())
            templates[template.Name] = ChatTemplate.Parse(template.Value.GetString()!);
        JsonArray tools = JsonNode.Parse(root.GetProperty("tools").GetRawText())!.AsArray();
        int rows = 0;
        foreach (JsonElement row in root.GetProperty("rows").EnumerateArray())
        {
            string template = row.GetProperty("template").GetString()!, conversation = row.GetProperty("conversation").GetString()!;
            IEnumerable<ChatMessage> messages = root.GetProperty("conversations").GetProperty(conversation).EnumerateArray().Select(ChatMessage.FromJson);
            ChatRenderOptions options = new(
                row.GetProperty("add_generation_prompt").GetBoolean(),
                Variables: JsonNode.Parse(row.GetProperty("variables").GetRawText())!.AsObject().ToDictionary(),
                Clock: new FixedClock());
            bool withTools = row.GetProperty("tools").GetBoolean();
            check($"{template}/{conversation}/{rows}", templates[template], new ChatConversation(messages, withTools ? tools : null), options, row);
            rows++;
        }
        return rows;
    }
}

/// <summary>2024-07-26 12:30:00, a Friday.</summary>
internal sealed class FixedClock(string time = "2024-07-26T12:30:00Z") : TimeProvider
{
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.Parse(time, CultureInfo.InvariantCulture);
}
