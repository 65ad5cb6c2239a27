// The normalizers that work on single characters or on Unicode normal forms. Source: Hugging Face tokenizers, normalizers.

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>Brings text into a Unicode normal form.</summary>
/// <param name="form">The form.</param>
public sealed class UnicodeNormalizer(NormalForm form) : Normalizer
{
    internal override bool LeavesUnchanged(ReadOnlySpan<byte> text) => NormalizationForms.IsNormalized(text, form);

    internal override void Apply(TextBuffer text) => NormalizationForms.Apply(text, form);

    internal override void Write(Utf8JsonWriter writer) => WriteType(writer, form.ToString().ToUpperInvariant());
}

/// <summary>Rewrites text one character at a time.</summary>
public abstract class CharacterNormalizer : Normalizer
{
    /// <summary>What <see cref="Map"/> gives for a character that is taken out.</summary>
    private protected const int Nothing = -1;

    private protected CharacterNormalizer()
    {
    }

    /// <summary>The character that takes the place of <paramref name="c"/>, or <see cref="Nothing"/>; <paramref name="c"/> itself changes nothing.</summary>
    private protected abstract int Map(int c);

    internal override bool LeavesUnchanged(ReadOnlySpan<byte> text)
    {
        for (int i = 0; i < text.Length;)
        {
            int c = CharacterClasses.Decode(text, i, out int length);
            if (Map(c) != c)
                return false;
            i += length;
        }
        return true;
    }

    internal override void Apply(TextBuffer text)
    {
        ReadOnlySpan<byte> source = text.Span;
        Span<byte> utf8 = stackalloc byte[4];
        text.BeginRewrite();
        int copied = 0;
        for (int i = 0; i < source.Length;)
        {
            int c = CharacterClasses.Decode(source, i, out int length);
            int mapped = Map(c);
            if (mapped != c)
            {
                text.Copy(copied, i - copied);
                if (mapped != Nothing)
                    text.Emit(utf8[..new Rune(mapped).EncodeToUtf8(utf8)], i, i + length);
                copied = i + length;
            }
            i += length;
        }
        text.Copy(copied, source.Length - copied);
        text.EndRewrite();
    }
}

/// <summary>Takes out all marks (accents); text should be decomposed before.</summary>
public sealed class StripAccentsNormalizer : CharacterNormalizer
{
    private protected override int Map(int c) => (CharacterClasses.Of(c) & CharacterClasses.Mark) != 0 ? Nothing : c;

    internal override void Write(Utf8JsonWriter writer) => WriteType(writer, "StripAccents");
}

/// <summary>Takes out control characters and turns white space into spaces, as Google's NMT systems do.</summary>
public sealed class NmtNormalizer : CharacterNormalizer
{
    private protected override int Map(int c)
    {
        return c switch
        {
            (>= 1 and <= 8) or 11 or (>= 14 and <= 31) or 127 or 0x8F or 0x9F => Nothing,
            9 or 10 or 12 or 13 or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD => ' ',
            _ => c,
        };
    }

    internal override void Write(Utf8JsonWriter writer) => WriteType(writer, "Nmt");
}

/// <summary>Lower case, character by character (no final sigma).</summary>
public sealed class LowercaseNormalizer : Normalizer
{
    private const int CapitalIWithDot = 0x130;

    internal override bool LeavesUnchanged(ReadOnlySpan<byte> text)
    {
        for (int i = 0; i < text.Length;)
        {
            int c = CharacterClasses.Decode(text, i, out int length);
            if (c == CapitalIWithDot || ToLower(c) != c)
                return false;
            i += length;
        }
        return true;
    }

    internal override void Apply(TextBuffer text) => Lower(text);

    internal override void Write(Utf8JsonWriter writer) => WriteType(writer, "Lowercase");

    internal static int ToLower(int c)
    {
        return c < 0x80 ? (uint)(c - 'A') <= 'Z' - 'A' ? c | 0x20 : c : Rune.ToLowerInvariant(new Rune(c)).Value;
    }

