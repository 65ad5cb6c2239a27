using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>A BPE or character model before which user-defined symbols are taken out of the text whole.</summary>
internal sealed class UserDefinedSymbols(Bpe inner, AddedTokenMatcher symbols) : TokenModel(inner.Vocabulary)
{
    public override int? UnknownId => inner.UnknownId;

    public Bpe Inner => inner;

    internal override void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        int at = 0;
        while (at < piece.Length)
        {
            AddedToken? symbol = symbols.Find(piece, at, findSpecial: true, out int start, out int end);
            if (start > at)
            {
                int before = scratch.Count;
                inner.Encode(piece[at..start], scratch);
                for (int i = before; scratch.TrackOffsets && i < scratch.Count; i++)
                {
                    scratch.Starts[i] += at;
                    scratch.Ends[i] += at;
                }
            }
            if (symbol is not null)
                scratch.Add(symbol.Id, start, end);
            at = end;
        }
    }

    internal override void Write(Utf8JsonWriter writer) => inner.Write(writer);
}

/// <summary>SentencePiece's word model: one id per word. A mark begins a word even where the trainer put marks at the ends.</summary>
internal sealed class SentencePieceWords(Vocabulary vocabulary, SentencePieceKind[] kinds, int unknown, bool byteFallback) : TokenModel(vocabulary)
{
    public override int? UnknownId => unknown;

    private static ReadOnlySpan<byte> Mark => "▁"u8;

    internal override void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        int first = scratch.Count;
        for (int start = 0; start < piece.Length;)
        {
            int next = piece[Math.Min(start + 1, piece.Length)..].IndexOf(Mark);
            int end = next < 0 ? piece.Length : start + 1 + next;
            int id = Vocabulary.Find(piece[start..end]);
            if (id < 0 || kinds[id] is not (SentencePieceKind.Normal or SentencePieceKind.UserDefined))
                AddUnknown(piece, start, end, scratch, first);
            else
                scratch.Add(id, start, end);
            start = end;
        }
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        throw new NotSupportedException("A SentencePiece word model cannot be written as tokenizer.json: no model there makes one unknown token of several words. Keep the .model file.");
    }

    private void AddUnknown(ReadOnlySpan<byte> piece, int start, int end, EncodeScratch scratch, int first)
    {
        if (byteFallback)
        {
            for (int i = start; i < end; i++)
                scratch.Add(Vocabulary.Find(Encoding.ASCII.GetBytes($"<0x{piece[i]:X2}>")), i, i + 1);
        }
        else if (scratch.Count > first && scratch.Ids[scratch.Count - 1] == unknown)
        {
            if (scratch.TrackOffsets)
                scratch.Ends[scratch.Count - 1] = end;
        }
        else
        {
            scratch.Add(unknown, start, end);
        }
    }
}
