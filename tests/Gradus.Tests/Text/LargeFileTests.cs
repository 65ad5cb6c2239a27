using System.Text;
using Gradus.Tests.Files;
using Gradus.Text;

namespace Gradus.Tests.Text;

/// <summary>Files so large that they are read by several threads: the result, and the errors, are those of small ones.</summary>
public sealed class LargeFileTests
{
    private const int Count = 40;

    private static readonly string[] Singles = [.. Enumerable.Range('!', Count).Select(c => ((char)c).ToString())];

    private static readonly (string Left, string Right)[] Pairs = [.. from a in Singles from b in Singles select (a, b)];

    private static readonly (string Left, string Right)[] Merges = [.. Pairs, .. from pair in Pairs from c in Singles.Take(20) select (pair.Left + pair.Right, c)];

    /// <summary>What a text of three characters joins to: the first two, being listed before the last two, and then all.</summary>
    private static readonly int[] Joins = [.. Enumerable.Range(0, Merges.Length).Where(i => Merges[i].Left.Length == 1 || string.CompareOrdinal(Merges[i].Left, Merges[i].Left[1] + Merges[i].Right) < 0)];

    private static string Escape(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);

    private static byte[] File(Func<(string Left, string Right), string> write, string extra = "", string more = "")
    {
        IEnumerable<string> tokens = [.. Singles, .. Merges.Select(m => m.Left + m.Right), "merges"];
        string vocabulary = string.Join(",\n", tokens.Select((t, id) => $"      \"{Escape(t)}\": {id}"));
        string merges = string.Join(",\n", Merges.Select(write));
        return Encoding.UTF8.GetBytes($$$"""
            {"added_tokens":[],"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":false},"decoder":{"type":"ByteLevel"},{{{extra}}}
             "model":{"type":"BPE","vocab":{ {{{vocabulary}}} },
             "merges":[ {{{merges}}}{{{more}}} ]} }
            """);
    }

    private static string AsText((string Left, string Right) merge) => $"\"{Escape(merge.Left)} {Escape(merge.Right)}\"";

    private static string AsList((string Left, string Right) merge) => $"[\n  \"{Escape(merge.Left)}\",\n  \"{Escape(merge.Right)}\"\n]";

    [Fact]
    public void EveryMergeOfALargeFileJoins()
    {
        foreach (Tokenizer tokenizer in new[] { TokenizerJson.Parse(File(AsText)), TokenizerJson.Parse(File(AsList)), TokenizerJson.Parse(File(AsText, "\"x\":{\"merges\":[\"! !\"]},")) })
        {
            Assert.Equal(Merges.Length, ((Bpe)tokenizer.Parts.Model).MergeCount);
            foreach (int i in Joins)
                Assert.Equal([Singles.Length + i], tokenizer.Encode(Merges[i].Left + Merges[i].Right));
        }
    }

    [Theory]
    [InlineData("\"! !\", \"! nowhere\"", "model.merges[33601]: the token \"nowhere\" is not in the vocabulary")]
    [InlineData("\"!! !!\"", "model.merges[33600]: \"!!\" and \"!!\" join to a token that is not in the vocabulary")]
    [InlineData("[\"!\", \"\"]", "model.merges[33600]: a part is empty")]
    [InlineData("\"漢 !\"", "model.merges[33600]: the token \"漢\" is not in the vocabulary")]
    [InlineData("7", "model.merges[33600]: expected a text or a list")]
    public void AWrongMergeIsNamedByItsPlace(string merge, string expected)
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => TokenizerJson.Parse(File(AsText, more: $", {merge}"), "x.json"));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.StartsWith("x.json", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ALargeGgufVocabularyReadsLikeTheFileItWasWrittenFrom()
    {
        Tokenizer tokenizer = TokenizerJson.Parse(File(AsList).AsSpan());
        using TemporaryFolder folder = new();
        Gradus.Files.GgufMetadata metadata = new();
        Tokenizer known = new(tokenizer.Parts with { PreTokenizer = new ByteLevelPreTokenizer(addPrefixSpace: false, trimOffsets: true, useRegex: true, keepBytes: true) });
        foreach ((string key, object value) in GgufVocabulary.Write(known, known.VocabularySize))
            metadata.Set(key, value);
        using (Gradus.Files.GgufWriter writer = new(System.IO.File.Create(folder["large.gguf"]), metadata, []))
            writer.Complete();
        Tokenizer back = GgufVocabulary.Load(folder["large.gguf"]);
        Assert.Equal(Merges.Length, ((Bpe)back.Parts.Model).MergeCount);
        foreach (int i in Joins)
            Assert.Equal(known.Encode(Merges[i].Left + Merges[i].Right), back.Encode(Merges[i].Left + Merges[i].Right));
    }
}
