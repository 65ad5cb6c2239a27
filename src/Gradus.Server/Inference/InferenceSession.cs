using System.Diagnostics;
using System.Runtime.CompilerServices;
using Gradus.Server.Catalog;
using Gradus.Server.Observation;
using Gradus.Server.Security;

namespace Gradus.Server.Inference;

/// <summary>A request that was let in: its answers as they come, measured. Disposing it ends the work and makes room.</summary>
internal sealed class InferenceSession(ModelLease lease, InferenceRun run, InferenceRequest request, ServerMetrics.OfModel metrics, Activity? span, RequestTicket? ticket, IDisposable place) : IDisposable
{
    private readonly long _begun = Stopwatch.GetTimestamp();
    private readonly List<string> _reasons = [];
    private int _generated, _reasoning, _cached;

    /// <summary>The name that was asked for.</summary>
    public string Model => lease.Name;

    public ModelLease Lease => lease;

    public InferenceRequest Request => request;

    public IReadOnlyList<int> Prompt => run.PromptTokens;

    /// <summary>The seed of the first answer; null where nothing is drawn.</summary>
    public ulong? Seed => run.Seed;

    public DateTimeOffset Created { get; } = DateTimeOffset.UtcNow;

    /// <summary>Tokens that were generated for the answers that have ended.</summary>
    public int Generated => _generated;

    /// <summary>Those of them that reasoned.</summary>
    public int Reasoning => _reasoning;

    /// <summary>Tokens of the prompt that did not have to be read.</summary>
    public int Cached => _cached;

    /// <summary>How long the request has taken so far.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_begun);

    /// <summary>How long it took to the first piece.</summary>
    public TimeSpan? FirstPiece { get; private set; }

    /// <summary>The pieces of all answers as they come; to be enumerated once.</summary>
    public async IAsyncEnumerable<InferencePiece> Pieces([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        long[] last = new long[request.Count];
        await foreach (InferencePiece piece in run.Pieces.WithCancellation(cancellation).ConfigureAwait(false))
        {
            long now = Stopwatch.GetTimestamp();
            if (FirstPiece is null)
                metrics.TimeToFirstToken.Observe((FirstPiece = Stopwatch.GetElapsedTime(_begun, now)).Value.TotalSeconds);
            else if (last[piece.Answer] != 0)
                metrics.InterTokenLatency.Observe(Stopwatch.GetElapsedTime(last[piece.Answer], now).TotalSeconds);
            last[piece.Answer] = now;
            if (piece.End is { } end)
                Count(end);
            yield return piece;
        }
        metrics.PromptTokens.Observe(run.PromptTokens.Length);
        metrics.RequestLatency.Observe(Elapsed.TotalSeconds);
        ticket?.Count(run.PromptTokens.Length + _generated);
        GenAiTelemetry.End(span, this, _reasons);
    }

    /// <summary>All answers, whole.</summary>
    public Task<CollectedAnswer[]> Collect(CancellationToken cancellation) => CollectedAnswer.Collect(Pieces(cancellation), request.Count);

    /// <inheritdoc/>
    public void Dispose()
    {
        span?.Dispose();
        lease.Dispose();
        place.Dispose();
    }

    private void Count(AnswerSummary end)
    {
        _generated += end.Tokens;
        _reasoning += end.ReasoningTokens;
        _cached = Math.Max(_cached, end.CachedTokens);
        metrics.End(end);
        _reasons.Add(OpenAi.ChatAnswer.Finish(end.Reason));
    }
}
