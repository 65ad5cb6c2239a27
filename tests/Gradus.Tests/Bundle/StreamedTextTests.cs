using Gradus.Bundle;
using Gradus.Text;

namespace Gradus.Tests.Bundle;

public sealed class StreamedTextTests
{
    [Fact]
    public void WhatMayBeginAStopTextIsHeldBack()
    {
        Tokenizer tokenizer = SmallBundles.Tokenizer();
        StreamedText text = new(tokenizer, [], ["cat", "abx"]);
        string[] shown = [.. tokenizer.Encode("abccad").Select(text.Append)];
        Assert.Equal(["", "", "ab", "c", "", "cad"], shown);
        Assert.False(text.Stopped);
    }

    [Fact]
    public void AStopTextEndsTheText()
    {
        Tokenizer tokenizer = SmallBundles.Tokenizer();
        StreamedText text = new(tokenizer, [], ["cat"]);
        string shown = string.Concat(tokenizer.Encode("a cab, a cat, a dog").Select(text.Append)) + text.Finish();
        Assert.Equal("a cab, a ", shown);
        Assert.Equal(shown, text.Text);
        Assert.True(text.Stopped);
    }

    [Fact]
    public void TheEndGivesBackWhatWasHeld()
    {
        Tokenizer tokenizer = SmallBundles.Tokenizer();
        StreamedText text = new(tokenizer, [], ["cat"]);
        Assert.Equal("a ", string.Concat(tokenizer.Encode("a ca").Select(text.Append)));
        Assert.Equal("ca", text.Finish());
        Assert.Equal("a ca", text.Text);
    }
}
