// From tokens back to text. The kinds are those of tokenizer.json; each maps a list of token texts to another, and what is left is
// joined. Source: Hugging Face tokenizers, decoders.

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>Turns tokens back into text. Immutable and safe for use by many threads.</summary>
public abstract class TokenDecoder
{
    private protected TokenDecoder()
    {
    }

    /// <summary>Maps token texts to texts.</summary>
    internal abstract List<string> Apply(List<string> tokens);

    /// <summary>Writes the object that tokenizer.json has under "decoder".</summary>
    internal abstract void Write(Utf8JsonWriter writer);

    private protected static void WriteType(Utf8JsonWriter writer, string type)
    {
        writer.WriteStartObject();
        writer.WriteString("type", type);
        writer.WriteEndObject();
    }
}

/// <summary>Reads the byte alphabet: Ġ is a space.</summary>
public sealed class ByteLevelDecoder : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens)
    {
        using MemoryStream bytes = new();
        foreach (string token in tokens)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(token);
            byte[] raw = new byte[utf8.Length];
            if (ByteAlphabet.TryToBytes(utf8, raw, out int n))
                bytes.Write(raw, 0, n);
            else
                bytes.Write(utf8);
        }
        return [Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length)];
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", true);
        writer.WriteBoolean("trim_offsets", true);
        writer.WriteBoolean("use_regex", true);
        writer.WriteEndObject();
    }
}

/// <summary>Reads byte tokens <c>&lt;0x41&gt;</c>: a run of them is one UTF-8 text; bytes that are none become U+FFFD each.</summary>
public sealed class ByteFallbackDecoder : TokenDecoder
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    internal override List<string> Apply(List<string> tokens)
    {
        List<string> result = new(tokens.Count);
        List<byte> run = [];
        foreach (string token in tokens)
        {
            if (TryByte(token, out byte b))
            {
                run.Add(b);
                continue;
            }
            Flush(run, result);
            result.Add(token);
        }
        Flush(run, result);
        return result;
    }

    /// <summary>The byte that a token such as <c>&lt;0x0A&gt;</c> stands for.</summary>
    internal static bool TryByte(string token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    internal override void Write(Utf8JsonWriter writer) => WriteType(writer, "ByteFallback");

    private static void Flush(List<byte> run, List<string> result)
    {
        if (run.Count == 0)
            return;
        try
        {
            result.Add(Strict.GetString(run.ToArray()));
        }
        catch (DecoderFallbackException)
        {
            result.AddRange(Enumerable.Repeat("\uFFFD", run.Count));
        }
        run.Clear();
    }
}

/// <summary>Joins all tokens into one.</summary>
public sealed class FuseDecoder : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) => [string.Concat(tokens)];

    internal override void Write(Utf8JsonWriter writer) => WriteType(writer, "Fuse");
}

/// <summary>Replaces a pattern in every token.</summary>
public sealed class ReplaceDecoder : TokenDecoder
{
    private readonly string _pattern;
    private readonly bool _isRegex;
    private readonly string _content;
    private readonly TextPattern _matcher;

    /// <summary>A replacing decoder.</summary>
    /// <param name="pattern">What to look for.</param>
    /// <param name="isRegex">Whether it is a regular expression.</param>
    /// <param name="content">What stands in its place.</param>
    public ReplaceDecoder(string pattern, bool isRegex, string content)
    {
        _pattern = pattern;
        _isRegex = isRegex;
        _content = content;
        _matcher = TextPattern.Create(pattern, isRegex);
    }

    internal override List<string> Apply(List<string> tokens)
    {
        if (!_isRegex)
            return [.. tokens.Select(t => _pattern.Length == 0 ? t : t.Replace(_pattern, _content, StringComparison.Ordinal))];
        MatchCollector matches = new();
        List<string> result = new(tokens.Count);
        foreach (string token in tokens)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(token);
            matches.Clear();
            _matcher.Collect(utf8, 0, invert: false, matches);
            result.Add(matches.Replace(utf8, _content));
        }
        return result;
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

/// <summary>Strips up to a number of one character from the start and the end of every token.</summary>
/// <param name="content">The character.</param>
/// <param name="start">At most so many at the start.</param>
/// <param name="stop">At most so many at the end.</param>
public sealed class StripDecoder(Rune content, int start, int stop) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens)
    {
        string c = content.ToString();
        return [.. tokens.Select(token =>
        {
            for (int i = 0; i < start && token.StartsWith(c, StringComparison.Ordinal); i++)
                token = token[c.Length..];
            for (int i = 0; i < stop && token.EndsWith(c, StringComparison.Ordinal); i++)
                token = token[..^c.Length];
            return token;
        })];
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Strip");
        writer.WriteString("content", content.ToString());
        writer.WriteNumber("start", start);
        writer.WriteNumber("stop", stop);
        writer.WriteEndObject();
    }
}

/// <summary>Several decoders, one after the other.</summary>
/// <param name="parts">The decoders in order.</param>
public sealed class DecoderSequence(IReadOnlyList<TokenDecoder> parts) : TokenDecoder
{
    /// <summary>The decoders in order.</summary>
    public IReadOnlyList<TokenDecoder> Parts => parts;

    internal override List<string> Apply(List<string> tokens)
    {
        foreach (TokenDecoder part in parts)
            tokens = part.Apply(tokens);
        return tokens;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("decoders");
        foreach (TokenDecoder part in parts)
            part.Write(writer);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
