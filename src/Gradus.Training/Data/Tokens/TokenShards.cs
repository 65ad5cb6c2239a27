// Documents as tokens, so that text is tokenized once. Below the folder of a key (what was tokenized, by which tokenizer) lie shards, each of whole
// documents and written as a whole: a header, where every document ends and how many bytes of text it had, the tokens in 16 bits where the
// vocabulary allows it. An interrupted run goes on behind the last shard; the note COMPLETE is written last.

using Gradus.Files;
using Gradus.Text;

namespace Gradus.Training.Data.Tokens;

/// <summary>The tokens of many documents, end to end: in memory, or in memory-mapped files. Safe for use by many threads.</summary>
public sealed class TokenShards : IDisposable
{
    /// <summary>The file that says that all documents are there.</summary>
    internal const string Complete = "complete";

    /// <summary>Documents are tokenized side by side in portions of about as many characters.</summary>
    private const int PortionCharacters = 1 << 22;

    private readonly List<TokenShard> _shards;
    private readonly int[] _firstDocument;
    private readonly long[] _firstToken;

    private TokenShards(List<TokenShard> shards)
    {
        _shards = shards;
        _firstDocument = new int[shards.Count + 1];
        _firstToken = new long[shards.Count + 1];
        for (int i = 0; i < shards.Count; i++)
        {
            _firstDocument[i + 1] = checked(_firstDocument[i] + shards[i].Documents);
            _firstToken[i + 1] = _firstToken[i] + shards[i].Tokens;
        }
    }

    /// <summary>How many documents there are.</summary>
    public int Documents => _firstDocument[^1];

    /// <summary>The tokens of all documents.</summary>
    public long Tokens => _firstToken[^1];

