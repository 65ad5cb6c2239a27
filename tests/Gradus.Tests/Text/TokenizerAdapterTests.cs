using System.Buffers;
using System.Text;
using Gradus.Text;

namespace Gradus.Tests.Text;

/// <summary>The adapter in the shape of Microsoft.ML.Tokenizers, over a small byte-level vocabulary and a small WordPiece one.</summary>
public sealed class TokenizerAdapterTests
{
    private static readonly Tokenizer Bytes = ByteLevelBpeTrainer.Train(Corpus.FromTexts(["the cat sat on the mat, the cat sat there"]), new ByteLevelBpeOptions(280)).Tokenizer;

    private static readonly Tokenizer Words = TokenizerJson.Parse("""
        {"added_tokens":[{"id":1,"content":"[CLS]","special":true},{"id":2,"content":"[SEP]","special":true}],
         "normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"BertPreTokenizer"},"decoder":{"type":"WordPiece"},
         "post_processor":{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]},
         "model":{"type":"WordPiece","unk_token":"[UNK]","vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"the":3,"cat":4,"##s":5,"sat":6}}}
        """u8);

    public static TheoryData<string> Texts => ["", " ", "the cat sat", "über 😀😀 the\r\n\tcat", "e\u0301 中文 \uD800 x", new string('a', 500)];

    [Theory]
    [MemberData(nameof(Texts))]
    public void EncodeCountAndDecodeAgreeWithTheTokenizer(string text)
    {
        TokenizerAdapter adapter = new(Bytes);
        int[] ids = Bytes.Encode(text, addSpecialTokens: false);
        Assert.Equal(ids, adapter.EncodeToIds(text));
        Assert.Equal(ids, adapter.EncodeToIds(text.AsSpan()));
        Assert.Equal(ids.Length, adapter.CountTokens(text));
        Assert.Equal(ids, adapter.EncodeToTokens(text, out string? normalized).Select(t => t.Id));
        Assert.Null(normalized);
        Assert.Equal(Bytes.Decode(ids), adapter.Decode(ids));
    }

    [Theory]
    [MemberData(nameof(Texts))]
    public void CuttingAtAnyCountGivesTwoPartsThatAreTheText(string text)
    {
        TokenizerAdapter adapter = new(Bytes);
        int[] all = Bytes.Encode(text, addSpecialTokens: false);
        for (int most = 1; most <= all.Length + 1; most++)
        {
            IReadOnlyList<int> ids = adapter.EncodeToIds(text, most, out _, out int consumed);
            Assert.Equal(consumed, adapter.GetIndexByTokenCount(text, most, out _, out int count));
            Assert.Equal(count, ids.Count);
            Assert.InRange(count, 0, most);
            Assert.Equal(all[..count], ids);
            Assert.Equal(WellFormed(text)[..consumed], Bytes.Decode([.. ids]));

            int index = adapter.GetIndexByTokenCountFromEnd(text, most, out _, out count);
            Assert.InRange(count, 0, most);
            Assert.Equal(WellFormed(text)[index..], Bytes.Decode(all.AsSpan(all.Length - count)));
            if (most >= all.Length)
                Assert.Equal((text.Length, 0), (consumed, index));
        }
    }

    [Theory]
    [MemberData(nameof(Texts))]
    public void DecodingIntoSmallBuffersGivesTheWholeTextInPieces(string text)
    {
        TokenizerAdapter adapter = new(Bytes);
        int[] ids = Bytes.Encode(text, addSpecialTokens: false);
        for (int size = 2; size < 40; size += 3)
        {
            StringBuilder whole = new();
            Span<char> buffer = new char[size];
            int at = 0;
            OperationStatus status;
            do
            {
                status = adapter.Decode(ids[at..], buffer, out int consumed, out int written);
                if (status == OperationStatus.DestinationTooSmall && consumed == 0)
                    break;
                Assert.Equal(adapter.Decode(ids[at..(at + consumed)]), new string(buffer[..written]));
                whole.Append(buffer[..written]);
                at += consumed;
            }
            while (status == OperationStatus.DestinationTooSmall);
            // Only a token longer than the buffer may stop it.
            if (status == OperationStatus.Done)
                Assert.Equal((WellFormed(text), ids.Length), (whole.ToString(), at));
            else
                Assert.True(adapter.Decode(ids[at..]).Length > size);
        }
    }

