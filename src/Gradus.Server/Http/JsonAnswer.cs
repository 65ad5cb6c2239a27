using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Http;

/// <summary>Bodies of requests and answers.</summary>
internal static class JsonAnswer
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads the body of a request.</summary>
    /// <exception cref="ApiException">It is not JSON, not an object, or of another type of content.</exception>
    public static async Task<JsonField> Read(HttpContext context)
    {
        string type = context.Request.ContentType ?? "application/json";
        if (!type.Contains("json", StringComparison.OrdinalIgnoreCase) && !type.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase))
            throw new ApiException(415, "invalid_request_error", "unsupported_media_type", null, "The body has to be JSON: send Content-Type: application/json.");
        try
        {
            using JsonDocument document = await JsonDocument.ParseAsync(context.Request.Body, new JsonDocumentOptions { MaxDepth = 128 }, context.RequestAborted).ConfigureAwait(false);
            return JsonField.Body(document.RootElement.Clone());
        }
        catch (JsonException e)
        {
            throw ApiException.Invalid(null, $"The body is not valid JSON, line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.", "invalid_json");
        }
        catch (BadHttpRequestException e)
        {
            throw new ApiException(e.StatusCode, "invalid_request_error", e.StatusCode == 413 ? "request_too_large" : null, null, e.StatusCode == 413 ? "The body is larger than the server takes; send less, or raise the limit." : e.Message);
        }
    }

    /// <summary>A value as UTF-8.</summary>
    public static ReadOnlyMemory<byte> Bytes(JsonNode value)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer, Options))
            value.WriteTo(writer);
        return buffer.WrittenMemory;
    }

    /// <summary>Sends a value as the whole answer.</summary>
    public static async Task Write(HttpContext context, JsonNode value, int status = 200)
    {
        ReadOnlyMemory<byte> bytes = Bytes(value);
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>A list of numbers.</summary>
    public static JsonArray Numbers(IEnumerable<int> numbers) => [.. numbers.Select(n => (JsonNode)n)];

    /// <summary>A list of strings.</summary>
    public static JsonArray Texts(IEnumerable<string> texts) => [.. texts.Select(t => (JsonNode)t)];
}
