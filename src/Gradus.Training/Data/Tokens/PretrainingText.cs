using System.Security.Cryptography;
using System.Text;
using Gradus.Text;

namespace Gradus.Training.Data.Tokens;

/// <summary>Which text a model is trained on.</summary>
/// <param name="Train">Files to train on.</param>
/// <param name="Validation">Files held out.</param>
/// <param name="ValidationFraction">The share of the training text, from its end, that is held out where no files are, in [0, 1).</param>
/// <param name="Columns">The files' names of fields, and the names that they are read as; null for none.</param>
public sealed record TextFileSet(
    IReadOnlyList<string> Train, IReadOnlyList<string> Validation, double ValidationFraction = 0, IReadOnlyDictionary<string, string>? Columns = null)
{
    /// <summary>The documents to train on, those that are held out from their end included; read as they are asked for.</summary>
    public IEnumerable<string> TrainDocuments() => HoldsOut ? HoldOut.Parted(TextFiles.Documents(Train, Columns), ValidationFraction) : TextFiles.Documents(Train, Columns);

    /// <summary>The documents of the files held out.</summary>
    public IEnumerable<string> ValidationDocuments() => TextFiles.Documents(Validation, Columns);

    /// <summary>Refuses files whose documents are all empty.</summary>
    /// <exception cref="InvalidDataException">They are, or a file cannot be read.</exception>
    public void ThrowIfEmpty()
    {
        if (TrainDocuments().All(string.IsNullOrEmpty))
            throw new InvalidDataException($"{string.Join(", ", Train)}: all documents are empty; give more text.");
    }

    /// <summary>Whether documents to train on are held out.</summary>
    internal bool HoldsOut => Validation.Count == 0 && ValidationFraction > 0;
}

/// <summary>
/// The text of a pre-training, read and tokenized once: in memory where it is small, else in shards on the disk, in a folder named by the
/// SHA-256 of the files and the tokenizer, so that the next run finds them and an interrupted one goes on.
/// </summary>
public sealed class PretrainingText : IDisposable
{
    /// <summary>Files of so many bytes are tokenized in memory: it takes a second.</summary>
    private const long LargestInMemory = 32 << 20;

    private readonly TokenShards _train;
    private readonly TokenShards? _validation;

    private PretrainingText(TokenShards train, TokenShards? validation, double fraction)
    {
        (_train, _validation) = (train, validation);
        int kept = validation is null ? HoldOut.Kept(train.Documents, fraction) : train.Documents;
        Train = new DocumentTokens(train, 0, kept);
        HeldOut = validation is not null ? new DocumentTokens(validation, 0, validation.Documents) : new DocumentTokens(train, kept, train.Documents);
    }

    /// <summary>What is trained on.</summary>
    public DocumentTokens Train { get; }

    /// <summary>What is held out; may be empty.</summary>
    public DocumentTokens HeldOut { get; }

    /// <summary>Reads and tokenizes text.</summary>
    /// <param name="files">The files.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="cache">The folder for shards of large text, or null to keep all in memory.</param>
    /// <param name="progress">Hears of the tokens of large text as they are written.</param>
    /// <param name="cancel">Stops; what is written is kept for the next time.</param>
    /// <exception cref="InvalidDataException">A file cannot be read.</exception>
    public static PretrainingText Read(TextFileSet files, Tokenizer tokenizer, string? cache, IProgress<long>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(files);
        TokenShards train = Tokenize(files.Train, files.TrainDocuments(), files.HoldsOut ? files.ValidationFraction : 0);
        TokenShards? validation = null;
        try
        {
            validation = files.Validation.Count == 0 ? null : Tokenize(files.Validation, files.ValidationDocuments(), 0);
            return new PretrainingText(train, validation, files.HoldsOut ? files.ValidationFraction : 0);
        }
        catch
        {
            train.Dispose();
            validation?.Dispose();
            throw;
        }

        TokenShards Tokenize(IReadOnlyList<string> paths, IEnumerable<string> documents, double fraction) =>
            cache is null || paths.Where(File.Exists).Sum(p => new FileInfo(p).Length) <= LargestInMemory
                ? TokenShards.InMemory(documents, tokenizer)
                : TokenShards.InFiles(Path.Combine(cache, KeyOf(paths, files.Columns, fraction, tokenizer)), documents, tokenizer, progress: progress, cancel: cancel);
    }

    /// <summary>Blocks from random places of the text.</summary>
    /// <param name="block">Tokens of a block.</param>
    /// <param name="count">Blocks of a micro-batch.</param>
    /// <param name="seed">Which places are drawn.</param>
    /// <exception cref="InvalidDataException">The text is shorter than a block.</exception>
    public (BatchSource Train, BatchSource? HeldOut) Blocks(int block, int count, ulong seed)
    {
        long targets = HeldOut.Length - 1;
        return (new RandomBlocks(Train, block, count, seed),
            targets < 1 ? null : new RandomBlocks(HeldOut, (int)Math.Min(block, targets), count, seed) { BytesPerTarget = HeldOut.TextBytes / (double)targets });
    }

    /// <summary>Whole documents end to end; longer ones are cut.</summary>
    /// <param name="limit">The most tokens of an example, ≥ 2.</param>
    /// <param name="tokens">The most tokens of a micro-batch.</param>
    /// <param name="seed">Which order they come in.</param>
    /// <exception cref="InvalidDataException">No document has anything to predict.</exception>
    public (PackedExamples Train, PackedExamples? HeldOut, int Examples, int HeldOutExamples) Packed(int limit, int tokens, ulong seed)
    {
        DocumentExamples train = new(Train, limit), heldOut = new(HeldOut, limit);
        return (new PackedExamples(train, tokens, seed),
            heldOut.Count == 0 ? null : new PackedExamples(heldOut, tokens, seed) { BytesPerTarget = HeldOut.TextBytes / (double)heldOut.Targets },
            train.Count, heldOut.Count);
    }

    /// <summary>Unmaps the shards.</summary>
    public void Dispose()
    {
        _train.Dispose();
        _validation?.Dispose();
    }

    // Whatever changes a token changes the key.
    private static string KeyOf(IReadOnlyList<string> paths, IReadOnlyDictionary<string, string>? columns, double fraction, Tokenizer tokenizer)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(FormattableString.Invariant($"gradus tokens 1, hold out {fraction:R}, end {tokenizer.EndOfText}"));
        foreach ((string name, string readAs) in (columns ?? new Dictionary<string, string>()).OrderBy(c => c.Key, StringComparer.Ordinal))
            Add($"column {name} as {readAs}");
        hash.AppendData(TokenizerJson.Write(tokenizer));
        foreach (string path in paths)
        {
            Add($"file of {DataFile.FormatOf(path)}");
            AddFile(path);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..40];

        void Add(string text) => hash.AppendData(Encoding.UTF8.GetBytes($"{text}\n"));

        void AddFile(string path)
        {
            using FileStream stream = DataFile.OpenFile(path);
            hash.AppendData(SHA256.HashData(stream));
        }
    }
}
