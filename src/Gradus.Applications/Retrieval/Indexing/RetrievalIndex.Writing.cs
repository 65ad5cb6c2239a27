using System.Text;
using System.Text.Json;
using Gradus.Applications.Retrieval.Chunking;
using Gradus.Applications.Retrieval.Documents;

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>A document that is ready to be written.</summary>
/// <param name="Name">The path below the folder.</param>
/// <param name="Hash">SHA-256 of the file, in hexadecimal digits.</param>
/// <param name="Bytes">The file's size.</param>
/// <param name="Modified">When the file was last changed.</param>
/// <param name="Document">Its text, sections and metadata.</param>
/// <param name="Chunks">Its chunks.</param>
public sealed record PreparedDocument(string Name, string Hash, long Bytes, DateTimeOffset Modified, SourceDocument Document, IReadOnlyList<Chunk> Chunks);

/// <summary>Documents with their keyword postings: what is written at once.</summary>
/// <param name="Documents">The documents.</param>
/// <param name="Segment">The postings of their chunks.</param>
internal sealed record PreparedBatch(IReadOnlyList<PreparedDocument> Documents, SegmentBuilder Segment)
{
    /// <summary>Analyses documents. Needs no index, so that several batches are prepared at once.</summary>
    public static PreparedBatch Of(IReadOnlyList<PreparedDocument> documents, TextAnalyzer analyzer)
    {
        SegmentBuilder segment = new(analyzer);
        foreach (PreparedDocument document in documents)
        {
            string? title = document.Document.Metadata.GetValueOrDefault("title");
            foreach (Chunk chunk in document.Chunks)
                segment.Add(RetrievalIndex.Title(document.Name, title, chunk), document.Document.Text.AsSpan(chunk.Start, chunk.Length));
        }
        return new PreparedBatch(documents, segment);
    }
}

public sealed partial class RetrievalIndex
{
    private const int SegmentsOfALevel = 8;

