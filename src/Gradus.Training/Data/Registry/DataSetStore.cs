using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Gradus.Files;

namespace Gradus.Training.Data.Registry;

/// <summary>Finds the files of named data sets on the disk, and fetches them: resumed after an interruption, checked by size and SHA-256.</summary>
/// <param name="folders">Where sets lie, each in a folder of its name; looked through in this order.</param>
/// <param name="stallSeconds">Seconds of silence after which a server is given up.</param>
public sealed class DataSetStore(IReadOnlyList<string> folders, double stallSeconds = 60) : IDisposable
{
    private const int Attempts = 4;
    private readonly HttpClient _http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(stallSeconds), AllowAutoRedirect = true, MaxAutomaticRedirections = 5 })
    {
        // Downloads take as long as they take; silence is what is limited.
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Where sets are looked for.</summary>
    public IReadOnlyList<string> Folders => folders;

    /// <summary>The path of a file of a set, as it is or with .gz, or null where no folder has it.</summary>
    /// <param name="name">The set's name.</param>
    /// <param name="file">The file's name below it.</param>
    public string? Find(string name, string file) => folders
        .SelectMany(f => new[] { Path.Combine(f, name, file), Path.Combine(f, name, $"{file}.gz") })
        .FirstOrDefault(File.Exists);

    /// <summary>Fetches a file into a folder of sets; one that lies there whole stays.</summary>
    /// <param name="set">The set.</param>
    /// <param name="file">The file.</param>
    /// <param name="folder">The folder of sets.</param>
    /// <param name="progress">Hears of every gain, in bytes of the file.</param>
    /// <param name="cancel">Stops; what is fetched already is kept.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="IOException">The server cannot be reached, does not have the file, or sends another one; the message says what to do.</exception>
    public async Task<string> FetchAsync(DataSetInfo set, DataSetFile file, string folder, IProgress<long>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(set);
        ArgumentNullException.ThrowIfNull(file);
        string target = Path.Combine(folder, set.Name, file.Name);
        if (File.Exists(target))
            return target;
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        using FolderLock held = FolderLock.Acquire(Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetFileName(target)}.lock"), target);
        List<string> parts = [];
        long before = 0;
        foreach (DataSetPart source in file.Parts)
        {
            // Several parts may lie in one archive, which is fetched once.
            int same = file.Parts.Take(parts.Count).Select(p => p.Sha256).ToList().IndexOf(source.Sha256);
            if (same >= 0)
            {
                parts.Add(parts[same]);
                continue;
            }
            string part = file.Parts.Count == 1 ? $"{target}.part" : string.Create(CultureInfo.InvariantCulture, $"{target}.{parts.Count + 1}.part");
            await FetchPartAsync(set, file, source, part, target, new Later(progress, before), cancel).ConfigureAwait(false);
            parts.Add(part);
            before += source.Size;
        }
        if (!file.IsConverted && file.Lines == 0)
        {
            File.Move(parts[0], target);
            return target;
        }
        Convert(file, parts, target);
        parts.ForEach(File.Delete);
        return target;
    }

    private async Task FetchPartAsync(DataSetInfo set, DataSetFile file, DataSetPart source, string part, string target, IProgress<long> progress, CancellationToken cancel)
    {
        for (int attempt = 1; !await IsWholeAsync(part, source, cancel).ConfigureAwait(false); attempt++)
        {
            try
            {
                await DownloadAsync(source, part, progress, cancel).ConfigureAwait(false);
            }
            catch (Exception e) when ((e is HttpRequestException or IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested)) && attempt < Attempts && !IsFinal(e))
            {
                await Task.Delay(TimeSpan.FromSeconds(Math.Min(stallSeconds, Math.Pow(2, attempt - 1) / 2)), cancel).ConfigureAwait(false);
            }
            catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
            {
                string reason = e is OperationCanceledException ? "it went silent" : (e.InnerException ?? e).Message.ReplaceLineEndings(" ").TrimEnd('.');
                throw new IOException($"{set.Name}: {source.Address} cannot be fetched ({reason}); try again later, or get the file elsewhere and put it at {target}{(file.IsConverted ? " as JSON lines" : "")}.", e);
            }
        }
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _http.Dispose();

    private static bool IsFinal(Exception e) =>
        e is HttpRequestException { StatusCode: { } status } && (int)status is >= 400 and < 500 && status is not (HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests);

    private async Task DownloadAsync(DataSetPart source, string part, IProgress<long> progress, CancellationToken cancel)
    {
        using FileStream stream = new(part, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read);
        stream.Position = stream.Length;
        using HttpRequestMessage request = new(HttpMethod.Get, source.Address);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("gradus", "0.1"));
        if (stream.Length > 0)
            request.Headers.Range = new RangeHeaderValue(stream.Length, null);
        using CancellationTokenSource stall = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        stall.CancelAfter(TimeSpan.FromSeconds(stallSeconds));
        using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token).ConfigureAwait(false);
        response.EnsureSuccessStatusCode();
        if (response.StatusCode != HttpStatusCode.PartialContent)
            stream.SetLength(0);
        using Stream content = await response.Content.ReadAsStreamAsync(stall.Token).ConfigureAwait(false);
        byte[] buffer = new byte[1 << 16];
        while (true)
        {
            stall.CancelAfter(TimeSpan.FromSeconds(stallSeconds));
            int read = await content.ReadAsync(buffer, stall.Token).ConfigureAwait(false);
            if (read == 0)
                break;
            await stream.WriteAsync(buffer.AsMemory(0, read), cancel).ConfigureAwait(false);
            progress.Report(stream.Length);
            if (stream.Length > source.Size)
                break;
        }
        if (stream.Length < source.Size)
            throw new IOException($"the connection ended after {stream.Length:N0} of {source.Size:N0} bytes");
    }

    // What is longer or other than it should be is thrown away: it cannot become right.
    private static async Task<bool> IsWholeAsync(string part, DataSetPart source, CancellationToken cancel)
    {
        FileInfo info = new(part);
        if (!info.Exists || info.Length < source.Size)
            return false;
        string hash;
        using (FileStream stream = File.OpenRead(part))
            hash = System.Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancel).ConfigureAwait(false));
        if (info.Length == source.Size && hash == source.Sha256)
            return true;
        File.Delete(part);
        throw new IOException($"{source.Address}: sent {info.Length:N0} bytes with the SHA-256 {hash}, where {source.Size:N0} bytes with {source.Sha256} are expected; the file is refused.");
    }

    // Readers tell a file's format by its name, so a part gets that of its source while it is read.
    private static void Convert(DataSetFile file, List<string> parts, string target)
    {
        string folder = $"{target}.source";
        Directory.CreateDirectory(folder);
        try
        {
            List<string> named = [];
            for (int i = 0; i < parts.Count; i++)
            {
                DataSetPart part = file.Parts[i];
                named.Add(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{i}-{Path.GetFileName(part.Entry ?? part.Address.AbsolutePath)}")));
                if (part.Entry is null)
                    File.Copy(parts[i], named[i], overwrite: true);
                else
                    DataSetConversion.Extract(part, parts[i], named[i]);
            }
            AtomicFile.Write(target, stream =>
            {
                if (file.Lines > 0)
                    DataSetConversion.WriteLines(named[0], file.Lines, stream);
                else
                    DataSetConversion.Write(file, named, stream);
            });
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // The progress of a part, among those before it.
    private sealed class Later(IProgress<long>? progress, long before) : IProgress<long>
    {
        public void Report(long value) => progress?.Report(before + value);
    }
}
