using Gradus.Cli.Configuration;

namespace Gradus.Cli.Tests.Configuration;

public sealed class SuggestionTests
{
    [Theory]
    [InlineData("", "", 0)]
    [InlineData("steps", "steps", 0)]
    [InlineData("steps", "", 5)]
    [InlineData("stpes", "steps", 1)]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("ca", "abc", 3)]
    public void TheDistanceIsOptimalStringAlignment(string a, string b, int expected)
    {
        Assert.Equal(expected, KeySuggestion.Distance(a, b));
        Assert.Equal(expected, KeySuggestion.Distance(b, a));
    }

    [Fact]
    public void VeryLongNamesAreNotCompared()
    {
        string name = new('a', 1_000_000);
        Assert.Equal(1_000_000, KeySuggestion.Distance(name, "a"));
        Assert.Equal("keys here: a", KeySuggestion.For(name, ["a"], "keys"));
    }

    [Fact]
    public void LongListsAreCut()
    {
        Assert.EndsWith("k19, …", KeySuggestion.For("zzzz", Enumerable.Range(0, 30).Select(i => $"k{i}"), "keys"), StringComparison.Ordinal);
        Assert.Equal("there are no keys here", KeySuggestion.For("zzzz", [], "keys"));
    }
}
