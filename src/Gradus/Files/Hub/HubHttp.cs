using System.Net;
using System.Net.Http.Headers;

namespace Gradus.Files.Hub;

/// <summary>
/// Requests to the hub: redirects (the token stays with the endpoint), patience with busy servers and broken connections, and
/// answers turned into one-line errors. Source: https://huggingface.co/docs/hub/api and huggingface_hub's file_download.py.
/// </summary>
internal sealed class HubHttp : IDisposable
{
    private const int MostRedirects = 5;
    private const int LongestAnswer = 100_000_000;
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(5);
    private readonly HttpClient _http;
    private readonly HubOptions _options;
    private readonly Func<TimeSpan, CancellationToken, Task> _wait;

    /// <summary>Connects lazily; <paramref name="wait"/> is how it waits between attempts.</summary>
    public HubHttp(HubOptions options, Func<TimeSpan, CancellationToken, Task> wait)
    {
        _options = options;
        _wait = wait;
        Endpoint = options.Endpoint ?? HubOptions.PublicEndpoint;
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(options.StallSeconds), MaxConnectionsPerServer = 64 })
        {
            // Downloads take as long as they take; silence is what is limited.
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("gradus", "0.1"));
    }

    /// <summary>The hub's address.</summary>
    public Uri Endpoint { get; }

    /// <summary>Lists a model's files at a revision.</summary>
    public Task<HubListing> ListAsync(HubModel model, CancellationToken cancel)
    {
        Uri address = Address($"api/models/{model.Repository}/revision/{Uri.EscapeDataString(model.Revision)}?blobs=true");
        return TryAsync(model, async () =>
        {
            using HttpResponseMessage response = await SendAsync(HttpMethod.Get, address, null, cancel).ConfigureAwait(false);
            ThrowUnless(response, model, null, HttpStatusCode.OK);
            return HubAnswer.Parse(address, await ReadAllAsync(response, cancel).ConfigureAwait(false));
        }, cancel);
    }

    /// <summary>Asks for hash and length of a file that the listing gave without.</summary>
    public Task<HubFile> DescribeAsync(HubModel model, string commit, string file, CancellationToken cancel) => TryAsync(model, async () =>
    {
        using HttpResponseMessage response = await SendAsync(HttpMethod.Head, FileAddress(model, commit, file), null, cancel, followToContent: false).ConfigureAwait(false);
        if ((int)response.StatusCode is < 300 or >= 400)
            ThrowUnless(response, model, file, HttpStatusCode.OK);
        string? etag = Header(response, "X-Linked-Etag") ?? Header(response, "ETag");
        string? size = Header(response, "X-Linked-Size") ?? response.Content.Headers.ContentLength?.ToString();
        return new HubFile(file, etag?.Replace("W/", "", StringComparison.Ordinal).Trim('"'), long.TryParse(size, out long bytes) && bytes >= 0 ? bytes : null);
    }, cancel);

    /// <summary>Opens a part of a file; the answer is 206, or 200 where the server sends all of it.</summary>
    public async Task<HttpResponseMessage> OpenAsync(HubModel model, string commit, string file, long from, long to, CancellationToken cancel)
    {
        HttpResponseMessage response = await SendAsync(HttpMethod.Get, FileAddress(model, commit, file), new RangeHeaderValue(from, to), cancel).ConfigureAwait(false);
        try
        {
            ThrowUnless(response, model, file, HttpStatusCode.OK, HttpStatusCode.PartialContent);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>Tries until it succeeds, fails for good, or the attempts are used up; waits longer each time.</summary>
    public async Task<T> TryAsync<T>(HubModel model, Func<Task<T>> action, CancellationToken cancel, Func<bool>? progressed = null)
    {
        for (int attempt = 1; ; attempt++)
        {
            TimeSpan wait = TimeSpan.FromSeconds(Math.Min(60, Math.Pow(2, attempt - 1)));
            try
            {
                return await action().ConfigureAwait(false);
            }
            catch (HubException e) when (e.IsBusy)
            {
                if (progressed?.Invoke() == true)
                    attempt = 1;
                if (attempt >= _options.Attempts)
                    throw;
                wait = e.RetryAfter ?? wait;
            }
            catch (Exception e) when (e is HttpRequestException or IOException and not HubException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
            {
                if (progressed?.Invoke() == true)
                    attempt = 1;
                if (attempt >= _options.Attempts)
                    throw new HubException($"{model}: no connection to {Endpoint} holds ({FirstLine(e)}); check the network and HF_ENDPOINT, or use what the cache has with offline mode.", e);
            }
            await _wait(wait < LongestWait ? wait : LongestWait, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Reads from a response, and gives up on silence.</summary>
    public async ValueTask<int> ReadAsync(Stream stream, Memory<byte> buffer, CancellationToken cancel)
    {
        using CancellationTokenSource stall = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        stall.CancelAfter(TimeSpan.FromSeconds(_options.StallSeconds));
        return await stream.ReadAsync(buffer, stall.Token).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private static string FirstLine(Exception e) => e is OperationCanceledException ? "it went silent" : (e.InnerException ?? e).Message.Split('\r', '\n')[0].TrimEnd('.');

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? values.First() : null;

    private static TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date > DateTimeOffset.UtcNow => date - DateTimeOffset.UtcNow,
        _ => null,
    };

    private static bool IsRedirect(HttpStatusCode status) => status is HttpStatusCode.MovedPermanently or HttpStatusCode.Found
        or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect;

    private static bool SameOrigin(Uri a, Uri b) => a.Scheme == b.Scheme && a.IdnHost == b.IdnHost && a.Port == b.Port;

    private Uri Address(string path) => new(new Uri(Endpoint.AbsoluteUri.TrimEnd('/') + "/"), path);

    private Uri FileAddress(HubModel model, string commit, string file) =>
        Address($"{model.Repository}/resolve/{commit}/{string.Join('/', file.Split('/').Select(Uri.EscapeDataString))}");

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, Uri address, RangeHeaderValue? range, CancellationToken cancel, bool followToContent = true)
    {
        for (int redirects = 0; ; redirects++)
        {
            using HttpRequestMessage request = new(method, address);
            request.Headers.Range = range;
            request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
            if (_options.Token is { } token && SameOrigin(address, Endpoint))
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using CancellationTokenSource stall = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            stall.CancelAfter(TimeSpan.FromSeconds(_options.StallSeconds));
            HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token).ConfigureAwait(false);
            if (!IsRedirect(response.StatusCode) || response.Headers.Location is not { } location)
                return response;
            Uri next = new(address, location);
            // A description needs only the hub's own headers, which say hash and length beside the address of the content.
            if (!followToContent && (response.Headers.Contains("X-Linked-Etag") || !SameOrigin(next, Endpoint)))
                return response;
            response.Dispose();
            if (redirects == MostRedirects || next.Scheme is not ("http" or "https") || (address.Scheme == "https" && next.Scheme == "http"))
                throw new HubException($"{address}: redirects to {next}, too often or to an unsafe address; check HF_ENDPOINT.", response.StatusCode);
            address = next;
        }
    }

    private async Task<byte[]> ReadAllAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        using Stream stream = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        using MemoryStream all = new();
        byte[] buffer = new byte[1 << 16];
        for (int read; (read = await ReadAsync(stream, buffer, cancel).ConfigureAwait(false)) > 0;)
        {
            all.Write(buffer, 0, read);
            if (all.Length > LongestAnswer)
                throw new HubException($"{response.RequestMessage?.RequestUri}: answers with more than {LongestAnswer} bytes; check HF_ENDPOINT.");
        }
        return all.ToArray();
    }

    private void ThrowUnless(HttpResponseMessage response, HubModel model, string? file, params HttpStatusCode[] wanted)
    {
        HttpStatusCode status = response.StatusCode;
        if (Array.IndexOf(wanted, status) >= 0)
            return;
        string what = file is null ? model.ToString() : $"{model}: {Malformed.Quote(file)}";
        string? code = Header(response, "X-Error-Code");
        throw status switch
        {
            HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError =>
                new HubException($"{what}: {Endpoint} answers {(int)status} (busy or broken), {_options.Attempts} times; try again later, what is fetched already is kept.", status) { IsBusy = true, RetryAfter = RetryAfter(response) },
            HttpStatusCode.Unauthorized => new HubException($"{what}: the hub asks who you are (401); {(_options.Token is null ? "the name may be wrong, or set HF_TOKEN to a token that may read it" : "the token in HF_TOKEN is not valid for it")}.", status),
            HttpStatusCode.Forbidden => new HubException($"{what}: the hub refuses access (403); accept its terms at {Endpoint.AbsoluteUri.TrimEnd('/')}/{model.Repository} and set HF_TOKEN.", status),
            HttpStatusCode.NotFound => new HubException($"{what}: not found on {Endpoint} (404{(code is null ? "" : $", {Malformed.Quote(code)}")}); check name and revision, or set HF_TOKEN if it is private.", status),
            _ => new HubException($"{what}: {Endpoint} answers {(int)status}, which is unexpected; check HF_ENDPOINT and try again.", status),
        };
    }
}
