using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Text.Chat;

namespace Gradus.Tests.Text.Chat;

public sealed class ReferenceTests
{
    private static readonly Dictionary<string, JsonNode?> Variables = JsonNode.Parse(ReferenceExpressions.Variables)!.AsObject().ToDictionary();

    [Fact]
    public void ExpressionsRenderAsTheReferenceDoes() =>
        AssertAll(ReferenceExpressions.Rendered, 700, static expression => "{{ " + expression + " }}");

    [Fact]
    public void StatementsAndWhiteSpaceRenderAsTheReferenceDoes() =>
        AssertAll(ReferenceStatements.Rendered, 250, static template => template);

    [Fact]
    public void WhatTheReferenceRefusesIsAnErrorWithAPlace()
    {
        string[] accepted = [.. Lines(ReferenceExpressions.Failing).Select(l => l.GetString()!).Where(expression =>
        {
            try
            {
                Render("{{ " + expression + " }}");
                return true;
            }
            catch (ChatTemplateException error)
            {
                Assert.True(error.Line >= 1 && error.Column >= 1);
                Assert.Contains($"line {error.Line}, column {error.Column}", error.Message, StringComparison.Ordinal);
                return false;
            }
        })];
        Assert.Empty(accepted);
    }

    [Theory]
    [InlineData("{{ {'a': 1}[::2] is undefined }}{{ 1.5[1:] }}{{ true[:2]|e }}", "True")]
    [InlineData("{{ [{'k': 2}, {'k': 1}]|sort(attribute='v') }}", "[{'k': 2}, {'k': 1}]")]
    [InlineData("{{ [1, 2]|unique(attribute='k')|list }}", "[1]")]
    public void WhatIsMissingIsUndefinedAndEqualToWhatElseIsMissing(string template, string expected) =>
        Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("a\n  {% if true %}\n  b\n  {% endif %}\nc", "a\n  b\nc")]
    [InlineData("a\n  {%+ if true %}\n  b\n  {%+ endif +%}\nc", "a\n    b\n  \nc")]
    [InlineData("a  {% if true %} b {% endif %}  c", "a   b   c")]
    [InlineData("a  {%- if true -%} b {%- endif -%}  c", "abc")]
    [InlineData("  {{ 1 }}\n  {{- 2 -}}\n  3", "  123")]
    [InlineData("a\n  {# comment #}\nb", "a\nb")]
    [InlineData("a {#- comment -#} b", "ab")]
    [InlineData("{% raw %}\n{{ a }}{% endraw %}\nb", "\n{{ a }}b")]
    [InlineData("{%- raw -%}  {% b %}  {%- endraw -%}  c", "{% b %}c")]
    [InlineData("a\n", "a")]
    [InlineData("a\n\n", "a\n")]
    [InlineData("a\r\nb\rc", "a\nb\nc")]
    [InlineData("{{ 'a\r\nb' }}", "a\nb")]
    [InlineData("{{ -1 }}{{- 1 }}{{+ 1 }}", "-111")]
    [InlineData("{% if true %}\n\n{% endif %}x", "\nx")]
    [InlineData("a\t {% set x = 1 %}\nb", "a\t b")]
    [InlineData("\t {% set x = 1 %}\n b", " b")]
    public void WhiteSpaceFollowsTrimBlocksAndLstripBlocks(string template, string expected) =>
        Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123")]
    [InlineData("{% for i in [1, 2, 3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% else %}none{% endfor %}", "13")]
    [InlineData("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01")]
    [InlineData("{% for i in [1, [2, [3]]] recursive %}{% if i is sequence %}({{ loop(i) }}){% else %}{{ i }}.{{ loop.depth }} {% endif %}{% endfor %}", "1.1 (2.2 (3.3 ))")]
    [InlineData("{% for i in 'abc' %}{{ loop.index }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('x', 'y') }} {% endfor %}", "12TrueFalsebx 21FalseFalseacy 30FalseTruebx ")]
    [InlineData("{% for i in [1, 1, 2] %}{{ loop.changed(i) }} {% endfor %}", "True False True ")]
    [InlineData("{% for i in [] %}a{% else %}empty{% endfor %}", "empty")]
    [InlineData("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}", "21")]
    [InlineData("{% set ns = namespace(x=1) %}{% for i in [1] %}{% set ns.x = 2 %}{% endfor %}{{ ns.x }}", "2")]
    [InlineData("{% set x %}a{{ 1 }}{% endset %}[{{ x }}]", "[a1]")]
    [InlineData("{% set x | upper | trim %} a {% endset %}[{{ x }}]", "[A]")]
    [InlineData("{% set a, b = 1, 2 %}{{ a }}{{ b }}", "12")]
    [InlineData("{% macro m(a, b=a ~ '!') %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }} {{ m(1, 2, 3, z=4) }}", "11!(){} 12(3,){'z': 4}")]
    [InlineData("{% macro m() %}<{{ caller('x') }}>{% endmacro %}{% call(v) m() %}{{ v }}{% endcall %}", "<x>")]
    [InlineData("{% filter upper %}a{% filter replace('b', 'c') %}b{% endfilter %}{% endfilter %}", "AC")]
    [InlineData("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}", "3")]
    [InlineData("{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}{{ x is defined }}", "1False")]
    [InlineData("{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}", "b")]
    [InlineData("{% do range(3) %}{% print 1 %}", "1")]
    [InlineData("{% if false %}{{ 1 | no_such_filter }}{% endif %}ok", "ok")]
    [InlineData("{% set j = joiner('|') %}{% for i in [1, 2] %}{{ j() }}{{ i }}{% endfor %}", "1|2")]
    public void StatementsWork(string template, string expected) => Assert.Equal(expected, Render(template));

    private static void AssertAll(string lines, int atLeast, Func<string, string> template)
    {
        List<string> failures = [];
        int count = 0;
        foreach (JsonElement line in Lines(lines))
        {
            (string source, string expected) = (line[0].GetString()!, line[1].GetString()!);
            string rendered;
            try
            {
                rendered = Render(template(source));
            }
            catch (ChatTemplateException error)
            {
                rendered = error.Message;
            }
            if (rendered != expected)
                failures.Add($"{source}\n  expected {expected}\n  rendered {rendered}");
            count++;
        }
        Assert.True(count >= atLeast, $"only {count} cases");
        Assert.True(failures.Count == 0, string.Join('\n', failures));
    }

    private static IEnumerable<JsonElement> Lines(string lines) =>
        lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement);

    private static string Render(string template) =>
        ChatTemplate.Parse(template).Render(new ChatConversation([]), new ChatRenderOptions(Variables: Variables, Clock: new FixedClock()));
}
