using System.Text;
using Gradus.Testing;
using Gradus.Tests.Files;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Tests.Text;

/// <summary>What the files beside a vocabulary say is done, or refused by name: every class, key by key.</summary>
public sealed class TokenizerFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("GPT2Tokenizer", "", "a b", "2 3")]
    [InlineData("GPT2Tokenizer", "\"add_bos_token\":true", "a b", "11 2 3")]
    [InlineData("GPT2Tokenizer", "\"add_bos_token\":true,\"bos_token\":\"<s>\"", "a b", "0 2 3")]
    [InlineData("GPT2Tokenizer", "\"add_bos_token\":true,\"add_eos_token\":true,\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"", "a b", "0 2 3 1")]
    [InlineData("GPT2Tokenizer", "\"add_prefix_space\":true", "a b", "5 3")]
    [InlineData("GPT2TokenizerFast", "\"add_prefix_space\":null", "a b", "2 3")]
    [InlineData("GPT2Tokenizer", "\"eos_token\":\"</s>\"", "a</s>a", "2 1 2")]
    [InlineData("RobertaTokenizer", "", "a b", "0 2 3 1")]
    [InlineData("RobertaTokenizer", "", "a <mask> b", "0 2 13 3 1")]
    [InlineData("BartTokenizerFast", "\"add_prefix_space\":true", "a b", "0 5 3 1")]
    [InlineData("Qwen2Tokenizer", "", "a b", "2 3")]
    [InlineData("Qwen2Tokenizer", "\"added_tokens_decoder\":{\"12\":{\"content\":\"<|im_end|>\",\"special\":true}}", "a<|im_end|> b", "2 12 3")]
    [InlineData("GPT2Tokenizer", "\"added_tokens_decoder\":{\"11\":{\"content\":\"<x>\",\"rstrip\":true}}", "a<x> b", "2 11 4")]
    [InlineData("GPT2Tokenizer", "\"additional_special_tokens\":[\"<x>\",{\"content\":\"<y>\",\"lstrip\":true}]", "a<x> <y>a", "2 12 13 2")]
    [InlineData("GPT2Tokenizer", "\"extra_special_tokens\":{\"image_token\":\"<x>\"}", "a<x>", "2 12")]
    [InlineData("GPT2Tokenizer", "\"eos_token\":\"</s>\",\"split_special_tokens\":true", "</s>", "7 8 9 10")]
    [InlineData("DebertaTokenizer", "\"cls_token\":\"<s>\",\"sep_token\":\"</s>\"", "a", "0 2 1")]
    public void BytePairsAreReadAsTheClassReadsThem(string className, string settings, string text, string ids)
    {
        WriteBytePairs();
        WriteConfig($"\"tokenizer_class\":\"{className}\"{(settings.Length > 0 ? "," + settings : "")}");
        Check(text, ids);
    }

    [Theory]
    [InlineData("BertTokenizer", "", "Hello", "2 5 3")]
    [InlineData("BertTokenizer", "\"do_lower_case\":false", "Hello", "2 6 3")]
    [InlineData("BertTokenizer", "", "é", "2 10 3")]
    [InlineData("BertTokenizer", "\"strip_accents\":false", "é", "2 9 3")]
    [InlineData("DistilBertTokenizer", "\"do_lower_case\":false,\"strip_accents\":true", "é", "2 10 3")]
    [InlineData("ElectraTokenizerFast", "\"tokenize_chinese_chars\":false", "中文", "2 13 3")]
    [InlineData("BertTokenizer", "", "中文", "2 11 12 3")]
    [InlineData("BertTokenizer", "\"do_basic_tokenize\":false", "Hello,", "2 1 3")]
    [InlineData("BertTokenizer", "\"cls_token\":\"hello\"", "中", "5 11 3")]
    [InlineData("BertTokenizer", "\"unk_token\":\"[MASK]\"", "x", "2 4 3")]
    [InlineData("MPNetTokenizer", "\"cls_token\":\"[CLS]\",\"sep_token\":\"[SEP]\",\"pad_token\":\"[PAD]\",\"bos_token\":\"[CLS]\",\"eos_token\":\"[SEP]\"", "hello", "2 5 3")]
    public void WordPiecesAreReadAsTheClassReadsThem(string className, string settings, string text, string ids)
    {
        Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nHello\nh\n##ello\né\ne\n中\n文\n中文\n,\n");
        WriteConfig($"\"tokenizer_class\":\"{className}\"{(settings.Length > 0 ? "," + settings : "")}");
        Check(text, ids);
    }

    [Theory]
    [InlineData("\"tokenizer_class\":\"LlamaTokenizerFast\"", "a", "5 1")]
    [InlineData("\"tokenizer_class\":\"LlamaTokenizer\",\"add_bos_token\":false", "a", "1")]
    [InlineData("\"tokenizer_class\":\"GemmaTokenizerFast\",\"add_eos_token\":true,\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"", "a", "5 1 6")]
    [InlineData("\"tokenizer_class\":\"PreTrainedTokenizerFast\"", "a", "5 1")]
    [InlineData("\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"bos_token\":\"<s>\",\"add_bos_token\":false", "a", "1")]
    [InlineData("\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"add_eos_token\":true", "a", "5 1 6")]
    [InlineData("\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"<end>\",\"__type\":\"AddedToken\"}", "a<end>", "5 1 7")]
    [InlineData("\"added_tokens_decoder\":{\"9\":{\"content\":\"<x>\",\"special\":true}}", "a<x>", "5 1 9")]
    [InlineData("\"pad_token\":\"<pad>\",\"additional_special_tokens\":[\"<x>\"]", "<pad><x>", "5 7 8")]
    public void ATokenizerJsonIsBroughtUpToWhatItsSettingsSay(string settings, string text, string ids)
    {
        Write("tokenizer.json", Words);
        WriteConfig(settings);
        Check(text, ids);
    }

    [Fact]
    public void ABertTokenizerJsonTakesCasingFromItsSettings()
    {
        Write("tokenizer.json", """{"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","vocab":{"[UNK]":0,"A":1,"a":2},"unk_token":"[UNK]"}}""");
        WriteConfig("\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false");
        Check("A", "1");
        WriteConfig("\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"do_lower_case\":false");
        Check("A", "2");
    }

    [Fact]
    public void TheOlderFilesAddTokensAndOverrideTheSettings()
    {
        WriteBytePairs();
        WriteConfig("\"tokenizer_class\":\"GPT2Tokenizer\",\"eos_token\":\"</s>\"");
        Write("added_tokens.json", """{"<|im_start|>":11,"<|im_end|>":12}""");
        Write("special_tokens_map.json", """{"eos_token":"<|im_end|>","bos_token":null}""");
        Tokenizer tokenizer = Tokenizer.Load(_folder.Path);
        Assert.Equal([11, 2, 12], tokenizer.Encode("<|im_start|>a<|im_end|>"));
        Assert.Equal((null, 12), (tokenizer.BosId, tokenizer.EosId));
        Assert.True(tokenizer.IsSpecial(12));
        Assert.False(tokenizer.IsSpecial(11));
    }

    [Fact]
    public void WithoutAClassThatOfTheModelCountsAndWithoutAModelTheVocabularyAlone()
    {
        WriteBytePairs();
        Check("a b", "2 3");
        Write("config.json", """{"model_type":"roberta"}""");
        Check("a b", "0 2 3 1");
        Write("config.json", """{"model_type":"gpt2","tokenizer_class":"BartTokenizer"}""");
        Check("a b", "0 2 3 1");
    }

    [Theory]
    [InlineData("\"tokenizer_class\":\"QWenTokenizer\"", "QWenTokenizer is not known")]
    [InlineData("\"tokenizer_class\":\"PreTrainedTokenizerFast\"", "tokenizer.json, which is missing")]
    [InlineData("\"tokenizer_class\":\"GPT2Tokenizer\",\"never_split\":[\"a\"]", "never_split")]
    [InlineData("\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":\"yes\"", "add_bos_token: expected true or false")]
    [InlineData("\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,\"bos_token\":null", "bos_token")]
    [InlineData("\"tokenizer_class\":\"RobertaTokenizer\",\"sep_token\":null", "sep_token")]
    [InlineData("\"tokenizer_class\":\"GPT2Tokenizer\",\"sp_model_kwargs\":{\"enable_sampling\":true}", "sampled")]
    [InlineData("\"tokenizer_class\":\"GPT2Tokenizer\",\"added_tokens_decoder\":{\"x\":{\"content\":\"y\"}}", "\"x\" is not the id")]
    [InlineData("\"tokenizer_class\":\"GPT2Tokenizer\",\"added_tokens_decoder\":{\"11\":{\"special\":true}}", "content")]
    [InlineData("\"chat_template\":7", "chat_template")]
    public void ASettingThatCannotBeKeptIsRefusedByName(string settings, string inMessage)
    {
        WriteBytePairs();
        WriteConfig(settings);
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Tokenizer.Load(_folder.Path));
        Assert.StartsWith(_folder.Path, e.Message, StringComparison.Ordinal);
        Assert.Contains(inMessage, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void ByteOrderMarksAndUtf16AreRead()
    {
        WriteBytePairs();
        foreach (Encoding encoding in new Encoding[] { new UTF8Encoding(true), Encoding.Unicode, Encoding.BigEndianUnicode })
        {
            foreach (string name in new[] { "vocab.json", "merges.txt" })
                File.WriteAllText(_folder[name], File.ReadAllText(_folder[name]).Replace("\n", "\r\n", StringComparison.Ordinal), encoding);
            File.WriteAllText(_folder["tokenizer_config.json"], "{\"tokenizer_class\":\"GPT2Tokenizer\",\"eos_token\":\"</s>\"}", encoding);
            File.WriteAllText(_folder["chat_template.jinja"], "{{ 'x' }}", encoding);
            Check("a b</s>", "2 3 1");
            Assert.Equal("{{ 'x' }}", Tokenizer.Load(_folder.Path).Parts.ChatTemplate);
        }
        Write("tokenizer.json", Words);
        File.WriteAllText(_folder["tokenizer.json"], Words, new UTF8Encoding(true));
        Check("a", "5 1");
    }

    [Fact]
    public void TemplatesComeFromTheFileOrTheSettingsAndToolsHaveTheirOwn()
    {
        Write("tokenizer.json", Words);
        WriteConfig("\"chat_template\":[{\"name\":\"default\",\"template\":\"D\"},{\"name\":\"tool_use\",\"template\":\"T\"}]");
        Tokenizer tokenizer = Tokenizer.Load(_folder.Path);
        Assert.Equal(("D", "T"), (ChatTemplate.Of(tokenizer)!.Source, ChatTemplate.Of(tokenizer, withTools: true)!.Source));
        using TemporaryFolder copy = new();
        tokenizer.Save(copy.Path);
        Assert.Equal("T", ChatTemplate.Of(Tokenizer.Load(copy.Path), withTools: true)!.Source);
        Write("chat_template.jinja", "F");
        Assert.Equal("F", ChatTemplate.Of(Tokenizer.Load(_folder.Path))!.Source);
    }

    [Theory]
    [InlineData("\"chat_template\":\"\"", "tokenizer_config.json: the chat template is empty")]
    [InlineData("\"chat_template\":\" \\n\"", "tokenizer_config.json: the chat template is empty")]
    [InlineData("\"chat_template\":\"{% if %}\"", "tokenizer_config.json: Chat template, line 1")]
    [InlineData("\"chat_template\":[{\"name\":\"rag\",\"template\":\"R\"}]", "none is named default")]
    public void ATemplateThatCannotBeUsedIsNamedWithItsFile(string settings, string inMessage)
    {
        Write("tokenizer.json", Words);
        WriteConfig(settings);
        Tokenizer tokenizer = Tokenizer.Load(_folder.Path);
        Check("a", "5 1");
        Assert.Contains(inMessage, Assert.Throws<InvalidDataException>(() => ChatTemplate.Of(tokenizer)).Message, StringComparison.Ordinal);
    }

    [SharedFact("golden", "tokenizers", "sp_bpe_llama_style")]
    public void ALlamaModelPutsTheMarkBeforeTheTextOrBeforeEveryPart()
    {
        File.Copy(Golden.Case("sp_bpe_llama_style", "spm.model"), _folder["tokenizer.model"]);
        WriteConfig("\"tokenizer_class\":\"LlamaTokenizer\"");
        Tokenizer legacy = Tokenizer.Load(_folder.Path);
        int[] part = legacy.Encode("hello", addSpecialTokens: false);
        Assert.Equal([legacy.BosId!.Value, .. part, legacy.EosId!.Value, .. part], legacy.Encode("hello</s>hello"));
        WriteConfig("\"tokenizer_class\":\"LlamaTokenizer\",\"legacy\":false,\"add_bos_token\":false");
        Tokenizer newer = Tokenizer.Load(_folder.Path);
        int[] ids = newer.Encode("hello</s>hello");
        Assert.Equal([.. part, newer.EosId!.Value], ids[..(part.Length + 1)]);
        Assert.NotEqual(part, ids[(part.Length + 1)..]);
        WriteConfig("\"tokenizer_class\":\"LlamaTokenizer\",\"add_prefix_space\":false,\"add_bos_token\":false");
        Assert.Equal(ids[(part.Length + 1)..], Tokenizer.Load(_folder.Path).Encode("hello"));
        using TemporaryFolder copy = new();
        newer.Save(copy.Path);
        Assert.Equal(ids, Tokenizer.Load(copy.Path).Encode("hello</s>hello"));
    }

    [SharedFact("golden", "tokenizers", "sp_unigram_nmt_nfkc")]
    public void SentinelsAndFairseqsIdsFollowThePieces()
    {
        string model = Golden.Case("sp_unigram_nmt_nfkc", "spm.model");
        Tokenizer plain = SentencePieceFile.Load(model);
        int pieces = plain.VocabularySize;
        File.Copy(model, _folder["spiece.model"]);
        WriteConfig("\"tokenizer_class\":\"T5Tokenizer\",\"extra_ids\":3");
        Tokenizer t5 = Tokenizer.Load(_folder.Path);
        Assert.Equal(pieces + 2, t5.TokenToId("<extra_id_0>"));
        Assert.Equal([pieces + 2, pieces, t5.EosId!.Value], t5.Encode("<extra_id_0> <extra_id_2>"));
        File.Move(_folder["spiece.model"], _folder["sentencepiece.bpe.model"]);
        WriteConfig("\"tokenizer_class\":\"XLMRobertaTokenizer\"");
        Tokenizer xlm = Tokenizer.Load(_folder.Path);
        int[] ids = plain.Encode("hello world");
        Assert.Equal([0, .. ids.Select(id => id + 1), 2], xlm.Encode("hello world"));
        Assert.Equal(pieces + 1, xlm.MaskId);
        WriteConfig("\"tokenizer_class\":\"XLNetTokenizer\"");
        int[] xlnet = Tokenizer.Load(_folder.Path).Encode("hello world");
        Assert.Equal(ids, xlnet[..^2]);
    }

    [Fact]
    public void DamagedSettingsGiveOneLineOrATokenizerThatWorks()
    {
        WriteBytePairs();
        const string Config = """{"tokenizer_class":"RobertaTokenizer","add_prefix_space":false,"bos_token":{"content":"<s>","lstrip":true},"additional_special_tokens":["<x>"],"added_tokens_decoder":{"11":{"content":"<y>","special":true}},"chat_template":[{"name":"default","template":"x"}]}""";
        Random random = new(7);
        int errors = 0;
        for (int round = 0; round < 400; round++)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(Config);
            for (int flips = random.Next(1, 4); flips > 0; flips--)
                bytes[random.Next(bytes.Length)] = (byte)"\"{}[]:,0aTx<>nf "[random.Next(16)];
            _folder.Write("tokenizer_config.json", random.Next(8) == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
            try
            {
                Tokenizer tokenizer = Tokenizer.Load(_folder.Path);
                Assert.All(tokenizer.Encode("a b<s>"), id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1));
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith(_folder.Path, e.Message, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', e.Message);
                errors++;
            }
        }
        Assert.InRange(errors, 40, 399);
    }

    private const string Words = """
        {"added_tokens":[{"id":5,"content":"<s>","special":true},{"id":6,"content":"</s>","special":true}],
        "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[5],"tokens":["<s>"]}}},
        "model":{"type":"WordLevel","vocab":{"<unk>":0,"a":1,"b":2,"c":3,"d":4},"unk_token":"<unk>"}}
        """;

    private void Check(string text, string ids) => Assert.Equal(ids, string.Join(' ', Tokenizer.Load(_folder.Path).Encode(text)));

    private void WriteBytePairs()
    {
        Write("vocab.json", """{"<s>":0,"</s>":1,"a":2,"Ġb":3,"b":4,"Ġa":5,"Ġ":6,"<":7,"/":8,"s":9,">":10}""");
        Write("merges.txt", "#version: 0.2\nĠ b\nĠ a\n");
    }

    private void WriteConfig(string settings) => Write("tokenizer_config.json", "{" + settings + "}");

    private void Write(string name, string text) => File.WriteAllText(_folder[name], text);
}
