using System.Text;
using Gradus.Text;

namespace Gradus.Tests.Text;

/// <summary>Corners where random models once differed from SentencePiece, on models written here byte by byte.</summary>
public sealed class SentencePieceDetailTests
{
    private const int Unigram = 1, Word = 3, Normal = 1, Unknown = 2, UserDefined = 4;

    private static Tokenizer Model(int type, bool suffix, bool removeExtra, params (string Piece, float Score, int Kind)[] pieces)
    {
        using MemoryStream model = new();
        foreach ((string piece, float score, int kind) in pieces.Prepend(("<unk>", 0, Unknown)))
        {
            byte[] text = Encoding.UTF8.GetBytes(piece);
            Message(model, 1, [0x0A, (byte)text.Length, .. text, 0x15, .. BitConverter.GetBytes(score), 0x18, (byte)kind]);
        }
        Message(model, 2, [0x18, (byte)type, 0xC0, 0x01, (byte)(suffix ? 1 : 0)]);
        Message(model, 3, [0x18, 0, 0x20, (byte)(removeExtra ? 1 : 0)]);
        return SentencePieceFile.Parse(model.ToArray());
    }

    private static void Message(Stream stream, int field, byte[] content)
    {
        stream.WriteByte((byte)((field << 3) | 2));
        stream.WriteByte((byte)content.Length);
        stream.Write(content);
    }

    [Fact]
    public void AUserDefinedSymbolScoresBetterThanItsCharacters()
    {
        Tokenizer tokenizer = Model(Unigram, suffix: false, removeExtra: false, ("a", -0.05f, Normal), ("aaa", 0, UserDefined));
        Assert.Equal([2], tokenizer.Encode("aaa"));
        Assert.Equal(["2", "1 1 1"], tokenizer.EncodeNBest("aaa", 3).Select(ids => string.Join(' ', ids)));
    }

    [Fact]
    public void WordsBeginWithTheMarkEvenWhereTheTrainerPutItAtTheirEnds()
    {
        Tokenizer tokenizer = Model(Word, suffix: true, removeExtra: true, ("hello", -1, Normal), ("▁world", -2, Normal));
        Assert.Equal([1, 2, 0], tokenizer.Encode("hello world there"));
    }

    [Theory]
    [InlineData("  a\t", "1 2")]
    [InlineData("\ta  ", "2 1")]
    [InlineData("a a", "1 3 1")]
    [InlineData("a ▁ ", "1")]
    [InlineData("▁a", "3 1")]
    public void AsTokenizerJsonOnlySpacesAreStripped(string text, string ids)
    {
        Tokenizer tokenizer = Model(Unigram, suffix: false, removeExtra: true, ("a", -1, Normal), ("\t", -1, Normal), ("▁", -1, Normal));
        Assert.Equal(ids, string.Join(' ', tokenizer.Encode(text)));
        Assert.Equal(ids, string.Join(' ', TokenizerJson.Parse(TokenizerJson.Write(tokenizer)).Encode(text)));
    }
}
