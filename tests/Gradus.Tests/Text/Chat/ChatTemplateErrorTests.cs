using Gradus.Text.Chat;

namespace Gradus.Tests.Text.Chat;

public sealed class ChatTemplateErrorTests
{
    private static readonly ChatConversation Conversation = new([new ChatMessage("user", "Hi")]);

    [Theory]
    [InlineData("a\n{{ x.y }}", 2, 6, "'x' is undefined")]
    [InlineData("a\r\nb\r\n  {{ messages[0].name.first }}", 3, 23, "no attribute 'name'")]
    [InlineData("{{ 1 }}\n{{ 'a' + 1 }}", 2, 8, "~ joins values")]
    [InlineData("{{ 'a' | uper }}", 1, 10, "nearest is 'upper'")]
    [InlineData("{{ 1 is evn }}", 1, 9, "nearest is 'even'")]
    [InlineData("{% fro x in y %}", 1, 4, "there is no tag 'fro'")]
    [InlineData("\n{% if true %}\nx", 2, 4, "'{% endif %}' is missing")]
    [InlineData("{% for x in [1] %}{% endif %}", 1, 22, "'endif' closes nothing")]
    [InlineData("{{ [1, 2 }}", 1, 10, "'}' closes no open bracket")]
    [InlineData("{{ (1 ", 1, 4, "')' is missing")]
    [InlineData("x {{ 1", 1, 3, "'}}' is missing")]
    [InlineData("{# x", 1, 1, "'#}' is missing")]
    [InlineData("{% raw %}", 1, 1, "endraw")]
    [InlineData("{{ 'abc }}", 1, 4, "not closed")]
    [InlineData("{{ 1 ? 2 }}", 1, 6, "'?' has no meaning")]
    [InlineData("{{ 1 2 }}", 1, 6, "not expected")]
    [InlineData("{{ }}", 1, 4, "expression is missing")]
    [InlineData("{% set 1 = 2 %}", 1, 8, "name is missing")]
    [InlineData("{% set x.y = 2 %}", 1, 4, "not a namespace()")]
    [InlineData("{% break %}", 1, 4, "outside of a loop")]
    [InlineData("{% for i in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", 1, 37, "outside of a loop")]
    [InlineData("{% include 'x' %}", 1, 4, "cannot refer to other templates")]
    [InlineData("{{ messages.append(1) }}", 1, 19, "immutable")]
    [InlineData("{{ messages | map(attribute='role') }}{{ 1 | round(method='up') }}", 1, 46, "ceil")]
    [InlineData("{{ messages[0] | tojson(foo=1) }}", 1, 18, "no argument 'foo'")]
    [InlineData("{{ nothing() }}", 1, 11, "'nothing' is undefined")]
    [InlineData("{% for a, b in [(1, 2, 3)] %}{% endfor %}", 1, 4, "cannot unpack 3")]
    [InlineData("{% macro m(a) %}{% endmacro %}\n{{ m(1, 2) }}", 2, 5, "at most 1 arguments")]
    [InlineData("{% for x in none %}{% endfor %}", 1, 4, "'NoneType' object is not iterable")]
    public void ErrorsSayWhereAndWhat(string template, int line, int column, string reason)
    {
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(template).Render(Conversation));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Equal((line, column), (error.Line, error.Column));
    }

    [Fact]
    public void RaiseExceptionHasATypeOfItsOwn()
    {
        ChatTemplate template = ChatTemplate.Parse("{% for m in messages %}\n  {{ raise_exception('No ' ~ m.role ~ '!') }}{% endfor %}");
        ChatTemplateRaisedException error = Assert.Throws<ChatTemplateRaisedException>(() => template.Render(Conversation));
        Assert.Equal("No user!", error.TemplateMessage);
        Assert.Equal(2, error.Line);
    }

    [Theory]
    [InlineData("{{ 'a' * 10 ** 9 }}", "MaxCharacters")]
    [InlineData("{{ 'a'.center(10 ** 9) }}", "MaxCharacters")]
    [InlineData("{{ 'a'.ljust(10 ** 30) }}", "MaxCharacters")]
    [InlineData("{{ [0] * 10 ** 9 }}", "MaxSteps")]
    [InlineData("{{ range(10 ** 9) }}", "MaxRange")]
    [InlineData("{{ 9 ** 9999 }}", "bits")]
    [InlineData("{{ '%999999999d' % 1 }}", "passes")]
    [InlineData("{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}", "MaxSteps")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "MaxDepth")]
    [InlineData("{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}", "MaxDepth")]
    [InlineData("{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "MaxCharacters")]
    [InlineData("{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s | replace('a', ns.s) %}{% endfor %}", "Max")]
    [InlineData("{% set ns = namespace(x=[]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == [] }}{{ ns.x | tojson }}", "Max")]
    [InlineData("{% set ns = namespace(x=[], y=[1]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}{{ ns.x < ns.y }}{{ ns.x }}", "Max")]
    [InlineData("{% set ns = namespace(x=1) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "deep")]
    [InlineData("{% set ns = namespace(x='a') %}{% for i in range(90000) %}{% set ns.x = ns.x | map('upper') %}{% endfor %}{{ ns.x | list }}", "deep")]
    [InlineData("{% for i in range(90000) %}{{ 'x' * 10000 }}{% endfor %}", "Max")]
    [InlineData("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "deep")]
    [InlineData("{% set x = 'a' * 4000000 %}{% set y = 'a' * 2000000 + 'b' + 'a' * 10 %}{{ y in x }}", "MaxSteps")]
    public void HostileTemplatesEndWithAClearError(string template, string limit)
    {
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(template).Render(Conversation));
        Assert.Contains(limit, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheOutputIsBounded()
    {
        ChatTemplate template = ChatTemplate.Parse("{% for i in range(100) %}0123456789{% endfor %}");
        Assert.Equal(1000, template.Render(Conversation, new ChatRenderOptions(Limits: new ChatTemplateLimits(MaxOutput: 1000))).Length);
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => template.Render(Conversation, new ChatRenderOptions(Limits: new ChatTemplateLimits(MaxOutput: 999))));
        Assert.Contains("MaxOutput", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(", "1", ")")]
    [InlineData("[", "1", "]")]
    [InlineData("not ", "1", "")]
    [InlineData("-", "1", "")]
    [InlineData("1+", "1", "")]
    [InlineData("1 ~ (", "1", ")")]
    [InlineData("", "x", ".x")]
    [InlineData("", "x", "|e")]
    [InlineData("", "x", " if x")]
    [InlineData("{1:", "1", "}")]
    public void DeepNestingIsAnErrorNotACrash(string open, string middle, string close)
    {
        string expression = string.Concat(Enumerable.Repeat(open, 50_000)) + middle + string.Concat(Enumerable.Repeat(close, 50_000));
        Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse("{{ " + expression + " }}"));
    }

    [Fact]
    public void DeepTagsAreAnErrorNotACrash() =>
        Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(string.Concat(Enumerable.Repeat("{% if 1 %}", 50_000))));

    [Fact]
    public void ATemplateHasALargestSize() =>
        Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(new string('a', ChatTemplateLimits.MaxTemplate + 1)));

    [Fact]
    public void AFewHundredConcatenationsStillWork() =>
        Assert.Equal(new string('a', 300), ChatTemplate.Parse("{{ 'a'" + string.Concat(Enumerable.Repeat(" + 'a'", 299)) + " }}").Render(Conversation));

    /// <summary>Mutations of real templates and soups of tokens: nothing but the documented errors, within small limits.</summary>
    [Fact]
    public void RandomTemplatesRenderOrFailCleanly()
    {
        Random random = new(20240726);
        string[] seeds = [ChatTemplate.ChatMl, .. ReferenceStatements.Rendered.Split('\n').Take(40).Select(l => System.Text.Json.JsonDocument.Parse(l).RootElement[0].GetString()!)];
        string[] tokens = ["{%", "%}", "{{", "}}", "{#", "#}", "-%}", "{%-", " if ", " for ", " in ", " else ", " set ", " macro ", " endif ", " endfor ", " endmacro ", " generation ", " endgeneration ",
            "x", "messages", "loop", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|", "=", "==", "+", "*", "**", "~", "'a'", "\"", "1", "2.5", " is ", " not ", "tojson", "trim", "join", "role", "content", "\n", " ", "\\", "\ud83d", "é"];
        ChatConversation conversation = new([new ChatMessage("user", "Hi 😀"), new ChatMessage("assistant", null), new ChatMessage("assistant", "Yo")]);
        ChatRenderOptions options = new(Limits: new ChatTemplateLimits(20_000, 20_000, 50_000, 20, 1000));
        int rendered = 0, failed = 0;
        for (int i = 0; i < 6000; i++)
        {
            string template = random.Next(3) == 0
                ? string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => tokens[random.Next(tokens.Length)]))
                : Mutated(random, seeds[random.Next(seeds.Length)], tokens);
            try
            {
                ChatRendering rendering = ChatTemplate.Parse(template).RenderWithRoles(conversation, options);
                Assert.All(rendering.Messages.Concat(rendering.Assistant), s => Assert.True(s.Start >= 0 && s.Length > 0 && s.End <= rendering.Text.Length));
                rendered++;
            }
            catch (ChatTemplateException)
            {
                failed++;
            }
        }
        Assert.True(rendered > 300 && failed > 300, $"{rendered} rendered, {failed} failed");
    }

    private static string Mutated(Random random, string template, string[] tokens)
    {
        for (int edits = random.Next(1, 4); edits > 0; edits--)
        {
            int at = random.Next(template.Length), length = Math.Min(random.Next(4), template.Length - at);
            string inserted = random.Next(2) == 0 ? "" : tokens[random.Next(tokens.Length)];
            template = string.Concat(template.AsSpan(0, at), inserted, template.AsSpan(at + length));
        }
        return template.Length == 0 ? "x" : template;
    }
}
