using System.IO.Compression;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gradus.Files;
using ZstdSharp;

namespace Gradus.Training.Data.Cleaning;

/// <summary>A document of a corpus: its text, and the other fields of its record.</summary>
/// <param name="Text">The text.</param>
/// <param name="Record">The record it comes from; null for plain text.</param>
/// <param name="Path">The file.</param>
public sealed record CorpusDocument(string Text, DataRecord? Record, string Path);

/// <summary>
/// Reads the documents of a corpus as a stream, and writes them as JSON lines. Files may be folders and patterns with * and ?; all files are read in the
/// order of their paths, so that the result does not depend on how a system lists them.
/// </summary>
public static class CorpusDocuments
{
    /// <summary>The files that paths mean: files, all files below folders, and those that patterns match.</summary>
    /// <param name="paths">Files, folders, and patterns such as <c>crawl/*.jsonl.gz</c>.</param>
    /// <exception cref="InvalidDataException">A path means no file.</exception>
    public static IReadOnlyList<string> Files(IEnumerable<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        List<string> files = [];
        foreach (string path in paths)
        {
            string[] found = Directory.Exists(path) ? Directory.GetFiles(path, "*", SearchOption.AllDirectories)
                : path.AsSpan().IndexOfAny('*', '?') >= 0 ? Matching(path)
                : [path];
            if (found.Length == 0)
                throw new InvalidDataException($"{path}: no file; give files, folders with files, or patterns that match some.");
            files.AddRange(found.Where(f => Path.GetFileName(f)[0] != '.').Order(StringComparer.Ordinal));
        }
        return files;
    }

    /// <summary>The documents of files. A record without <c>text</c> is the messages of its conversation.</summary>
    /// <param name="files">The files.</param>
    /// <param name="columns">The files' names of fields, and the names that they are read as; null for none.</param>
    /// <exception cref="InvalidDataException">A file cannot be read; the message names the file and line.</exception>
    public static IEnumerable<CorpusDocument> Read(IEnumerable<string> files, IReadOnlyDictionary<string, string>? columns = null)
    {
        ArgumentNullException.ThrowIfNull(files);
        foreach (string file in files)
        {
            if (DataFile.FormatOf(file) == DataFormat.Text)
            {
                yield return new CorpusDocument(TextFiles.ReadAll(file), null, file);
                continue;
            }
            foreach (DataRecord record in TextFiles.Records(file, columns))
                yield return new CorpusDocument(record.Has("text") ? record.Text("text") : string.Join("\n\n", Conversations.Texts(record)), record, file);
        }
    }

    /// <summary>Work on documents side by side whose results come in the order of the documents; a portion of them is in memory.</summary>
    /// <typeparam name="T">What is made of a document.</typeparam>
    /// <param name="documents">The documents.</param>
    /// <param name="work">The work; called from several threads.</param>
    /// <param name="cancel">Stops.</param>
    public static IEnumerable<(CorpusDocument Document, T Result)> InOrder<T>(IEnumerable<CorpusDocument> documents, Func<CorpusDocument, T> work, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(work);
        const int MostDocuments = 1024, MostCharacters = 1 << 23;
        List<CorpusDocument> portion = [];
        long characters = 0;
        foreach (CorpusDocument document in documents)
        {
            portion.Add(document);
            characters += document.Text.Length;
            if (portion.Count < MostDocuments && characters < MostCharacters)
                continue;
            foreach ((CorpusDocument, T) one in Flush())
                yield return one;
        }
        foreach ((CorpusDocument, T) one in Flush())
            yield return one;

        (CorpusDocument, T)[] Flush()
        {
            cancel.ThrowIfCancellationRequested();
            (CorpusDocument, T)[] results = new (CorpusDocument, T)[portion.Count];
            Parallel.For(0, results.Length, i => results[i] = (portion[i], work(portion[i])));
            portion.Clear();
            characters = 0;
            return results;
        }
    }

    /// <summary>Writes a document as one line, with the fields of its record; its text may be another.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="document">The document.</param>
    /// <param name="text">The text.</param>
    public static void WriteLine(Stream stream, CorpusDocument document, string text)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(document);
        if (document.Record is { } unchanged && text == document.Text)
        {
            using Utf8JsonWriter copy = new(stream, Writing);
            unchanged.Json.WriteTo(copy);
        }
        else
        {
            using Utf8JsonWriter writer = new(stream, Writing);
            writer.WriteStartObject();
            writer.WriteString("text", text);
            foreach (JsonProperty field in document.Record is { } record && record.Has("text") ? record.Json.EnumerateObject() : default)
            {
                if (field.Name != "text")
                    field.WriteTo(writer);
            }
            writer.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
    }

    /// <summary>Writes a file as a whole, compressed where its name asks for it (.gz, .zst).</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes the lines; must not close the stream.</param>
    /// <exception cref="IOException">The disk is full or fails; an earlier file is untouched.</exception>
    public static void WriteFile(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(write);
        AtomicFile.Write(path, file =>
        {
            using Stream? compression = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionLevel.Optimal, leaveOpen: true)
                : path.EndsWith(".zst", StringComparison.OrdinalIgnoreCase) ? new CompressionStream(file, leaveOpen: true)
                : null;
            BufferedStream buffered = new(compression ?? file, 1 << 16);
            write(buffered);
            buffered.Flush();
        });
    }

    private static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static string[] Matching(string pattern)
    {
        string folder = Path.GetDirectoryName(pattern) is { Length: > 0 } given ? given : ".";
        if (folder.AsSpan().IndexOfAny('*', '?') >= 0)
            throw new InvalidDataException($"{pattern}: only the name of a file may be a pattern; give its folder as it is.");
        return Directory.Exists(folder) ? Directory.GetFiles(folder, Path.GetFileName(pattern)) : [];
    }
}
