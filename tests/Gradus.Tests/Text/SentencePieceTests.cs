using System.Text.Json;
using Gradus.Testing;
using Gradus.Text;

namespace Gradus.Tests.Text;

public sealed class SentencePieceTests
{
    public static TheoryData<string> ModelCases => [.. Golden.CasesWith("spm.model")];

    [SharedTheory("golden", "tokenizers")]
    [MemberData(nameof(ModelCases))]
    public void AModelGivesTheReferenceIdsPiecesAndTexts(string name)
    {
        string path = Golden.Case(name, "spm.model");
        Tokenizer tokenizer = SentencePieceFile.Load(path);
        Tokenizer around = SentencePieceFile.Load(path, addBos: true, addEos: true);
        JsonElement expected = Golden.Json(Golden.Case(name, "expected.json"));
        Assert.Equal(expected.GetProperty("vocab_size").GetInt32(), tokenizer.VocabularySize);
        JsonElement special = expected.GetProperty("special");
        Assert.Equal(special.GetProperty("unk").GetInt32(), tokenizer.UnknownId ?? -1);
        Assert.Equal(special.GetProperty("bos").GetInt32(), tokenizer.BosId ?? -1);
        Assert.Equal(special.GetProperty("eos").GetInt32(), tokenizer.EosId ?? -1);
        Assert.Equal(special.GetProperty("pad").GetInt32(), tokenizer.PadId ?? -1);
        List<string> wrong = [];
        foreach (JsonElement row in expected.GetProperty("rows").EnumerateArray())
        {
            string text = row.GetProperty("text").GetString()!;
            int[] ids = Golden.Ints(row.GetProperty("ids"));
            Check(ids, tokenizer.Encode(text), $"ids of {text}");
            Check(ids, tokenizer.EncodeWithOffsets(text).Ids, $"ids with offsets of {text}");
            if (special.GetProperty("bos").GetInt32() >= 0)
                Check(Golden.Ints(row.GetProperty("ids_bos_eos")), around.Encode(text), $"ids with bos and eos of {text}");
            string decoded = tokenizer.Decode(ids, skipSpecialTokens: false);
            if (decoded != row.GetProperty("decoded").GetString())
                wrong.Add($"decoded {text}: {decoded}");
            if (tokenizer.Normalize(text) != row.GetProperty("normalized").GetString())
                wrong.Add($"normalized {text}: {tokenizer.Normalize(text)}");
            string[] pieces = Golden.Strings(row.GetProperty("pieces"));
            for (int i = 0; i < pieces.Length; i++)
            {
                // An unknown token has the text it stands for.
                if (ids[i] != tokenizer.UnknownId && tokenizer.IdToToken(ids[i]) != pieces[i])
                    wrong.Add($"piece {i} of {text}: {tokenizer.IdToToken(ids[i])}, not {pieces[i]}");
            }
            if (row.TryGetProperty("nbest3", out JsonElement nbest))
            {
                IReadOnlyList<int[]> best = tokenizer.EncodeNBest(text, 3);
                int k = 0;
                foreach (JsonElement want in nbest.EnumerateArray())
                    Check(Golden.Ints(want), k < best.Count ? best[k] : [-1], $"segmentation {k++} of {text}");
            }
            DecodeStream stream = tokenizer.CreateDecodeStream(skipSpecialTokens: false);
            string streamed = string.Concat(ids.Select(stream.Append)) + stream.Flush();
            if (decoded != streamed)
                wrong.Add($"streamed {text}: {streamed}");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));

        void Check(int[] want, int[] got, string what)
        {
            if (!want.SequenceEqual(got))
                wrong.Add($"{what}: [{string.Join(' ', got)}], not [{string.Join(' ', want)}]");
        }
    }

    [SharedFact("data", "tokenizers", "sentencepiece")]
    public void T5GivesTheIdsItsAuthorsGive()
    {
        Tokenizer tokenizer = SentencePieceFile.Load(Golden.Data("sentencepiece", "t5-spiece.model"), addEos: true);
        Assert.Equal([363, 97, 19, 34, 6, 3059, 58, 1], tokenizer.Encode("What time is it, Tom?"));
        Assert.Equal("What time is it, Tom?", tokenizer.Decode([363, 97, 19, 34, 6, 3059, 58, 1]));
    }

    [SharedTheory("golden", "tokenizers")]
    [MemberData(nameof(ModelCases))]
    public void AModelWrittenAsTokenizerJsonGivesTheSameIds(string name)
    {
        Tokenizer tokenizer = SentencePieceFile.Load(Golden.Case(name, "spm.model"));
        Tokenizer json;
        try
        {
            json = TokenizerJson.Parse(TokenizerJson.Write(tokenizer));
        }
        catch (NotSupportedException e)
        {
            Assert.Contains(".model", e.Message, StringComparison.Ordinal);
            return;
        }
        int checkedRows = 0;
        foreach (JsonElement row in Golden.Json(Golden.Case(name, "expected.json")).GetProperty("rows").EnumerateArray())
        {
            string text = row.GetProperty("text").GetString()!;
            // The texts of control tokens and user-defined symbols are found in another way there, and a mark that the text itself has is not doubled.
            if (json.Parts.AddedTokens.Any(a => text.Contains(a.Content, StringComparison.Ordinal)) || text.Contains('▁') || text.Contains('<'))
                continue;
            // tokenizer.json's charsmap looks at whole user-perceived characters, SentencePiece's at code points.
            if (System.Globalization.StringInfo.ParseCombiningCharacters(text).Length != text.EnumerateRunes().Count())
                continue;
            IEnumerable<int> want = Golden.Ints(row.GetProperty("ids"));
            IEnumerable<int> got = json.Encode(text);
            // Equally probable ways are told apart by rounding, of floats in the one and of doubles in the other.
            if (tokenizer.Parts.Model is Unigram)
                (want, got) = (want.Order(), got.Order());
            Assert.Equal((text, string.Join(' ', want)), (text, string.Join(' ', got)));
            checkedRows++;
        }
        Assert.InRange(checkedRows, 10, 1000);
    }
}
