namespace Gradus.Files.Hub;

/// <summary>
/// Fetches models from the Hugging Face hub into its cache: only what is missing, resumed after every interruption, verified by hash.
/// </summary>
public sealed class HubClient : IDisposable
{
    private readonly HubOptions _options;
    private readonly HubHttp _http;

    /// <summary>Makes a client; nothing is contacted yet.</summary>
    /// <exception cref="ArgumentException">An option is outside its range.</exception>
    public HubClient(HubOptions options)
        : this(options, Task.Delay)
    {
    }

    /// <summary>As <see cref="HubClient(HubOptions)"/>, with another way of waiting between attempts.</summary>
    internal HubClient(HubOptions options, Func<TimeSpan, CancellationToken, Task> wait)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _http = new HubHttp(options, wait);
        Cache = new HubCache(Path.GetFullPath(options.CacheFolder));
    }

    /// <summary>The cache that models are fetched into.</summary>
    public HubCache Cache { get; }

    /// <summary>
    /// The local path of a model: a file or folder that exists as given, else a model in the cache, else (unless offline) fetched.
    /// </summary>
    /// <exception cref="FileNotFoundException">The text is neither a path nor a model's name.</exception>
    /// <exception cref="HubException">Fetching failed, or offline and not in the cache.</exception>
    public async Task<string> ResolveAsync(string pathOrName, IProgress<HubProgress>? progress = null, CancellationToken cancel = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(pathOrName);
        if (File.Exists(pathOrName) || Directory.Exists(pathOrName))
            return pathOrName;
        if (!HubModel.TryParse(pathOrName, out HubModel model))
            throw new FileNotFoundException($"{pathOrName}: no such file or folder, nor the name of a model on the hub (org/name or org/name@revision).", pathOrName);
        return Cache.FindSnapshot(model) ?? await PullAsync(model, null, progress, cancel).ConfigureAwait(false);
    }

    /// <summary>Fetches a model's files, as far as the cache lacks them.</summary>
    /// <param name="model">Repository and revision.</param>
    /// <param name="select">Chooses among the repository's file names; null is <see cref="HubSelection.Default"/>.</param>
    /// <param name="progress">Hears of every gain.</param>
    /// <param name="cancel">Stops; what is fetched already is kept.</param>
    /// <returns>The snapshot's folder.</returns>
    /// <exception cref="HubException">Fetching failed, or offline and not in the cache; the message says what to do.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public async Task<string> PullAsync(
        HubModel model, Func<IReadOnlyList<string>, IEnumerable<string>>? select = null, IProgress<HubProgress>? progress = null, CancellationToken cancel = default)
    {
        if (_options.Offline)
        {
            return Cache.FindSnapshot(model)
                ?? throw new HubException($"{model}: is not in the cache {Cache.Folder}; fetch it once without offline mode.");
        }
        HubListing listing = await _http.ListAsync(model, cancel).ConfigureAwait(false);
        HashSet<string> chosen = [.. (select ?? HubSelection.Default)([.. listing.Files.Select(f => f.Name)])];
        HubFile[] files = [.. listing.Files.Where(f => chosen.Contains(f.Name))];
        if (files.Length == 0)
            throw new HubException($"{model}: has no files of a model that is read here ({listing.Files.Count} files in all); choose files by name.");
        for (int i = 0; i < files.Length; i++)
            files[i] = await CompleteAsync(model, listing.Commit, files[i], cancel).ConfigureAwait(false);
        CheckRoom(model, files);

        // Files of one content are fetched once.
        IGrouping<string, HubFile>[] contents = [.. files.GroupBy(f => f.Etag!)];
        Totals totals = new(contents.Sum(c => c.First().Size!.Value), progress);
        // Small files are fetched side by side; large ones one after another, each in parts side by side.
        ParallelOptions several = new() { MaxDegreeOfParallelism = _options.Connections, CancellationToken = cancel };
        await Parallel.ForEachAsync(contents.Where(c => c.First().Size <= _options.PartBytes), several, async (content, inner) =>
            await FetchAsync(model, listing.Commit, [.. content], totals, inner).ConfigureAwait(false)).ConfigureAwait(false);
        foreach (IGrouping<string, HubFile> content in contents.Where(c => c.First().Size > _options.PartBytes))
            await FetchAsync(model, listing.Commit, [.. content], totals, cancel).ConfigureAwait(false);
        // Last, so that the branch leads to whole snapshots only.
        Cache.WriteRef(model, listing.Commit);
        return Cache.Snapshot(model, listing.Commit);
    }

    /// <summary>Lists a model's files at a revision.</summary>
    /// <exception cref="HubException">The hub cannot be reached, or does not have it.</exception>
    public Task<HubListing> ListAsync(HubModel model, CancellationToken cancel = default) => _http.ListAsync(model, cancel);

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _http.Dispose();

    private async Task<HubFile> CompleteAsync(HubModel model, string commit, HubFile file, CancellationToken cancel)
    {
        HubFile complete = file is { Etag: not null, Size: not null } ? file : await _http.DescribeAsync(model, commit, file.Name, cancel).ConfigureAwait(false);
        if (complete.Etag is null || complete.Size is null or < 0)
            throw new HubException($"{model}: the server does not say hash and length of {Malformed.Quote(file.Name)}; check HF_ENDPOINT.");
        if (!HubCache.IsBlobName(complete.Etag))
            throw new HubException($"{model}: the hash {Malformed.Quote(complete.Etag)} of {Malformed.Quote(file.Name)} is none; it is refused, check HF_ENDPOINT.");
        // The note of finished parts has one byte for each.
        const int MostParts = 1 << 24;
        return complete.Size / _options.PartBytes < MostParts
            ? complete
            : throw new HubException($"{model}: {Malformed.Quote(file.Name)} is said to have {complete.Size} bytes, which is absurd; check HF_ENDPOINT.");
    }

    /// <summary>Fails before the first byte where the disk cannot hold what is missing.</summary>
    private void CheckRoom(HubModel model, HubFile[] files)
    {
        Directory.CreateDirectory(Cache.Folder);
        decimal needed = files.Where(f => !File.Exists(Cache.Blob(model, f.Etag!))).Sum(f => (decimal)f.Size!.Value - Incomplete(model, f));
        long free = new DriveInfo(Cache.Folder).AvailableFreeSpace;
        if (needed > free)
            throw new IOException($"{Cache.Folder}: has {free} bytes free, {model} needs {needed}; make room or choose another cache folder (HF_HUB_CACHE).");
    }

    private long Incomplete(HubModel model, HubFile file)
    {
        FileInfo part = new($"{Cache.Blob(model, file.Etag!)}.incomplete");
        return part.Exists ? Math.Min(part.Length, file.Size!.Value) : 0;
    }

    private async Task FetchAsync(HubModel model, string commit, HubFile[] sameContent, Totals totals, CancellationToken cancel)
    {
        HubFile file = sameContent[0];
        string blob = Cache.Blob(model, file.Etag!);
        long done = 0;
        void Advance(long bytes) => totals.Report(file, Interlocked.Add(ref done, bytes), bytes);
        string lockFile = Cache.BlobLock(model, file.Etag!);
        Directory.CreateDirectory(Path.GetDirectoryName(lockFile)!);
        using (FolderLock.Acquire(lockFile, blob))
        {
            if (File.Exists(blob) && new FileInfo(blob).Length == file.Size)
                Advance(file.Size!.Value);
            else
                await new BlobDownload(_http, _options, model, commit, file, blob, Advance).RunAsync(cancel).ConfigureAwait(false);
        }
        foreach (HubFile name in sameContent)
            Cache.Link(model, commit, name.Name, file.Etag!);
    }

    /// <summary>The sum over all files.</summary>
    private sealed class Totals(long size, IProgress<HubProgress>? progress)
    {
        private long _bytes;

        public void Report(HubFile file, long fileBytes, long gained) =>
            progress?.Report(new HubProgress(file.Name, fileBytes, file.Size!.Value, Interlocked.Add(ref _bytes, gained), size));
    }
}
