namespace Gradus.Generation;

/// <summary>
/// The requests that wait, and who is next: the highest priority; among equals the client that has been served the fewest tokens
/// (Sheng et al., "Fairness in Serving Large Language Models", 2024); of one client the oldest.
/// </summary>
internal sealed class WaitingRequests
{
    private readonly List<EngineSequence> _waiting = [];
    private readonly Dictionary<string, Client> _clients = new(StringComparer.Ordinal);

    public int Count => _waiting.Count;

    public IReadOnlyList<EngineSequence> All => _waiting;

    /// <summary>Takes in a request.</summary>
    public void Join(EngineSequence request)
    {
        // Whoever comes back has no claim to what it did not ask for in the meantime.
        if (!_clients.TryGetValue(request.Class.Client, out Client? client))
            _clients[request.Class.Client] = client = new Client { Served = _clients.Count == 0 ? 0 : _clients.Values.Min(c => c.Served) };
        client.Requests++;
        _waiting.Add(request);
    }

    /// <summary>Takes back a request that was preempted.</summary>
    public void Return(EngineSequence request) => _waiting.Add(request);

    /// <summary>Counts tokens that were read or generated for a request.</summary>
    public void Serve(EngineSequence request, int tokens) => _clients[request.Class.Client].Served += tokens;

    /// <summary>Forgets a request that has ended.</summary>
    public void Leave(EngineSequence request)
    {
        if (--_clients[request.Class.Client].Requests == 0)
            _clients.Remove(request.Class.Client);
    }

    /// <summary>The request that is next, or null.</summary>
    public EngineSequence? Next()
    {
        EngineSequence? best = null;
        foreach (EngineSequence request in _waiting)
        {
            if (best is null || Before(request, best))
                best = request;
        }
        return best;
    }

    public void Remove(EngineSequence request) => _waiting.Remove(request);

    /// <summary>Whether a request comes before another one.</summary>
    public bool Before(EngineSequence a, EngineSequence b)
    {
        if (a.Class.Priority != b.Class.Priority)
            return a.Class.Priority > b.Class.Priority;
        long ofA = _clients[a.Class.Client].Served, ofB = _clients[b.Class.Client].Served;
        return ofA != ofB ? ofA < ofB : a.Arrival < b.Arrival;
    }

    private sealed class Client
    {
        public long Served { get; set; }

        public int Requests { get; set; }
    }
}
