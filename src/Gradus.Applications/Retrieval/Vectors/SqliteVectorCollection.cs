using System.Globalization;
using System.Linq.Expressions;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Search;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;
using Microsoft.Extensions.VectorData.ProviderServices;

#pragma warning disable MEVD9001 // The services for providers, which is what this is.

namespace Gradus.Applications.Retrieval.Vectors;

/// <summary>A collection of records in a <see cref="SqliteVectorStore"/>: vectors are scanned exactly, keywords scored by BM25, both joined by reciprocal ranks.</summary>
internal sealed class SqliteVectorCollection<TKey, TRecord>(SqliteFile file, Lock access, string name, CollectionModel model) : VectorStoreCollection<TKey, TRecord>, IKeywordHybridSearchable<TRecord>
    where TKey : notnull
    where TRecord : class
{
    private readonly Dictionary<string, ((long, long) Version, List<(string Key, float[] Vector)> Vectors)> _stored = [];

    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override Task<bool> CollectionExistsAsync(CancellationToken cancellationToken = default)
    {
        lock (access)
            return Task.FromResult(SqliteVectorStore.Exists(file, name));
    }

    /// <inheritdoc/>
    public override Task EnsureCollectionExistsAsync(CancellationToken cancellationToken = default)
    {
        lock (access)
            file.Write(() => file.Run("INSERT OR IGNORE INTO collections(name) VALUES (@1)", name));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override Task EnsureCollectionDeletedAsync(CancellationToken cancellationToken = default)
    {
        lock (access)
            SqliteVectorStore.Delete(file, name);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override Task<TRecord?> GetAsync(TKey key, RecordRetrievalOptions? options = null, CancellationToken cancellationToken = default)
    {
        bool vectors = WithVectors(options?.IncludeVectors == true);
        lock (access)
        {
            CheckExists("Get");
            return Task.FromResult(file.Scalar("SELECT data FROM records WHERE collection = @1 AND key = @2", name, Text(key)) is string data ? Read(Text(key), data, vectors) : null);
        }
    }

    /// <inheritdoc/>
    public override async IAsyncEnumerable<TRecord> GetAsync(
        Expression<Func<TRecord, bool>> filter, int top, FilteredRecordRetrievalOptions<TRecord>? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        options ??= new FilteredRecordRetrievalOptions<TRecord>();
        IEnumerable<TRecord> found = All("Get", WithVectors(options.IncludeVectors)).Select(r => r.Record).Where(filter.Compile());
        IOrderedEnumerable<TRecord>? sorted = null;
        foreach (var order in options.OrderBy?.Invoke(new()).Values ?? [])
        {
            PropertyModel property = model.GetDataOrKeyProperty(order.PropertySelector);
            object? By(TRecord record) => property.GetValueAsObject(record);
            sorted = (sorted, order.Ascending) switch
            {
                (null, true) => found.OrderBy(By),
                (null, false) => found.OrderByDescending(By),
                (_, true) => sorted.ThenBy(By),
                _ => sorted.ThenByDescending(By),
            };
        }
        foreach (TRecord record in (sorted ?? found).Skip(options.Skip).Take(top))
            yield return await Task.FromResult(record).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override Task DeleteAsync(TKey key, CancellationToken cancellationToken = default) => DeleteAsync([key], cancellationToken);

    /// <inheritdoc/>
    public override Task DeleteAsync(IEnumerable<TKey> keys, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        lock (access)
        {
            CheckExists("Delete");
            file.Write(() =>
            {
                foreach (TKey key in keys)
                {
                    file.Run("DELETE FROM record_vectors WHERE collection = @1 AND key = @2", name, Text(key));
                    file.Run("DELETE FROM records WHERE collection = @1 AND key = @2", name, Text(key));
                }
            });
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override Task UpsertAsync(TRecord record, CancellationToken cancellationToken = default) => UpsertAsync([record], cancellationToken);

    /// <inheritdoc/>
    public override async Task UpsertAsync(IEnumerable<TRecord> records, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(records);
        TRecord[] all = [.. records];
        Dictionary<VectorPropertyModel, ReadOnlyMemory<float>?[]> vectors = [];
        foreach (VectorPropertyModel property in model.VectorProperties)
            vectors[property] = await VectorsAsync(property, all, cancellationToken).ConfigureAwait(false);
        lock (access)
        {
            CheckExists("Upsert");
            file.Write(() =>
            {
                for (int i = 0; i < all.Length; i++)
                    Write(all[i], vectors, i);
            });
        }
    }

    /// <inheritdoc/>
    public override async IAsyncEnumerable<VectorSearchResult<TRecord>> SearchAsync<TInput>(
        TInput searchValue, int top, VectorSearchOptions<TRecord>? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        options ??= new VectorSearchOptions<TRecord>();
        VectorPropertyModel property = model.GetVectorPropertyOrSingle(options);
        bool vectors = WithVectors(options.IncludeVectors);
        ReadOnlyMemory<float> query = await QueryAsync(property, searchValue, cancellationToken).ConfigureAwait(false);
        bool similar = VectorDistance.IsSimilarity(property.DistanceFunction);
        IEnumerable<(Row Row, double Score)> found = Scan(property, query, Compile(options.Filter), vectors)
            .Where(f => options.ScoreThreshold is not { } threshold || (similar ? f.Score >= threshold : f.Score <= threshold));
        foreach ((Row row, double score) in found.Skip(options.Skip).Take(top))
            yield return new VectorSearchResult<TRecord>(row.Record, score);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<VectorSearchResult<TRecord>> HybridSearchAsync<TInput>(
        TInput searchValue, ICollection<string> keywords, int top, HybridSearchOptions<TRecord>? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where TInput : notnull
    {
        ArgumentNullException.ThrowIfNull(keywords);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        options ??= new HybridSearchOptions<TRecord>();
        VectorPropertyModel property = model.GetVectorPropertyOrSingle(new VectorSearchOptions<TRecord> { VectorProperty = options.VectorProperty });
        DataPropertyModel text = model.GetFullTextDataPropertyOrSingle(options.AdditionalProperty);
        bool vectors = WithVectors(options.IncludeVectors);
        ReadOnlyMemory<float> query = await QueryAsync(property, searchValue, cancellationToken).ConfigureAwait(false);
        (Row Row, double Score)[] near = [.. Scan(property, query, Compile(options.Filter), vectors)];
        // Ranks of the whole list would drown the keywords: as many as are asked for, and some more, take part.
        int depth = Math.Max(100, top + options.Skip);
        IReadOnlyList<Hit> words = TextScores.Of([.. near.Select(n => text.GetValueAsObject(n.Row.Record) as string ?? "")], keywords);
        IReadOnlyList<Hit> fused = new ReciprocalRankFusion([]).Fuse([[.. near.Take(depth).Select((n, i) => new Hit(i, n.Score))], [.. words.Take(depth)]]);
        foreach (Hit hit in fused.Where(h => options.ScoreThreshold is not { } threshold || h.Score >= threshold).Skip(options.Skip).Take(top))
            yield return new VectorSearchResult<TRecord>(near[hit.Chunk].Row.Record, hit.Score);
    }

    /// <inheritdoc/>
    public override object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(VectorStoreCollectionMetadata) ? new VectorStoreCollectionMetadata { VectorStoreSystemName = SqliteVectorStore.SystemName, VectorStoreName = file.Path, CollectionName = name }
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    private static Func<TRecord, bool> Compile(Expression<Func<TRecord, bool>>? filter) => filter?.Compile() ?? (_ => true);

    private static string Text(object key) => key is string text ? text : Convert.ToString(key, CultureInfo.InvariantCulture)!;

    private object Key(string text) => model.KeyProperty.Type == typeof(int) ? int.Parse(text, CultureInfo.InvariantCulture)
        : model.KeyProperty.Type == typeof(long) ? long.Parse(text, CultureInfo.InvariantCulture)
        : model.KeyProperty.Type == typeof(Guid) ? Guid.Parse(text) : text;

    private void CheckExists(string operation)
    {
        if (!SqliteVectorStore.Exists(file, name))
        {
            throw new VectorStoreException($"{file.Path} has no collection {name}; call EnsureCollectionExistsAsync first.")
            {
                VectorStoreSystemName = SqliteVectorStore.SystemName,
                VectorStoreName = file.Path,
                CollectionName = name,
                OperationName = operation,
            };
        }
    }

    private bool WithVectors(bool asked) => asked && model.EmbeddingGenerationRequired
        ? throw new NotSupportedException("vectors that were made from a record's text cannot be read back into it; leave IncludeVectors out.")
        : asked;

    private async Task<ReadOnlyMemory<float>?[]> VectorsAsync(VectorPropertyModel property, TRecord[] records, CancellationToken cancellation)
    {
        object?[] values = [.. records.Select(property.GetValueAsObject)];
        ReadOnlyMemory<float>?[] vectors = [.. values.Select(RecordValues.Floats)];
        if (property.EmbeddingGenerationDispatcher is not null)
        {
            int[] texts = [.. Enumerable.Range(0, values.Length).Where(i => vectors[i] is null && values[i] is not null)];
            IReadOnlyList<Embedding> made = await property.GenerateEmbeddingsAsync(texts.Select(i => values[i]), cancellation).ConfigureAwait(false);
            for (int i = 0; i < texts.Length; i++)
                vectors[texts[i]] = RecordValues.Floats(made[i]);
        }
        foreach (ReadOnlyMemory<float>? vector in vectors)
        {
            if (vector is { } known && known.Length != property.Dimensions)
                throw new ArgumentException($"a vector of {known.Length} elements for {property.ModelName}, which has {property.Dimensions}.");
        }
        return vectors;
    }

    private async Task<ReadOnlyMemory<float>> QueryAsync(VectorPropertyModel property, object value, CancellationToken cancellation)
    {
        ReadOnlyMemory<float>? vector = RecordValues.Floats(value)
            ?? (property.EmbeddingGenerationDispatcher is null
                ? throw new NotSupportedException($"a search by {value.GetType().Name} needs an embedding generator; give one to the store, or search by a vector.")
                : RecordValues.Floats(await property.GenerateEmbeddingAsync(value, cancellation).ConfigureAwait(false)));
        return vector is { } known && known.Length == property.Dimensions ? known : throw new ArgumentException($"a query of {vector?.Length} elements for {property.ModelName}, which has {property.Dimensions}.");
    }

    private void Write(TRecord record, Dictionary<VectorPropertyModel, ReadOnlyMemory<float>?[]> vectors, int place)
    {
        object? own = model.KeyProperty.GetValueAsObject(record);
        if (model.KeyProperty.IsAutoGenerated && (own is null || Guid.Empty.Equals(own)))
            model.KeyProperty.SetValueAsObject(record, own = Guid.NewGuid());
        string key = Text(own ?? throw new InvalidOperationException($"a record has no key in {model.KeyProperty.ModelName}."));
        JsonObject data = [];
        foreach (DataPropertyModel property in model.DataProperties)
            data[property.StorageName] = RecordValues.Write(property.GetValueAsObject(record));
        file.Run("INSERT OR REPLACE INTO records(collection, key, data) VALUES (@1, @2, @3)", name, key, data.ToJsonString());
        file.Run("DELETE FROM record_vectors WHERE collection = @1 AND key = @2", name, key);
        foreach (VectorPropertyModel property in model.VectorProperties)
        {
            if (vectors[property][place] is { } vector)
                file.Run("INSERT INTO record_vectors(collection, key, property, data) VALUES (@1, @2, @3, @4)", name, key, property.StorageName, MemoryMarshal.AsBytes(vector.Span).ToArray());
        }
    }

    private TRecord Read(string key, string data, bool vectors)
    {
        TRecord record = model.CreateRecord<TRecord>()!;
        model.KeyProperty.SetValueAsObject(record, Key(key));
        JsonObject values = JsonNode.Parse(data)!.AsObject();
        foreach (DataPropertyModel property in model.DataProperties)
        {
            if (values.TryGetPropertyValue(property.StorageName, out JsonNode? value))
                property.SetValueAsObject(record, RecordValues.Read(value, property.Type));
        }
        foreach (VectorPropertyModel property in vectors ? model.VectorProperties : [])
        {
            if (Vector(key, property) is { } vector)
                property.SetValueAsObject(record, RecordValues.ToVector(vector, property.Type));
        }
        return record;
    }

    private float[]? Vector(string key, VectorPropertyModel property) =>
        file.Scalar("SELECT data FROM record_vectors WHERE collection = @1 AND key = @2 AND property = @3", name, key, property.StorageName) is byte[] bytes ? MemoryMarshal.Cast<byte, float>(bytes).ToArray() : null;

    private List<Row> All(string operation, bool vectors)
    {
        lock (access)
        {
            CheckExists(operation);
            return [.. file.Query("SELECT key, data FROM records WHERE collection = @1 ORDER BY key", r => (Key: r.GetString(0), Data: r.GetString(1)), name).Select(r => new Row(r.Key, Read(r.Key, r.Data, vectors)))];
        }
    }

    // Records without the vector are not found by it. They are read, and the filter asked, only as far as somebody takes them.
    private IEnumerable<(Row Row, double Score)> Scan(VectorPropertyModel property, ReadOnlyMemory<float> query, Func<TRecord, bool> filter, bool vectors)
    {
        IEnumerable<(string Key, double Score)> scored = Stored(property).Select(v => (v.Key, VectorDistance.Of(property.DistanceFunction, query.Span, v.Vector)));
        IOrderedEnumerable<(string Key, double Score)> order = VectorDistance.IsSimilarity(property.DistanceFunction) ? scored.OrderByDescending(s => s.Score) : scored.OrderBy(s => s.Score);
        foreach ((string key, double score) in order.ThenBy(s => s.Key, StringComparer.Ordinal))
        {
            TRecord? record;
            lock (access)
                record = file.Scalar("SELECT data FROM records WHERE collection = @1 AND key = @2", name, key) is string data ? Read(key, data, vectors) : null;
            if (record is not null && filter(record))
                yield return (new Row(key, record), score);
        }
    }

    // Read once and again after each change of the file.
    private List<(string Key, float[] Vector)> Stored(VectorPropertyModel property)
    {
        lock (access)
        {
            CheckExists("Search");
            (long, long) version = (file.DataVersion, (long)file.Scalar("SELECT total_changes()")!);
            if (_stored.TryGetValue(property.StorageName, out var known) && known.Version == version)
                return known.Vectors;
            List<(string, float[])> vectors = file.Query(
                "SELECT key, data FROM record_vectors WHERE collection = @1 AND property = @2 ORDER BY key", r => (r.GetString(0), MemoryMarshal.Cast<byte, float>((byte[])r[1]).ToArray()), name, property.StorageName);
            _stored[property.StorageName] = (version, vectors);
            return vectors;
        }
    }

    private sealed record Row(string Key, TRecord Record);
}
