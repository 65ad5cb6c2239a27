using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>What Split and Replace look for: a fixed text or a regular expression.</summary>
internal abstract class TextPattern
{
    public static TextPattern Create(string pattern, bool isRegex)
    {
        if (!isRegex)
            return new FixedText(pattern);
        return PatternSplitter.ForPattern(pattern) is { } known ? new KnownPattern(known) : new RegexPattern(pattern);
    }

    /// <summary>
    /// Collects the matches in a text, and the parts between, as offsets moved by <paramref name="offset"/>;
    /// with <paramref name="invert"/> the two change roles.
    /// </summary>
    public abstract void Collect(ReadOnlySpan<byte> text, int offset, bool invert, MatchCollector matches);

    public static void Write(Utf8JsonWriter writer, string pattern, bool isRegex)
    {
        writer.WriteStartObject("pattern");
        writer.WriteString(isRegex ? "Regex" : "String", pattern);
        writer.WriteEndObject();
    }

    private sealed class FixedText(string pattern) : TextPattern
    {
        private readonly byte[] _bytes = Encoding.UTF8.GetBytes(pattern);

        public override void Collect(ReadOnlySpan<byte> text, int offset, bool invert, MatchCollector matches)
        {
            int gap = 0;
            while (_bytes.Length > 0)
            {
                int found = text[gap..].IndexOf(_bytes);
                if (found < 0)
                    break;
                matches.Add(offset + gap, offset + gap + found, invert);
                matches.Add(offset + gap + found, offset + gap + found + _bytes.Length, !invert);
                gap += found + _bytes.Length;
            }
            matches.Add(offset + gap, offset + text.Length, invert);
        }
    }

    private sealed class KnownPattern(PatternSplitter splitter) : TextPattern
    {
        public override void Collect(ReadOnlySpan<byte> text, int offset, bool invert, MatchCollector matches)
        {
            for (int i = 0; i < text.Length;)
            {
                int end = splitter.Next(text, i);
                matches.Add(offset + i, offset + end, !invert);
                i = end;
            }
        }
    }
}
