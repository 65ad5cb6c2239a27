using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Gradus.Cli.Tests.Verbs;

public sealed class TokenizerVerbTests : IDisposable
{
    private const string Text = "The cat sat on the mat. The cat ate. – Käse & 猫!\n";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gradus-tokenizer-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void TrainsOnFilesOfAllKinds()
    {
        string plain = Write("a.txt", Encoding.UTF8.GetBytes(Text));
        string lines = Write("b.jsonl", Encoding.UTF8.GetBytes($"{{\"text\": {JsonSerializer.Serialize(Text)}}}\n\n{{\"text\": \"more\"}}\n"));
        // Two members, one after the other, are one file.
        string zipped = Write("c.txt.gz", [.. Zip(Text[..9]), .. Zip(Text[9..])]);
        string zippedLines = Write("d.jsonl.gz", Zip("{\"text\": \"the end\"}\n"));
        JsonElement report = Train("--vocabulary-size", "270", "--json", plain, lines, zipped, zippedLines).Json();
        Assert.Equal(270, report.GetProperty("vocabulary_size").GetInt32());
        Assert.Equal((3 * Encoding.UTF8.GetByteCount(Text)) + "more".Length + "the end".Length, report.GetProperty("text_bytes").GetInt64());
        Assert.True(report.GetProperty("bytes_per_token").GetDouble() > 1);
        JsonElement written = JsonDocument.Parse(File.ReadAllText(Path.Combine(Trained, "tokenizer-report.json"))).RootElement;
        Assert.Equal(270, written.GetProperty("vocabulary_size").GetInt32());
    }

    [Fact]
    public void OneFileOrAPipeGiveTheSameTokenizer()
    {
        Train(Write("a.txt", Encoding.UTF8.GetBytes(Text))).Succeeds();
        byte[] first = File.ReadAllBytes(Path.Combine(Trained, "tokenizer.json"));
        CommandLineRun.Piped(Text, "tokenizer", "train", "-o", Trained).Succeeds();
        Assert.Equal(first, File.ReadAllBytes(Path.Combine(Trained, "tokenizer.json")));
    }

    [Theory]
    [InlineData("bpe", "--vocabulary-size", "300")]
    [InlineData("character")]
    public void WhatIsEncodedDecodesToTheSameBytes(string type, params string[] options)
    {
        Train(["--type", type, Write("a.txt", Encoding.UTF8.GetBytes(Text)), .. options]).Succeeds();
        CommandLineRun ids = CommandLineRun.Piped(Text, "tokenizer", "encode", Trained).Succeeds();
        Assert.Single(ids.Output.TrimEnd('\n').Split('\n'));
        Assert.Equal(Text, CommandLineRun.Piped(ids.Output, "tokenizer", "decode", Trained).Succeeds().Output);
        Assert.Equal(Text, CommandLineRun.Piped(ids.Output, "tokenizer", "decode", Trained, "--json").Json().GetProperty("text").GetString());
    }

    [Theory]
    [InlineData("unigram", "unigram", "the cat sat", "the cat sat", "<unk>", "--vocabulary-size", "60")]
    [InlineData("wordpiece", "WordPiece", "The CAT sat", "the cat sat", "[PAD]", "--vocabulary-size", "80")]
    [InlineData("wordpiece", "WordPiece", "The cat", "The cat", "[PAD]", "--vocabulary-size", "80", "--cased")]
    public void WordsArePiecesOfOtherKindsToo(string type, string described, string text, string decoded, string first, params string[] options)
    {
        Train([Write("a.txt", Encoding.UTF8.GetBytes(Text)), "--type", type, .. options]).Succeeds();
        JsonElement facts = CommandLineRun.Of("tokenizer", "inspect", Trained, "--json").Json();
        Assert.Contains(described, facts.GetProperty("type").GetString(), StringComparison.OrdinalIgnoreCase);
        Assert.Equal(0, facts.GetProperty("special_tokens").GetProperty(first).GetInt32());
        string ids = CommandLineRun.Of("tokenizer", "encode", Trained, "--text", text).Succeeds().Output;
        Assert.Equal(decoded, CommandLineRun.Piped(ids, "tokenizer", "decode", Trained).Succeeds().Output);
    }

