using Gradus.Cli.Reports;

namespace Gradus.Cli.Tests.Reports;

public sealed class HtmlWriterTests
{
    [Theory]
    [InlineData("<img src=x onerror=\"alert('1')\">&amp;", "&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;")]
    [InlineData("a\r\nb\rc\td", "a\nb\nc\td")]
    [InlineData("\0\u001b[31m\u0085\u007f", "\uFFFD\uFFFD[31m\uFFFD\uFFFD")]
    [InlineData("\u202Egnp.exe\u2066", "\uFFFDgnp.exe\uFFFD")]
    [InlineData(null, "")]
    public void EscapesText(string? text, string expected) => Assert.Equal(expected, HtmlWriter.Escape(text));

    [Fact]
    public void HalvesOfSurrogatePairsAreReplaced() =>
        Assert.Equal("😀 \uFFFD alone \uFFFD", HtmlWriter.Escape("😀 \ud83d alone \ude00"));

    [Fact]
    public void HolesAreTextAndLiteralsAreMarkup()
    {
        HtmlWriter html = new();
        string hostile = "\"><script>";
        html.Add($"""<a title="{hostile}">{hostile}{7}</a>""");
        Assert.Equal("<a title=\"&quot;&gt;&lt;script&gt;\">&quot;&gt;&lt;script&gt;7</a>\n", html.ToString());
    }

    [Theory]
    [InlineData(0.6134, "0.613")]
    [InlineData(-2.5, "−2.500")]
    [InlineData(48.304, "48.30")]
    [InlineData(1234.6, "1,235")]
    [InlineData(0.0000123, "1.23e-5")]
    [InlineData(0.0, "0")]
    [InlineData(double.NaN, "not a number")]
    public void NumbersHaveTheDigitsOfTheirSize(double value, string expected) => Assert.Equal(expected.Replace("e-", "e−"), Figures.Number(value));

    [Theory]
    [InlineData(0.045, "45 ms")]
    [InlineData(8.44, "8.4 s")]
    [InlineData(59.6, "1 min 00 s")]
    [InlineData(125, "2 min 05 s")]
    [InlineData(981, "16 min")]
    [InlineData(3599, "1 h 00 min")]
    [InlineData(double.NaN, "unknown time")]
    public void DurationsHaveUnits(double seconds, string expected) => Assert.Equal(expected, Figures.Duration(seconds));

    [Fact]
    public void NamesAreInNaturalOrder() =>
        Assert.Equal(["1-a", "2-b", "10-c", "step-9", "step-010", "step-11"], new[] { "step-11", "10-c", "step-010", "2-b", "step-9", "1-a" }.Order(NaturalOrder.Instance));
}
