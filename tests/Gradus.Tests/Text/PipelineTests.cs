using System.Text;
using Gradus.Text;

namespace Gradus.Tests.Text;

/// <summary>The parts of the pipeline by themselves, over a small WordLevel or character vocabulary.</summary>
public sealed class PipelineTests
{
    private static Tokenizer Words(string extra, string addedTokens = "", params string[] words)
    {
        string vocabulary = string.Join(",", words.Prepend("<unk>").Select((w, i) => $"\"{w}\":{i}"));
        string added = addedTokens.Length == 0 ? "[]" : addedTokens;
        return TokenizerJson.Parse(Encoding.UTF8.GetBytes($$$"""{"added_tokens":{{{added}}},{{{extra}}}"model":{"type":"WordLevel","vocab":{ {{{vocabulary}}} },"unk_token":"<unk>"} }"""));
    }

    private static string[] Pieces(string preTokenizer, string text)
    {
        Tokenizer tokenizer = Words($"\"pre_tokenizer\":{preTokenizer},");
        return [.. tokenizer.EncodeWithOffsets(text).Offsets.Select(o => text[o.Start..o.End])];
    }

    [Theory]
    [InlineData("""{"type":"Whitespace"}""", "Hello, wörld_1!  ok", "Hello|,|wörld_1|!|ok")]
    [InlineData("""{"type":"WhitespaceSplit"}""", " Hello, wörld!\n ok", "Hello,|wörld!|ok")]
    [InlineData("""{"type":"BertPreTokenizer"}""", "Hey $5 (you)", "Hey|$|5|(|you|)")]
    [InlineData("""{"type":"Digits","individual_digits":true}""", "ab12½c", "ab|1|2|½|c")]
    [InlineData("""{"type":"Digits","individual_digits":false}""", "ab12½c", "ab|12½|c")]
    [InlineData("""{"type":"Punctuation","behavior":"Contiguous"}""", "a!?b.", "a|!?|b|.")]
    [InlineData("""{"type":"Punctuation"}""", "a!?b.", "a|!|?|b|.")]
    [InlineData("""{"type":"CharDelimiterSplit","delimiter":"-"}""", "a-bc--d", "a|bc|d")]
    [InlineData("""{"type":"FixedLength","length":2}""", "a😀cde", "a😀|cd|e")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithPrevious"}""", "the-final--countdown", "the-|final-|-|countdown")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithNext"}""", "the-final--countdown", "the|-final|-|-countdown")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"Contiguous"}""", "the-final--countdown", "the|-|final|--|countdown")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"Removed"}""", "the-final--countdown", "the|final|countdown")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"Removed","invert":true}""", "the final, 𝔘1", "the|final|𝔘1")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"\\p{Han}++|[^\\p{Han}]{1,2}"},"behavior":"Isolated"}""", "東京abcの中", "東京|ab|cの|中")]
    [InlineData("""{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Digits","individual_digits":true}]}""", "a1 22", "a|1|2|2")]
    [InlineData("""{"type":"UnicodeScripts"}""", "どこで生れ。Yes", "どこで生れ|。|Yes")]
    [InlineData("""{"type":"UnicodeScripts"}""", "  a b ab 水 かカー木a", "a b ab |水 かカー木|a")]
    [InlineData("""{"type":"UnicodeScripts"}""", " 1 a。b á б", "1 |a|。|b á |б")]
    public void PreTokenizersCutAsTheReferenceDoes(string preTokenizer, string text, string expected)
    {
        Assert.Equal(expected.Split('|'), Pieces(preTokenizer, text));
    }

    [Theory]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""", "Hey  you", "0 1 4")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"never"}""", "Hey  you", "2 1 4")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}""", "Hey<s>you", "0 5 3")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""", "Hey<s>you", "0 5 4")]
    public void MetaspaceMarksWords(string preTokenizer, string text, string ids)
    {
        Tokenizer tokenizer = Words($"\"pre_tokenizer\":{preTokenizer},", """[{"id":5,"content":"<s>","special":true}]""", "▁", "Hey", "you", "▁you");
        Assert.Equal(ids, string.Join(' ', tokenizer.Encode(text)));
    }

    [Theory]
    [InlineData(""" "lstrip":true """, "a <s> b", "<s>", 1, 5)]
    [InlineData(""" "rstrip":true """, "a <s>  b", "<s>", 2, 7)]
    [InlineData(""" "lstrip":true,"rstrip":true """, "a <s> b", "<s>", 1, 6)]
    [InlineData(""" "single_word":true """, "<s>a x<s> <s>", "<s>", 10, 13)]
    public void AddedTokensTakeWhiteSpaceAndStandAloneAsTheySay(string flags, string text, string token, int start, int end)
    {
        Tokenizer tokenizer = Words("\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},", $$"""[{"id":1,"content":"<s>","special":true,{{flags}}}]""");
        TokenEncoding encoding = tokenizer.EncodeWithOffsets(text);
        int at = Assert.Single(Enumerable.Range(0, encoding.Length), i => encoding.Ids[i] == 1);
        Assert.Equal(new TokenRange(start, end), encoding.Offsets[at]);
        Assert.Equal(token, tokenizer.IdToToken(1));
    }

    [Fact]
    public void TheLongestAddedTokenWinsAndNormalizedOnesAreFoundAfterNormalization()
    {
        Tokenizer tokenizer = Words("\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},",
            """[{"id":1,"content":"<a>","special":true},{"id":2,"content":"<a><b>","special":true},{"id":3,"content":"Tag","special":false,"normalized":true}]""");
        Assert.Equal([2, 1, 0, 3, 0], tokenizer.Encode("<a><b><a><A> TAG x"));
        Assert.Equal([0, 3, 0], tokenizer.Encode("x tag y"));
    }

    [Theory]
    [InlineData("""{"type":"NFC"}""", "e\u0301 가\u11A8 \u212B", "é 각 Å")]
    [InlineData("""{"type":"NFD"}""", "é Å", "e\u0301 A\u030A")]
    [InlineData("""{"type":"NFKC"}""", "ﬁ ① ｶﾞ ½", "fi 1 ガ 1⁄2")]
    [InlineData("""{"type":"NFKD"}""", "ﬁé", "fie\u0301")]
    [InlineData("""{"type":"Lowercase"}""", "ÀİΣ𐐀", "ài\u0307σ𐐨")]
    [InlineData("""{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"}]}""", "Crème Ångström", "Creme Angstrom")]
    [InlineData("""{"type":"Strip","strip_left":true,"strip_right":false}""", " \t a ", "a ")]
    [InlineData("""{"type":"Prepend","prepend":"▁"}""", "ab", "▁ab")]
    [InlineData("""{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}""", "a   b c", "a▁b c")]
    [InlineData("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}""", "a b ", "a▁b▁")]
    [InlineData("""{"type":"Nmt"}""", "a\u0001b\tc\u200Bd", "ab c d")]
    [InlineData("""{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}""", "Ünï\0 中文\tX", "uni  中  文  x")]
    [InlineData("""{"type":"ByteLevel"}""", "é a", "Ã©Ġa")]
    public void NormalizersRewriteAsTheReferenceDoes(string normalizer, string text, string expected)
    {
        Tokenizer tokenizer = Words($"\"normalizer\":{normalizer},");
        Assert.Equal(expected, tokenizer.Normalize(text));
        Tokenizer again = TokenizerJson.Parse(TokenizerJson.Write(tokenizer));
        Assert.Equal(expected, again.Normalize(text));
    }

    [Fact]
    public void NormalFormsOfEveryCharacterAreStableAndAgreeWithOneAnother()
    {
        for (int c = 0; c < 0x30000; c++)
        {
            if (!Rune.IsValid(c))
                continue;
            string text = new Rune(c).ToString();
            string nfc = NormalizationForms.Normalize(text, NormalForm.Nfc);
            string nfd = NormalizationForms.Normalize(text, NormalForm.Nfd);
            string nfkd = NormalizationForms.Normalize(text, NormalForm.Nfkd);
            bool agree = nfc == NormalizationForms.Normalize(nfd, NormalForm.Nfc)
                && nfd == NormalizationForms.Normalize(nfc, NormalForm.Nfd)
                && nfkd == NormalizationForms.Normalize(nfd, NormalForm.Nfkd)
                && nfkd == NormalizationForms.Normalize(nfkd, NormalForm.Nfkd)
                && NormalizationForms.Normalize(text, NormalForm.Nfkc) == NormalizationForms.Normalize(nfkd, NormalForm.Nfkc);
            Assert.True(agree, $"U+{c:X4}");
        }
    }

    [Fact]
    public void TruncationKeepsTheRestWithItsStrideAndPaddingFillsEitherSide()
    {
        Tokenizer tokenizer = Words("\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},", "", "a", "b", "c", "d", "e");
        TokenEncoding right = tokenizer.EncodeWithOffsets("a b c d e", truncation: new Truncation(3, Stride: 1));
        Assert.Equal([1, 2, 3], right.Ids);
        Assert.Equal([3, 4, 5], Assert.Single(right.Overflowing).Ids);
        TokenEncoding left = tokenizer.EncodeWithOffsets("a b c d e", truncation: new Truncation(3, Direction: TextSide.Left));
        Assert.Equal([3, 4, 5], left.Ids);
        Assert.Equal([1, 2], Assert.Single(left.Overflowing).Ids);
        TokenEncoding padded = Tokenizer.Pad([left, tokenizer.EncodeWithOffsets("a")], new Padding(0, Direction: TextSide.Left, MultipleOf: 4))[1];
        Assert.Equal([0, 0, 0, 1], padded.Ids);
        Assert.Equal([0, 0, 0, 1], padded.AttentionMask);
        Assert.Equal([1, 1, 1, 0], padded.SpecialTokensMask);
        Assert.Throws<ArgumentException>(() => tokenizer.EncodePair("a b c", "d", truncation: new Truncation(1, TruncationStrategy.OnlySecond)));
        TokenEncoding first = tokenizer.EncodePair("a b c", "d", truncation: new Truncation(3, TruncationStrategy.OnlyFirst));
        Assert.Equal([1, 2, 4], first.Ids);
        Assert.Equal([0, 0, 1], first.TypeIds);
    }

    [Fact]
    public void OffsetsPointIntoTheOriginalTextThroughNormalization()
    {
        Tokenizer tokenizer = Words("\"normalizer\":{\"type\":\"NFKC\"},\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},");
        const string Text = "😀 ﬁne ①② x";
        TokenEncoding encoding = tokenizer.EncodeWithOffsets(Text);
        Assert.Equal(["😀", "ﬁne", "①②", "x"], encoding.Offsets.Select(o => Text[o.Start..o.End]));
        Assert.Equal([new TokenRange(0, 4), new TokenRange(5, 10), new TokenRange(11, 17), new TokenRange(18, 19)], encoding.Utf8Offsets);
        Assert.Equal([0, 1, 2, 3], encoding.WordIds);
    }

    [Theory]
    [InlineData("""{"type":"WordPiece","prefix":"##","cleanup":true}""", "do n't you ##r", "don't your")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""", "▁a b▁c", "ab c")]
    [InlineData("""{"type":"BPEDecoder","suffix":"</w>"}""", "he llo</w> you</w>", "hello you")]
    [InlineData("""{"type":"CTC","pad_token":"<pad>","word_delimiter_token":"|","cleanup":true}""", "h h e l <pad> l o | y", "hello y")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}""", "▁a <0xC3> <0xA9> ▁b", "aé b")]
    public void DecodersJoinAsTheReferenceDoes(string decoder, string tokens, string expected)
    {
        string[] words = [.. tokens.Split(' ').Distinct()];
        Tokenizer tokenizer = Words($"\"decoder\":{decoder},", "", words);
        int[] ids = [.. tokens.Split(' ').Select(t => tokenizer.TokenToId(t)!.Value)];
        Assert.Equal(expected, tokenizer.Decode(ids));
        Assert.Equal(expected, TokenizerJson.Parse(TokenizerJson.Write(tokenizer)).Decode(ids));
    }

    [Fact]
    public void SequencesOfPostProcessorsAndRobertaPutTheirTokensAround()
    {
        const string Roberta = """{"type":"RobertaProcessing","sep":["</s>",4],"cls":["<s>",3],"trim_offsets":true,"add_prefix_space":false}""";
        Tokenizer tokenizer = Words($"\"pre_tokenizer\":{{\"type\":\"WhitespaceSplit\"}},\"post_processor\":{Roberta},", "", "a", "b", "<s>", "</s>");
        Assert.Equal([3, 1, 4], tokenizer.Encode("a"));
        Assert.Equal([3, 1, 4, 4, 2, 4], tokenizer.EncodePair("a", "b").Ids);
        Assert.Equal([1], tokenizer.Encode("a", addSpecialTokens: false));
        string sequence = """{"type":"Sequence","processors":[{"type":"ByteLevel","trim_offsets":true},{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<s>","type_id":1}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[3],"tokens":["<s>"]}}}]}""";
        Tokenizer llama = Words($"\"pre_tokenizer\":{{\"type\":\"WhitespaceSplit\"}},\"post_processor\":{sequence},", "", "a", "b", "<s>", "</s>");
        Assert.Equal([3, 1], llama.Encode("a"));
        Assert.Equal([1, 3, 2], llama.EncodePair("a", "b").Ids);
        Assert.Equal([0, 1, 1], llama.EncodePair("a", "b").TypeIds);
    }
}
