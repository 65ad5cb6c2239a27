using System.Text;
using Gradus.Testing;
using Gradus.Tests.Files;
using Gradus.Text;

namespace Gradus.Tests.Text;

/// <summary>Round trips of random text, hostile files, and the time that pathological text takes to double in length.</summary>
public sealed class RobustnessTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private const string Small = """
        {"version":"1.0","added_tokens":[{"id":6,"content":"<s>","special":true}],"normalizer":null,"pre_tokenizer":null,"post_processor":null,
        "decoder":{"type":"Fuse"},"model":{"type":"BPE","unk_token":"u","vocab":{"a":0,"b":1,"ab":2,"c":3,"abc":4,"u":5},"merges":["a b","ab c"]}}
        """;

    private static readonly string[] Snippets =
    [
        "hello", " world", "\n", "\r\n", "\t", "  ", "'s", "I'LL", "123456", "½", "é", "e\u0301", "ﬁ", "東京", "ラーメン", "안녕", "각\u11A8", "مرحبا", "שלום", "हिन्दी", "😀", "👨‍👩‍👧", "👍🏽",
        "\uD800", "\uDC00", "\0", "\u200D", "\uFEFF", "𝔘𝔫𝔦", "▁", "<|endoftext|>", "<s>", "[MASK]", "##", "<0x41>", "\u3000", "\u2028", "!!!", "//", "ΣΑΣ", "İ", "\uFFFD", "\u0085", "a\u0327\u0301", "\U0001D15E",
    ];

    public void Dispose() => _folder.Dispose();

    private static string RandomText(Random random, int pieces)
    {
        StringBuilder text = new();
        for (int i = 0; i < pieces; i++)
        {
            int kind = random.Next(10);
            if (kind < 7)
                text.Append(Snippets[random.Next(Snippets.Length)]);
            else if (kind < 9)
                text.Append((char)random.Next(0x10000));
            else
                text.Append(new Rune(random.Next(0x10000, 0x110000)));
        }
        return text.ToString();
    }

    /// <summary>What text becomes as UTF-8: lone surrogates are replaced.</summary>
    private static string WellFormed(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static IEnumerable<(string Name, Tokenizer Tokenizer)> ByteLevel()
    {
        yield return ("gpt2", Gpt2Files.Load(Golden.Data("gpt2", "encoder.json"), Golden.Data("gpt2", "vocab.bpe")));
        yield return ("cl100k", Tokenizer.Load(Golden.Data("tiktoken", "cl100k_base.tiktoken")));
        yield return ("o200k", Tokenizer.Load(Golden.Data("tiktoken", "o200k_base.tiktoken.gz")));
        yield return ("mpt", Tokenizer.Load(SharedFolder.Find("golden", "tokenizers", "llamacpp_vocab", "ggml-vocab-mpt.gguf")!));
    }

    [SharedFact("data", "tokenizers")]
    public void ByteLevelTokenizersGiveBackAnyTextWithOffsetsThatCoverIt()
    {
        foreach ((string name, Tokenizer tokenizer) in ByteLevel())
        {
            Random random = new(7);
            for (int i = 0; i < 150; i++)
            {
                string text = RandomText(random, random.Next(1, 40));
                int[] ids = tokenizer.Encode(text);
                Assert.Equal((name, WellFormed(text)), (name, tokenizer.Decode(ids, skipSpecialTokens: false)));
                TokenEncoding encoding = tokenizer.EncodeWithOffsets(text);
                Assert.Equal(ids, encoding.Ids);
                Assert.Equal(0, encoding.Offsets[0].Start);
                Assert.Equal(text.Length, encoding.Offsets[^1].End);
                Assert.Equal(Encoding.UTF8.GetByteCount(text), encoding.Utf8Offsets[^1].End);
                for (int k = 1; k < ids.Length; k++)
                    Assert.InRange(encoding.Offsets[k].Start, encoding.Offsets[k - 1].Start, encoding.Offsets[k - 1].End);
                DecodeStream stream = tokenizer.CreateDecodeStream(skipSpecialTokens: false);
                Assert.Equal(WellFormed(text), string.Concat(ids.Select(stream.Append)) + stream.Flush());
            }
        }
    }

    [SharedFact("data", "tokenizers")]
    public void CachedWordsOffsetsAndUtf8InputAllGiveTheSameIds()
    {
        Tokenizer[] tokenizers =
        [
            Tokenizer.Load(Golden.Data("phi3")), Tokenizer.Load(Golden.Data("sentencepiece", "t5-spiece.model")), Tokenizer.Load(Golden.Data("sentencepiece", "unigram-8000-ja.model")),
            Tokenizer.Load(Golden.Data("sentencepiece", "bpe-1000.model")), Tokenizer.Load(Golden.Data("sentencepiece", "char-79.model")), Tokenizer.Load(Golden.Data("wordpiece")),
            Tokenizer.Load(Golden.Data("sentencepiece", "unigram-2000-bytefallback.model")),
        ];
        foreach (Tokenizer tokenizer in tokenizers)
        {
            Random random = new(11);
            for (int i = 0; i < 100; i++)
            {
                string text = RandomText(random, random.Next(1, 60));
                int[] ids = tokenizer.Encode(text);
                Assert.Equal(ids, tokenizer.Encode(text));
                TokenEncoding encoding = tokenizer.EncodeWithOffsets(text);
                Assert.Equal(ids, encoding.Ids);
                Assert.All(encoding.Offsets, o => Assert.True(o.Start >= 0 && o.Start <= o.End && o.End <= text.Length, $"{o} in {text.Length}"));
                System.Buffers.ArrayBufferWriter<int> written = new();
                tokenizer.EncodeUtf8(Encoding.UTF8.GetBytes(text), written);
                Assert.Equal(ids, written.WrittenSpan.ToArray());
                Assert.Equal(ids.Length, tokenizer.CountTokens(text, addSpecialTokens: true));
                string decoded = tokenizer.Decode(ids);
                DecodeStream stream = tokenizer.CreateDecodeStream();
                Assert.Equal(decoded, string.Concat(ids.Select(stream.Append)) + stream.Flush());
            }
        }
    }

    [SharedFact("data", "tokenizers", "gpt2")]
    public void ABatchIsTheSameAsItsTextsAndACountCutsBetweenCharacters()
    {
        Tokenizer tokenizer = Gpt2Files.Load(Golden.Data("gpt2", "encoder.json"), Golden.Data("gpt2", "vocab.bpe"));
        Random random = new(3);
        string[] texts = [.. Enumerable.Range(0, 200).Select(_ => RandomText(random, 20))];
        int[][] batch = tokenizer.EncodeBatch(texts);
        for (int i = 0; i < texts.Length; i++)
            Assert.Equal(tokenizer.Encode(texts[i]), batch[i]);
        string[] decoded = tokenizer.DecodeBatch(batch, skipSpecialTokens: false);
        Assert.Equal(texts.Select(WellFormed), decoded);
        const string Emoji = "ab😀😀😀";
        for (int n = 0; n < 12; n++)
        {
            int index = tokenizer.IndexOfTokenCount(Emoji, n, out int count);
            Assert.InRange(count, 0, n);
            Assert.Equal(count, tokenizer.CountTokens(Emoji.AsSpan(0, index)));
            Assert.False(index < Emoji.Length && char.IsLowSurrogate(Emoji[index]));
        }
    }

    [SharedFact("data", "tokenizers")]
    public void TextWithoutASpaceTakesNoQuadraticWork()
    {
        // A quadratic algorithm would need minutes for these; the test then hangs rather than passes.
        (string, Tokenizer)[] tokenizers =
        [
            .. ByteLevel().Take(3), ("phi3", Tokenizer.Load(Golden.Data("phi3"))), ("t5", Tokenizer.Load(Golden.Data("sentencepiece", "t5-spiece.model"))), ("wordpiece", Tokenizer.Load(Golden.Data("wordpiece"))),
        ];
        foreach ((string name, Tokenizer tokenizer) in tokenizers)
        {
            foreach (string unit in new[] { "a", " ", "é", "ab!", "\n" })
            {
                string text = string.Concat(Enumerable.Repeat(unit, 400_000 / unit.Length));
                int count = tokenizer.CountTokens(text);
                Assert.True(count <= text.Length * 2, name);
            }
        }
    }

    [Theory]
    [InlineData("\"a\":0,", "\"x\":0,", "\"a\"")] // a merge of a token that is gone
    [InlineData("\"ab\":2,", "\"ba\":2,", "model.merges[0]")]
    [InlineData("\"ab\":2,", "", "no token has id 2")]
    [InlineData("\"c\":3", "\"c\":2", "model.vocab")]
    [InlineData("\"c\":3", "\"c\":9", "no token has id 3")]
    [InlineData("\"c\":3", "\"c\":-1", "model.vocab")]
    [InlineData("\"c\":3", "\"c\":1.5", "model.vocab")]
    [InlineData("\"c\":3", "\"a\":3", "two ids")]
    [InlineData("\"a b\"", "\"a\"", "model.merges[0]")]
    [InlineData("\"a b\"", "\"a  b\"", "model.merges[0]")]
    [InlineData("\"a b\"", "[\"a\",\"\"]", "model.merges[0]")]
    [InlineData("\"a b\"", "7", "model.merges[0]")]
    [InlineData("\"BPE\"", "\"Bigram\"", "Bigram")]
    [InlineData("\"Fuse\"", "\"Melt\"", "decoder")]
    [InlineData("\"normalizer\":null", "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"////fwAA\"}", "charsmap")]
    [InlineData("\"normalizer\":null", "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"*\"}", "base64")]
    [InlineData("\"normalizer\":null", "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a\"},\"content\":\"\"}", "regular expression")]
    [InlineData("\"post_processor\":null", "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{}}", "post_processor.single")]
    [InlineData("\"pre_tokenizer\":null", "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[null]}", "pre_tokenizer.pretokenizers[0]")]
    [InlineData("\"normalizer\":null", "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[null]}", "normalizer.normalizers[0]")]
    [InlineData("\"c\":3", "\"c\\n\":-3", "c\\u000A")]
    [InlineData("\"pre_tokenizer\":null", "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\K\"},\"behavior\":\"Isolated\"}", "\\K")]
    [InlineData("\"pre_tokenizer\":null", "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"Sometimes\"}", "pre_tokenizer.behavior")]
    [InlineData("\"content\":\"<s>\"", "\"content\":\"\"", "added_tokens")]
    [InlineData("\"content\":\"<s>\"", "\"content\":7", "added_tokens[0].content")]
    [InlineData("\"id\":6", "\"id\":\"six\"", "added_tokens[0].id")]
    [InlineData("\"vocab\"", "\"words\"", "vocab")]
    [InlineData("\"b\":1", "\"\\ud800\":1", "surrogate")]
    [InlineData("{\"version\"", "[\"version\"", "object")]
    public void ADamagedTokenizerJsonGivesOneClearError(string from, string to, string inMessage)
    {
        Assert.Contains(from, Small, StringComparison.Ordinal);
        TokenizerJson.Parse(Encoding.UTF8.GetBytes(Small));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => TokenizerJson.Parse(Encoding.UTF8.GetBytes(Small.Replace(from, to, StringComparison.Ordinal)), "x/tokenizer.json"));
        Assert.StartsWith("x/tokenizer.json", e.Message, StringComparison.Ordinal);
        Assert.Contains(inMessage, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [SharedFact("golden", "tokenizers")]
    public void CutAndDamagedBinaryFilesGiveAnErrorOrATokenizerThatWorks()
    {
        byte[][] files =
        [
            File.ReadAllBytes(SharedFolder.Find("golden", "tokenizers", "sp_unigram_nmt_nfkc", "spm.model")!),
            File.ReadAllBytes(SharedFolder.Find("golden", "tokenizers", "sp_bpe_llama_style", "spm.model")!),
            File.ReadAllBytes(SharedFolder.Find("data", "stories260k-weights", "tok512.bin")!),
            Encoding.UTF8.GetBytes(Small),
            TokenizerJson.Write(SentencePieceFile.Load(Golden.Case("sp_bpe_llama_style", "spm.model"))),
            File.ReadAllBytes(Golden.Data("gguf-vocab", "ggml-vocab-bert-bge.gguf")),
        ];
        Func<byte[], Tokenizer>[] readers =
        [
            f => SentencePieceFile.Parse(f), f => SentencePieceFile.Parse(f), f => Llama2cTokenizerFile.Parse(f), f => TokenizerJson.Parse(f), f => TokenizerJson.Parse(f), f => GgufVocabulary.Load(_folder.Write("v.gguf", f)),
        ];
        Random random = new(5);
        int errors = 0;
        for (int round = 0; round < 240; round++)
        {
            int which = round % files.Length;
            // The GGUF vocabulary is large; a few rounds do.
            if (which == 5 && round > 60)
                continue;
            byte[] file = files[which].ToArray();
            if (random.Next(3) == 0)
                file = file[..random.Next(file.Length)];
            for (int flips = random.Next(1, 8); flips > 0 && file.Length > 0; flips--)
                file[random.Next(random.Next(2) == 0 ? Math.Min(file.Length, 2000) : file.Length)] = (byte)random.Next(256);
            Tokenizer tokenizer;
            try
            {
                tokenizer = readers[which](file);
            }
            catch (InvalidDataException e)
            {
                Assert.InRange(e.Message.Length, 10, 600);
                errors++;
                continue;
            }
            foreach (string text in new[] { "Hello world 12", "naïve café 東京 😀", "abc\0\t " })
            {
                try
                {
                    int[] ids = tokenizer.Encode(text);
                    Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1));
                    tokenizer.Decode(ids);
                }
                catch (ArgumentException e)
                {
                    Assert.Contains("not in the vocabulary", e.Message, StringComparison.Ordinal);
                }
            }
        }
        Assert.InRange(errors, 40, 240);
    }

    [SharedFact("golden", "tokenizers", "sp_unigram_nmt_nfkc")]
    public void AModelCutInHalfSaysSo()
    {
        byte[] model = File.ReadAllBytes(Golden.Case("sp_unigram_nmt_nfkc", "spm.model"));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => SentencePieceFile.Parse(model.AsSpan(0, model.Length / 2), "half.model"));
        Assert.StartsWith("half.model", e.Message, StringComparison.Ordinal);
        Assert.Contains("cut off", e.Message, StringComparison.Ordinal);
    }
}
