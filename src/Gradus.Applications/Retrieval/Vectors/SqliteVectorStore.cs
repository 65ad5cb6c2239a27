// Source: Microsoft.Extensions.VectorData.Abstractions 10. Records of any kind in one SQLite file, without an extension of SQLite: vectors are kept in memory and
// scanned exactly. Left out: vectors of other elements than float.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Gradus.Applications.Retrieval.Indexing;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;

namespace Gradus.Applications.Retrieval.Vectors;

/// <summary>A vector store in one SQLite file. Many threads may use it; one process writes at a time.</summary>
public sealed class SqliteVectorStore : VectorStore
{
    internal const string SystemName = "gradus.sqlite";

    private const string Schema =
        """
        CREATE TABLE collections(name TEXT PRIMARY KEY);
        CREATE TABLE records(collection TEXT NOT NULL, key TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY(collection, key)) WITHOUT ROWID;
        CREATE TABLE record_vectors(collection TEXT NOT NULL, key TEXT NOT NULL, property TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY(collection, key, property)) WITHOUT ROWID;
        """;

    private readonly SqliteFile _file;
    private readonly Lock _lock = new();
    private readonly IEmbeddingGenerator? _embeddings;

    /// <summary>Opens a store or makes a new one.</summary>
    /// <param name="path">The file.</param>
    /// <param name="embeddings">What makes vectors where a record holds a text in place of one; null: records hold vectors.</param>
    /// <exception cref="InvalidDataException">The file is no such store.</exception>
    public SqliteVectorStore(string path, IEmbeddingGenerator? embeddings = null)
    {
        _file = new SqliteFile(path, Schema);
        _embeddings = embeddings;
        if (_file.Scalar("SELECT name FROM sqlite_master WHERE name = 'record_vectors'") is null)
        {
            _file.Dispose();
            throw new InvalidDataException($"{path} is an index of documents, not a store of records; give another path.");
        }
    }

    /// <inheritdoc/>
    [RequiresDynamicCode("Mapping of records needs code at run time; use GetDynamicCollection.")]
    [RequiresUnreferencedCode("Mapping of records needs their properties; use GetDynamicCollection.")]
    public override VectorStoreCollection<TKey, TRecord> GetCollection<TKey, TRecord>(string name, VectorStoreCollectionDefinition? definition = null)
    {
        if (typeof(TRecord) == typeof(Dictionary<string, object?>))
            throw new ArgumentException("records that are dictionaries come from GetDynamicCollection.");
        return new SqliteVectorCollection<TKey, TRecord>(_file, _lock, name, RecordModel.Of(typeof(TRecord), typeof(TKey), definition, _embeddings));
    }

    /// <inheritdoc/>
    [RequiresDynamicCode("Filters are compiled at run time.")]
    [RequiresUnreferencedCode("Filters are compiled at run time.")]
    public override VectorStoreCollection<object, Dictionary<string, object?>> GetDynamicCollection(string name, VectorStoreCollectionDefinition definition) =>
        new SqliteVectorCollection<object, Dictionary<string, object?>>(_file, _lock, name, RecordModel.Of(definition, _embeddings));

    /// <inheritdoc/>
    public override async IAsyncEnumerable<string> ListCollectionNamesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        List<string> names;
        lock (_lock)
            names = _file.Query("SELECT name FROM collections ORDER BY name", r => r.GetString(0));
        foreach (string name in names)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return await Task.FromResult(name).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public override Task<bool> CollectionExistsAsync(string name, CancellationToken cancellationToken = default)
    {
        lock (_lock)
            return Task.FromResult(Exists(_file, name));
    }

    /// <inheritdoc/>
    public override Task EnsureCollectionDeletedAsync(string name, CancellationToken cancellationToken = default)
    {
        lock (_lock)
            Delete(_file, name);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(VectorStoreMetadata) ? new VectorStoreMetadata { VectorStoreSystemName = SystemName, VectorStoreName = _file.Path }
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    internal static bool Exists(SqliteFile file, string name) => file.Scalar("SELECT name FROM collections WHERE name = @1", name) is not null;

    internal static void Delete(SqliteFile file, string name) => file.Write(() =>
    {
        file.Run("DELETE FROM record_vectors WHERE collection = @1", name);
        file.Run("DELETE FROM records WHERE collection = @1", name);
        file.Run("DELETE FROM collections WHERE name = @1", name);
    });

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _file.Dispose();
        base.Dispose(disposing);
    }
}
