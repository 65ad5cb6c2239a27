using System.IO.Compression;
using System.Text;
using System.Text.Unicode;
using ZstdSharp;

namespace Gradus.Training.Data;

/// <summary>How a file is read, by its name without the ending of a compression.</summary>
internal enum DataFormat
{
    /// <summary>Plain text.</summary>
    Text,

    /// <summary>JSON objects: one a line, in a list, or one after the other.</summary>
    Json,

    /// <summary>A table with a header, fields parted by commas or semicolons.</summary>
    CommaSeparated,

    /// <summary>A table with a header, fields parted by tabs.</summary>
    TabSeparated,

    /// <summary>Apache Parquet.</summary>
    Parquet,
}

/// <summary>
/// Opens files of data: gzip and Zstandard are recognized by what the file holds, whatever it is called; UTF-16 by its byte order mark.
/// Text is UTF-8 else, and checked.
/// </summary>
internal static class DataFile
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: true, throwOnInvalidBytes: true);

    // What a file that is no text begins with.
    private static readonly (byte[] Start, string What)[] Foreign =
    [
        ("PK\x3\x4"u8.ToArray(), "is a ZIP archive; unpack it first"),
        ("BZh"u8.ToArray(), "is bzip2; unpack it first (bunzip2)"),
        ([0xFD, .. "7zXZ"u8], "is xz; unpack it first (unxz)"),
        ("%PDF-"u8.ToArray(), "is a PDF; give its text"),
        ("version https://git-lfs"u8.ToArray(), "is a Git LFS pointer, not the file itself; get it with git lfs pull"),
    ];

    private static ReadOnlySpan<byte> Parquet => "PAR1"u8;

    // Without it the runtime takes the end of a truncated gzip file for the end of the text.
    static DataFile() => AppContext.SetSwitch("System.IO.Compression.UseStrictValidation", true);

    /// <summary>How a file of a name is read.</summary>
    public static DataFormat FormatOf(string path)
    {
        string name = Path.GetFileName(path).ToLowerInvariant();
        foreach (string compression in new[] { ".gz", ".zst", ".zstd" })
        {
            if (name.EndsWith(compression, StringComparison.Ordinal))
                name = name[..^compression.Length];
        }
        return Path.GetExtension(name) switch
        {
            ".jsonl" or ".ndjson" or ".json" or ".jsonlines" => DataFormat.Json,
            ".csv" => DataFormat.CommaSeparated,
            ".tsv" or ".tab" => DataFormat.TabSeparated,
            ".parquet" => DataFormat.Parquet,
            _ => DataFormat.Text,
        };
    }

    /// <summary>Whether a file can be read piece by piece as the text it is: not compressed, UTF-8, without a byte order mark.</summary>
    public static bool IsPlain(string path)
    {
        using Stream stream = OpenFile(path);
        return CompressionOf(path, Head(stream)) == Compression.None && EncodingOf(stream) == Strict && !StartsWith(stream, Encoding.UTF8.Preamble);
    }

    /// <summary>Reads a file's text; wrong bytes throw when they are reached, in <see cref="Guarded"/>.</summary>
    /// <exception cref="InvalidDataException">The file is missing, a folder, or holds no text.</exception>
    public static StreamReader OpenText(string path)
    {
        (Stream stream, Encoding encoding) = OpenBytes(path);
        // Detection would take a byte order mark as leave to pass over broken bytes; the encoding itself skips its own mark.
        return new StreamReader(stream, encoding, detectEncodingFromByteOrderMarks: false);
    }

    /// <summary>Opens the file itself.</summary>
    /// <exception cref="InvalidDataException">The file is missing or a folder.</exception>
    public static FileStream OpenFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            throw new InvalidDataException($"{path}: is a folder; give a file of text or records.");
        if (!File.Exists(path))
            throw new InvalidDataException($"{path}: no such file{(Path.IsPathRooted(path) ? "" : $"; looked in {Directory.GetCurrentDirectory()}, paths are relative to the working directory")}.");
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 16, FileOptions.SequentialScan);
    }

    /// <summary>Reads on, and turns what is wrong with the bytes into an error that names the file and, for text, the line.</summary>
    public static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException($"{path}: line {LineOfBadBytes(path)}: not UTF-8 text; convert the file first (iconv -t UTF-8).", e);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new InvalidDataException($"{path}: not a whole gzip file; get it again.", e);
        }
        catch (ZstdException e)
        {
            throw new InvalidDataException($"{path}: not a whole Zstandard file; get it again.", e);
        }
    }

    private static (Stream Stream, Encoding Encoding) OpenBytes(string path)
    {
        FileStream file = OpenFile(path);
        byte[] head = Head(file);
        if (Foreign.FirstOrDefault(f => head.AsSpan().StartsWith(f.Start)).What is { } what)
        {
            file.Dispose();
            throw new InvalidDataException($"{path}: {what}.");
        }
        if (head.AsSpan().StartsWith(Parquet))
        {
            file.Dispose();
            throw new InvalidDataException($"{path}: is a Parquet file; give it a name that ends in .parquet.");
        }
        Compression compression = CompressionOf(path, head);
        if (compression == Compression.None && head.AsSpan().Contains((byte)0) && EncodingOf(file) == Strict)
        {
            file.Dispose();
            throw new InvalidDataException($"{path}: line 1: not UTF-8 text; it holds zero bytes: UTF-16 without a byte order mark (iconv -f UTF-16LE -t UTF-8), or no text at all.");
        }
        switch (compression)
        {
            case Compression.Gzip:
                return (new GZipStream(file, CompressionMode.Decompress), Strict);
            case Compression.Zstandard:
                return (new DecompressionStream(file), Strict);
            default:
                return (file, EncodingOf(file));
        }
    }

    private enum Compression
    {
        None,
        Gzip,
        Zstandard,
    }

    private static Compression CompressionOf(string path, byte[] head) =>
        head is [0x1F, 0x8B, ..] || path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? Compression.Gzip
        : head is [0x28, 0xB5, 0x2F, 0xFD, ..] || path.EndsWith(".zst", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".zstd", StringComparison.OrdinalIgnoreCase) ? Compression.Zstandard
        : Compression.None;

    private static Encoding EncodingOf(Stream stream) =>
        StartsWith(stream, [0xFF, 0xFE]) ? new UnicodeEncoding(bigEndian: false, byteOrderMark: true, throwOnInvalidBytes: true)
        : StartsWith(stream, [0xFE, 0xFF]) ? new UnicodeEncoding(bigEndian: true, byteOrderMark: true, throwOnInvalidBytes: true)
        : Strict;

    private static bool StartsWith(Stream stream, ReadOnlySpan<byte> mark) => Head(stream).AsSpan().StartsWith(mark);

    private static byte[] Head(Stream stream)
    {
        byte[] head = new byte[32];
        int read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        return head[..read];
    }

    private static int LineOfBadBytes(string path)
    {
        using StreamReader bytes = new(OpenBytes(path).Stream, Encoding.Latin1, detectEncodingFromByteOrderMarks: false);
        int number = 1;
        while (bytes.ReadLine() is { } line && Utf8.IsValid(Encoding.Latin1.GetBytes(line)))
            number++;
        return number;
    }
}
