using System.Text.Json;
using Gradus.Testing;
using Gradus.Text;

namespace Gradus.Tests.Text;

public sealed class FileFormatTests
{
    public static TheoryData<string> LlamaCppCases
    {
        get
        {
            TheoryData<string> names = [];
            foreach (string folder in Golden.CasesWith("cases.json"))
            {
                foreach (JsonProperty entry in Golden.Json(Golden.Case(folder, "cases.json")).EnumerateObject())
                    names.Add($"{folder}/{entry.Name}");
            }
            return names;
        }
    }

    [SharedTheory("golden", "tokenizers")]
    [MemberData(nameof(LlamaCppCases))]
    public void AGgufVocabularyGivesTheIdsOfLlamaCpp(string name)
    {
        string[] parts = name.Split('/');
        string cases = Golden.Case(parts[0], "cases.json");
        JsonElement entry = Golden.Json(cases).GetProperty(parts[1]);
        Tokenizer tokenizer = Tokenizer.Load(Path.Combine(Path.GetDirectoryName(cases)!, entry.GetProperty("file").GetString()!));
        Assert.Equal(entry.GetProperty("n_tokens").GetInt32(), tokenizer.VocabularySize);
        JsonElement metadata = entry.GetProperty("metadata");
        if (metadata.TryGetProperty("tokenizer.ggml.eos_token_id", out JsonElement eos))
            Assert.Equal(eos.GetInt32(), tokenizer.EosId);
        Assert.Equal(metadata.TryGetProperty("tokenizer.chat_template", out JsonElement template) ? template.GetString() : null, tokenizer.Parts.ChatTemplate);
        List<string> wrong = [];
        foreach (JsonElement c in entry.GetProperty("cases").EnumerateArray())
        {
            string text = c.GetProperty("text").GetString()!;
            int[] want = Golden.Ints(c.GetProperty("ids"));
            int[] got = tokenizer.Encode(text, addSpecialTokens: false);
            if (!want.SequenceEqual(got))
                wrong.Add($"{text}: [{string.Join(' ', got)}], not [{string.Join(' ', want)}]");
            Assert.Equal(got, tokenizer.EncodeWithOffsets(text, addSpecialTokens: false).Ids);
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [SharedFact("data", "tokenizers", "phi3")]
    public void Phi3JsonAndGgufAgree()
    {
        Tokenizer json = Tokenizer.Load(Golden.Data("phi3"));
        Tokenizer gguf = Tokenizer.Load(Golden.Data("gguf-vocab", "ggml-vocab-phi-3.gguf"));
        Assert.InRange(json.VocabularySize, 32011, gguf.VocabularySize);
        Assert.Equal(1, json.BosId);
        Assert.NotNull(json.Parts.ChatTemplate);
        foreach (string text in File.ReadAllText(Golden.Data("gguf-vocab", "ggml-vocab-phi-3.gguf.inp")).Split("\n__ggml_vocab_test__\n"))
        {
            int[] ids = json.Encode(text, addSpecialTokens: false);
            Assert.Equal(gguf.Encode(text, addSpecialTokens: false), ids);
            Assert.Equal(text, json.Decode(ids));
            Tokenizer again = TokenizerJson.Parse(TokenizerJson.Write(json));
            Assert.Equal(ids, again.Encode(text, addSpecialTokens: false));
        }
        Assert.Equal([1, 32010, 6324, 32007], json.Encode("<|user|>Hi<|end|>"));
    }

    [SharedTheory("data", "tokenizers", "tiktoken-expected")]
    [InlineData("cl100k_base.tiktoken", "tokens.json")]
    [InlineData("o200k_base.tiktoken.gz", "tokens_gpt4o.json")]
    public void TiktokenRanksGiveTheIdsOfTiktoken(string file, string expected)
    {
        Tokenizer tokenizer = Tokenizer.Load(Golden.Data("tiktoken", file));
        string text = File.ReadAllText(Golden.Data("tiktoken-expected", "lib.rs.txt"));
        int[] ids = Golden.Ints(Golden.Json(Golden.Data("tiktoken-expected", expected)));
        Assert.Equal(ids, tokenizer.Encode(text));
        Assert.Equal(ids, tokenizer.EncodeWithOffsets(text).Ids);
        Assert.Equal(text, tokenizer.Decode(ids));
        Tokenizer again = TokenizerJson.Parse(TokenizerJson.Write(tokenizer));
        Assert.Equal(ids, again.Encode(text));
    }

    [SharedFact("data", "tokenizers", "tiktoken-expected")]
    public void P50kIsGpt2WithRunsOfSpaces()
    {
        Vocabulary gpt2 = Gpt2Files.Load(Golden.Data("gpt2", "encoder.json"), Golden.Data("gpt2", "vocab.bpe")).Parts.Model.Vocabulary;
        List<(byte[], int)> ranks = [.. Enumerable.Range(0, 50256).Select(id => (gpt2.GetBytes(id).ToArray(), id))];
        for (int spaces = 2; spaces <= 25; spaces++)
            ranks.Add((Enumerable.Repeat((byte)' ', spaces).ToArray(), 50255 + spaces));
        Tokenizer tokenizer = TiktokenFile.FromRanks(ranks, TiktokenEncoding.P50kBase);
        string text = File.ReadAllText(Golden.Data("tiktoken-expected", "lib.rs.txt"));
        Assert.Equal(Golden.Ints(Golden.Json(Golden.Data("tiktoken-expected", "tokens_p50k_base.json"))), tokenizer.Encode(text));
    }

    [SharedFact("data", "tokenizers", "tiktoken")]
    public void TheTextOfSpecialTokensIsFoundTakenAsTextOrRejected()
    {
        Tokenizer find = TiktokenFile.Load(Golden.Data("tiktoken", "cl100k_base.tiktoken"));
        const string Text = "a<|endoftext|>b";
        Assert.Equal([64, 100257, 65], find.Encode(Text));
        Tokenizer asText = find.WithSpecialTokenPolicy(SpecialTokenPolicy.Text);
        Assert.DoesNotContain(100257, asText.Encode(Text));
        Assert.Equal(Text, asText.Decode(asText.Encode(Text)));
        ArgumentException e = Assert.Throws<ArgumentException>(() => find.WithSpecialTokenPolicy(SpecialTokenPolicy.Reject).Encode(Text));
        Assert.Contains("<|endoftext|> at byte 1", e.Message, StringComparison.Ordinal);
    }

    [SharedFact("data", "stories260k-weights")]
    public void Llama2cDecodesTheReferenceStoryAndEncodesItBack()
    {
        Tokenizer tokenizer = Tokenizer.Load(SharedFolder.Find("data", "stories260k-weights", "tok512.bin")!);
        JsonElement expected = Golden.Json(SharedFolder.Find("data", "stories260k-weights", "greedy-expected.json")!);
        int[] ids = Golden.Ints(expected.GetProperty("ids"));
        string text = expected.GetProperty("text").GetString()!.Trim();
        Assert.Equal(text, tokenizer.Decode(ids).Trim());
        Assert.Equal(expected.GetProperty("bos_id").GetInt32(), tokenizer.BosId);
        int[] encoded = tokenizer.Encode(text);
        Assert.Equal(1, encoded[0]);
        Assert.Equal(ids.Take(60), encoded.Skip(1).Take(60));
        Assert.Equal(text, tokenizer.Decode(encoded));
    }
}