    [Theory]
    [InlineData("unigram", "--pattern .", "--pattern is for --type bpe only")]
    [InlineData("bpe", "--cased", "--cased is for --type wordpiece only")]
    [InlineData("character", "--vocabulary-size 300", "--vocabulary-size is for --type bpe or unigram or wordpiece only")]
    [InlineData("bpe", "--unknown-token x", "--unknown-token is for --type character only")]
    [InlineData("wordpiece", "--special-token <s>", "[UNK]")]
    [InlineData("wordpiece", "--vocabulary-size 7", "7 is less than")]
    [InlineData("unigram", "--vocabulary-size 7", "7 has no room")]
    public void WhatAKindCannotDoIsSaid(string type, string options, string message) =>
        Train([Write("a.txt", Encoding.UTF8.GetBytes(Text)), "--type", type, .. options.Split(' ')]).Fails(2, message);

    [Fact]
    public void EncodingShowsIdsTokensAndPlaces()
    {
        Train(Write("a.txt", Encoding.UTF8.GetBytes(Text)), "--type", "character", "--special-token", "<|end|>").Succeeds();
        JsonElement encoded = CommandLineRun.Of("tokenizer", "encode", Trained, "--text", "a<|end|>", "--json").Json();
        Assert.Equal(2, encoded.GetProperty("count").GetInt32());
        Assert.Equal(0, encoded.GetProperty("ids")[1].GetInt32());
        Assert.Equal("<|end|>", encoded.GetProperty("tokens")[1].GetString());
        Assert.Equal("[1,8]", encoded.GetProperty("offsets")[1].GetRawText());
        Assert.Equal("a", CommandLineRun.Of("tokenizer", "decode", Trained, $"{encoded.GetProperty("ids")[0]}", "0").Succeeds().Output);
        Assert.Equal("a<|end|>", CommandLineRun.Of("tokenizer", "decode", Trained, $"{encoded.GetProperty("ids")[0]}", "0", "--special-tokens").Succeeds().Output);
    }

    [Fact]
    public void LinesAndFilesAreCountedOneByOne()
    {
        Train(Write("a.txt", Encoding.UTF8.GetBytes(Text)), "--type", "character").Succeeds();
        Assert.Equal("3\n0\n2\n", CommandLineRun.Piped("cat\n\nat", "tokenizer", "encode", Trained, "--lines", "--count").Succeeds().Output);
        string file = Write("b.txt", Encoding.UTF8.GetBytes("cat\n"));
        Assert.Equal("4\n4\n", CommandLineRun.Of("tokenizer", "encode", Trained, file, file, "--count").Succeeds().Output);
    }

