using System.Text.Json;

namespace Gradus.Text;

/// <summary>
/// GPT-2's pre-tokenizer: splits by GPT-2's pattern and writes bytes in the byte alphabet. A byte-level model reads the bytes
/// themselves, so that nothing is rewritten for it.
/// </summary>
/// <param name="addPrefixSpace">Whether a text that does not begin with white space gets a space in front.</param>
/// <param name="trimOffsets">Carried along for the file; the post-processor of the same name acts on it.</param>
/// <param name="useRegex">Whether it splits; false where a Split before it has done so.</param>
/// <param name="keepBytes">Whether the model reads raw bytes.</param>
public sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool trimOffsets, bool useRegex, bool keepBytes) : PreTokenizer
{
    /// <summary>Whether a space is put in front of the text.</summary>
    public bool AddPrefixSpace => addPrefixSpace;

    /// <summary>Whether it splits by GPT-2's pattern.</summary>
    public bool UseRegex => useRegex;

    internal bool TrimOffsets => trimOffsets;

    /// <summary>Whether the model reads raw bytes, so that nothing is rewritten.</summary>
    internal bool KeepBytes => keepBytes;

    internal override void Apply(EncodeScratch scratch)
    {
        if (addPrefixSpace)
            PrependSpaces(scratch);
        if (useRegex)
            SplitPreTokenizer.Isolate(scratch, PatternSplitter.Gpt2);
        if (!keepBytes)
            ByteAlphabetNormalizer.Rewrite(scratch);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", addPrefixSpace);
        writer.WriteBoolean("trim_offsets", trimOffsets);
        writer.WriteBoolean("use_regex", useRegex);
        writer.WriteEndObject();
    }

    private static void PrependSpaces(EncodeScratch scratch)
    {
        scratch.NextPieces.Clear();
        TextBuffer text = scratch.Text;
        text.BeginRewrite();
        foreach (TextPiece piece in scratch.Pieces)
        {
            int start = text.RewrittenLength;
            CharacterClasses.Decode(text.Span, piece.Start, out int length);
            if (text.Span[piece.Start] != ' ')
                text.Emit(" "u8, piece.Start, piece.Start + length);
            text.Copy(piece.Start, piece.End - piece.Start);
            scratch.NextPieces.Add(new TextPiece(start, text.RewrittenLength));
        }
        text.EndRewrite();
        scratch.TakeNextPieces();
    }
}
