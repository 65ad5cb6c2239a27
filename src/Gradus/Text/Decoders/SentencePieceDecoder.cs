// How a SentencePiece model turns pieces back into text. Source: SentencePiece, sentencepiece_processor.cc (DecodeSentencePiece).

using System.Text;
using System.Text.Json;

namespace Gradus.Text;

internal sealed class SentencePieceDecoder : TokenDecoder
{
    private const string Mark = "▁";

    private readonly Dictionary<string, SentencePieceKind> _kinds = new(StringComparer.Ordinal);
    private readonly string _unknownSurface;
    private readonly bool _dropsFirstSpace;
    private readonly bool _removesAllLeading;

    public SentencePieceDecoder(SentencePieceSpec spec)
    {
        foreach ((string piece, float _, SentencePieceKind kind) in spec.Pieces)
        {
            if (kind is SentencePieceKind.Unknown or SentencePieceKind.Control or SentencePieceKind.Byte)
                _kinds[piece] = kind;
        }
        _unknownSurface = spec.UnknownSurface;
        _dropsFirstSpace = spec.AddDummyPrefix || spec.RemoveExtraWhitespaces;
        _removesAllLeading = spec.RemoveExtraWhitespaces;
    }

    internal override List<string> Apply(List<string> tokens)
    {
        StringBuilder text = new();
        List<byte> bytes = [];
        bool start = true;
        foreach (string token in tokens)
        {
            SentencePieceKind kind = _kinds.GetValueOrDefault(token, SentencePieceKind.Normal);
            if (kind == SentencePieceKind.Byte && ByteFallbackDecoder.TryByte(token, out byte b))
            {
                bytes.Add(b);
                continue;
            }
            start &= !Flush(bytes, text);
            if (kind == SentencePieceKind.Control)
                continue;
            if (kind == SentencePieceKind.Unknown)
            {
                text.Append(_unknownSurface);
                start = false;
                continue;
            }
            string piece = token;
            bool hadSpace = false;
            if (start && _dropsFirstSpace && piece.StartsWith(Mark, StringComparison.Ordinal))
            {
                piece = piece[1..];
                hadSpace = true;
            }
            text.Append(piece.Replace(Mark, " ", StringComparison.Ordinal));
            // Where extra white space was removed, a text that begins with several marks loses them all.
            start = start && hadSpace && piece.Length == 0 && _removesAllLeading;
        }
        Flush(bytes, text);
        return [text.ToString()];
    }

    internal override void Write(Utf8JsonWriter writer) => throw new NotSupportedException("A SentencePiece decoder is written as its parts.");

    private static bool Flush(List<byte> bytes, StringBuilder text)
    {
        if (bytes.Count == 0)
            return false;
        // One replacement character a byte that belongs to no character.
        ReadOnlySpan<byte> rest = bytes.ToArray();
        while (rest.Length > 0)
        {
            bool valid = Rune.DecodeFromUtf8(rest, out Rune rune, out int used) == System.Buffers.OperationStatus.Done;
            text.Append(valid ? rune.ToString() : "\uFFFD");
            rest = rest[(valid ? used : 1)..];
        }
        bytes.Clear();
        return true;
    }
}
