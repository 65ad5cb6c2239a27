using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Http;

/// <summary>
/// An answer as server-sent events. A comment keeps the connection alive only in silence, and ends with one line feed: clients that take a blank
/// line for an event break on more. Source: the WHATWG HTML standard, section "Server-sent events".
/// </summary>
internal sealed class EventStream : IAsyncDisposable
{
    private static readonly byte[] Ping = ": ping\n"u8.ToArray();
    private readonly HttpContext _context;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly CancellationTokenSource _ended;
    private readonly Task _pings;
    private long _lastWrite = Environment.TickCount64;

    private EventStream(HttpContext context, TimeSpan silence)
    {
        _context = context;
        _ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        _pings = PingInSilence((long)silence.TotalMilliseconds);
    }

    /// <summary>Begins the answer.</summary>
    /// <param name="context">The request.</param>
    /// <param name="silence">After how long without an event a comment is sent.</param>
    public static async Task<EventStream> Begin(HttpContext context, TimeSpan silence)
    {
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        context.Response.Headers.CacheControl = "no-cache";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        await context.Response.StartAsync(context.RequestAborted).ConfigureAwait(false);
        return new EventStream(context, silence);
    }

    /// <summary>Sends an event.</summary>
    /// <param name="data">Its data.</param>
    /// <param name="name">Its name; null for none.</param>
    public Task Send(JsonNode data, string? name = null) => Send(JsonAnswer.Bytes(data), name);

    /// <summary>Sends an event of plain text.</summary>
    public Task Send(string data) => Send(Encoding.UTF8.GetBytes(data), null);

    /// <summary>Sends what some work gives. What goes wrong on the way is an event too, since the status has been sent.</summary>
    /// <param name="work">Sends the events.</param>
    /// <param name="name">The name of the event of an error; null for none.</param>
    public async Task Run(Func<Task> work, string? name = null)
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (Exception e) when (!_context.RequestAborted.IsCancellationRequested)
        {
            if (e is not ApiException)
                RequestLog.Failed(_context, e);
            await Send(ErrorAnswer.Body(_context, ErrorAnswer.Of(e)), name).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync().ConfigureAwait(false);
        await _pings.ConfigureAwait(false);
        _ended.Dispose();
        _writing.Dispose();
    }

    private async Task Send(ReadOnlyMemory<byte> data, string? name)
    {
        byte[] head = name is null ? "data: "u8.ToArray() : Encoding.UTF8.GetBytes($"event: {name}\ndata: ");
        byte[] bytes = new byte[head.Length + data.Length + 2];
        head.CopyTo(bytes, 0);
        data.CopyTo(bytes.AsMemory(head.Length));
        bytes[^1] = bytes[^2] = (byte)'\n';
        await Write(bytes).ConfigureAwait(false);
    }

    private async Task Write(ReadOnlyMemory<byte> bytes)
    {
        await _writing.WaitAsync(_context.RequestAborted).ConfigureAwait(false);
        try
        {
            await _context.Response.Body.WriteAsync(bytes, _context.RequestAborted).ConfigureAwait(false);
            await _context.Response.Body.FlushAsync(_context.RequestAborted).ConfigureAwait(false);
            Interlocked.Exchange(ref _lastWrite, Environment.TickCount64);
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task PingInSilence(long silence)
    {
        try
        {
            while (true)
            {
                long left = Interlocked.Read(ref _lastWrite) + silence - Environment.TickCount64;
                if (left > 0)
                    await Task.Delay(TimeSpan.FromMilliseconds(left), _ended.Token).ConfigureAwait(false);
                else
                    await Write(Ping).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The answer is over, or nobody reads it any more.
        }
    }
}
