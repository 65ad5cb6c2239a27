using Gradus.Models;

namespace Gradus.Generation;

/// <summary>
/// Runs one model for many callers at once, on a thread of its own: requests wait for room, are read in pieces beside the sequences that
/// generate (Agrawal et al., "Sarathi-Serve", 2024), share the prefixes of their prompts, and give their pages up for others where memory
/// is short. A request has the same tokens and log-probabilities as alone in a <see cref="Generator"/>, to the last bit, whatever else runs.
/// </summary>
/// <remarks>The model belongs to the engine until it is disposed. All members may be called from any thread.</remarks>
public sealed class GenerationEngine : IDisposable
{
    private readonly GenerativeModel _model;
    private readonly EngineScheduler _scheduler;
    private readonly Thread _thread;
    private readonly object _gate = new();
    private readonly Queue<Action> _inbox = [];
    private EngineStatistics _statistics;
    private long _arrivals;
    private bool _isClosed;

    /// <summary>Starts the engine; the model must outlive it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How the machine is shared; the defaults where null.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public GenerationEngine(GenerativeModel model, EngineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        Options = options ?? new EngineOptions();
        Options.Check();
        _scheduler = new EngineScheduler(model, Options, Note);
        _statistics = _scheduler.Statistics;
        _thread = new Thread(Work) { IsBackground = true, Name = "generation engine" };
        _thread.Start();
    }

    /// <summary>How the machine is shared.</summary>
    public EngineOptions Options { get; }

    /// <summary>What the engine was doing after its last step; whoever has a result is counted in.</summary>
    public EngineStatistics Statistics => Volatile.Read(ref _statistics);

    /// <summary>The most tokens that one sequence can have: those of the model's context, or of the memory for keys and values.</summary>
    public int LongestSequence => (int)Math.Min(_model.LongestSequence, Held(_scheduler.MostPages));

    /// <summary>Adds a request; it takes part as soon as there is room.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="requestClass">Who asks, and how urgently.</param>
    /// <param name="cancellation">Cancels the request before the next step.</param>
    /// <exception cref="ArgumentException">A value does not fit the model or the memory budget; one line that says which, with both lengths.</exception>
    /// <exception cref="ObjectDisposedException">The engine has been disposed.</exception>
    public GenerationStream Submit(GenerationRequest request, RequestClass? requestClass = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Check(_model);
        GenerationStream stream = new(request, Wake);
        GeneratedSequence sequence = new(request, Capacity(request));
        sequence.AcquireAdapter(_model);
        try
        {
            Post(() => _scheduler.Join(new EngineSequence(sequence, stream, requestClass ?? new RequestClass(), _arrivals++)));
        }
        catch (ObjectDisposedException)
        {
            sequence.Cancel();
            throw;
        }
        if (cancellation.CanBeCanceled)
        {
            CancellationTokenRegistration registration = cancellation.Register(stream.Cancel);
            stream.Completion.ContinueWith(static (_, r) => ((CancellationTokenRegistration)r!).Unregister(), registration, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
        return stream;
    }

    /// <summary>The tokens that the answer to a request may have at most: what it asks for, as far as the model's context and the memory budget have room.</summary>
    /// <param name="request">The request.</param>
    /// <exception cref="ArgumentException">A value does not fit the model or the memory budget; one line that says which, with both lengths.</exception>
    public int LongestAnswer(GenerationRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Check(_model);
        return Math.Max(0, Capacity(request) - request.Prompt.Length);
    }

    /// <summary>
    /// The log-probabilities of continuations of one context, which is read once for all of them where prefixes are shared.
    /// </summary>
    /// <param name="context">Token ids, at least one.</param>
    /// <param name="continuations">Token ids of each.</param>
    /// <param name="requestClass">Who asks, and how urgently.</param>
    /// <param name="adapter">The adapter that they are scored with (<see cref="GenerationRequest.Adapter"/>); null for none.</param>
    /// <param name="cancellation">Ends the work before the next step.</param>
    /// <exception cref="ArgumentException">Context and continuation together do not fit the model's context or the memory budget.</exception>
    public async Task<IReadOnlyList<ContinuationScore>> Score(
        int[] context, IReadOnlyList<int[]> continuations, RequestClass? requestClass = null, string? adapter = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(continuations);
        GenerationStream[] streams = [.. continuations.Select(c => Submit(
            new GenerationRequest([.. context, .. c]) { MaxNewTokens = 0, PromptLogProbabilitiesFrom = context.Length, Alternatives = 1, Adapter = adapter }, requestClass, cancellation))];
        GenerationResult[] results = await Task.WhenAll(streams.Select(s => s.Completion)).ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        return [.. results.Select((r, i) => new ContinuationScore(
            r.PromptLogProbabilities,
            !r.PromptAlternatives.Where((best, t) => best[0].Id != continuations[i][t]).Any()))];
    }

    /// <summary>Writes the prefixes that are kept, to go on with them after a restart (<see cref="LoadPrefixes"/>).</summary>
    /// <param name="stream">Where to; stays open.</param>
    /// <exception cref="InvalidOperationException">The model keeps none, or the options forbid it.</exception>
    public Task SavePrefixes(Stream stream) => Do(() => PrefixFile.Save(stream, _model, Kept(), (Nn.KvCache)_scheduler.Cache));

    /// <summary>Reads prefixes that an engine with the same model has written, as many as there is room for. What is generated from them has the same bits.</summary>
    /// <param name="stream">Where from; stays open.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or of another model or machine; nothing of it is kept.</exception>
    /// <exception cref="InvalidOperationException">The model keeps none, or the options forbid it.</exception>
    public Task LoadPrefixes(Stream stream) => Do(() => PrefixFile.Load(stream, _model, Kept(), (Nn.KvCache)_scheduler.Cache, _scheduler.MostPages - _scheduler.Cache.PagesInUse));

    /// <summary>Gives up all kept prefixes that no sequence uses.</summary>
    public Task DropPrefixes() => Do(() => _scheduler.Tree?.Evict(int.MaxValue));

    /// <summary>Cancels all requests, ends the thread and frees the cache.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            Monitor.Pulse(_gate);
        }
        if (Thread.CurrentThread != _thread)
            _thread.Join();
    }

    // The tokens that prompt and answer can have together. Where nobody said how many, as many as memory holds.
    private int Capacity(GenerationRequest request)
    {
        int wanted = request.Capacity(_model);
        long held = Held(_scheduler.MostPages - SourcePages(request));
        if (request.Prompt.Length + Math.Min(1, request.MaxNewTokens) > held || (request.MaxNewTokens != int.MaxValue && wanted > held))
        {
            throw new ArgumentException(
                $"The prompt has {request.Prompt.Length} tokens and may grow to {wanted}, but the memory for keys and values holds {Math.Max(0, held)}; shorten it, ask for fewer new tokens, or raise CacheBytes ({Options.CacheBytes}).");
        }
        return (int)Math.Min(wanted, held);
    }

    // The tokens for which so many pages are enough; what a recurrent model keeps does not grow.
    private long Held(int pages) => _scheduler.Cache.PagesFor(int.MaxValue / 2) == 1 ? int.MaxValue : (long)pages * Nn.KvCache.PageSize;

    private int SourcePages(GenerationRequest request) => request.Source is { } source ? _scheduler.Cache.PagesFor(source.Length) : 0;

    private PageTree Kept() => _scheduler.Tree ?? throw new InvalidOperationException($"A {_model.Config.ArchitectureClass} with these options keeps no prefixes.");

    private Task Do(Action action)
    {
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            try
            {
                action();
                Note();
                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
        return done.Task;
    }

    private void Post(Action action)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            _inbox.Enqueue(action);
            Monitor.Pulse(_gate);
        }
    }

    // What a caller sees of the engine once it has its result.
    private void Note() => Volatile.Write(ref _statistics, _scheduler.Statistics);

    private void Wake()
    {
        lock (_gate)
            Monitor.Pulse(_gate);
    }

    private void Work()
    {
        try
        {
            while (TakeIn())
            {
                _scheduler.Step();
                Note();
            }
            _scheduler.EndAll(null);
        }
        catch (Exception e)
        {
            // Whoever submits from now on is told so; whoever waits already, what happened.
            lock (_gate)
                _isClosed = true;
            TakeIn();
            _scheduler.EndAll(e);
        }
        Note();
        _scheduler.Dispose();
    }

    // Waits for something to do; false when the engine has been closed.
    private bool TakeIn()
    {
        while (true)
        {
            Action[] actions;
            bool isClosed;
            lock (_gate)
            {
                while (_inbox.Count == 0 && !_scheduler.HasWork && !_isClosed)
                    Monitor.Wait(_gate);
                actions = [.. _inbox];
                _inbox.Clear();
                isClosed = _isClosed;
            }
            foreach (Action action in actions)
                action();
            if (isClosed || _scheduler.HasWork)
                return !isClosed;
            Note();
        }
    }
}

/// <summary>How probable a continuation is.</summary>
/// <param name="LogProbabilities">log p of each of its tokens, in nats.</param>
/// <param name="IsGreedy">Whether each of its tokens is the most probable one in its place.</param>
public sealed record ContinuationScore(float[] LogProbabilities, bool IsGreedy)
{
    /// <summary>log p of all of it, in nats.</summary>
    public double Sum => LogProbabilities.Sum(p => (double)p);
}
