// Source: ECMA-376 (WordprocessingML), read part by part with the Open XML SDK. Left out: text boxes, comments, headers and footers.

using System.IO.Compression;
using System.Text;
using System.Xml;
using DocumentFormat.OpenXml;
using DocumentFormat.OpenXml.Packaging;
using DocumentFormat.OpenXml.Wordprocessing;

namespace Gradus.Applications.Retrieval.Documents;

/// <summary>Word documents: paragraphs, tables row by row, headings by their styles or outline levels.</summary>
public sealed class DocxReader : DocumentReader
{
    private const int MostEntries = 10_000;
    private const long BytesPerCharacter = 64;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions { get; } = [".docx", ".docm", ".dotx"];

    /// <inheritdoc/>
    public override SourceDocument Read(ReadOnlyMemory<byte> bytes, string name, ReadingLimits limits)
    {
        using MemoryStream stream = new(bytes.ToArray(), writable: false);
        try
        {
            CheckArchive(stream, limits);
            using WordprocessingDocument word = WordprocessingDocument.Open(stream, isEditable: false, new OpenSettings { MaxCharactersInPart = limits.MaxCharacters * 8L });
            MainDocumentPart main = word.MainDocumentPart ?? throw new InvalidDataException("holds no document");
            return Read(main, Metadata(word), limits);
        }
        catch (Exception e) when (e is OpenXmlPackageException or FileFormatException or XmlException or InvalidOperationException or NullReferenceException or KeyNotFoundException or ArgumentException)
        {
            throw new InvalidDataException($"is no readable Word document: {e.Message.Split('\n')[0].Trim()}");
        }
        catch (InvalidDataException e) when (bytes.Span is [0xD0, 0xCF, 0x11, 0xE0, ..])
        {
            throw new InvalidDataException("is encrypted or an old .doc: save a copy as .docx without a password", e);
        }
    }

    // A decompressor stops at the size that an entry states, so that the stated sizes bound what may come out.
    private static void CheckArchive(Stream stream, ReadingLimits limits)
    {
        using ZipArchive archive = new(stream, ZipArchiveMode.Read, leaveOpen: true);
        if (archive.Entries.Count > MostEntries)
            throw new InvalidDataException($"holds {archive.Entries.Count:N0} parts; a document has at most {MostEntries:N0}");
        long total = 0;
        foreach (ZipArchiveEntry entry in archive.Entries.Where(e => e.FullName.EndsWith(".xml", StringComparison.OrdinalIgnoreCase) || e.FullName.EndsWith(".rels", StringComparison.OrdinalIgnoreCase)))
        {
            total += entry.Length;
            if (entry.Length < 0 || total > limits.MaxCharacters * BytesPerCharacter || (entry.Length > 16 << 20 && entry.Length / Math.Max(1, entry.CompressedLength) > 500))
                throw new InvalidDataException($"would unpack to {total:N0} bytes of XML: a zip bomb, or too large");
        }
        stream.Position = 0;
    }

    private static Dictionary<string, string> Metadata(WordprocessingDocument word)
    {
        Dictionary<string, string> metadata = [];
        foreach ((string key, string? value) in new[] { ("title", word.PackageProperties.Title), ("author", word.PackageProperties.Creator), ("subject", word.PackageProperties.Subject) })
        {
            if (value?.Trim() is { Length: > 0 } known)
                metadata[key] = known;
        }
        return metadata;
    }

    private static SourceDocument Read(MainDocumentPart main, Dictionary<string, string> metadata, ReadingLimits limits)
    {
        Dictionary<string, int> levels = HeadingLevels(main);
        StringBuilder text = new();
        HeadingPath path = new();
        int start = 0, heading = 0, cells = 0;
        using OpenXmlReader reader = OpenXmlReader.Create(main);
        while (reader.Read())
        {
            if (reader.ElementType == typeof(Paragraph) && reader.IsStartElement)
            {
                if (cells == 0)
                    EndParagraph(text);
                (start, heading) = (text.Length, 0);
            }
            else if (reader.ElementType == typeof(ParagraphStyleId) && reader.IsStartElement)
            {
                heading = levels.GetValueOrDefault(reader.Attributes.FirstOrDefault(a => a.LocalName == "val").Value ?? "", heading);
            }
            else if (reader.ElementType == typeof(DocumentFormat.OpenXml.Wordprocessing.Text) && reader.IsStartElement)
            {
                text.Append(reader.GetText());
                CheckLength(text.Length, limits);
            }
            else if (reader.IsStartElement && (reader.ElementType == typeof(TabChar) || reader.ElementType == typeof(Break)))
            {
                text.Append(reader.ElementType == typeof(TabChar) ? '\t' : '\n');
            }
            else if (reader.ElementType == typeof(Paragraph) && reader.IsEndElement)
            {
                if (heading > 0 && text.Length > start)
                    path.Add(start, heading, text.ToString(start, text.Length - start));
                if (cells == 0 && text.Length > start)
                    text.Append('\n');
            }
            else if (reader.ElementType == typeof(TableCell))
            {
                cells += reader.IsStartElement ? 1 : -1;
                text.Append(reader.IsEndElement ? "\t" : "");
            }
            else if (reader.ElementType == typeof(TableRow) && reader.IsEndElement)
            {
                text.Append('\n');
            }
        }
        return new SourceDocument(text.ToString(), path.Sections, metadata);
    }

    // Styles are known by identifiers that Word translates; their names ("heading 2") are not translated.
    private static Dictionary<string, int> HeadingLevels(MainDocumentPart main)
    {
        Dictionary<string, int> levels = new(StringComparer.OrdinalIgnoreCase) { ["Title"] = 1 };
        for (int level = 1; level <= 9; level++)
            levels[$"Heading{level}"] = level;
        foreach (Style style in main.StyleDefinitionsPart?.Styles?.Elements<Style>() ?? [])
        {
            string name = style.StyleName?.Val?.Value ?? "";
            if (style.StyleId?.Value is not { } id)
                continue;
            if (name.StartsWith("heading ", StringComparison.OrdinalIgnoreCase) && int.TryParse(name.AsSpan(8), out int level))
                levels[id] = Math.Clamp(level, 1, 9);
            else if (style.StyleParagraphProperties?.OutlineLevel?.Val?.Value is { } outline and < 9)
                levels[id] = outline + 1;
        }
        return levels;
    }
}
