using Gradus.Generation;
using Gradus.Server.Catalog;
using Gradus.Server.Http;
using Gradus.Server.Observation;
using Gradus.Server.Security;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Inference;

/// <summary>
/// Lets requests in, however they came: a bounded number at once, none while the server stops, each within the limits of its key; and sees what
/// becomes of them.
/// </summary>
internal sealed class InferenceService(ModelCatalog catalog, ServerOptions options, ServerMetrics metrics)
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);
    private readonly RequestLimits _limits = new(TimeProvider.System);
    private int _active;
    private volatile bool _isDraining;

    public ModelCatalog Catalog => catalog;

    public ServerOptions Options => options;

    public ServerMetrics Metrics => metrics;

    /// <summary>Whether the server stops: what runs may end, nothing new begins.</summary>
    public bool IsDraining => _isDraining;

    /// <summary>Begins to answer a request.</summary>
    /// <param name="context">Where it came from; its end cancels the work.</param>
    /// <param name="model">The model's name; null for the first.</param>
    /// <param name="request">What is asked.</param>
    /// <exception cref="ApiException">It is refused.</exception>
    public async Task<InferenceSession> Begin(HttpContext context, string? model, InferenceRequest request)
    {
        IDisposable place = Enter(context, request.Count, out RequestTicket? ticket);
        ModelLease? lease = null;
        try
        {
            lease = await catalog.Acquire(model, context.RequestAborted).ConfigureAwait(false);
            IInferenceModel inference = lease.Model.Inference ?? throw ApiException.Invalid("model", $"The model '{lease.Name}' does not write text; ask it for embeddings or a ranking.", "unsupported_model");
            InferenceRun run = inference.Start(request with { Adapter = lease.Adapter, Class = new RequestClass(request.Class.Priority, KeyOf(context)?.Name ?? "") }, context.RequestAborted);
            return new InferenceSession(lease, run, request, metrics.Of(lease.Name), GenAiTelemetry.Begin(lease.Name, request), ticket, place);
        }
        catch
        {
            lease?.Dispose();
            place.Dispose();
            throw;
        }
    }

    /// <summary>Lets a request in that is no inference of text but works on a model too.</summary>
    /// <param name="context">Where it came from.</param>
    /// <param name="places">How much of the server's bound it takes.</param>
    /// <param name="ticket">Counts its tokens; null where no limits hold.</param>
    /// <returns>To be disposed when it ends.</returns>
    /// <exception cref="ApiException">It is refused.</exception>
    public IDisposable Enter(HttpContext context, int places, out RequestTicket? ticket)
    {
        if (_isDraining)
            throw ApiException.Unavailable("server_stopping", "The server is stopping; ask another, or this one when it is back.", TimeSpan.FromSeconds(5));
        if (!catalog.IsReady)
            throw ApiException.Unavailable("model_loading", "The server is loading its models; try again soon.", Soon);
        if (Interlocked.Add(ref _active, places) > options.MaxActive)
        {
            Interlocked.Add(ref _active, -places);
            throw ApiException.Unavailable("server_busy", $"The server has as many answers to write as it takes ({options.MaxActive}); try again soon.", Soon);
        }
        try
        {
            RequestTicket? counted = ticket = KeyOf(context) is { } key ? _limits.Begin(key) : null;
            return new Place(() =>
            {
                Interlocked.Add(ref _active, -places);
                counted?.Dispose();
            });
        }
        catch
        {
            Interlocked.Add(ref _active, -places);
            throw;
        }
    }

    /// <summary>Lets nothing in any more, and waits for what runs.</summary>
    /// <param name="patience">How long at most.</param>
    /// <returns>Whether all has ended.</returns>
    public async Task<bool> Drain(TimeSpan patience)
    {
        _isDraining = true;
        long end = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (Volatile.Read(ref _active) > 0)
        {
            if (Environment.TickCount64 >= end)
                return false;
            await Task.Delay(20).ConfigureAwait(false);
        }
        return true;
    }

    /// <summary>The key that a request came with; null where none are asked for.</summary>
    public static ApiKey? KeyOf(HttpContext context) => context.Items.TryGetValue(typeof(ApiKey), out object? key) ? (ApiKey?)key : null;

    private sealed class Place(Action leave) : IDisposable
    {
        private Action? _leave = leave;

        public void Dispose() => Interlocked.Exchange(ref _leave, null)?.Invoke();
    }
}