    /// <summary>Documents in memory.</summary>
    /// <param name="documents">The documents; each is ended by the tokenizer's end of text.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    public static TokenShards InMemory(IEnumerable<string> documents, Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ShardBuilder builder = new(tokenizer.VocabularySize);
        List<TokenShard> shards = [];
        foreach ((int[] ids, int bytes) in Tokenize(documents, tokenizer))
        {
            builder.Add(ids, bytes);
            if (builder.IsFull(ShardBuilder.LargestTokens))
                shards.Add(builder.Take());
        }
        if (builder.Documents > 0)
            shards.Add(builder.Take());
        return new TokenShards(shards);
    }

    /// <summary>Documents in files, tokenized where they are not there yet.</summary>
    /// <param name="folder">The folder of these documents and this tokenizer.</param>
    /// <param name="documents">The documents, always the same in the same order; each is ended by the tokenizer's end of text.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="shardTokens">Tokens after which a shard ends.</param>
    /// <param name="progress">Hears of the tokens that are there.</param>
    /// <param name="cancel">Stops; the next call goes on behind the last whole shard.</param>
    /// <exception cref="IOException">Another process is writing the folder, or the disk is full.</exception>
    public static TokenShards InFiles(
        string folder, IEnumerable<string> documents, Tokenizer tokenizer, int shardTokens = 1 << 24, IProgress<long>? progress = null, CancellationToken cancel = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(tokenizer);
        Directory.CreateDirectory(folder);
        string complete = Path.Combine(folder, Complete);
        if (!File.Exists(complete))
        {
            using FolderLock held = FolderLock.Acquire(Path.Combine(folder, ".lock"), folder);
            if (!File.Exists(complete))
                Write(folder, documents, tokenizer, shardTokens, progress, cancel);
        }
        int count = int.TryParse(File.ReadAllText(complete), out int written) ? written : throw new InvalidDataException($"{complete}: is damaged; remove the folder.");
        List<TokenShard> shards = [];
        try
        {
            for (int i = 0; i < count; i++)
                shards.Add(TokenShard.Open(ShardFile(folder, i)) ?? throw new InvalidDataException($"{ShardFile(folder, i)}: is missing or damaged; remove the folder, it is made anew."));
            return new TokenShards(shards);
        }
        catch
        {
            shards.ForEach(s => s.Dispose());
            throw;
        }
    }

    /// <summary>The place of a document's first token among all tokens; of the number of documents: that behind the last token.</summary>
    /// <param name="document">The document, from 0.</param>
    public long StartOf(int document)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(document);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(document, Documents);
        if (document == Documents)
            return Tokens;
        int shard = ShardOf(_firstDocument, document);
        return _firstToken[shard] + _shards[shard].StartOf(document - _firstDocument[shard]);
    }

    /// <summary>UTF-8 bytes of the text of documents.</summary>
    /// <param name="from">The first document.</param>
    /// <param name="to">The one behind the last.</param>
    public long TextBytes(int from, int to)
    {
        long bytes = 0;
        for (int i = from; i < to; i++)
        {
            int shard = ShardOf(_firstDocument, i);
            bytes += _shards[shard].TextBytes(i - _firstDocument[shard]);
        }
        return bytes;
    }

    /// <summary>Reads tokens, over the ends of documents.</summary>
    /// <param name="start">The place of the first.</param>
    /// <param name="destination">Becomes the tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many.</exception>
    public void Read(long start, Span<int> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Tokens - destination.Length);
        for (int done = 0; done < destination.Length;)
        {
            int shard = ShardOf(_firstToken, start + done);
            long at = start + done - _firstToken[shard];
            int part = (int)Math.Min(destination.Length - done, _shards[shard].Tokens - at);
            _shards[shard].Read(at, destination.Slice(done, part));
            done += part;
        }
    }

    /// <summary>Unmaps the files.</summary>
    public void Dispose() => _shards.ForEach(s => s.Dispose());

    private static void Write(string folder, IEnumerable<string> documents, Tokenizer tokenizer, int shardTokens, IProgress<long>? progress, CancellationToken cancel)
    {
        int shards = 0, done = 0;
        long tokens = 0;
        while (TokenShard.Open(ShardFile(folder, shards)) is { } whole)
        {
            using (whole)
                (done, tokens) = (done + whole.Documents, tokens + whole.Tokens);
            shards++;
        }
        ShardBuilder builder = new(tokenizer.VocabularySize);
        foreach ((int[] ids, int bytes) in Tokenize(documents.Skip(done), tokenizer))
        {
            cancel.ThrowIfCancellationRequested();
            builder.Add(ids, bytes);
            if (builder.IsFull(shardTokens))
                Save();
        }
        if (builder.Documents > 0)
            Save();
        AtomicFile.WriteAllText(Path.Combine(folder, Complete), $"{shards}\n");

        void Save()
        {
            tokens += builder.Tokens;
            AtomicFile.Write(ShardFile(folder, shards++), builder.WriteTo);
            progress?.Report(tokens);
        }
    }

    private static IEnumerable<(int[] Ids, int Bytes)> Tokenize(IEnumerable<string> documents, Tokenizer tokenizer)
    {
        List<string> portion = [];
        int characters = 0;
        foreach (string document in documents)
        {
            portion.Add(document);
            characters += document.Length;
            if (characters < PortionCharacters)
                continue;
            foreach ((int[], int) one in Flush())
                yield return one;
        }
        foreach ((int[], int) one in Flush())
            yield return one;

        IEnumerable<(int[], int)> Flush()
        {
            int[][] ids = tokenizer.EncodeDocuments(portion);
            (int[], int)[] all = [.. ids.Zip(portion, (i, text) => (i, System.Text.Encoding.UTF8.GetByteCount(text)))];
            portion.Clear();
            characters = 0;
            return all;
        }
    }

    private static string ShardFile(string folder, int index) => Path.Combine(folder, $"{index:D6}.tokens");

    // Of the shards that begin at or before the place the last that is not empty there.
    private static int ShardOf<T>(T[] first, T at)
        where T : IComparable<T>
    {
        int found = Array.BinarySearch(first, at);
        if (found < 0)
            return ~found - 1;
        while (found + 1 < first.Length - 1 && first[found + 1].CompareTo(at) == 0)
            found++;
        return found;
    }
}