    /// <summary>Puts documents in, in place of those of the same names. When it returns they are on the disk; when it throws, nothing has changed.</summary>
    /// <param name="documents">The documents.</param>
    /// <param name="chunker">The chunker that cut them; all documents of an index are cut alike.</param>
    public void Add(IReadOnlyList<PreparedDocument> documents, Chunker chunker)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(chunker);
        Write(PreparedBatch.Of(documents, Prepare(documents.Select(d => d.Document.Text), chunker)));
    }

    /// <summary>Takes documents out; names that are not there are passed over.</summary>
    /// <returns>How many there were.</returns>
    public int Remove(IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        int removed = 0;
        lock (_lock)
        {
            _file.Write(() =>
            {
                foreach (string name in names)
                    removed += RemoveOne(name);
            });
        }
        return removed;
    }

    /// <summary>Notes that a file has not changed though its time has.</summary>
    internal void Touch(IEnumerable<(string Name, DateTimeOffset Modified)> files)
    {
        lock (_lock)
        {
            _file.Write(() =>
            {
                foreach ((string name, DateTimeOffset modified) in files)
                    _file.Run("UPDATE documents SET modified = @2 WHERE name = @1", name, modified.ToUnixTimeMilliseconds());
            });
        }
    }

    /// <summary>Settles the form of words and the chunker with the first documents, and checks them with later ones.</summary>
    /// <exception cref="InvalidDataException">The index was cut by another chunker.</exception>
    internal TextAnalyzer Prepare(IEnumerable<string> firstTexts, Chunker chunker)
    {
        lock (_lock)
        {
            IndexSettings settings = Settings;
            if (settings.Chunker is not null && settings.Chunker != chunker.ToString())
                throw new InvalidDataException($"{Path} was cut by {settings.Chunker}, not by {chunker}; give the same settings, or another file.");
            settings = settings with { Chunker = chunker.ToString(), Words = settings.Words == WordForm.Auto ? TextAnalyzer.Suitable(firstTexts.Take(200)) : settings.Words };
            if (settings != Settings)
                _file.Write(() => SaveSettings(settings));
            return new TextAnalyzer(settings.Words);
        }
    }

    /// <summary>Writes a batch in one transaction.</summary>
    internal void Write(PreparedBatch batch)
    {
        lock (_lock)
        {
            _file.Write(() =>
            {
                foreach (PreparedDocument document in batch.Documents)
                    RemoveOne(document.Name);
                long first = (_file.Scalar("SELECT max(first + size) FROM segments") as long?) ?? 1;
                long next = first;
                foreach (PreparedDocument document in batch.Documents)
                    next = WriteDocument(document, next, batch.Segment.Lengths, (int)(next - first));
                if (next == first)
                    return;
                long segment = WriteSegment(first, next - first);
                foreach ((string term, ReadOnlyMemory<byte> postings) in batch.Segment.Terms())
                    _file.Run("INSERT INTO postings(segment, term, data) VALUES (@1, @2, @3)", segment, term, postings.ToArray());
                MergeSegments();
            });
        }
    }

    private long WriteDocument(PreparedDocument document, long next, List<(int Title, int Body)> lengths, int place)
    {
        string text = document.Document.Text;
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        _file.Run(
            "INSERT INTO documents(name, hash, bytes, modified, metadata, text) VALUES (@1, @2, @3, @4, @5, @6)",
            document.Name, document.Hash, document.Bytes, document.Modified.ToUnixTimeMilliseconds(),
            JsonSerializer.Serialize(new Dictionary<string, string>(document.Document.Metadata), IndexJson.Default.DictionaryStringString), utf8);
        long id = _file.LastRow;
        // Chunks ascend, so that each byte position is found from the one before.
        int character = 0, position = 0;
        foreach (Chunk chunk in document.Chunks)
        {
            position += character <= chunk.Start ? Encoding.UTF8.GetByteCount(text.AsSpan(character, chunk.Start - character)) : -Encoding.UTF8.GetByteCount(text.AsSpan(chunk.Start, character - chunk.Start));
            character = chunk.Start;
            (int title, int body) = lengths[place++];
            _file.Run(
                "INSERT INTO chunks(id, document, start, first, bytes, headings, page, title, body) VALUES (@1, @2, @3, @4, @5, @6, @7, @8, @9)",
                next++, id, chunk.Start, position, Encoding.UTF8.GetByteCount(text.AsSpan(chunk.Start, chunk.Length)),
                JsonSerializer.Serialize(chunk.Headings, IndexJson.Default.IReadOnlyListString), chunk.Page is { } page ? (object)page : null, title, body);
        }
        return next;
    }

    private long WriteSegment(long first, long size)
    {
        _file.Run("INSERT INTO segments(first, size) VALUES (@1, @2)", first, size);
        return _file.LastRow;
    }

    // Postings of a removed chunk stay until their segment is merged; its row in chunks is what says that it is there.
    private int RemoveOne(string name)
    {
        if (_file.Scalar("SELECT id FROM documents WHERE name = @1", name) is not long id)
            return 0;
        _file.Run("DELETE FROM vectors WHERE chunk IN (SELECT id FROM chunks WHERE document = @1)", id);
        _file.Run("DELETE FROM chunks WHERE document = @1", id);
        _file.Run("DELETE FROM documents WHERE id = @1", id);
        return 1;
    }

    // Eight neighbours of about one size become one: every posting is rewritten about log8(batches) times.
    private void MergeSegments()
    {
        while (true)
        {
            List<(long Id, long First, long Size)> all = _file.Query("SELECT id, first, size FROM segments ORDER BY first", r => (r.GetInt64(0), r.GetInt64(1), r.GetInt64(2)));
            if (all.Count < SegmentsOfALevel)
                return;
            List<(long Id, long First, long Size)> last = all[^SegmentsOfALevel..];
            long largest = last.Max(s => s.Size), sum = last.Sum(s => s.Size);
            if (largest * 2 > sum && all.Count < 4 * SegmentsOfALevel)
                return;
            Merge(last);
        }
    }

    private void Merge(List<(long Id, long First, long Size)> segments)
    {
        HashSet<long> live = [.. _file.Query("SELECT id FROM chunks WHERE id >= @1", r => r.GetInt64(0), segments[0].First)];
        SortedDictionary<string, PostingWriter> merged = new(StringComparer.Ordinal);
        long first = segments[0].First, end = segments[^1].First + segments[^1].Size;
        foreach ((long id, long start, _) in segments)
        {
            foreach ((string term, byte[] data) in _file.Query("SELECT term, data FROM postings WHERE segment = @1", r => (r.GetString(0), (byte[])r[1]), id))
            {
                PostingReader reader = new(data, (int)(start - first));
                while (reader.Next(out int chunk, out int title, out int body))
                {
                    if (!live.Contains(chunk + first))
                        continue;
                    if (!merged.TryGetValue(term, out PostingWriter? writer))
                        merged[term] = writer = new PostingWriter();
                    writer.Write(chunk, title, body);
                }
            }
            _file.Run("DELETE FROM postings WHERE segment = @1", id);
            _file.Run("DELETE FROM segments WHERE id = @1", id);
        }
        long segment = WriteSegment(first, end - first);
        foreach ((string term, PostingWriter writer) in merged)
            _file.Run("INSERT INTO postings(segment, term, data) VALUES (@1, @2, @3)", segment, term, writer.Written.ToArray());
    }
}
