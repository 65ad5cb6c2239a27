// Purpose: the text of a file whose encoding nobody states: byte order marks, then UTF-8, then UTF-16 by its zero bytes, then the given or
// the usual 8-bit encoding. Left out: telling 8-bit encodings from each other by statistics; a name can be given instead.

using System.Text;

namespace Gradus.Applications.Retrieval.Documents;

/// <summary>Bytes of a text file to text.</summary>
internal static class TextDecoding
{
    private const int Looked = 4096;
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Decodes a file.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="fallback">The encoding's name where it is no Unicode, or null for Windows-1252.</param>
    /// <param name="remark">What was assumed, or null.</param>
    /// <exception cref="InvalidDataException">It is binary, or the named encoding is unknown.</exception>
    public static string Decode(ReadOnlySpan<byte> bytes, string? fallback, out string? remark)
    {
        remark = null;
        if (bytes is [0xEF, 0xBB, 0xBF, ..])
            return Encoding.UTF8.GetString(bytes[3..]);
        if (bytes is [0xFF, 0xFE, 0, 0, ..])
            return Encoding.UTF32.GetString(bytes[4..]);
        if (bytes is [0xFF, 0xFE, ..])
            return Encoding.Unicode.GetString(bytes[2..]);
        if (bytes is [0xFE, 0xFF, ..])
            return Encoding.BigEndianUnicode.GetString(bytes[2..]);
        if (Utf16(bytes) is { } wide)
            return wide.GetString(bytes);
        if (bytes[..Math.Min(bytes.Length, Looked)].Contains((byte)0))
            throw new InvalidDataException("holds zero bytes: a binary file, not text");
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            Encoding encoding = Named(fallback ?? "windows-1252");
            remark = $"is not UTF-8; read as {encoding.WebName}";
            return encoding.GetString(bytes);
        }
    }

    private static Encoding Named(string name)
    {
        try
        {
            return CodePagesEncodingProvider.Instance.GetEncoding(name) ?? Encoding.GetEncoding(name);
        }
        catch (ArgumentException)
        {
            throw new InvalidDataException($"no encoding is called {name}; give one like windows-1251, shift_jis or gb18030");
        }
    }

    // Latin text in UTF-16 has a zero in every second byte.
    private static UnicodeEncoding? Utf16(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> start = bytes[..(Math.Min(bytes.Length, Looked) & ~1)];
        if (start.Length < 4)
            return null;
        int even = 0, odd = 0;
        for (int i = 0; i < start.Length; i += 2)
        {
            even += start[i] == 0 ? 1 : 0;
            odd += start[i + 1] == 0 ? 1 : 0;
        }
        int most = start.Length / 2 * 7 / 10;
        return odd >= most && even == 0 ? new UnicodeEncoding(false, false) : even >= most && odd == 0 ? new UnicodeEncoding(true, false) : null;
    }
}
