using System.Runtime.InteropServices;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Generation;

/// <summary>
/// Decides what each step of the engine runs, and runs it: who is admitted, which prompts are read on beside the sequences that generate, which
/// prefixes are shared, and who gives pages up where memory is short. Belongs to the engine's thread.
/// </summary>
internal sealed class EngineScheduler : IDisposable
{
    private readonly GenerativeModel _model;
    private readonly EngineOptions _options;
    private readonly CachedForward _forward;
    private readonly LogitsScratch _scratch = new();
    private readonly WaitingRequests _waiting = new();
    private readonly List<EngineSequence> _running = [];
    private readonly List<(EngineSequence Request, SequencePiece Piece)> _planned = [];
    private readonly List<int> _pages = [];
    private readonly PageTree? _tree;
    private readonly Action _beforeResult;
    private int _claimed;
    private long _steps, _promptTokens, _cachedTokens, _generatedTokens, _preemptions, _guessedTokens, _rightGuesses;

    /// <summary>Prepares to schedule.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How the machine is shared.</param>
    /// <param name="beforeResult">Called before a request gets its result, which it is counted in by then.</param>
    public EngineScheduler(GenerativeModel model, EngineOptions options, Action beforeResult)
    {
        _model = model;
        _options = options;
        _beforeResult = beforeResult;
        _forward = new CachedForward(model);
        MostPages = (int)Math.Clamp(options.CacheBytes / Math.Max(1, Cache.PageBytes), 1, int.MaxValue / KvCache.PageSize);
        Cache.MostPages = MostPages;
        if (options.SharePrefixes && Cache is KvCache pages)
            _tree = new PageTree(pages);
    }

    public SequenceCache Cache => _forward.Cache;

    /// <summary>The prefixes that are kept; null where the model has none to share or the options forbid it.</summary>
    public PageTree? Tree => _tree;

    /// <summary>The pages that the budget holds.</summary>
    public int MostPages { get; }

    public bool HasWork => _running.Count + _waiting.Count > 0;

    public EngineStatistics Statistics => new(
        _running.Count, _waiting.Count, Cache.PagesInUse, _tree?.Count ?? 0, MostPages, _steps, _promptTokens, _cachedTokens, _generatedTokens, _preemptions, _guessedTokens, _rightGuesses);

    private int Free => MostPages - Cache.PagesInUse - _claimed;

    /// <summary>Takes in a request, which waits until there is room.</summary>
    public void Join(EngineSequence request)
    {
        request.Sequence.EndIfFull(_model.LongestSequence);
        if (request.Sequence.Finish is null)
            _waiting.Join(request);
        else
            Publish(request);
    }

    /// <summary>Ends all that was cancelled, admits what there is room for, and runs one forward pass.</summary>
    public void Step()
    {
        _claimed = 0;
        EndCancelled();
        Admit();
        Plan();
        if (_forward.IsEmpty)
            return;
        try
        {
            Run();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            foreach ((EngineSequence request, _) in _planned.ToArray())
                Fail(request, e);
        }
        foreach ((EngineSequence request, _) in _planned)
            request.IsPlanned = false;
    }

    /// <summary>Ends all requests.</summary>
    public void EndAll(Exception? error)
    {
        foreach (EngineSequence request in (EngineSequence[])[.. _running, .. _waiting.All])
        {
            if (error is not null)
                Fail(request, error);
            else
                End(request, FinishReason.Cancelled);
        }
    }

    public void Dispose() => _forward.Dispose();

    private void EndCancelled()
    {
        foreach (EngineSequence request in (EngineSequence[])[.. _running.Where(r => r.Stream.IsCancelled), .. _waiting.All.Where(r => r.Stream.IsCancelled)])
            End(request, FinishReason.Cancelled);
    }

    private void End(EngineSequence request, FinishReason reason)
    {
        request.Sequence.End(reason);
        Leave(request);
        Publish(request);
    }

    private void Publish(EngineSequence request)
    {
        if (request.Sequence.Finish is not null)
            _beforeResult();
        request.Publish();
    }

    private void Fail(EngineSequence request, Exception error)
    {
        request.Sequence.Cancel();
        Leave(request);
        _beforeResult();
        request.Stream.Fail(error);
    }

    private void Leave(EngineSequence request)
    {
        if (!_running.Remove(request))
            _waiting.Remove(request);
        _waiting.Leave(request);
    }

