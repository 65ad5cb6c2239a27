using System.Text.Json;
using Gradus.Testing;
using Gradus.Text;

namespace Gradus.Tests.Text;

public sealed class WordPieceTests
{
    public static TheoryData<string> VocabularyCases => [.. Golden.CasesWith("vocab.txt")];

    [SharedTheory("golden", "tokenizers")]
    [MemberData(nameof(VocabularyCases))]
    public void AVocabTxtGivesTheReferenceIds(string name)
    {
        JsonElement cases = Golden.Json(Golden.Case(name, "expected.json")).GetProperty("cases");
        List<string> wrong = [];
        foreach (JsonProperty entry in cases.EnumerateObject())
        {
            string setting = entry.Name;
            bool lower = setting.StartsWith("uncased", StringComparison.Ordinal);
            bool? strip = setting.Contains("keep_accents", StringComparison.Ordinal) ? false : null;
            bool chinese = !setting.Contains("no_cjk", StringComparison.Ordinal);
            Tokenizer tokenizer = BertVocabulary.Load(Golden.Case(name, "vocab.txt"), lower, strip, chinese);
            if (entry.Value.ValueKind == JsonValueKind.Array)
            {
                foreach (JsonElement row in entry.Value.EnumerateArray())
                {
                    string text = row.GetProperty("text").GetString()!;
                    Check(Golden.Ints(row.GetProperty("ids")), tokenizer.Encode(text), $"{setting}: {text}");
                    Check(Golden.Ints(row.GetProperty("ids")), tokenizer.EncodeWithOffsets(text).Ids, $"{setting} with offsets: {text}");
                }
                continue;
            }
            Truncation? truncation = setting.EndsWith("truncated30", StringComparison.Ordinal) ? new Truncation(30) : null;
            TokenEncoding pair = tokenizer.EncodePair(entry.Value.GetProperty("first").GetString(), entry.Value.GetProperty("second").GetString(), truncation: truncation);
            int[] ids = Golden.Ints(entry.Value.GetProperty("input_ids"));
            if (ids.Length > pair.Length)
                pair = Tokenizer.Pad([pair], new Padding(tokenizer.PadId!.Value, FixedLength: ids.Length))[0];
            Check(ids, pair.Ids, setting);
            Check(Golden.Ints(entry.Value.GetProperty("token_type_ids")), pair.TypeIds, $"{setting}, types");
            if (entry.Value.TryGetProperty("attention_mask", out JsonElement mask))
                Check(Golden.Ints(mask), pair.AttentionMask, $"{setting}, mask");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));

        void Check(int[] want, int[] got, string what)
        {
            if (!want.SequenceEqual(got))
                wrong.Add($"{what}: [{string.Join(' ', got)}], not [{string.Join(' ', want)}]");
        }
    }

    [SharedFact("data", "tokenizers", "wordpiece")]
    public void ATokenizerJsonLoadsAndSaves()
    {
        Tokenizer tokenizer = Tokenizer.Load(Golden.Data("wordpiece"));
        TokenEncoding encoding = tokenizer.EncodeWithOffsets("Hello, unaffable World!", addSpecialTokens: false);
        Assert.Equal("[CLS]", tokenizer.IdToToken(tokenizer.ClassifierId!.Value));
        Assert.Equal(new TokenRange(0, 5), encoding.Offsets[0]);
        Assert.Equal(encoding.Ids, TokenizerJson.Parse(TokenizerJson.Write(tokenizer)).Encode("Hello, unaffable World!", addSpecialTokens: false));
        Assert.Equal("hello, unaffable world!", tokenizer.Decode(encoding.Ids));
    }
}
