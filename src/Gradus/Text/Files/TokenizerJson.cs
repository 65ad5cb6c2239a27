// Reads and writes Hugging Face's tokenizer.json. The small parts go through JsonDocument; the model, which is nearly all of the file,
// is read straight from the UTF-8 (TokenizerJson.Model.cs).
// Source: Hugging Face tokenizers (serialization of Tokenizer and its parts).

using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>Reads and writes tokenizer.json.</summary>
public static partial class TokenizerJson
{
    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = 64 };

    private static JsonWriterOptions WriterOptions => new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Reads a file.</summary>
    /// <param name="path">Path of a tokenizer.json.</param>
    /// <param name="special">Which tokens begin, end, pad and so on; null guesses from the file.</param>
    /// <exception cref="InvalidDataException">The file is not a tokenizer; the message says where and why.</exception>
    public static Tokenizer Load(string path, SpecialTokens? special = null) => Read(Utf8File.Read(path), path, special);

    /// <summary>Reads the content of a tokenizer.json.</summary>
    /// <param name="utf8">The content.</param>
    /// <param name="name">What errors call it.</param>
    /// <param name="special">Which tokens begin, end, pad and so on; null guesses from the file.</param>
    /// <exception cref="InvalidDataException">It is not a tokenizer; the message says where and why.</exception>
    public static Tokenizer Parse(ReadOnlySpan<byte> utf8, string name = "tokenizer.json", SpecialTokens? special = null) => Read(Utf8File.WithoutMark(utf8.ToArray()), name, special);

    private static Tokenizer Read(ReadOnlyMemory<byte> utf8, string name, SpecialTokens? special)
    {
        try
        {
            if (!System.Text.Unicode.Utf8.IsValid(utf8.Span))
                throw new InvalidDataException("the file is not UTF-8.");
            return new Tokenizer(ParseParts(utf8, special));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException(OneLine.Of($"{name}: not JSON, line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}: {e.Message}"), e);
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException(OneLine.Of($"{name}: a text holds half a surrogate pair: {e.Message}"), e);
        }
        catch (InvalidDataException e) when (!e.Message.StartsWith(name, StringComparison.Ordinal))
        {
            throw new InvalidDataException(OneLine.Of($"{name}: {e.Message}"), e);
        }
    }

    /// <summary>The content of a tokenizer.json: the same bytes for the same tokenizer.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <exception cref="NotSupportedException">It is a kind of SentencePiece model that tokenizer.json has no words for.</exception>
    public static byte[] Write(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        TokenizerParts parts = SentencePieceConversion.Convert(tokenizer);
        ArrayBufferWriter<byte> buffer = new(1 << 16);
        using (Utf8JsonWriter writer = new(buffer, WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteString("version", "1.0");
            WriteTruncation(writer, parts.Truncation);
            WritePadding(writer, parts.Padding);
            WriteAddedTokens(writer, parts.AddedTokens);
            WritePart(writer, "normalizer", parts.Normalizer, static (w, p) => p.Write(w));
            WritePart(writer, "pre_tokenizer", parts.PreTokenizer, static (w, p) => p.Write(w));
            WritePart(writer, "post_processor", parts.PostProcessor, static (w, p) => p.Write(w));
            WritePart(writer, "decoder", parts.Decoder, static (w, p) => p.Write(w));
            writer.WritePropertyName("model");
            parts.Model.Write(writer);
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    private static void WritePart<T>(Utf8JsonWriter writer, string name, T? part, Action<Utf8JsonWriter, T> write)
        where T : class
    {
        writer.WritePropertyName(name);
        if (part is null)
            writer.WriteNullValue();
        else
            write(writer, part);
    }

    private static void WriteAddedTokens(Utf8JsonWriter writer, IReadOnlyList<AddedToken> tokens)
    {
        writer.WriteStartArray("added_tokens");
        foreach (AddedToken token in tokens.OrderBy(t => t.Id))
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", token.Id);
            writer.WriteString("content", token.Content);
            writer.WriteBoolean("single_word", token.SingleWord);
            writer.WriteBoolean("lstrip", token.LeftStrip);
            writer.WriteBoolean("rstrip", token.RightStrip);
            writer.WriteBoolean("normalized", token.Normalized);
            writer.WriteBoolean("special", token.Special);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WriteTruncation(Utf8JsonWriter writer, Truncation? truncation)
    {
        if (truncation is null)
        {
            writer.WriteNull("truncation");
            return;
        }
        writer.WriteStartObject("truncation");
        writer.WriteString("direction", truncation.Direction.ToString());
        writer.WriteNumber("max_length", truncation.MaxLength);
        writer.WriteString("strategy", truncation.Strategy.ToString());
        writer.WriteNumber("stride", truncation.Stride);
        writer.WriteEndObject();
    }

    private static void WritePadding(Utf8JsonWriter writer, Padding? padding)
    {
        if (padding is null)
        {
            writer.WriteNull("padding");
            return;
        }
        writer.WriteStartObject("padding");
        if (padding.FixedLength is { } length)
        {
            writer.WriteStartObject("strategy");
            writer.WriteNumber("Fixed", length);
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteString("strategy", "BatchLongest");
        }
        writer.WriteString("direction", padding.Direction.ToString());
        if (padding.MultipleOf is { } multiple)
            writer.WriteNumber("pad_to_multiple_of", multiple);
        else
            writer.WriteNull("pad_to_multiple_of");
        writer.WriteNumber("pad_id", padding.PadId);
        writer.WriteNumber("pad_type_id", padding.PadTypeId);
        writer.WriteString("pad_token", padding.PadToken);
        writer.WriteEndObject();
    }
}
