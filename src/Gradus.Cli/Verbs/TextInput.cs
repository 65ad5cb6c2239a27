using System.Text;
using System.Text.Json;
using Gradus.Cli.Console;
using Gradus.Text;
using Gradus.Training.Data;

namespace Gradus.Cli.Verbs;

/// <summary>
/// Text from files or standard input (<c>-</c>): <c>.txt</c> and any other name as one document, <c>.jsonl</c> as one document a
/// line (its field <c>text</c>, or the messages of a conversation), both also with <c>.gz</c>. Text must be UTF-8.
/// </summary>
internal static class TextInput
{
    /// <summary>The path that means standard input.</summary>
    public const string StandardInput = "-";

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The inputs of a verb: those given, or standard input where it is piped in.</summary>
    /// <exception cref="UsageException">None is given, and standard input is a terminal.</exception>
    public static IReadOnlyList<string> Inputs(CommandContext context, IReadOnlyList<string>? paths)
    {
        if (paths is { Count: > 0 })
            return paths;
        return !context.InputIsTerminal ? [StandardInput] : throw new UsageException("no input; give files, or pipe text in.");
    }

    /// <summary>The whole text of a file or of standard input.</summary>
    /// <exception cref="InvalidDataException">It is not UTF-8; the message names the file.</exception>
    public static string ReadAll(CommandContext context, string path)
    {
        try
        {
            using StreamReader reader = Open(context, path);
            return reader.ReadToEnd();
        }
        catch (DecoderFallbackException)
        {
            throw NotUtf8(path);
        }
        catch (InvalidDataException e) when (IsCompressed(path))
        {
            throw NotGzip(path, e);
        }
    }

    /// <summary>The documents of files.</summary>
    /// <exception cref="InvalidDataException">A file is not UTF-8 or not JSON lines; the message names the file and line.</exception>
    public static IEnumerable<string> Documents(CommandContext context, IEnumerable<string> paths) =>
        paths.SelectMany(path => IsJsonLines(path) ? JsonLines(context, path) : [ReadAll(context, path)]);

    /// <summary>The files as a corpus to train a tokenizer on; plain text files are not held in memory.</summary>
    /// <exception cref="InvalidDataException">A file is not UTF-8 or not JSON lines, or there is no text at all.</exception>
    public static Corpus OpenCorpus(CommandContext context, IReadOnlyList<string> paths)
    {
        foreach (string path in paths.Where(p => p != StandardInput))
            CheckExists(path);
        // Corpus reads files piece by piece, but leaves marks of the byte order in and takes any bytes for text.
        if (paths.All(p => p != StandardInput && !IsJsonLines(p) && !IsCompressed(p)) && paths.All(IsPlainUtf8))
        {
            return paths.Any(p => new FileInfo(p).Length > 0) ? Corpus.FromFiles([.. paths]) : throw NoText(paths);
        }
        List<string> documents = [.. Documents(context, paths)];
        return documents.Any(d => d.Length > 0) ? Corpus.FromTexts(documents) : throw NoText(paths);
    }

    /// <summary>The error of an empty corpus.</summary>
    public static InvalidDataException NoText(IReadOnlyList<string> paths) =>
        new($"{Name(paths[0])}{(paths.Count > 1 ? $" and {paths.Count - 1} more" : "")}: no text in it; give a file with text.");

    /// <summary>What messages call a path.</summary>
    public static string Name(string path) => path == StandardInput ? "standard input" : path;

    private static bool IsCompressed(string path) => path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);

    private static bool IsJsonLines(string path) =>
        path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".jsonl.gz", StringComparison.OrdinalIgnoreCase);

    private static IEnumerable<string> JsonLines(CommandContext context, string path)
    {
        using StreamReader reader = Open(context, path);
        int number = 0;
        while (ReadLine(reader, path) is { } line)
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
            {
                foreach (string text in TextsOf(line, path, number))
                    yield return text;
            }
        }
    }

    private static string? ReadLine(StreamReader reader, string path)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (DecoderFallbackException)
        {
            throw NotUtf8(path);
        }
        catch (InvalidDataException e)
        {
            throw NotGzip(path, e);
        }
    }

    private static IEnumerable<string> TextsOf(string line, string path, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? [.. Conversations.Texts(new TextFiles.Record(document.RootElement.Clone(), path, number))]
                : throw new InvalidDataException($"{path}: line {number}: no JSON object; the file must have one a line.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: line {number}: not valid JSON; the file must have one object a line.", e);
        }
    }

    private static StreamReader Open(CommandContext context, string path)
    {
        if (path == StandardInput)
            return new StreamReader(context.OpenInput(), Strict);
        CheckExists(path);
        return new StreamReader(IsCompressed(path) ? WholeGzip.Open(path) : File.OpenRead(path), Strict);
    }

    private static void CheckExists(string path)
    {
        if (Directory.Exists(path))
            throw new UsageException($"{path}: is a folder; give a file of text.");
        if (!File.Exists(path))
            throw new UsageException($"{path}: no such file.");
    }

    /// <summary>Whether a file is UTF-8 without a mark.</summary>
    /// <returns>False where it begins with a mark of the byte order.</returns>
    /// <exception cref="InvalidDataException">It is not UTF-8.</exception>
    private static bool IsPlainUtf8(string path)
    {
        byte[] bytes = new byte[1 << 20];
        char[] chars = new char[bytes.Length + 1];
        Decoder decoder = Strict.GetDecoder();
        using FileStream stream = File.OpenRead(path);
        long at = 0;
        try
        {
            while (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) is int read and > 0)
            {
                ReadOnlySpan<byte> block = bytes.AsSpan(0, read);
                if (at == 0 && (block is [0xEF, 0xBB, 0xBF, ..] or [0xFE, 0xFF, ..] or [0xFF, 0xFE, ..]))
                    return false;
                decoder.GetChars(block, chars, flush: false);
                at += read;
            }
            decoder.GetChars([], chars, flush: true);
            return true;
        }
        catch (DecoderFallbackException)
        {
            throw NotUtf8(path);
        }
    }

    private static InvalidDataException NotUtf8(string path) => new($"{Name(path)}: not UTF-8 text; convert it first (iconv -t UTF-8).");

    private static InvalidDataException NotGzip(string path, Exception inner) => new($"{path}: not a whole gzip file; get it again.", inner);
}
