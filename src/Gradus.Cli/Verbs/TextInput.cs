using System.Text;
using Gradus.Cli.Console;
using Gradus.Text;
using Gradus.Training.Data;

namespace Gradus.Cli.Verbs;

/// <summary>Text from standard input (<c>-</c>) or from files, as <see cref="TextFiles"/> reads them.</summary>
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
            return new NamedData(context, fetch: false).Resolve(paths);
        return !context.InputIsTerminal ? [StandardInput] : throw new UsageException("no input; give files, or pipe text in.");
    }

    /// <summary>The whole text of a file or of standard input.</summary>
    /// <exception cref="InvalidDataException">It is not UTF-8; the message names the file.</exception>
    public static string ReadAll(CommandContext context, string path)
    {
        if (path != StandardInput)
            return TextFiles.ReadAll(path);
        try
        {
            using StreamReader reader = new(context.OpenInput(), Strict);
            return reader.ReadToEnd();
        }
        catch (DecoderFallbackException)
        {
            throw new InvalidDataException($"{Name(path)}: not UTF-8 text; convert it first (iconv -t UTF-8).");
        }
    }

    /// <summary>The documents of files.</summary>
    /// <exception cref="InvalidDataException">A file is not UTF-8 or not JSON lines; the message names the file and line.</exception>
    public static IEnumerable<string> Documents(CommandContext context, IEnumerable<string> paths) =>
        paths.SelectMany(path => path == StandardInput ? [ReadAll(context, path)] : TextFiles.Documents([path]));

    /// <summary>The files as a corpus to train a tokenizer on; plain text files are not held in memory.</summary>
    /// <exception cref="InvalidDataException">A file is not UTF-8 or not JSON lines, or there is no text at all.</exception>
    public static Corpus OpenCorpus(CommandContext context, IReadOnlyList<string> paths)
    {
        if (paths.All(p => p != StandardInput && TextFiles.IsPlain(p)))
            return paths.Any(p => new FileInfo(p).Length > 0) ? Corpus.FromFiles([.. paths]) : throw NoText(paths);
        List<string> documents = [.. Documents(context, paths)];
        return documents.Any(d => d.Length > 0) ? Corpus.FromTexts(documents) : throw NoText(paths);
    }

    /// <summary>The error of an empty corpus.</summary>
    public static InvalidDataException NoText(IReadOnlyList<string> paths) =>
        new($"{Name(paths[0])}{(paths.Count > 1 ? $" and {paths.Count - 1} more" : "")}: no text in it; give a file with text.");

    /// <summary>What messages call a path.</summary>
    public static string Name(string path) => path == StandardInput ? "standard input" : path;
}
