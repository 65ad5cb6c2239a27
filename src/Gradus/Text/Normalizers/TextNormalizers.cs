// The normalizers that work on fixed texts, patterns and single characters. Source: Hugging Face tokenizers, normalizers.

using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>Puts a text in front of every part between added tokens, unless the part is empty.</summary>
/// <param name="content">The text.</param>
public sealed class PrependNormalizer(string content) : Normalizer
{
    private readonly byte[] _bytes = Encoding.UTF8.GetBytes(content);

    internal override void Apply(TextBuffer text)
    {
        if (text.Length == 0)
            return;
        text.BeginRewrite();
        text.Emit(_bytes, 0, CharacterClasses.LengthOf(text.Span[0]));
        text.Copy(0, text.Length);
        text.EndRewrite();
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Prepend");
        writer.WriteString("prepend", content);
        writer.WriteEndObject();
    }
}

/// <summary>Replaces every match of a pattern.</summary>
public sealed class ReplaceNormalizer : Normalizer
{
    private readonly string _pattern;
    private readonly bool _isRegex;
    private readonly string _content;
    private readonly byte[] _bytes;
    private readonly byte[] _fixed;
    private readonly TextPattern _matcher;

    /// <summary>A replacing normalizer.</summary>
    /// <param name="pattern">What to look for.</param>
    /// <param name="isRegex">Whether it is a regular expression.</param>
    /// <param name="content">What stands in its place.</param>
    public ReplaceNormalizer(string pattern, bool isRegex, string content)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        _pattern = pattern;
        _isRegex = isRegex;
        _content = content;
        _bytes = Encoding.UTF8.GetBytes(content);
        _fixed = isRegex ? [] : Encoding.UTF8.GetBytes(pattern);
        _matcher = TextPattern.Create(pattern, isRegex);
    }

    internal bool IsRegex => _isRegex;

    internal override bool LeavesUnchanged(ReadOnlySpan<byte> text) => !_isRegex && (_fixed.Length == 0 || text.IndexOf(_fixed) < 0);

    internal override void Apply(TextBuffer text)
    {
        if (LeavesUnchanged(text.Span))
            return;
        text.BeginRewrite();
        if (_isRegex)
        {
            MatchCollector matches = new();
            _matcher.Collect(text.Span, 0, invert: false, matches);
            foreach ((int start, int end, bool match) in matches.Parts)
            {
                if (match)
                    text.Emit(_bytes, start, end);
                else
                    text.Copy(start, end - start);
            }
        }
        else
        {
            int at = 0;
            int found;
            while ((found = text.Span[at..].IndexOf(_fixed)) >= 0)
            {
                text.Copy(at, found);
                at += found;
                text.Emit(_bytes, at, at + _fixed.Length);
                at += _fixed.Length;
            }
            text.Copy(at, text.Length - at);
        }
        text.EndRewrite();
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Replace");
        TextPattern.Write(writer, _pattern, _isRegex);
        writer.WriteString("content", _content);
        writer.WriteEndObject();
    }
}

/// <summary>Strips white space from the start and the end.</summary>
/// <param name="left">Whether from the start.</param>
/// <param name="right">Whether from the end.</param>
public sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    internal override void Apply(TextBuffer text)
    {
        ReadOnlySpan<byte> span = text.Span;
        int start = left ? CharacterClasses.Run(span, 0, CharacterClasses.Space) : 0;
        int end = span.Length;
        while (right && end > start)
        {
            int last = CharacterClasses.Previous(span, end);
            if ((CharacterClasses.At(span, last, out _) & CharacterClasses.Space) == 0)
                break;
            end = last;
        }
        if (start == 0 && end == span.Length)
            return;
        text.BeginRewrite();
        text.Copy(start, end - start);
        text.EndRewrite();
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Strip");
        writer.WriteBoolean("strip_left", left);
        writer.WriteBoolean("strip_right", right);
        writer.WriteEndObject();
    }
}

/// <summary>Several normalizers, one after the other.</summary>
/// <param name="parts">The normalizers in order.</param>
public sealed class NormalizerSequence(IReadOnlyList<Normalizer> parts) : Normalizer
{
    /// <summary>The normalizers in order.</summary>
    public IReadOnlyList<Normalizer> Parts => parts;

    internal override bool LeavesUnchanged(ReadOnlySpan<byte> text)
    {
        foreach (Normalizer part in parts)
        {
            if (!part.LeavesUnchanged(text))
                return false;
        }
        return true;
    }

    internal override void Apply(TextBuffer text)
    {
        foreach (Normalizer part in parts)
            part.Apply(text);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("normalizers");
        foreach (Normalizer part in parts)
            part.Write(writer);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
