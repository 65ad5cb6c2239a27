// The pre-tokenizers that decide by one character at a time: white space, punctuation, digits, BERT's.
// Source: Hugging Face tokenizers, pre_tokenizers.

using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>Splits by a test of single characters.</summary>
public abstract class CharacterPreTokenizer : PreTokenizer
{
    private protected CharacterPreTokenizer()
    {
    }

    /// <summary>The parts of the text between characters that pass a test, and those characters.</summary>
    private protected static void SplitBy(EncodeScratch scratch, Func<int, bool> matches, SplitBehavior behavior)
    {
        scratch.NextPieces.Clear();
        ReadOnlySpan<byte> text = scratch.Text.Span;
        MatchCollector parts = scratch.Matches;
        foreach (TextPiece piece in scratch.Pieces)
        {
            parts.Clear();
            int gap = piece.Start;
            for (int i = piece.Start; i < piece.End;)
            {
                int c = CharacterClasses.Decode(text, i, out int length);
                if (matches(c))
                {
                    parts.Add(gap, i, match: false);
                    parts.Add(i, i + length, match: true);
                    gap = i + length;
                }
                i += length;
            }
            parts.Add(gap, piece.End, match: false);
            parts.AppendTo(scratch.NextPieces, behavior);
        }
        scratch.TakeNextPieces();
    }

    private protected static void WriteType(Utf8JsonWriter writer, string type)
    {
        writer.WriteStartObject();
        writer.WriteString("type", type);
        writer.WriteEndObject();
    }
}

/// <summary>Splits at white space, which it drops.</summary>
public sealed class WhitespaceSplit : CharacterPreTokenizer
{
    internal override void Apply(EncodeScratch scratch) => SplitBy(scratch, CharacterClasses.IsWhiteSpace, SplitBehavior.Removed);

    internal override void Write(Utf8JsonWriter writer) => WriteType(writer, "WhitespaceSplit");
}

/// <summary>Keeps runs of word characters and runs of other characters; drops white space: the pattern <c>\w+|[^\w\s]+</c>.</summary>
public sealed class WhitespacePreTokenizer : CharacterPreTokenizer
{
    internal override void Apply(EncodeScratch scratch)
    {
        SplitBy(scratch, CharacterClasses.IsWhiteSpace, SplitBehavior.Removed);
        SplitBy(scratch, CharacterClasses.IsWord, SplitBehavior.Contiguous);
    }

    internal override void Write(Utf8JsonWriter writer) => WriteType(writer, "Whitespace");
}

/// <summary>BERT's: drops white space and makes every punctuation character a piece.</summary>
public sealed class BertPreTokenizer : CharacterPreTokenizer
{
    internal override void Apply(EncodeScratch scratch)
    {
        SplitBy(scratch, CharacterClasses.IsWhiteSpace, SplitBehavior.Removed);
        SplitBy(scratch, CharacterClasses.IsPunctuation, SplitBehavior.Isolated);
    }

    internal override void Write(Utf8JsonWriter writer) => WriteType(writer, "BertPreTokenizer");
}

/// <summary>Splits at numbers (Unicode Nd, Nl, No).</summary>
/// <param name="individualDigits">Whether each digit is a piece, rather than each run.</param>
public sealed class DigitsPreTokenizer(bool individualDigits) : CharacterPreTokenizer
{
    internal override void Apply(EncodeScratch scratch)
    {
        SplitBy(scratch, static c => (CharacterClasses.Of(c) & CharacterClasses.Number) != 0,
            individualDigits ? SplitBehavior.Isolated : SplitBehavior.Contiguous);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Digits");
        writer.WriteBoolean("individual_digits", individualDigits);
        writer.WriteEndObject();
    }
}

/// <summary>Splits at punctuation.</summary>
/// <param name="behavior">What happens to the punctuation.</param>
public sealed class PunctuationPreTokenizer(SplitBehavior behavior) : CharacterPreTokenizer
{
    internal override void Apply(EncodeScratch scratch) => SplitBy(scratch, CharacterClasses.IsPunctuation, behavior);

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Punctuation");
        writer.WriteString("behavior", behavior.ToString());
        writer.WriteEndObject();
    }
}

/// <summary>Splits at one character, which it drops.</summary>
/// <param name="delimiter">The character.</param>
public sealed class CharDelimiterSplit(Rune delimiter) : CharacterPreTokenizer
{
    internal override void Apply(EncodeScratch scratch) => SplitBy(scratch, c => c == delimiter.Value, SplitBehavior.Removed);

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "CharDelimiterSplit");
        writer.WriteString("delimiter", delimiter.ToString());
        writer.WriteEndObject();
    }
}

/// <summary>Cuts pieces of a fixed number of characters; the last may be shorter.</summary>
/// <param name="length">Characters (code points) in a piece, at least 1.</param>
public sealed class FixedLengthPreTokenizer(int length) : CharacterPreTokenizer
{
    internal override void Apply(EncodeScratch scratch)
    {
        scratch.NextPieces.Clear();
        ReadOnlySpan<byte> text = scratch.Text.Span;
        foreach (TextPiece piece in scratch.Pieces)
        {
            int start = piece.Start;
            int count = 0;
            for (int i = piece.Start; i < piece.End; i += CharacterClasses.LengthOf(text[i]))
            {
                if (count++ == length)
                {
                    scratch.NextPieces.Add(new TextPiece(start, i));
                    start = i;
                    count = 1;
                }
            }
            if (start < piece.End)
                scratch.NextPieces.Add(new TextPiece(start, piece.End));
        }
        scratch.TakeNextPieces();
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "FixedLength");
        writer.WriteNumber("length", length);
        writer.WriteEndObject();
    }
}
