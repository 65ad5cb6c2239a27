using System.Collections.Frozen;
using System.Text;

namespace Gradus.Applications.Retrieval.Documents;

/// <summary>What readers may take from a file, which may be hostile.</summary>
/// <param name="MaxBytes">A file's greatest size; a larger one is refused before it is read.</param>
/// <param name="MaxCharacters">The greatest length of the text that comes out, which is far more than the file where it is compressed.</param>
/// <param name="Encoding">The encoding of text files that have no byte order mark and are not UTF-8, by its name; others read as Windows-1252 with a remark.</param>
public sealed record ReadingLimits(long MaxBytes = 256L << 20, int MaxCharacters = 256 << 20, string? Encoding = null);

/// <summary>Reads documents of one format. Many threads may use one reader.</summary>
public abstract class DocumentReader
{
    /// <summary>The readers of this library; the first that knows an extension reads its files.</summary>
    public static IReadOnlyList<DocumentReader> All { get; } =
    [
        new MarkdownReader(), new HtmlReader(), new PdfReader(), new DocxReader(), new RestReader(), new CsvReader(), new JsonReader(), new PlainTextReader(), new CodeReader(),
    ];

    private static readonly FrozenDictionary<string, DocumentReader> ByExtension = All
        .SelectMany(r => r.Extensions.Select(e => (e, r))).DistinctBy(p => p.e).ToFrozenDictionary(p => p.e, p => p.r, StringComparer.OrdinalIgnoreCase);

    /// <summary>The extensions of its files, with the dot, in lower case.</summary>
    public abstract IReadOnlyList<string> Extensions { get; }

    /// <summary>Reads a document.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="name">Its name, for messages.</param>
    /// <param name="limits">What may be taken from it.</param>
    /// <exception cref="InvalidDataException">It is broken, encrypted or too large; one line without the file's name.</exception>
    public abstract SourceDocument Read(ReadOnlyMemory<byte> bytes, string name, ReadingLimits limits);

    /// <summary>The reader of a file by its extension, or null where none knows it.</summary>
    public static DocumentReader? For(string path) => ByExtension.GetValueOrDefault(Path.GetExtension(path));

    /// <summary>Reads a file with the reader of its extension.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limits">What may be taken from it; null: the defaults.</param>
    /// <exception cref="InvalidDataException">No reader knows the format, or the file is broken, encrypted, binary or too large.</exception>
    public static SourceDocument ReadFile(string path, ReadingLimits? limits = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        limits ??= new ReadingLimits();
        DocumentReader reader = For(path) ?? throw new InvalidDataException($"no reader for {Path.GetExtension(path)} files; convert it to Markdown, HTML, PDF, DOCX or text");
        long length = new FileInfo(path).Length;
        if (length > limits.MaxBytes)
            throw new InvalidDataException($"{length:N0} bytes, more than the limit of {limits.MaxBytes:N0}; split the file or raise the limit");
        return reader.Read(File.ReadAllBytes(path), Path.GetFileName(path), limits);
    }

    /// <summary>A text without a format: one section.</summary>
    private protected static SourceDocument Plain(string text, IReadOnlyList<string> remarks) =>
        new(text, [new Section(0, [])], FrozenDictionary<string, string>.Empty) { Remarks = remarks };

    /// <summary>Decodes a text file within the limits.</summary>
    private protected static string Decode(ReadOnlyMemory<byte> bytes, ReadingLimits limits, out IReadOnlyList<string> remarks)
    {
        string text = TextDecoding.Decode(bytes.Span, limits.Encoding, out string? remark);
        remarks = remark is null ? [] : [remark];
        CheckLength(text.Length, limits);
        return text;
    }

    /// <summary>Refuses a text that has grown beyond the limit.</summary>
    private protected static void CheckLength(long characters, ReadingLimits limits)
    {
        if (characters > limits.MaxCharacters)
            throw new InvalidDataException($"holds more than {limits.MaxCharacters:N0} characters of text; split the file or raise the limit");
    }

    /// <summary>Ends a paragraph of a text that is being put together: one empty line before the next.</summary>
    private protected static void EndParagraph(StringBuilder text)
    {
        while (text.Length > 0 && text[^1] is ' ' or '\t')
            text.Length--;
        int breaks = 0;
        while (breaks < 2 && breaks < text.Length && text[text.Length - 1 - breaks] == '\n')
            breaks++;
        if (text.Length > 0)
            text.Append('\n', 2 - breaks);
    }
}