    [Fact]
    public void ACharacterThatDoesNotFitLeavesItsIdsUnconsumed()
    {
        TokenizerAdapter adapter = new(Bytes);
        int[] ids = [.. Bytes.Encode("a😀", addSpecialTokens: false)];
        Span<char> two = new char[2];
        Assert.Equal(OperationStatus.DestinationTooSmall, adapter.Decode(ids, two, out int consumed, out int written));
        Assert.Equal((1, 1), (consumed, written));
        Assert.Equal(OperationStatus.Done, adapter.Decode(ids[1..], two, out consumed, out written));
        Assert.Equal((ids.Length - 1, 2), (consumed, written));
        // Half a character at the end of the ids is U+FFFD, as in a string.
        Assert.Equal(OperationStatus.Done, adapter.Decode(ids[..^1], two, out consumed, out written));
        Assert.Equal((ids.Length - 1, 2, '\uFFFD'), (consumed, written, two[1]));
    }

    [Fact]
    public void AnIdWithoutATokenIsInvalidData()
    {
        Span<char> buffer = new char[10];
        int the = Words.Encode("the", addSpecialTokens: false)[0];
        Assert.Equal(OperationStatus.InvalidData, new TokenizerAdapter(Words).Decode([the, 99, the], buffer, out int consumed, out int written));
        Assert.Equal((1, "the"), (consumed, new string(buffer[..written])));
    }

    [Fact]
    public void SpecialTokensCountWhereTheyAreAskedFor()
    {
        TokenizerAdapter adapter = new(Words, addSpecialTokens: true, skipSpecialTokens: false);
        Assert.Equal([1, 3, 4, 5, 6, 2], adapter.EncodeToIds("The cats sat"));
        Assert.Equal(6, adapter.CountTokens("The cats sat"));
        Assert.Equal([1, 3, 4, 5, 2], adapter.EncodeToIds("The cats sat", 5, out _, out int consumed));
        Assert.Equal(8, consumed);
        Assert.Equal(8, adapter.GetIndexByTokenCountFromEnd("The cats sat", 3, out _, out int count));
        Assert.Equal(3, count);
        Assert.Empty(adapter.EncodeToIds("The cats sat", 1, out _, out consumed));
        Assert.Equal(0, consumed);
        Assert.Equal("[CLS] the cats [SEP]", adapter.Decode([1, 3, 4, 5, 2]));
    }

    [Fact]
    public void TokensHaveValuesAndPlacesInTheOriginalText()
    {
        IReadOnlyList<EncodedToken> tokens = new TokenizerAdapter(Words).EncodeToTokens("THE Cats", out _);
        Assert.Equal([new EncodedToken(3, "the", 0..3), new EncodedToken(4, "cat", 4..7), new EncodedToken(5, "##s", 7..8)], tokens);
    }

    [Fact]
    public void NormalizerAndPreTokenizerCanBeLeftOut()
    {
        TokenizerAdapter adapter = new(Words);
        Assert.Equal([0, 4], adapter.EncodeToIds("The cat", considerNormalization: false));
        Assert.Equal([0], adapter.EncodeToIds("the cat", considerPreTokenization: false));
        Assert.Equal([3, 5], adapter.EncodeToIds("THES", considerPreTokenization: false));
        Assert.Equal(1, adapter.CountTokens("THE", considerPreTokenization: false, considerNormalization: false));
    }

    private static string WellFormed(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