    [Fact]
    public void InspectTellsTheTypeAndTheTokens()
    {
        Train(Write("a.txt", Encoding.UTF8.GetBytes(Text)), "--vocabulary-size", "262").Succeeds();
        JsonElement facts = CommandLineRun.Of("tokenizer", "inspect", Trained, "--json", "--longest", "2").Json();
        Assert.Equal("byte-level BPE", facts.GetProperty("type").GetString());
        Assert.Equal(262, facts.GetProperty("vocabulary_size").GetInt32());
        Assert.Equal(0, facts.GetProperty("special_tokens").GetProperty("<|endoftext|>").GetInt32());
        Assert.Equal("ByteLevel", facts.GetProperty("pre_tokenizer")[0].GetString());
        Assert.Equal(2, facts.GetProperty("longest_tokens").GetArrayLength());
        string shown = CommandLineRun.Of("tokenizer", "inspect", Trained).Succeeds().Output;
        Assert.Contains("<|endoftext|>=0", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void TextThatIsNoTextIsRefused()
    {
        string latin = Write("latin.txt", [.. Encoding.Latin1.GetBytes("Käse")]);
        Train(latin).Fails(2, latin, "not UTF-8");
        Train("--type", "character", latin).Fails(2, latin, "not UTF-8");
        Train(Write("cut.txt", [.. Encoding.UTF8.GetBytes("abc 猫")[..^1]])).Fails(2, "cut.txt", "not UTF-8");
        Train(Write("empty.txt", [])).Fails(2, "empty.txt", "no text");
        Train("--type", "character", Write("empty.txt", [])).Fails(2, "empty.txt", "the file is empty");
        CommandLineRun.Of("tokenizer", "train", "-o", Trained).Fails(2, "standard input", "no text");
        Train(_folder.FullName).Fails(2, "is a folder");
        Train("nofile.txt").Fails(2, "nofile.txt: no such file");
        Train(Write("bad.jsonl", "{\"text\": \"a\"}\n{\"txt\": 1}\n"u8.ToArray())).Fails(2, "bad.jsonl: line 2");
        Train(Write("cut.jsonl", "{\"text\": \"a"u8.ToArray())).Fails(2, "cut.jsonl: line 1", "not a JSON object");
        // Cut off anywhere: in the data, in the checksum, and inside a long file.
        Train(Write("broken.txt.gz", Zip(Text)[..^9])).Fails(2, "broken.txt.gz", "not a whole gzip file");
        Train(Write("broken.txt.gz", Zip(Text)[..^3])).Fails(2, "broken.txt.gz", "not a whole gzip file");
        string random = string.Concat(Enumerable.Range(0, 30_000).Select(i => $"{(i * 7919L) % 10_007} "));
        Train(Write("long.jsonl.gz", Zip($"{{\"text\": \"{random}\"}}\n")[..20_000])).Fails(2, "long.jsonl.gz", "not a whole gzip file");
        Train(Write("none.txt.gz", "no gzip"u8.ToArray())).Fails(2, "none.txt.gz", "gzip");
        Assert.False(Directory.Exists(Trained));
    }

    [Fact]
    public void TokensThatAreNoneAreRefused()
    {
        Train(Write("a.txt", Encoding.UTF8.GetBytes(Text)), "--type", "character").Succeeds();
        CommandLineRun.Of("tokenizer", "decode", Trained, "x").Fails(2, "\"x\" is not a token id");
        CommandLineRun.Of("tokenizer", "decode", Trained, "99999").Fails(2, "no token 99999");
        CommandLineRun.Of("tokenizer", "encode", "nowhere", "--text", "a").Fails(2, "nowhere: no such file or folder");
        CommandLineRun.Of("tokenizer", "inspect", _folder.FullName).Fails(2, _folder.FullName);
        CommandLineRun.With([0xC3, 0x28], ["tokenizer", "encode", Trained]).Fails(2, "standard input", "not UTF-8");
        CommandLineRun.Of("tokenizer", "inspect", Write("tokenizer.json", "{\"model\": {\"type\": \"BPE\", \"vocab\""u8.ToArray())).Fails(2, "tokenizer.json");
    }

    [Fact]
    public void WrongSettingsAreRefused()
    {
        string file = Write("a.txt", Encoding.UTF8.GetBytes(Text));
        Train(file, "--vocabulary-size", "256").Fails(2, "--vocabulary-size 256", "at least 257");
        Train(file, "--pattern", "(").Fails(2);
        Train(file, "--special-token", "").Fails(2, "--special-token is empty");
    }

    [Fact]
    public void AForeignFolderIsNotReplaced()
    {
        string file = Write("a.txt", Encoding.UTF8.GetBytes(Text));
        Directory.CreateDirectory(Trained);
        string mine = Path.Combine(Trained, "mine.txt");
        File.WriteAllText(mine, "mine");
        Train(file).Fails(1, Trained);
        Assert.Equal("mine", File.ReadAllText(mine));
    }

    private string Trained => Path.Combine(_folder.FullName, "trained");

    private CommandLineRun Train(params string[] arguments) => CommandLineRun.Of(["tokenizer", "train", "-o", Trained, .. arguments]);

    private string Write(string name, byte[] content)
    {
        string path = Path.Combine(_folder.FullName, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    private static byte[] Zip(string text)
    {
        using MemoryStream stream = new();
        using (GZipStream zip = new(stream, CompressionLevel.Fastest))
            zip.Write(Encoding.UTF8.GetBytes(text));
        return stream.ToArray();
    }
}
