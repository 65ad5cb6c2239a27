using System.Text;

namespace Gradus.Text;

/// <summary>Reads text files as UTF-8: a byte-order mark is no part of the text, and UTF-16 with one is turned into UTF-8.</summary>
internal static class Utf8File
{
    /// <summary>The text of a file in UTF-8, without a byte-order mark.</summary>
    public static ReadOnlyMemory<byte> Read(string path) => WithoutMark(File.ReadAllBytes(path));

    /// <summary>A text in UTF-8, without a byte-order mark.</summary>
    public static ReadOnlyMemory<byte> WithoutMark(byte[] content)
    {
        if (content.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]))
            return content.AsMemory(3);
        if (content.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]))
            return Encoding.Convert(Encoding.Unicode, Encoding.UTF8, content, 2, content.Length - 2);
        if (content.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
            return Encoding.Convert(Encoding.BigEndianUnicode, Encoding.UTF8, content, 2, content.Length - 2);
        return content;
    }
}
