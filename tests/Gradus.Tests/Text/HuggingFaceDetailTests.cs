using System.Text;
using Gradus.Text;

namespace Gradus.Tests.Text;

/// <summary>Corners where random configurations once differed from Hugging Face's library; what is expected is what version 0.23.2 gives.</summary>
public sealed class HuggingFaceDetailTests
{
    private static readonly string ByteVocabulary = string.Join(',', Enumerable.Range(0, 256).Select(b => $"\"{Escape(ByteToText((byte)b))}\":{b}"));

    private static Tokenizer Parse(string preTokenizer, string model, string extra = "\"added_tokens\":[]")
    {
        return TokenizerJson.Parse(Encoding.UTF8.GetBytes($$"""{ {{extra}},"pre_tokenizer":{{preTokenizer}},"model":{{model}} }"""));
    }

    private static string Escape(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);

    private static string ByteToText(byte b)
    {
        byte[] printable = [.. Enumerable.Range('!', 94).Concat(Enumerable.Range(0xA1, 12)).Concat(Enumerable.Range(0xAE, 82)).Select(i => (byte)i)];
        return ((char)(printable.Contains(b) ? b : 256 + Enumerable.Range(0, b).Count(i => !printable.Contains((byte)i)))).ToString();
    }

    [Theory]
    [InlineData(@"\\b", "Isolated", "ab, ²c 👨‍👩 d_1", "ab|, |²c| 👨‍👩 |d_1")]
    [InlineData(@"\\b", "Removed", "ab, c", "ab|, |c")]
    [InlineData(@"\\B", "Isolated", "abc", "a|b|c")]
    [InlineData(@"(?=\\d)", "Isolated", "ab12c3", "ab|1|2c|3")]
    [InlineData(@"(?=\\d)", "MergedWithPrevious", "ab12c3", "ab|1|2c|3")]
    [InlineData(@"(?<=\\s)(?=\\S)", "Removed", "a  b c", "a  |b |c")]
    [InlineData("x*", "Isolated", "axxb", "a|xx|b")]
    [InlineData(@"[\\p{L}&&[^\\p{Han}]]+", "Isolated", "ab漢字cd1", "ab|漢字|cd|1")]
    [InlineData(@"[a[bc]\\d]+", "Isolated", "xabc12yz", "x|abc12|yz")]
    [InlineData(@"[^\\p{L}&&[^.]]+", "Isolated", "a,.;b", "a|,.;|b")]
    [InlineData("[[:punct:]]+", "Isolated", "a$+.b", "a|$+.|b")]
    [InlineData(@"\\p{Punct}+", "Isolated", "a$+.b", "a$+|.|b")]
    [InlineData("[[:^alpha:]]+", "Isolated", "ab12,c", "ab|12,|c")]
    [InlineData(@"\\w+", "Isolated", "a²Ⅷⓐ①½_", "a²Ⅷⓐ|①|½_")]
    [InlineData(@"[^\\w\\s]+", "Isolated", "a²½, b", "a|²½,| b")]
    public void RegularExpressionsSplitAsOnigurumaDoes(string pattern, string behavior, string text, string expected)
    {
        Tokenizer tokenizer = Parse($$"""{"type":"Split","pattern":{"Regex":"{{pattern}}"},"behavior":"{{behavior}}","invert":false}""", """{"type":"WordLevel","vocab":{"<unk>":0},"unk_token":"<unk>"}""");
        string[] pieces = [.. tokenizer.EncodeWithOffsets(text).Offsets.Select(o => text[o.Start..o.End])];
        Assert.Equal(expected.Split('|'), pieces);
    }

    [Theory]
    [InlineData(true, "\na a", "32 10 97 256", "0-0 0-1 1-2 3-4")]
    [InlineData(true, "a  a\n", "256 32 256 10", "0-1 2-2 3-4 4-5")]
    [InlineData(true, "\u3000a", "32 227 128 128 97", "0-0 0-1 0-1 0-1 1-2")]
    [InlineData(true, " a", "256", "0-2")]
    [InlineData(false, "\na a", "32 10 97 256", "1-1 0-1 1-2 3-4")]
    [InlineData(false, "a  a\n", "256 32 256 10", "1-1 2-2 3-4 4-5")]
    [InlineData(false, " a", "256", "1-2")]
    public void ByteLevelPutsASpaceBeforeAllButASpaceAndTrimsByTheToken(bool addPrefixSpace, string text, string ids, string offsets)
    {
        string processor = $$""" "post_processor":{"type":"ByteLevel","add_prefix_space":{{(addPrefixSpace ? "true" : "false")}},"trim_offsets":true,"use_regex":true},"added_tokens":[] """;
        Tokenizer tokenizer = Parse("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""",
            $$"""{"type":"BPE","vocab":{ {{ByteVocabulary}},"Ġa":256,"ĠĠ":257},"merges":["Ġ a","Ġ Ġ"]}""", processor);
        TokenEncoding encoding = tokenizer.EncodeWithOffsets(text);
        Assert.Equal(ids, string.Join(' ', encoding.Ids));
        Assert.Equal(offsets, string.Join(' ', encoding.Offsets.Select(o => $"{o.Start}-{o.End}")));
    }

    [Fact]
    public void BytesStandForTheSuffixOfACharacterToo()
    {
        string bytes = string.Join(',', Enumerable.Range(0, 256).Select(b => $"\"<0x{b:X2}>\":{b}"));
        Tokenizer tokenizer = Parse("""{"type":"WhitespaceSplit"}""", $$"""{"type":"BPE","byte_fallback":true,"end_of_word_suffix":"</w>","vocab":{ {{bytes}},"a":256,"b</w>":257},"merges":[]}""");
        Assert.Equal([256, 257, 256, 0xC3, 0xA9, '<', '/', 'w', '>'], tokenizer.Encode("ab aé"));
    }

    [Fact]
    public void AnAddedTokenThatTheModelHasKeepsTheModelsId()
    {
        Tokenizer tokenizer = Parse("null", """{"type":"WordLevel","vocab":{"<unk>":0,"the":1},"unk_token":"<unk>"}""", """ "added_tokens":[{"id":9,"content":"the"}] """);
        Assert.Equal([1], tokenizer.Encode("the"));
    }

    [Fact]
    public void AByteLevelBeforeAnotherOneInNestedSequencesWritesItsOutputTwice()
    {
        const string ByteLevel = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""";
        Tokenizer tokenizer = Parse($$"""{"type":"Sequence","pretokenizers":[{"type":"Sequence","pretokenizers":[{{ByteLevel}}]},{{ByteLevel}}]}""", """{"type":"WordLevel","vocab":{"<unk>":0,"ÄĬ":1,"Ċ":2},"unk_token":"<unk>"}""");
        Assert.Equal([1], tokenizer.Encode("\n"));
    }
}