    // Whoever is next comes in as long as there is room for its tokens and a page for everybody to grow into; more than one where it came in
    // too early before. A higher priority makes room.
    private void Admit()
    {
        while (_waiting.Next() is { } next)
        {
            if (_running.Count >= _options.MaxSequences && Last(r => r.Class.Priority < next.Class.Priority) is null)
                return;
            CachedSequence cache = Cache.NewSequence(next.Sequence.Tokens.Length, next.Sequence.Request.Source);
            next.Sequence.Use(cache);
            int shared = Share(next);
            int needed = Cache.PagesToAdd(cache, next.Sequence.Tokens.Length - cache.Length) + (_running.Count * (1 + next.Preemptions));
            while ((_running.Count >= _options.MaxSequences || needed > Free + (_tree?.Idle ?? 0)) && Last(r => r.Class.Priority < next.Class.Priority) is { } lower)
                Preempt(lower);
            if (_running.Count >= _options.MaxSequences || (needed > Free + (_tree?.Idle ?? 0) && _running.Count > 0))
            {
                next.Node = null;
                next.Sequence.GiveUpCache();
                return;
            }
            _waiting.Remove(next);
            _running.Add(next);
            _cachedTokens += shared;
            next.Admitted(shared);
        }
    }

    private EngineSequence? Last(Func<EngineSequence, bool> which)
    {
        EngineSequence? last = null;
        foreach (EngineSequence request in _running)
        {
            if (which(request) && (last is null || request.Class.Priority < last.Class.Priority || (request.Class.Priority == last.Class.Priority && request.Arrival > last.Arrival)))
                last = request;
        }
        return last;
    }

    private void Preempt(EngineSequence request)
    {
        request.Sequence.GiveUpCache();
        request.Node = null;
        request.Preemptions++;
        _preemptions++;
        _running.Remove(request);
        _waiting.Return(request);
    }

    // First the sequences that generate, each a token; then prompts, as far as the step's budget goes.
    private void Plan()
    {
        _forward.Begin();
        _planned.Clear();
        int promptTokens = 0;
        EngineSequence[] inOrder = [.. _running];
        Array.Sort(inOrder, (a, b) => a.Class.Priority != b.Class.Priority ? b.Class.Priority.CompareTo(a.Class.Priority) : a.Arrival.CompareTo(b.Arrival));
        foreach (bool reads in (ReadOnlySpan<bool>)[false, true])
        {
            foreach (EngineSequence request in inOrder)
            {
                // Somebody before it may have taken its pages.
                if (request.Sequence.Cache is null || request.IsPlanned || request.Reads != reads)
                    continue;
                _cachedTokens += reads ? Share(request) : 0;
                if (reads && IsReadByAnother(request))
                    continue;
                SequencePiece piece = request.Sequence.Next(_options.PromptPiece, _model, guesses: true);
                // Guesses take nobody's place.
                if (piece.Guessed > 0 && Cache.PagesToAdd(request.Sequence.Cache, piece.Count) > Free)
                    piece = piece.WithoutGuess;
                int given = piece.Count - piece.Guessed;
                if (given > 1 && promptTokens > 0 && promptTokens + given > _options.PromptTokensPerStep)
                    continue;
                if (!MakeRoom(request, piece.Count))
                    continue;
                promptTokens += given > 1 ? given : 0;
                _forward.Add(request.Sequence.Cache!, request.Sequence.Read(piece), piece.Scored, request.Sequence.Adapter);
                _planned.Add((request, piece));
                request.IsPlanned = true;
            }
        }
    }

    // Pages for the next tokens: free ones, those of prefixes that nobody uses, those of whoever comes last; it may be the request itself.
    private bool MakeRoom(EngineSequence request, int tokens)
    {
        while (true)
        {
            int needed = Cache.PagesToAdd(request.Sequence.Cache!, tokens);
            if (needed > Free)
                _tree?.Evict(needed - Free);
            if (needed <= Free)
            {
                _claimed += needed;
                return true;
            }
            EngineSequence? last = Last(r => !r.IsPlanned);
            Preempt(last!);
            if (last == request)
                return false;
        }
    }

