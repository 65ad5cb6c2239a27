namespace Gradus.Applications.Retrieval.Indexing;

public sealed partial class RetrievalIndex
{
    /// <summary>Settles the model that makes this index's vectors.</summary>
    /// <param name="model">Its name.</param>
    /// <param name="dimensions">The vectors' elements.</param>
    /// <exception cref="InvalidDataException">The index holds vectors of another model.</exception>
    public void SetEmbeddingModel(string model, int dimensions)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        lock (_lock)
        {
            if (Settings.EmbeddingModel is { } there && (there != model || Settings.Dimensions != dimensions))
                throw new InvalidDataException($"{Path} holds vectors of {there} ({Settings.Dimensions} elements), not of {model} ({dimensions}); give that model, or index into another file.");
            if (Settings.EmbeddingModel is null)
                _file.Write(() => SaveSettings(Settings with { EmbeddingModel = model, Dimensions = dimensions }));
        }
    }

    /// <summary>Refuses another model than the one whose vectors the index holds.</summary>
    /// <exception cref="InvalidDataException">The index holds vectors of another model.</exception>
    internal void CheckEmbeddingModel(string model)
    {
        if (Settings.EmbeddingModel is { } there && there != model)
            throw new InvalidDataException($"{Path} holds vectors of {there}, not of {model}; give that model, or index into another file.");
    }

    /// <summary>Takes all vectors out and forgets their model.</summary>
    public void RemoveVectors()
    {
        lock (_lock)
        {
            _file.Write(() =>
            {
                _file.Run("DELETE FROM vectors");
                _file.Run("DELETE FROM models WHERE name = @1", GraphName);
                SaveSettings(Settings with { EmbeddingModel = null, Dimensions = 0 });
            });
            (_vectors, _graph) = (null, null);
        }
    }

    /// <summary>Chunks that have no vector yet, by number.</summary>
    /// <param name="count">How many, at most.</param>
    public IReadOnlyList<long> ChunksWithoutVectors(int count)
    {
        lock (_lock)
            return _file.Query("SELECT id FROM chunks WHERE id NOT IN (SELECT chunk FROM vectors) ORDER BY id LIMIT @1", r => r.GetInt64(0), count);
    }

    /// <summary>Puts vectors of chunks in; on the disk when it returns.</summary>
    /// <param name="vectors">Chunks and their vectors, as many elements as <see cref="SetEmbeddingModel"/> said.</param>
    public void AddVectors(IReadOnlyList<(long Chunk, ReadOnlyMemory<float> Vector)> vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        lock (_lock)
        {
            _file.Write(() =>
            {
                foreach ((long chunk, ReadOnlyMemory<float> vector) in vectors)
                    _file.Run("INSERT OR REPLACE INTO vectors(chunk, data) VALUES (@1, @2)", chunk, VectorSet.Encode(vector.Span, Settings.Dimensions, Settings.Vectors));
            });
            _vectors = null;
        }
    }

    /// <summary>The vectors, read into memory once and again after each change.</summary>
    /// <exception cref="InvalidDataException">The index has none.</exception>
    public VectorSet Vectors()
    {
        lock (_lock)
        {
            if (Settings.EmbeddingModel is null)
                throw new InvalidDataException($"{Path} has no vectors; index with an embedding model (--embed), or search by keywords.");
            // A search may follow a change by another process; the view knows.
            IndexView? before = _view;
            IndexView now = View();
            if (_vectors is not null && ReferenceEquals(before, now))
                return _vectors;
            VectorSet set = new(Settings.Dimensions, Settings.Vectors);
            foreach ((long chunk, byte[] data) in _file.Query("SELECT chunk, data FROM vectors ORDER BY chunk", r => (r.GetInt64(0), (byte[])r[1])))
                set.AddStored(chunk, data);
            return _vectors = set;
        }
    }

    /// <summary>The index's own embedding model, fitted to its chunks, or null where its vectors are another model's or it has none.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public LatentSemanticModel? OwnModel() =>
        Settings.EmbeddingModel == LatentSemanticModel.Name && LoadModel(LatentSemanticModel.Name) is { } data ? LatentSemanticModel.FromBytes(data) : null;

    /// <summary>Keeps a model of the index's own, for example its <see cref="LatentSemanticModel"/>.</summary>
    internal void SaveModel(string name, byte[] data)
    {
        lock (_lock)
            _file.Write(() => _file.Run("INSERT OR REPLACE INTO models(name, data) VALUES (@1, @2)", name, data));
    }

    /// <summary>A model of the index's own, or null.</summary>
    internal byte[]? LoadModel(string name)
    {
        lock (_lock)
            return _file.Scalar("SELECT data FROM models WHERE name = @1", name) as byte[];
    }
}
