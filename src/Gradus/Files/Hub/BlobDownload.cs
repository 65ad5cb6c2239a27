using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Gradus.Files.Hub;

/// <summary>
/// Fetches one content into the cache: several parts at once, each taken up where its connection broke; then length and hash are
/// checked, and only then does it get its name.
/// </summary>
internal sealed class BlobDownload
{
    private const int BufferBytes = 1 << 17;
    private readonly HubHttp _http;
    private readonly HubOptions _options;
    private readonly HubModel _model;
    private readonly string _commit;
    private readonly HubFile _file;
    private readonly string _blob;
    private readonly Action<long> _advance;
    private readonly long _size;
    private bool _several;
    private bool _whole;

    /// <summary>Prepares a download to <paramref name="blob"/>; <paramref name="advance"/> hears how many bytes were gained (or lost).</summary>
    public BlobDownload(HubHttp http, HubOptions options, HubModel model, string commit, HubFile file, string blob, Action<long> advance)
    {
        (_http, _options, _model, _commit, _file, _blob, _advance) = (http, options, model, commit, file, blob, advance);
        _size = file.Size!.Value;
    }

    private string Incomplete => $"{_blob}.incomplete";

    /// <summary>Fetches what is missing.</summary>
    /// <exception cref="HubException">The server fails for good, or what it sends is not what it announced.</exception>
    public async Task RunAsync(CancellationToken cancel)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_blob)!);
        for (bool again = true; ; again = false)
        {
            BlobParts parts = BlobParts.Open(Incomplete, _size, _options.PartBytes);
            _advance(parts.DoneBytes);
            using (SafeFileHandle handle = File.OpenHandle(Incomplete, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, FileOptions.Asynchronous))
            {
                await FetchAsync(handle, parts, cancel).ConfigureAwait(false);
                if (RandomAccess.GetLength(handle) > _size)
                    RandomAccess.SetLength(handle, _size);
                RandomAccess.FlushToDisk(handle);
            }
            if (await HashMatchesAsync(cancel).ConfigureAwait(false))
            {
                File.Move(Incomplete, _blob, overwrite: true);
                parts.Delete();
                DurableStorage.FlushDirectory(Path.GetDirectoryName(_blob)!);
                return;
            }
            _advance(-_size);
            File.Delete(Incomplete);
            parts.Delete();
            if (!again)
                throw new HubException($"{_model}: {Malformed.Quote(_file.Name)} arrived twice with another hash than {_file.Etag}; the server or the line is broken, nothing is kept, try again later.");
        }
    }

    private async Task FetchAsync(SafeFileHandle handle, BlobParts parts, CancellationToken cancel)
    {
        int[] missing = [.. Enumerable.Range(0, parts.Count).Where(i => !parts.IsDone(i))];
        if (missing.Length == 0)
            return;
        // The first part shows whether the server knows ranges at all.
        await FetchPartAsync(handle, parts, missing[0], cancel).ConfigureAwait(false);
        if (_whole)
            return;
        _several = true;
        ParallelOptions several = new() { MaxDegreeOfParallelism = _options.Connections, CancellationToken = cancel };
        await Parallel.ForEachAsync(missing[1..], several, async (part, inner) => await FetchPartAsync(handle, parts, part, inner).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private async Task FetchPartAsync(SafeFileHandle handle, BlobParts parts, int part, CancellationToken cancel)
    {
        (long from, long to) = parts.Place(part);
        long at = from, countedAt = from;
        bool Progressed()
        {
            // A server that gives a few bytes before each failure must not keep us for ever.
            bool much = at - countedAt >= Math.Min(1 << 20, Math.Max(1, (to - from + 1) / 2));
            countedAt = much ? at : countedAt;
            return much;
        }
        await _http.TryAsync(_model, async () =>
        {
            using HttpResponseMessage response = await _http.OpenAsync(_model, _commit, _file.Name, at, to, cancel).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.OK)
            {
                await TakeWholeAsync(response, handle, parts, at - from, cancel).ConfigureAwait(false);
                return true;
            }
            CheckRange(response, at);
            using Stream stream = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
            await CopyAsync(stream, handle, at, to + 1, gained => at += gained, cancel).ConfigureAwait(false);
            parts.Finish(part);
            return true;
        }, cancel, Progressed).ConfigureAwait(false);
    }

    /// <summary>The server ignores ranges and sends all of the file: take it in one go.</summary>
    private async Task TakeWholeAsync(HttpResponseMessage response, SafeFileHandle handle, BlobParts parts, long partial, CancellationToken cancel)
    {
        if (response.Content.Headers.ContentLength is { } announced && announced != _size)
            throw Lies(announced);
        if (_several)
            throw new HubException($"{_model}: the server stops to send parts of {Malformed.Quote(_file.Name)}; try again, with one connection if it stays so.");
        _advance(-parts.DoneBytes - partial);
        parts.Clear();
        using Stream stream = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        long taken = 0;
        try
        {
            await CopyAsync(stream, handle, 0, _size, gained => taken += gained, cancel).ConfigureAwait(false);
        }
        catch
        {
            _advance(-taken);
            throw;
        }
        for (int i = 0; i < parts.Count; i++)
            parts.Finish(i);
        _whole = true;
    }

    private void CheckRange(HttpResponseMessage response, long from)
    {
        if (response.Content.Headers.ContentRange is not { } range || range.From != from)
            throw new HubException($"{_model}: the server sends another part of {Malformed.Quote(_file.Name)} than asked for; check HF_ENDPOINT and try again.");
        if (range.Length is { } length && length != _size)
            throw Lies(length);
    }

    private HubException Lies(long announced) =>
        new($"{_model}: the server says that {Malformed.Quote(_file.Name)} has {announced} bytes, its listing says {_size}; check HF_ENDPOINT and try again later.");

    private async Task CopyAsync(Stream stream, SafeFileHandle handle, long at, long end, Action<int> gained, CancellationToken cancel)
    {
        byte[] buffer = new byte[(int)Math.Min(BufferBytes, end - at)];
        while (at < end)
        {
            int read = await _http.ReadAsync(stream, buffer.AsMemory(0, (int)Math.Min(buffer.Length, end - at)), cancel).ConfigureAwait(false);
            if (read == 0)
                throw new HttpRequestException($"the connection ended {end - at} bytes early");
            await StoreAsync(handle, buffer.AsMemory(0, read), at, cancel).ConfigureAwait(false);
            at += read;
            gained(read);
            _advance(read);
        }
    }

    private async Task StoreAsync(SafeFileHandle handle, ReadOnlyMemory<byte> bytes, long at, CancellationToken cancel)
    {
        try
        {
            await RandomAccess.WriteAsync(handle, bytes, at, cancel).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            // Told apart from a broken connection, which would be tried again.
            throw new HubException($"{Incomplete}: cannot be written ({e.Message.Split('\r', '\n')[0].TrimEnd('.')}); make room or choose another cache folder (HF_HUB_CACHE), what is fetched already is kept.", e);
        }
    }

    /// <summary>Compares with the etag: SHA-256 of large files, git's SHA-1 of others; a foreign kind of etag cannot be checked.</summary>
    private async Task<bool> HashMatchesAsync(CancellationToken cancel)
    {
        HashAlgorithmName? algorithm = _file.Etag!.Length switch { 64 => HashAlgorithmName.SHA256, 40 => HashAlgorithmName.SHA1, _ => null };
        if (algorithm is null || !_file.Etag.All(char.IsAsciiHexDigit))
            return new FileInfo(Incomplete).Length == _size;
        using IncrementalHash hash = IncrementalHash.CreateHash(algorithm.Value);
        if (algorithm == HashAlgorithmName.SHA1)
            hash.AppendData(Encoding.ASCII.GetBytes($"blob {_size}\0"));
        using FileStream stream = new(Incomplete, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous | FileOptions.SequentialScan);
        byte[] buffer = new byte[1 << 20];
        for (int read; (read = await stream.ReadAsync(buffer, cancel).ConfigureAwait(false)) > 0;)
            hash.AppendData(buffer, 0, read);
        return _file.Etag.Equals(Convert.ToHexString(hash.GetHashAndReset()), StringComparison.OrdinalIgnoreCase);
    }
}