    internal static void Lower(TextBuffer text)
    {
        ReadOnlySpan<byte> source = text.Span;
        Span<byte> utf8 = stackalloc byte[4];
        text.BeginRewrite();
        int copied = 0;
        for (int i = 0; i < source.Length;)
        {
            int c = CharacterClasses.Decode(source, i, out int length);
            int lower = c == CapitalIWithDot ? 'i' : ToLower(c);
            if (lower != c)
            {
                text.Copy(copied, i - copied);
                text.Emit(utf8[..new Rune(lower).EncodeToUtf8(utf8)], i, i + length);
                // The only character whose lower case is two.
                if (c == CapitalIWithDot)
                    text.Emit("\u0307"u8, i, i + length);
                copied = i + length;
            }
            i += length;
        }
        text.Copy(copied, source.Length - copied);
        text.EndRewrite();
    }
}

/// <summary>BERT's normalizer: cleans white space and controls, sets Chinese characters apart, strips accents, lowers.</summary>
/// <param name="cleanText">Whether controls are taken out and white space becomes spaces.</param>
/// <param name="handleChineseCharacters">Whether every Chinese character gets a space on both sides.</param>
/// <param name="stripAccents">Whether accents are stripped; null does as <paramref name="lowercase"/> says.</param>
/// <param name="lowercase">Whether text becomes lower case.</param>
public sealed class BertNormalizer(bool cleanText = true, bool handleChineseCharacters = true, bool? stripAccents = null, bool lowercase = true) : Normalizer
{
    internal bool CleanText => cleanText;

    internal override bool LeavesUnchanged(ReadOnlySpan<byte> text)
    {
        foreach (byte b in text)
        {
            if (b is < 0x20 or >= 0x7F || (lowercase && (uint)(b - 'A') <= 'Z' - 'A'))
                return false;
        }
        return true;
    }

    internal override void Apply(TextBuffer text)
    {
        Clean(text);
        bool ascii = text.Span.IndexOfAnyExceptInRange((byte)0, (byte)0x7F) < 0;
        if (!ascii && (stripAccents ?? lowercase))
        {
            NormalizationForms.Apply(text, NormalForm.Nfd);
            Remove(text, static c => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.NonSpacingMark);
        }
        if (!lowercase)
            return;
        if (ascii)
            LowerAscii(text.Span);
        else
            LowercaseNormalizer.Lower(text);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "BertNormalizer");
        writer.WriteBoolean("clean_text", cleanText);
        writer.WriteBoolean("handle_chinese_chars", handleChineseCharacters);
        if (stripAccents is { } strip)
            writer.WriteBoolean("strip_accents", strip);
        else
            writer.WriteNull("strip_accents");
        writer.WriteBoolean("lowercase", lowercase);
        writer.WriteEndObject();
    }

    private static void LowerAscii(Span<byte> text)
    {
        foreach (ref byte b in text)
        {
            if ((uint)(b - 'A') <= 'Z' - 'A')
                b |= 0x20;
        }
    }

    private static bool IsChinese(int c)
    {
        return c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
            or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B820 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
    }

    private static bool IsDropped(int c)
    {
        if (c is '\t' or '\n' or '\r')
            return false;
        if (c is 0 or 0xFFFD)
            return true;
        return CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate;
    }

    private void Clean(TextBuffer text)
    {
        ReadOnlySpan<byte> source = text.Span;
        text.BeginRewrite();
        int copied = 0;
        for (int i = 0; i < source.Length;)
        {
            byte b = source[i];
            if (b is >= 0x20 and < 0x7F)
            {
                i++;
                continue;
            }
            int c = CharacterClasses.Decode(source, i, out int length);
            bool dropped = cleanText && IsDropped(c);
            bool space = cleanText && !dropped && CharacterClasses.IsWhiteSpace(c);
            bool chinese = handleChineseCharacters && IsChinese(c);
            if (dropped || space || chinese)
            {
                text.Copy(copied, i - copied);
                copied = i + length;
                if (!dropped)
                    text.Emit(" "u8, i, i + length);
                if (chinese)
                {
                    text.Copy(i, length);
                    text.Emit(" "u8, i, i + length);
                }
            }
            i += length;
        }
        if (copied == 0)
            return;
        text.Copy(copied, source.Length - copied);
        text.EndRewrite();
    }

    private static void Remove(TextBuffer text, Func<int, bool> test)
    {
        ReadOnlySpan<byte> source = text.Span;
        text.BeginRewrite();
        for (int i = 0; i < source.Length;)
        {
            int c = CharacterClasses.Decode(source, i, out int length);
            if (c < 0x80 || !test(c))
                text.Copy(i, length);
            i += length;
        }
        text.EndRewrite();
    }
}
