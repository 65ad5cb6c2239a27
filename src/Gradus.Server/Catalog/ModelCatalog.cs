using Gradus.Server.Http;

namespace Gradus.Server.Catalog;

/// <summary>
/// The models of a server by name: loaded when first asked for, kept while in use and for a while after, and gone, the least recently used first,
/// where another needs the place. Names are only looked up here: no name of a request reaches the file system.
/// </summary>
public sealed class ModelCatalog : IDisposable
{
    private static readonly TimeSpan LoadingPatience = TimeSpan.FromSeconds(5);
    private readonly Lock _lock = new();
    private readonly List<Entry> _entries = [];
    private readonly int _mostLoaded;
    private readonly TimeSpan? _keepAlive;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private bool _isClosed;

    /// <summary>Makes a catalog; nothing is loaded yet.</summary>
    /// <param name="sources">The models, at least one; the first is meant where a request names none.</param>
    /// <param name="mostLoaded">Models that are loaded at once at most, ≥ 1.</param>
    /// <param name="keepAlive">How long a model that nobody uses stays; null for always.</param>
    /// <param name="time">The clock; the system's where null.</param>
    /// <exception cref="ArgumentException">There is none, or two have one name.</exception>
    public ModelCatalog(IEnumerable<ModelSource> sources, int mostLoaded = 4, TimeSpan? keepAlive = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentOutOfRangeException.ThrowIfLessThan(mostLoaded, 1);
        _mostLoaded = mostLoaded;
        _keepAlive = keepAlive;
        _time = time ?? TimeProvider.System;
        foreach (ModelSource source in sources)
        {
            Entry entry = new(source);
            foreach (string name in source.Adapters.Select(a => a.Name).Prepend(source.Name))
                CheckFree(name);
            if (source.Adapters.Select(a => a.Name).Prepend(source.Name).GroupBy(n => n).FirstOrDefault(g => g.Count() > 1) is { } twice)
                throw new ArgumentException($"Two models are called {twice.Key}; give one of them another name.");
            _entries.Add(entry);
        }
        if (_entries.Count == 0)
            throw new ArgumentException("There is no model to serve; give one.");
        _timer = _time.CreateTimer(_ => LetGoOfIdle(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    /// <summary>All names, models before their adapters.</summary>
    public IReadOnlyList<CatalogName> Names
    {
        get
        {
            lock (_lock)
                return [.. _entries.SelectMany(e => e.Adapters.Select(a => (string?)a.Name).Prepend(null).Select(a => Describe(e, a)))];
        }
    }

    /// <summary>Whether the models that are loaded at the start are there.</summary>
    public bool IsReady { get; private set; }

    /// <summary>What went wrong when a model was loaded at the start; null for nothing.</summary>
    public Exception? StartFailure { get; private set; }

    /// <summary>Loads the models that are loaded at the start.</summary>
    /// <exception cref="InvalidDataException">One cannot be loaded.</exception>
    public async Task Preload(CancellationToken cancellation)
    {
        try
        {
            foreach (Entry entry in _entries.Where(e => e.Source.Preload).Take(_mostLoaded).ToArray())
                (await Acquire(entry.Source.Name, cancellation).ConfigureAwait(false)).Dispose();
            IsReady = true;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            StartFailure = e;
            throw;
        }
    }

    /// <summary>The name that is meant: what was asked for, or the first model's where nothing was.</summary>
    /// <exception cref="ApiException">There is no such model (404).</exception>
    public CatalogName Resolve(string? name)
    {
        lock (_lock)
        {
            (Entry Entry, string? Adapter) found = FindOrThrow(name);
            return Describe(found.Entry, found.Adapter);
        }
    }

    /// <summary>Takes a model into use, and loads it where it is not loaded.</summary>
    /// <param name="name">Its name or an adapter's; null for the first model.</param>
    /// <param name="cancellation">Ends the waiting, not the loading.</param>
    /// <exception cref="ApiException">There is no such model (404), no room for it (503), or it cannot be loaded (500).</exception>
    public async Task<ModelLease> Acquire(string? name, CancellationToken cancellation)
    {
        Entry entry;
        string? adapter;
        Task<ServedModel> loading;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            (entry, adapter) = FindOrThrow(name);
            if (entry.Loading is null)
            {
                MakeRoom();
                AdapterSource[] adapters = [.. entry.Adapters];
                entry.Loading = Task.Run(() => Open(entry.Source, adapters), CancellationToken.None);
            }
            entry.InUse++;
            loading = entry.Loading;
        }
        try
        {
            ServedModel model = await loading.WaitAsync(cancellation).ConfigureAwait(false);
            return new ModelLease(adapter ?? entry.Source.Name, adapter, model, () => Release(entry));
        }
        catch (Exception e)
        {
            Release(entry);
            if (e is OperationCanceledException)
                throw;
            lock (_lock)
            {
                if (entry.Loading == loading)
                    entry.Loading = null;
            }
            if (!IsReady && entry.Source.Preload)
                throw;
            throw new ApiException(500, "server_error", "model_load_failed", "model", $"The model '{entry.Source.Name}' cannot be loaded; the server's log says why.") { Data = { ["cause"] = e } };
        }
    }

    /// <summary>Lets a model go that nobody uses.</summary>
    /// <returns>Whether it was loaded and is not any more.</returns>
    public bool Unload(string name)
    {
        lock (_lock)
        {
            Entry entry = FindOrThrow(name).Entry;
            return entry.InUse == 0 && LetGo(entry);
        }
    }

    /// <summary>Adds an adapter to a model, which is loaded for it if need be; requests can name it from then on.</summary>
    /// <param name="model">The model's name; null for the first.</param>
    /// <param name="adapter">The adapter.</param>
    /// <param name="cancellation">Ends the waiting for the model.</param>
    /// <exception cref="ApiException">There is no such model (404), the name is taken, or the adapter does not fit (400).</exception>
    public async Task AddAdapter(string? model, AdapterSource adapter, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        using ModelLease lease = await Acquire(model, cancellation).ConfigureAwait(false);
        lock (_lock)
        {
            if (Find(adapter.Name) is not null)
                throw ApiException.Invalid("lora_name", $"There is a model called '{adapter.Name}' already.");
        }
        try
        {
            await Task.Run(() => lease.Model.AddAdapter(adapter), cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException or NotSupportedException or InvalidOperationException)
        {
            throw ApiException.Invalid("lora_name", e.Message);
        }
        lock (_lock)
            FindOrThrow(lease.Name).Entry.Adapters.Add(adapter);
    }

    /// <summary>Takes an adapter away; answers that are written with it go on to their end.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="ApiException">There is no such adapter (404).</exception>
    public void RemoveAdapter(string name)
    {
        lock (_lock)
        {
            if (Find(name) is not ({ } entry, { }))
                throw ApiException.NoModel(name, _entries.SelectMany(e => e.Adapters.Select(a => a.Name)));
            entry.Adapters.RemoveAll(a => a.Name == name);
            if (entry.Loading is { IsCompletedSuccessfully: true } loaded)
                loaded.Result.RemoveAdapter(name);
        }
    }

    /// <summary>Changes how long a model stays from its next use on.</summary>
    /// <param name="name">The model.</param>
    /// <param name="time">How long; null for always.</param>
    public void KeepAlive(string name, TimeSpan? time)
    {
        lock (_lock)
        {
            Entry entry = FindOrThrow(name).Entry;
            (entry.HasOwnKeepAlive, entry.KeepAlive) = (true, time);
        }
    }

    /// <summary>Frees all models.</summary>
    public void Dispose()
    {
        _timer.Dispose();
        lock (_lock)
        {
            _isClosed = true;
            foreach (Entry entry in _entries)
                LetGo(entry);
        }
    }

    private static ServedModel Open(ModelSource source, AdapterSource[] adapters)
    {
        ServedModel model = source.Open(CancellationToken.None);
        try
        {
            Array.ForEach(adapters, model.AddAdapter);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private void CheckFree(string name)
    {
        if (Find(name) is not null)
            throw new ArgumentException($"Two models are called {name}; give one of them another name.");
    }

    private (Entry Entry, string? Adapter)? Find(string name)
    {
        foreach (Entry entry in _entries)
        {
            if (entry.Source.Name == name)
                return (entry, null);
            if (entry.Adapters.Exists(a => a.Name == name))
                return (entry, name);
        }
        return null;
    }

    private (Entry Entry, string? Adapter) FindOrThrow(string? name) =>
        name is null ? (_entries[0], null) : Find(name) ?? throw ApiException.NoModel(name, _entries.SelectMany(e => e.Adapters.Select(a => a.Name).Prepend(e.Source.Name)));

    private CatalogName Describe(Entry entry, string? adapter) => new(
        adapter ?? entry.Source.Name, entry.Source, adapter, entry.Loading is { IsCompletedSuccessfully: true } loaded ? loaded.Result : null, entry.InUse,
        entry.Loading is null || KeepAliveOf(entry) is not { } stays ? null : entry.LastUse + stays);

    private TimeSpan? KeepAliveOf(Entry entry) => entry.HasOwnKeepAlive ? entry.KeepAlive : _keepAlive;

    private void Release(Entry entry)
    {
        lock (_lock)
        {
            entry.InUse--;
            entry.LastUse = _time.GetUtcNow();
            if (_isClosed || (entry.InUse == 0 && KeepAliveOf(entry) == TimeSpan.Zero))
                LetGo(entry);
        }
    }

    private void MakeRoom()
    {
        if (_entries.Count(e => e.Loading is not null) < _mostLoaded)
            return;
        Entry? oldest = _entries.Where(e => e is { Loading.IsCompleted: true, InUse: 0 }).MinBy(e => e.LastUse);
        if (oldest is null)
            throw ApiException.Unavailable("models_busy", $"{_mostLoaded} models are loaded and in use, and there is no room for another; try again later.", LoadingPatience);
        LetGo(oldest);
    }

    private bool LetGo(Entry entry)
    {
        if (entry.Loading is not { } loading || entry.InUse > 0)
            return false;
        entry.Loading = null;
        _ = loading.ContinueWith(t => t.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        return true;
    }

    private void LetGoOfIdle()
    {
        lock (_lock)
        {
            foreach (Entry entry in _entries.Where(e => e is { Loading.IsCompletedSuccessfully: true, InUse: 0 } && KeepAliveOf(e) is { } stays && _time.GetUtcNow() - e.LastUse >= stays))
                LetGo(entry);
        }
    }

    private sealed class Entry(ModelSource source)
    {
        public ModelSource Source => source;

        public List<AdapterSource> Adapters { get; } = [.. source.Adapters];

        public Task<ServedModel>? Loading { get; set; }

        public int InUse { get; set; }

        public DateTimeOffset LastUse { get; set; }

        public bool HasOwnKeepAlive { get; set; }

        public TimeSpan? KeepAlive { get; set; }
    }
}
