using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;
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
        string target = Path.Combine(folder, set.Name, file.Name), part = $"{target}.part";
        if (File.Exists(target))
            return target;
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        using FolderLock held = FolderLock.Acquire(Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetFileName(target)}.lock"), target);
        for (int attempt = 1; !await IsWholeAsync(part, file, cancel).ConfigureAwait(false); attempt++)
        {
            try
            {
                await DownloadAsync(file, part, progress, cancel).ConfigureAwait(false);
            }
            catch (Exception e) when ((e is HttpRequestException or IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested)) && attempt < Attempts && !IsFinal(e))
            {
                await Task.Delay(TimeSpan.FromSeconds(Math.Min(stallSeconds, Math.Pow(2, attempt - 1) / 2)), cancel).ConfigureAwait(false);
            }
            catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
            {
                string reason = e is OperationCanceledException ? "it went silent" : (e.InnerException ?? e).Message.ReplaceLineEndings(" ").TrimEnd('.');
                throw new IOException($"{set.Name}: {file.Address} cannot be fetched ({reason}); try again later, or get the file elsewhere and put it at {target}{(file.IsConverted ? " as JSON lines" : "")}.", e);
            }
        }
        if (file.IsConverted)
        {
            AtomicFile.Write(target, stream => Convert(part, file, stream));
            File.Delete(part);
        }
        else
        {
            File.Move(part, target);
        }
        return target;
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _http.Dispose();

    private static bool IsFinal(Exception e) =>
        e is HttpRequestException { StatusCode: { } status } && (int)status is >= 400 and < 500 && status is not (HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests);

    private async Task DownloadAsync(DataSetFile file, string part, IProgress<long>? progress, CancellationToken cancel)
    {
        using FileStream stream = new(part, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read);
        stream.Position = stream.Length;
        using HttpRequestMessage request = new(HttpMethod.Get, file.Address);
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
            progress?.Report(stream.Length);
            if (stream.Length > file.Size)
                break;
        }
        if (stream.Length < file.Size)
            throw new IOException($"the connection ended after {stream.Length:N0} of {file.Size:N0} bytes");
    }

    // What is longer or other than it should be is thrown away: it cannot become right.
    private static async Task<bool> IsWholeAsync(string part, DataSetFile file, CancellationToken cancel)
    {
        FileInfo info = new(part);
        if (!info.Exists || info.Length < file.Size)
            return false;
        string hash;
        using (FileStream stream = File.OpenRead(part))
            hash = System.Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancel).ConfigureAwait(false));
        if (info.Length == file.Size && hash == file.Sha256)
            return true;
        File.Delete(part);
        throw new IOException($"{file.Address}: sent {info.Length:N0} bytes with the SHA-256 {hash}, where {file.Size:N0} bytes with {file.Sha256} are expected; the file is refused.");
    }

    // The records with the names that the set gives their fields, a line each.
    private static void Convert(string part, DataSetFile file, Stream target)
    {
        string name = Path.Combine(Path.GetDirectoryName(part)!, $".{Path.GetFileName(file.Address.AbsolutePath)}");
        File.Copy(part, name, overwrite: true);
        try
        {
            IEnumerable<DataRecord> records = TextFiles.Records(name, file.Columns);
            foreach (DataRecord record in file.Records > 0 ? records.Take(file.Records) : records)
            {
                using (Utf8JsonWriter writer = new(target, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
                    record.Json.WriteTo(writer);
                target.WriteByte((byte)'\n');
            }
        }
        finally
        {
            File.Delete(name);
        }
    }
}
