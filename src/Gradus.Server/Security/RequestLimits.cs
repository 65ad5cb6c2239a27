using System.Collections.Concurrent;
using Gradus.Server.Http;

namespace Gradus.Server.Security;

/// <summary>
/// What the holder of a key has used of its limits: requests at once, requests and tokens in a minute. Tokens are counted when they are known,
/// so that a long answer may use more than is left; the next request waits for it. Source of the allowance: the token bucket.
/// </summary>
internal sealed class RequestLimits(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, Use> _uses = new(StringComparer.Ordinal);

    /// <summary>Begins a request.</summary>
    /// <returns>To be disposed when it ends.</returns>
    /// <exception cref="ApiException">A limit is reached (429).</exception>
    public RequestTicket Begin(ApiKey key) => _uses.GetOrAdd(key.Name, _ => new Use(key, time)).Begin();

    internal sealed class Use(ApiKey key, TimeProvider time)
    {
        private readonly Lock _lock = new();
        private readonly Allowance? _requests = key.RequestsPerMinute is { } requests ? new Allowance(requests, time) : null;
        private readonly Allowance? _tokens = key.TokensPerMinute is { } tokens ? new Allowance(tokens, time) : null;
        private int _active;

        public RequestTicket Begin()
        {
            lock (_lock)
            {
                if (_active >= key.Concurrent)
                    throw ApiException.TooMany($"The key has {_active} requests at once, and may have {key.Concurrent}; wait until one is done.", TimeSpan.FromSeconds(1));
                if (_tokens?.Wait(0) is { } untilTokens && untilTokens > TimeSpan.Zero)
                    throw ApiException.TooMany($"The key has used its {key.TokensPerMinute} tokens per minute.", untilTokens);
                if (_requests?.Wait(1) is { } untilRequest && untilRequest > TimeSpan.Zero)
                    throw ApiException.TooMany($"The key has used its {key.RequestsPerMinute} requests per minute.", untilRequest);
                _requests?.Take(1);
                _active++;
                return new RequestTicket(this);
            }
        }

        public void Count(int tokens)
        {
            lock (_lock)
                _tokens?.Take(tokens);
        }

        public void End()
        {
            lock (_lock)
                _active--;
        }
    }

    /// <summary>So many a minute, filled up evenly.</summary>
    private sealed class Allowance(int perMinute, TimeProvider time)
    {
        private double _left = perMinute;
        private long _at = time.GetTimestamp();

        /// <summary>How long until so many are left: zero where they are.</summary>
        public TimeSpan Wait(double wanted)
        {
            long now = time.GetTimestamp();
            _left = Math.Min(perMinute, _left + (time.GetElapsedTime(_at, now).TotalMinutes * perMinute));
            _at = now;
            double missing = wanted - _left;
            return missing > 0 || (wanted == 0 && _left <= 0) ? TimeSpan.FromMinutes(Math.Max(missing, 1) / perMinute) : TimeSpan.Zero;
        }

        public void Take(double count) => _left -= count;
    }
}

/// <summary>A request that counts towards the limits of a key until it is disposed.</summary>
internal sealed class RequestTicket(RequestLimits.Use use) : IDisposable
{
    private RequestLimits.Use? _use = use;

    /// <summary>Counts tokens that were read or generated.</summary>
    public void Count(int tokens) => _use?.Count(tokens);

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _use, null)?.End();
}
