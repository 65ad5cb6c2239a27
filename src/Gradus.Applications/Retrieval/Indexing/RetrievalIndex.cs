// Purpose: one file that holds documents, chunks, the keyword index and vectors. Everything that belongs to a document enters and leaves in one
// transaction. Left out: access by several writers at once (SQLite lets one write; the others wait).

using System.Text.Json;
using Gradus.Applications.Retrieval.Chunking;

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>An index of documents in one SQLite file. Many threads may search; one at a time gets the file.</summary>
public sealed partial class RetrievalIndex : IDisposable
{
    private const string Schema =
        """
        CREATE TABLE settings(id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL);
        CREATE TABLE documents(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, bytes INTEGER NOT NULL, modified INTEGER NOT NULL,
            metadata TEXT NOT NULL, text BLOB NOT NULL);
        CREATE TABLE chunks(id INTEGER PRIMARY KEY, document INTEGER NOT NULL, start INTEGER NOT NULL, first INTEGER NOT NULL, bytes INTEGER NOT NULL,
            headings TEXT NOT NULL, page INTEGER, title INTEGER NOT NULL, body INTEGER NOT NULL);
        CREATE INDEX chunks_document ON chunks(document);
        CREATE TABLE segments(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, size INTEGER NOT NULL);
        CREATE TABLE postings(segment INTEGER NOT NULL, term TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY(segment, term)) WITHOUT ROWID;
        CREATE TABLE vectors(chunk INTEGER PRIMARY KEY, data BLOB NOT NULL);
        CREATE TABLE models(name TEXT PRIMARY KEY, data BLOB NOT NULL);
        """;

    private readonly SqliteFile _file;
    private readonly Lock _lock = new();
    private IndexView? _view;
    private VectorSet? _vectors;

    private RetrievalIndex(SqliteFile file)
    {
        _file = file;
        Settings = _file.Scalar("SELECT json FROM settings") is string json ? JsonSerializer.Deserialize(json, IndexJson.Default.IndexSettings)! : new IndexSettings();
    }

    /// <summary>What the index was made with.</summary>
    public IndexSettings Settings { get; private set; }

    /// <summary>The file.</summary>
    public string Path => _file.Path;

    /// <summary>Opens an index for searching and writing.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is no index, or of another version.</exception>
    public static RetrievalIndex Open(string path) => new(new SqliteFile(path, null));

    /// <summary>Opens an index or makes a new one.</summary>
    /// <param name="path">The file.</param>
    /// <param name="settings">What a new one is made with; an index that is there keeps its own.</param>
    /// <exception cref="InvalidDataException">The file is no index, or of another version, or was made with another form of words.</exception>
    public static RetrievalIndex OpenOrCreate(string path, IndexSettings? settings = null)
    {
        RetrievalIndex index = new(new SqliteFile(path, Schema));
        try
        {
            bool empty = index._file.Scalar("SELECT json FROM settings") is null;
            if (settings is not null && empty)
                index._file.Write(() => index.SaveSettings(settings));
            else if (settings is { Words: not WordForm.Auto } && index.Settings.Words is not WordForm.Auto && settings.Words != index.Settings.Words)
                throw new InvalidDataException($"{path} was made with words as {index.Settings.Words.ToString().ToLowerInvariant()}; give the same, or another file.");
            return index;
        }
        catch
        {
            index.Dispose();
            throw;
        }
    }

    /// <summary>The documents, sorted by name.</summary>
    public IReadOnlyList<IndexedDocument> Documents()
    {
        lock (_lock)
        {
            return _file.Query(
                "SELECT id, name, hash, bytes, modified FROM documents ORDER BY name",
                r => new IndexedDocument(r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetInt64(3), DateTimeOffset.FromUnixTimeMilliseconds(r.GetInt64(4))));
        }
    }

    /// <summary>How many chunks there are.</summary>
    public long ChunkCount
    {
        get
        {
            lock (_lock)
                return (long)_file.Scalar("SELECT count(*) FROM chunks")!;
        }
    }

    /// <summary>The text of a document, or null where it is not in the index.</summary>
    public string? DocumentText(string name)
    {
        lock (_lock)
            return _file.Scalar("SELECT text FROM documents WHERE name = @1", name) is byte[] text ? System.Text.Encoding.UTF8.GetString(text) : null;
    }

