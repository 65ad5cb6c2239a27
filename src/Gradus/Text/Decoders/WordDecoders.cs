// The decoders that put white space back between words. Source: Hugging Face tokenizers, decoders.

using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>Joins word pieces: a token with the prefix continues the word, any other begins one after a space.</summary>
/// <param name="prefix">The prefix of continuing tokens, <c>##</c>.</param>
/// <param name="cleanup">Whether spaces before punctuation and English contractions are taken out.</param>
public sealed class WordPieceDecoder(string prefix = "##", bool cleanup = true) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens)
    {
        List<string> result = new(tokens.Count);
        for (int i = 0; i < tokens.Count; i++)
        {
            string token = tokens[i];
            if (i > 0)
                token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
            result.Add(cleanup ? CleanUp(token) : token);
        }
        return result;
    }

    /// <summary>Takes out the spaces that English writing does not have.</summary>
    internal static string CleanUp(string text)
    {
        return text.Replace(" .", ".", StringComparison.Ordinal).Replace(" ?", "?", StringComparison.Ordinal)
            .Replace(" !", "!", StringComparison.Ordinal).Replace(" ,", ",", StringComparison.Ordinal)
            .Replace(" ' ", "'", StringComparison.Ordinal).Replace(" n't", "n't", StringComparison.Ordinal)
            .Replace(" 'm", "'m", StringComparison.Ordinal).Replace(" do not", " don't", StringComparison.Ordinal)
            .Replace(" 's", "'s", StringComparison.Ordinal).Replace(" 've", "'ve", StringComparison.Ordinal)
            .Replace(" 're", "'re", StringComparison.Ordinal);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "WordPiece");
        writer.WriteString("prefix", prefix);
        writer.WriteBoolean("cleanup", cleanup);
        writer.WriteEndObject();
    }
}

/// <summary>Reads SentencePiece's ▁ as a space; the one that was put in front of the text is dropped.</summary>
/// <param name="replacement">What stands for a space.</param>
/// <param name="scheme">When one was put in front.</param>
/// <param name="split">Carried along for the file.</param>
public sealed class MetaspaceDecoder(Rune replacement, PrependScheme scheme, bool split = true) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens)
    {
        string mark = replacement.ToString();
        List<string> result = new(tokens.Count);
        for (int i = 0; i < tokens.Count; i++)
        {
            string token = tokens[i];
            if (i == 0 && scheme != PrependScheme.Never && token.StartsWith(mark, StringComparison.Ordinal))
                token = token[mark.Length..];
            result.Add(token.Replace(mark, " ", StringComparison.Ordinal));
        }
        return result;
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

/// <summary>Reads an end-of-word suffix as a space.</summary>
/// <param name="suffix">The suffix, <c>&lt;/w&gt;</c>.</param>
public sealed class BpeSuffixDecoder(string suffix) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens)
    {
        if (suffix.Length == 0)
            return tokens;
        return [.. tokens.Select((token, i) => token.Replace(suffix, i == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal))];
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "BPEDecoder");
        writer.WriteString("suffix", suffix);
        writer.WriteEndObject();
    }
}

/// <summary>Reads the output of a CTC model: repeated tokens and blanks are dropped.</summary>
/// <param name="padToken">The blank.</param>
/// <param name="wordDelimiter">What stands for a space.</param>
/// <param name="cleanup">Whether spaces that English writing does not have are taken out.</param>
public sealed class CtcDecoder(string padToken, string wordDelimiter, bool cleanup) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens)
    {
        List<string> result = [];
        for (int i = 0; i < tokens.Count; i++)
        {
            if (i > 0 && tokens[i] == tokens[i - 1])
                continue;
            string token = padToken.Length > 0 ? tokens[i].Replace(padToken, "", StringComparison.Ordinal) : tokens[i];
            if (cleanup)
            {
                token = WordPieceDecoder.CleanUp(token);
                token = wordDelimiter.Length > 0 ? token.Replace(wordDelimiter, " ", StringComparison.Ordinal) : token;
            }
            if (token.Length > 0)
                result.Add(token);
        }
        return result;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "CTC");
        writer.WriteString("pad_token", padToken);
        writer.WriteString("word_delimiter_token", wordDelimiter);
        writer.WriteBoolean("cleanup", cleanup);
        writer.WriteEndObject();
    }
}
