using System.Text.Json;

namespace Gradus.Text;

/// <summary>
/// Rewrites text before it is cut: Unicode normal forms, lower case, SentencePiece's charsmaps. The kinds are those of tokenizer.json.
/// Immutable and safe for use by many threads.
/// </summary>
public abstract class Normalizer
{
    private protected Normalizer()
    {
    }

    internal abstract void Apply(TextBuffer text);

    /// <summary>Whether the text is certain to stay as it is; false is always allowed.</summary>
    internal virtual bool LeavesUnchanged(ReadOnlySpan<byte> text) => false;

    /// <summary>Writes the object that tokenizer.json has under "normalizer".</summary>
    internal abstract void Write(Utf8JsonWriter writer);

    private protected static void WriteType(Utf8JsonWriter writer, string type)
    {
        writer.WriteStartObject();
        writer.WriteString("type", type);
        writer.WriteEndObject();
    }
}

/// <summary>Writes every byte in GPT-2's byte alphabet.</summary>
public sealed class ByteAlphabetNormalizer : Normalizer
{
    internal override void Apply(TextBuffer text)
    {
        text.BeginRewrite();
        Emit(text, 0, text.Length);
        text.EndRewrite();
    }

    internal override void Write(Utf8JsonWriter writer) => WriteType(writer, "ByteLevel");

    /// <summary>The same for every piece of a pre-tokenized text.</summary>
    internal static void Rewrite(EncodeScratch scratch)
    {
        scratch.NextPieces.Clear();
        scratch.Text.BeginRewrite();
        foreach (TextPiece piece in scratch.Pieces)
        {
            int start = scratch.Text.RewrittenLength;
            Emit(scratch.Text, piece.Start, piece.End);
            scratch.NextPieces.Add(new TextPiece(start, scratch.Text.RewrittenLength));
        }
        scratch.Text.EndRewrite();
        scratch.TakeNextPieces();
    }

    private static void Emit(TextBuffer text, int start, int end)
    {
        Span<byte> utf8 = stackalloc byte[4];
        for (int i = start; i < end; i++)
        {
            int n = new System.Text.Rune(ByteAlphabet.ToChar(text.Span[i])).EncodeToUtf8(utf8);
            text.Emit(utf8[..n], i, i + 1);
        }
    }
}