    /// <summary>What a document says about itself; empty where it is not in the index.</summary>
    public IReadOnlyDictionary<string, string> DocumentMetadata(string name)
    {
        lock (_lock)
            return _file.Scalar("SELECT metadata FROM documents WHERE name = @1", name) is string json ? JsonSerializer.Deserialize(json, IndexJson.Default.DictionaryStringString)! : [];
    }

    /// <summary>Chunks by their numbers, in the same order; those that are gone are left out.</summary>
    public IReadOnlyList<StoredChunk> Chunks(IEnumerable<long> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        lock (_lock)
        {
            return [.. ids.SelectMany(id => _file.Query(
                "SELECT c.id, d.name, c.start, substr(d.text, c.first + 1, c.bytes), c.headings, c.page FROM chunks c JOIN documents d ON d.id = c.document WHERE c.id = @1",
                r => new StoredChunk(
                    r.GetInt64(0), r.GetString(1), r.GetInt32(2), System.Text.Encoding.UTF8.GetString((byte[])r[3]),
                    JsonSerializer.Deserialize(r.GetString(4), IndexJson.Default.IReadOnlyListString)!, r.IsDBNull(5) ? null : r.GetInt32(5)),
                id))];
        }
    }

    /// <summary>The chunks of a document, in the order of its text.</summary>
    public IReadOnlyList<StoredChunk> ChunksOf(string name)
    {
        List<long> ids;
        lock (_lock)
            ids = _file.Query("SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document WHERE d.name = @1 ORDER BY c.id", r => r.GetInt64(0), name);
        return Chunks(ids);
    }

    /// <summary>The chunk of a document that holds a character, its neighbours before and after it included.</summary>
    /// <param name="chunk">A chunk.</param>
    /// <param name="around">How many chunks of the same document to take before and after it.</param>
    public IReadOnlyList<StoredChunk> Neighbours(StoredChunk chunk, int around)
    {
        ArgumentNullException.ThrowIfNull(chunk);
        List<long> ids;
        lock (_lock)
        {
            ids = _file.Query(
                "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document WHERE d.name = @1 AND c.id BETWEEN @2 AND @3 ORDER BY c.id",
                r => r.GetInt64(0), chunk.Document, chunk.Id - around, chunk.Id + around);
        }
        return Chunks(ids);
    }

    /// <summary>The numbers of the chunks whose documents a filter lets through; null: all.</summary>
    /// <param name="filter">The filter, or null.</param>
    public ChunkMask? Allowed(MetadataFilter? filter)
    {
        if (filter is null)
            return null;
        lock (_lock)
        {
            HashSet<long> documents = [.. _file.Query("SELECT id, name, metadata FROM documents", r => (Id: r.GetInt64(0), Ok: filter.Matches(r.GetString(1), JsonSerializer.Deserialize(r.GetString(2), IndexJson.Default.DictionaryStringString)!))).Where(d => d.Ok).Select(d => d.Id)];
            ChunkMask mask = new();
            foreach ((long id, long document) in _file.Query("SELECT id, document FROM chunks", r => (r.GetInt64(0), r.GetInt64(1))))
            {
                if (documents.Contains(document))
                    mask.Add(id);
            }
            return mask;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void SaveSettings(IndexSettings settings)
    {
        _file.Run("INSERT INTO settings(id, json) VALUES (1, @1) ON CONFLICT(id) DO UPDATE SET json = excluded.json", JsonSerializer.Serialize(settings, IndexJson.Default.IndexSettings));
        Settings = settings;
    }

    /// <summary>What a chunk is found by beside its text: folders and file name without its extension, the document's title, and headings.</summary>
    internal static string Title(string name, string? title, Chunk chunk)
    {
        string file = System.IO.Path.ChangeExtension(name, null) ?? name;
        return string.Join(" / ", [file, .. title is null ? [] : (string[])[title], .. chunk.Headings.Where(h => h.Length > 0 && h != title)]);
    }
}

/// <summary>A set of chunks.</summary>
public sealed class ChunkMask
{
    private ulong[] _bits = new ulong[16];

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>Puts a chunk in.</summary>
    public void Add(long chunk)
    {
        if (chunk / 64 >= _bits.Length)
            Array.Resize(ref _bits, (int)Math.Max(_bits.Length * 2, (chunk / 64) + 1));
        Count += Contains(chunk) ? 0 : 1;
        _bits[chunk / 64] |= 1UL << (int)(chunk % 64);
    }

    /// <summary>Whether a chunk is in it.</summary>
    public bool Contains(long chunk) => chunk / 64 < _bits.Length && (_bits[chunk / 64] >> (int)(chunk % 64) & 1) != 0;
}
