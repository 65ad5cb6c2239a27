using System.Text.Json;

namespace Gradus.Text;

/// <summary>
/// Splits where the script (writing system) changes; Hiragana and Katakana count as Han. A space belongs to the piece it follows,
/// and is dropped where it begins the text.
/// </summary>
public sealed class UnicodeScriptsPreTokenizer : PreTokenizer
{
    internal override void Apply(EncodeScratch scratch)
    {
        scratch.NextPieces.Clear();
        ReadOnlySpan<byte> text = scratch.Text.Span;
        foreach (TextPiece piece in scratch.Pieces)
        {
            byte current = Scripts.None;
            int start = piece.End;
            for (int i = piece.Start; i < piece.End;)
            {
                byte script = Scripts.Of(CharacterClasses.Decode(text, i, out int length));
                if (script != Scripts.None && script != current)
                {
                    if (start < i)
                        scratch.NextPieces.Add(new TextPiece(start, i));
                    start = i;
                    current = script;
                }
                i += length;
            }
            if (start < piece.End)
                scratch.NextPieces.Add(new TextPiece(start, piece.End));
        }
        scratch.TakeNextPieces();
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "UnicodeScripts");
        writer.WriteEndObject();
    }
}
