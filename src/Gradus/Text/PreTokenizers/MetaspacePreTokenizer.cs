using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>When a word mark is put in front of a text that does not begin with one.</summary>
public enum PrependScheme
{
    /// <summary>Before every part between added tokens.</summary>
    Always,

    /// <summary>Before the text only.</summary>
    First,

    /// <summary>Not at all.</summary>
    Never,
}

/// <summary>SentencePiece's way with spaces: a space becomes ▁ (U+2581), and a piece begins at each.</summary>
/// <param name="replacement">What stands for a space.</param>
/// <param name="scheme">When one is put in front.</param>
/// <param name="split">Whether a piece begins at each.</param>
public sealed class MetaspacePreTokenizer(Rune replacement, PrependScheme scheme, bool split) : PreTokenizer
{
    private readonly byte[] _mark = Encoding.UTF8.GetBytes(replacement.ToString());

    internal PrependScheme Scheme => scheme;

    internal Rune Replacement => replacement;

    internal bool Split => split;

    internal override void Apply(EncodeScratch scratch)
    {
        scratch.NextPieces.Clear();
        TextBuffer text = scratch.Text;
        text.BeginRewrite();
        foreach (TextPiece piece in scratch.Pieces)
        {
            int begin = text.RewrittenLength;
            int start = begin;
            ReadOnlySpan<byte> source = text.Span[piece.Start..piece.End];
            bool marked = source[0] == ' ' || source.StartsWith(_mark);
            bool atStart = piece.Start == 0 && text.OriginStart == 0;
            if (!marked && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && atStart)))
                text.Emit(_mark, piece.Start, piece.Start + CharacterClasses.LengthOf(source[0]));
            for (int i = 0; i < source.Length;)
            {
                bool space = source[i] == ' ';
                bool mark = space || source[i..].StartsWith(_mark);
                if (mark && split && text.RewrittenLength > start)
                {
                    scratch.NextPieces.Add(new TextPiece(start, text.RewrittenLength));
                    start = text.RewrittenLength;
                }
                int length = mark && !space ? _mark.Length : CharacterClasses.LengthOf(source[i]);
                if (space)
                    text.Emit(_mark, piece.Start + i, piece.Start + i + 1);
                else
                    text.Copy(piece.Start + i, length);
                i += length;
            }
            if (text.RewrittenLength > start)
                scratch.NextPieces.Add(new TextPiece(start, text.RewrittenLength));
        }
        text.EndRewrite();
        scratch.TakeNextPieces();
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Metaspace");
        writer.WriteString("replacement", replacement.ToString());
        writer.WriteString("prepend_scheme", scheme switch { PrependScheme.Always => "always", PrependScheme.First => "first", _ => "never" });
        writer.WriteBoolean("split", split);
        writer.WriteEndObject();
    }
}

/// <summary>Several pre-tokenizers, one after the other.</summary>
/// <param name="parts">The pre-tokenizers in order.</param>
public sealed class PreTokenizerSequence(IReadOnlyList<PreTokenizer> parts) : PreTokenizer
{
    /// <summary>The pre-tokenizers in order.</summary>
    public IReadOnlyList<PreTokenizer> Parts => parts;

    internal override void Apply(EncodeScratch scratch)
    {
        foreach (PreTokenizer part in parts)
            part.Apply(scratch);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("pretokenizers");
        foreach (PreTokenizer part in parts)
            part.Write(writer);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
