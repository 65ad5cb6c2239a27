using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Gradus.Files;

/// <summary>
/// What a file is that is not what its name says: what downloads leave behind when they go wrong, and formats that are not read here. Readers
/// ask once they know that the file is not theirs.
/// </summary>
internal static class ForeignFile
{
    // What is looked at: the head of a page or of a message.
    private const int HeadBytes = 512;
    private const int ShortestMessage = 8;
    private const int LongestMessage = 300;

    /// <summary>What a file is, to follow its path and a colon.</summary>
    /// <param name="What">What it is and what to do.</param>
    /// <param name="IsJson">Whether it is JSON text.</param>
    public sealed record Description(string What, bool IsJson = false);

    /// <summary>The error for a mapped file that is not of the expected format: what it is instead, or what the reader found.</summary>
    public static InvalidDataException Refuse(MappedFile file, string otherwise) =>
        Malformed.File(file.Path, Describe(file.Span(0, (int)Math.Min(file.Length, HeadBytes)), file.Length)?.What ?? otherwise);

    /// <summary>What a file on the disk is, to follow its path and a colon; null where nothing speaks against its being a model's file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static string? Describe(string path)
    {
        using MappedFile file = new(path);
        return Describe(file.Span(0, (int)Math.Min(file.Length, HeadBytes)), file.Length)?.What;
    }

    /// <summary>What the first bytes of a file say, or null.</summary>
    /// <param name="bytes">The first bytes, or all.</param>
    /// <param name="length">The file's length.</param>
    public static Description? Describe(ReadOnlySpan<byte> bytes, long length)
    {
        if (length == 0)
            return new Description("is empty (0 bytes); get it again.");
        ReadOnlySpan<byte> head = bytes[..Math.Min(bytes.Length, HeadBytes)];
        if (!head.ContainsAnyExcept((byte)0))
            return new Description("begins with nothing but zeros, as an unfinished download does; get it again.");
        return Binary(head) ?? Text(head, length);
    }

    private static Description? Binary(ReadOnlySpan<byte> head)
    {
        if (head.Length < 4)
            return null;
        string? name = BinaryPrimitives.ReadUInt32BigEndian(head) switch
        {
            >= 0x1F8B_0800 and <= 0x1F8B_08FF => "a gzip archive; unpack it first.",
            0x28B5_2FFD => "a zstd archive; unpack it first.",
            0xFD37_7A58 => "an xz archive; unpack it first.",
            0x377A_BCAF => "a 7-Zip archive; unpack it first.",
            0x8948_4446 => "an HDF5 file of Keras or TensorFlow, which is not read here; get the model as safetensors.",
            // "ggml", "ggmf", "ggjt" and "ggla", as little-endian numbers.
            0x6C6D_6767 or 0x666D_6767 or 0x746A_6767 or 0x616C_6767 => "a GGML file from before GGUF (2023), which is not read here; get the model as GGUF.",
            _ => null,
        };
        if (name is null && head.Length >= 262 && head[257..262].SequenceEqual("ustar"u8))
            name = "a tar archive; unpack it first.";
        return name is null ? null : new Description($"is {name}");
    }

    private static Description? Text(ReadOnlySpan<byte> head, long length)
    {
        int start = head.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? 3 : 0;
        foreach (byte b in head[start..])
        {
            if (b < 0x20 && b is not ((byte)'\n' or (byte)'\r' or (byte)'\t' or (byte)'\f'))
                return null;
        }
        string text = Encoding.UTF8.GetString(head[start..]).TrimStart();
        if (text.StartsWith("version https://git-lfs.github.com/spec/", StringComparison.Ordinal))
            return new Description($"is a Git LFS pointer{SizeOf(text)}, not the file itself; run git lfs pull in its repository, or download the file.");
        if (text.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase) || text.StartsWith("<html", StringComparison.OrdinalIgnoreCase))
            return new Description("is an HTML page: the download got a web page (a login, or an error) instead of the file; get the file itself.");
        if (text.StartsWith("<?xml", StringComparison.OrdinalIgnoreCase))
            return new Description("is an XML text, as a store answers with when it refuses a download; get the file itself.");
        if (text.StartsWith('{') || text.StartsWith('['))
            return new Description($"is a JSON text, not a file of tensors: {Quote(text)}; get the file itself.", IsJson: true);
        return length is >= ShortestMessage and <= LongestMessage && text.Any(char.IsLetter) && !text.Contains('\uFFFD')
            ? new Description($"is a text, not the file itself: {Quote(text)}; get the file again.")
            : null;
    }

    private static string SizeOf(string pointer)
    {
        string? line = pointer.Split('\n').FirstOrDefault(l => l.StartsWith("size ", StringComparison.Ordinal));
        return long.TryParse(line?["size ".Length..].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes)
            ? string.Create(CultureInfo.InvariantCulture, $" to a file of {bytes:N0} bytes")
            : "";
    }

    private static string Quote(string text) => Malformed.Quote(text.Split('\r', '\n')[0].Trim());
}
