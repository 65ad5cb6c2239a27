using Gradus.Evaluation.Metrics;

namespace Gradus.Evaluation.Tests.Metrics;

public sealed class PythonTextTests
{
    // Expected values from CPython 3.11.
    [Theory]
    [InlineData("İstanbul", "i\u0307stanbul")]
    [InlineData("ΟΔΥΣΣΕΥΣ ΣΑΣ.", "οδυσσευς σας.")]
    [InlineData("Σ", "σ")]
    [InlineData("ΑΣ\u0301Β", "ασ\u0301β")]
    [InlineData("Α'Σ", "α'ς")]
    [InlineData("ⅧΣ", "ⅷς")]
    [InlineData("𐐀Σ", "𐐨ς")]
    [InlineData("\u212A\u212BẞÀ", "kåßà")]
    public void LowerCaseIsPythons(string text, string lower) => Assert.Equal(lower, PythonText.ToLower(text));

    [Fact]
    public void WhiteSpaceIsPythons()
    {
        Assert.Equal(["a", "b", "c", "d\u200B", "e"], PythonText.Split(" a\u001Cb\u00A0\u3000c\u0085d\u200B\u2028e\t"));
        Assert.Equal("a b", PythonText.Strip("\u001F a b\u2029"));
        Assert.Equal(" a", PythonText.StripEnd(" a\u001D\n"));
        Assert.Empty(PythonText.Split(" \n"));
    }

    [Fact]
    public void ALoneSurrogateIsACodePoint()
        => Assert.Equal([0xD800, 'a', 0x1F600, 0xDC00], PythonText.CodePoints("\uD800a😀\uDC00"));
}