    // Begins with as much of the prompt as a kept prefix has, also when somebody else has read on meanwhile. Returns the tokens that were gained.
    private int Share(EngineSequence request)
    {
        GeneratedSequence sequence = request.Sequence;
        if (_tree is null || sequence.ReadInPieces > (_model.PrefixLimit ?? int.MaxValue) || sequence.Cache!.Length % KvCache.PageSize != 0)
            return 0;
        _pages.Clear();
        PageTree.Node node = _tree.Root(sequence.Adapter);
        int most = sequence.Unscored / KvCache.PageSize;
        while (_pages.Count < most && _tree.Find(node, Page(sequence, _pages.Count)) is { } next)
        {
            node = next;
            _pages.Add(next.Page);
        }
        // What is left of a piece must be read by the kernels that would have read the whole of it, which a few tokens are not.
        int tokens = _pages.Count * KvCache.PageSize, left = Math.Min(sequence.ReadInPieces, ((tokens / _options.PromptPiece) + 1) * _options.PromptPiece) - tokens;
        if (tokens % _options.PromptPiece != 0 && left < KvCache.PageSize / 2)
        {
            _pages.RemoveAt(_pages.Count - 1);
            node = node.Parent!;
            tokens -= KvCache.PageSize;
        }
        int gained = tokens - sequence.Cache.Length;
        if (gained > 0)
            ((PagedSequence)sequence.Cache).Take(CollectionsMarshal.AsSpan(_pages));
        if (gained > 0 || sequence.Cache.Length == 0)
            request.Node = node;
        return Math.Max(0, gained);
    }

    private static ReadOnlySpan<int> Page(GeneratedSequence sequence, int page) => sequence.Tokens.Slice(page * KvCache.PageSize, KvCache.PageSize);

    // Whether the page that a prompt needs next is read in this step already: it will be shared in the next one.
    private bool IsReadByAnother(EngineSequence request)
    {
        int at = request.Sequence.Cache!.Length;
        if (request.Node is not { IsKept: true } node || node.Depth * KvCache.PageSize != at || at + KvCache.PageSize > request.Sequence.Unscored)
            return false;
        foreach ((EngineSequence other, SequencePiece piece) in _planned)
        {
            if (other.Node == node && piece.At == at && at + KvCache.PageSize <= Math.Min(piece.At + piece.Count, other.Sequence.ReadInPieces)
                && Page(other.Sequence, node.Depth).SequenceEqual(Page(request.Sequence, node.Depth)))
                return true;
        }
        return false;
    }

    private void Run()
    {
        Task? prepared = Prepare();
        Tensor? logits;
        try
        {
            logits = _forward.Run();
        }
        finally
        {
            prepared?.Wait();
        }
        _steps++;
        Span<float> scores = logits is null ? default : logits.Span();
        int vocabulary = logits?.Shape.Columns ?? 0;
        foreach ((EngineSequence request, SequencePiece piece) in _planned.ToArray())
        {
            Keep(request);
            Take(request, piece, scores[..(piece.Scored * vocabulary)]);
            scores = scores[(piece.Scored * vocabulary)..];
        }
    }

    // Constraints find out what they allow while the model computes.
    private Task? Prepare()
    {
        EngineSequence[] constrained = [.. _planned.Where(p => p.Piece.Chooses && p.Request.Sequence.Constraint is not null).Select(p => p.Request)];
        return constrained.Length == 0 ? null : Task.Run(() => Array.ForEach(constrained, r => r.Prepare()));
    }

    private void Take(EngineSequence request, in SequencePiece piece, Span<float> scores)
    {
        try
        {
            if (request.Failure is { } failure)
                throw failure;
            int read = Math.Min(piece.Count, Math.Max(0, request.Sequence.PromptLength - piece.At));
            int before = request.Sequence.Tokens.Length;
            request.Sequence.Take(piece, scores, _scratch, _model.LongestSequence);
            int chosen = request.Sequence.Tokens.Length - before;
            _promptTokens += read;
            _generatedTokens += chosen;
            _guessedTokens += piece.Guessed;
            _rightGuesses += piece.Guessed > 0 ? Math.Max(0, chosen - 1) : 0;
            _waiting.Serve(request, read + chosen);
            if (request.Sequence.Finish is not null)
                Leave(request);
            Publish(request);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Fail(request, e);
        }
    }

    // The whole pages that were read of a prompt are kept for others.
    private void Keep(EngineSequence request)
    {
        GeneratedSequence sequence = request.Sequence;
        if (request.Node is null || _tree is null || sequence.ReadInPieces > (_model.PrefixLimit ?? int.MaxValue))
            return;
        PagedSequence cache = (PagedSequence)sequence.Cache!;
        int whole = Math.Min(cache.Length, sequence.ReadInPieces) / KvCache.PageSize;
        while (request.Node is { IsKept: true } node && node.Depth < whole)
            request.Node = _tree.Find(node, Page(sequence, node.Depth)) ?? _tree.Add(node, Page(sequence, node.Depth), cache.Pages[node.Depth]);
        // Its last page has made room for others: what is read now has nothing to stand behind.
        if (request.Node is { IsKept: false })
            request.Node = null;
    }
}
