// How probable continuations are. Contexts are read once, however many continuations they have, and pieces of contexts that begin alike once for
// all of them: each is read in pieces cut at fixed places, so the numbers of a request are the same to the last bit alone and among others.
// Left out: a policy for more sequences than memory holds (a wave has a bounded number of tokens).

using System.Numerics.Tensors;
using Gradus.Models;
using Gradus.Nn;

namespace Gradus.Generation;

/// <summary>A continuation to score.</summary>
/// <param name="Context">What stands before it, at least one token; of a model with an encoder, the source.</param>
/// <param name="Continuation">The tokens to score; may be empty.</param>
public sealed record ScoringRequest(int[] Context, int[] Continuation);

/// <summary>How probable a continuation is.</summary>
/// <param name="LogProbability">Σ ln p of its tokens, each given all before it, in nats; 0 for an empty one.</param>
/// <param name="IsGreedy">Whether every token is the most probable one, the first of equals.</param>
public readonly record struct SequenceScore(double LogProbability, bool IsGreedy);

/// <summary>Scores continuations with one model, many at a time. It and its model belong to one thread at a time.</summary>
public sealed class SequenceScorer : IDisposable
{
    private const int Piece = 256;
    private const int StepTokens = 2048;
    private const int WaveTokens = 8192;
    private const long StepLogits = 16 << 20;

    private readonly GenerativeModel _model;
    private readonly CachedForward _forward;
    private readonly float[] _scratch = new float[1024];
    private List<Node> _path = [];

    /// <summary>Prepares to score; the model must outlive the scorer.</summary>
    /// <param name="model">The model.</param>
    public SequenceScorer(GenerativeModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _forward = new CachedForward(model);
    }

    /// <summary>Scores continuations, in an order of its own.</summary>
    /// <param name="requests">The requests.</param>
    /// <param name="scored">Takes the number of a request and its score.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    /// <exception cref="ArgumentException">A request does not fit the model: no context, an unknown id, more tokens than its context length. One line.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; what was scored stays.</exception>
    public void Score(IReadOnlyList<ScoringRequest> requests, Action<int, SequenceScore> scored, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(scored);
        Progress[] all = [.. requests.Select((r, i) => new Progress(i, r, Check(r)))];
        try
        {
            List<Progress> wave = [];
            int tokens = 0;
            int[]? last = null;
            foreach (Progress request in all.Order(Progress.ByContext))
            {
                int cost = request.Continuation.Length + (last is null || !last.AsSpan().SequenceEqual(request.Context) ? Math.Min(request.Context.Length, 2 * Piece) : 0);
                if (wave.Count > 0 && tokens + cost > WaveTokens && !last.AsSpan().SequenceEqual(request.Context))
                {
                    Run(wave, scored, cancellation);
                    wave.Clear();
                    tokens = 0;
                }
                wave.Add(request);
                tokens += cost;
                last = request.Context;
            }
            if (wave.Count > 0)
                Run(wave, scored, cancellation);
        }
        finally
        {
            Forget(_path, []);
        }
    }

    /// <summary>Frees the cache.</summary>
    public void Dispose() => _forward.Dispose();

    private bool Check(ScoringRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        GenerationRequest.CheckPrompt(request.Context, "context", _model.Config, _model.LongestSequence);
        if (request.Continuation.Length > 0)
            GenerationRequest.CheckPrompt(request.Continuation, "continuation", _model.Config, _model.LongestSequence);
        int read = (_model is EncoderDecoderModel ? 1 : request.Context.Length) + request.Continuation.Length - 1;
        if (read > _model.LongestSequence)
            throw new ArgumentException($"Context and continuation have {read + 1} tokens, but the model's context is {_model.LongestSequence}; shorten the context.");
        return read > _model.ShortLimit;
    }

    // All contexts of the wave piece by piece, each distinct beginning once; then all continuations.
    private void Run(List<Progress> wave, Action<int, SequenceScore> scored, CancellationToken cancellation)
    {
        List<Node> old = _path, all = [];
        List<List<Node>> levels = [];
        foreach (IGrouping<(int[], bool), Progress> group in wave.GroupBy(r => (r.Context, r.IsLong), Progress.SameContext))
            _path = Enter(group.Key.Item1, group.Key.Item2, [.. group], levels, all);
        foreach (List<Node> level in levels)
            ReadContexts(level, cancellation);
        foreach (Node node in levels.SelectMany(l => l).Concat(old).Distinct())
            node.Requests.ForEach(r => r.Begin(node));
        ReadContinuations(wave, cancellation);
        foreach (Progress request in wave)
            scored(request.Index, new SequenceScore(request.Sum, request.IsGreedy));
        // Whole pieces of the last context may begin the next one too.
        List<Node> kept = [.. _path.TakeWhile(n => n.Tokens.Length == Piece && _model is not EncoderDecoderModel)];
        Forget([.. old, .. all], kept);
        kept.ForEach(n => n.Requests.Clear());
        _path = kept;
    }

    private List<Node> Enter(int[] context, bool isLong, List<Progress> requests, List<List<Node>> levels, List<Node> all)
    {
        bool hasEncoder = _model is EncoderDecoderModel;
        int[] read = _model is EncoderDecoderModel model ? [model.StartToken] : context;
        List<Node> path = [];
        for (int start = 0; start < read.Length; start += Piece)
        {
            ReadOnlySpan<int> tokens = read.AsSpan(start, Math.Min(Piece, read.Length - start));
            int depth = path.Count;
            bool known = !hasEncoder && depth < _path.Count && (depth == 0 || path[^1] == _path[depth - 1]) && _path[depth].IsLong == isLong && tokens.SequenceEqual(_path[depth].Tokens);
            Node node = known ? _path[depth] : new Node(depth == 0 ? null : path[^1], tokens.ToArray(), hasEncoder ? context : null, isLong);
            path.Add(node);
            if (known)
                continue;
            all.Add(node);
            while (levels.Count <= depth)
                levels.Add([]);
            levels[depth].Add(node);
        }
        Node end = path[^1];
        end.Requests.AddRange(requests);
        // A piece that an earlier wave read without asking for scores is read again for them.
        if (end.IsRead && !all.Contains(end))
            levels[Place(path.Count - 1)].Add(path[^1] = Again(end, all));
        return path;

        int Place(int depth)
        {
            while (levels.Count <= depth)
                levels.Add([]);
            return depth;
        }
    }

    private static Node Again(Node node, List<Node> all)
    {
        Node again = new(node.Parent, node.Tokens, node.Source, node.IsLong);
        again.Requests.AddRange(node.Requests);
        node.Requests.Clear();
        all.Add(again);
        return again;
    }

    private void ReadContexts(List<Node> nodes, CancellationToken cancellation)
    {
        foreach (List<Node> step in Steps(nodes, n => n.Tokens.Length, n => n.Requests.Count > 0 ? 1 : 0))
        {
            cancellation.ThrowIfCancellationRequested();
            _forward.Begin();
            foreach (Node node in step)
            {
                node.Open(_forward);
                _forward.Add(node.Sequence!, node.Tokens, node.Requests.Count > 0 ? 1 : 0);
            }
            if (_forward.Run() is not { } logits)
                continue;
            int row = 0;
            foreach (Node node in step.Where(n => n.Requests.Count > 0))
            {
                Span<float> scores = Row(logits, row++);
                (double total, int best) = Normalizer(scores);
                foreach (Progress request in node.Requests.Where(r => r.Continuation.Length > 0))
                    request.Take(scores[request.Continuation[0]] - total, best == request.Continuation[0]);
            }
        }
    }

    private void ReadContinuations(List<Progress> wave, CancellationToken cancellation)
    {
        List<Progress> open = [.. wave.Where(r => r.Continuation.Length > 1)];
        while (open.Count > 0)
        {
            foreach (List<Progress> step in Steps(open, r => r.Pending.Length, r => r.Pending.Length))
            {
                cancellation.ThrowIfCancellationRequested();
                _forward.Begin();
                foreach (Progress request in step)
                    _forward.Add(request.Sequence!, request.Pending, request.Pending.Length);
                Tensors.Tensor logits = _forward.Run()!;
                int row = 0;
                foreach (Progress request in step)
                    row = Take(request, logits, row);
            }
            open.RemoveAll(r => r.IsDone);
        }
    }

    private int Take(Progress request, Tensors.Tensor logits, int row)
    {
        int count = request.Pending.Length;
        for (int i = 0; i < count; i++)
        {
            Span<float> scores = Row(logits, row++);
            int target = request.Continuation[request.Scored];
            (double total, int best) = Normalizer(scores);
            request.Take(scores[target] - total, best == target);
        }
        request.CloseIfDone();
        return row;
    }

    // Steps of bounded tokens and bounded scores, one item at the least.
    private List<List<T>> Steps<T>(List<T> items, Func<T, int> tokens, Func<T, int> rows)
    {
        List<List<T>> steps = [];
        long count = 0, scores = 0;
        foreach (T item in items)
        {
            long more = (long)rows(item) * _model.Config.Vocabulary;
            if (steps.Count == 0 || count + tokens(item) > StepTokens || scores + more > StepLogits)
            {
                steps.Add([]);
                count = scores = 0;
            }
            steps[^1].Add(item);
            (count, scores) = (count + tokens(item), scores + more);
        }
        return steps;
    }

    private static Span<float> Row(Tensors.Tensor logits, int row) => logits.Span().Slice(row * logits.Shape.Columns, logits.Shape.Columns);

    // ln Σ e^score, in double over blocks of a fixed size, and the first largest score.
    private (double Total, int Best) Normalizer(ReadOnlySpan<float> scores)
    {
        int best = TensorPrimitives.IndexOfMax(scores);
        float most = scores[best];
        double sum = 0;
        for (int start = 0; start < scores.Length; start += _scratch.Length)
        {
            Span<float> block = _scratch.AsSpan(0, Math.Min(_scratch.Length, scores.Length - start));
            TensorPrimitives.Subtract(scores.Slice(start, block.Length), most, block);
            TensorPrimitives.Exp(block, block);
            sum += TensorPrimitives.Sum<float>(block);
        }
        return (most + Math.Log(sum), best);
    }

    private static void Forget(IEnumerable<Node> nodes, IReadOnlyCollection<Node> kept)
    {
        foreach (Node node in nodes.Where(n => !kept.Contains(n)))
            node.Close();
    }

    /// <summary>A piece of a context behind the pieces before it.</summary>
    private sealed class Node(Node? parent, int[] tokens, int[]? source, bool isLong)
    {
        public Node? Parent { get; } = parent;

        public int[] Tokens { get; } = tokens;

        public int[]? Source { get; } = source;

        public bool IsLong { get; } = isLong;

        /// <summary>The requests whose context ends here.</summary>
        public List<Progress> Requests { get; } = [];

        public CachedSequence? Sequence { get; private set; }

        public bool IsRead => Sequence is not null;

        public void Open(CachedForward forward)
        {
            Sequence = Parent is null ? forward.Cache.NewSequence(Tokens.Length, Source) : Parent.Sequence!.Fork();
            // Where rotary frequencies change with the length, all requests of a piece are on one side of the limit.
            Sequence.Expect(IsLong ? forward.ShortLimit!.Value + 1 : Sequence.Length + Tokens.Length, forward.ShortLimit);
        }

        public void Close()
        {
            Sequence?.Dispose();
            Sequence = null;
        }
    }

    /// <summary>A request on its way.</summary>
    private sealed class Progress(int index, ScoringRequest request, bool isLong)
    {
        private int _read;

        public static IComparer<Progress> ByContext { get; } = Comparer<Progress>.Create((a, b) =>
            a.IsLong != b.IsLong ? a.IsLong.CompareTo(b.IsLong) : a.Context.AsSpan().SequenceCompareTo(b.Context) is not 0 and var order ? order : a.Index.CompareTo(b.Index));

        public static IEqualityComparer<(int[] Context, bool IsLong)> SameContext { get; } = EqualityComparer<(int[] Context, bool IsLong)>.Create(
            (a, b) => a.IsLong == b.IsLong && a.Context.AsSpan().SequenceEqual(b.Context), k => HashCode.Combine(k.Context.Length, k.Context[^1], k.IsLong));

        public int Index { get; } = index;

        public int[] Context { get; } = request.Context;

        public int[] Continuation { get; } = request.Continuation;

        public bool IsLong { get; } = isLong;

        public CachedSequence? Sequence { get; private set; }

        public double Sum { get; private set; }

        public bool IsGreedy { get; private set; } = true;

        public int Scored { get; private set; }

        public bool IsDone => Scored >= Continuation.Length;

        /// <summary>The tokens that are read next: all but the last, of which nothing follows.</summary>
        public ReadOnlySpan<int> Pending => Continuation.AsSpan(_read, Math.Min(Piece, Continuation.Length - 1 - _read));

        public void Begin(Node node)
        {
            if (Continuation.Length > 1)
                Sequence = node.Sequence!.Fork();
        }

        public void Take(double logProbability, bool best)
        {
            Sum += logProbability;
            IsGreedy &= best;
            Scored++;
        }

        public void CloseIfDone()
        {
            _read = Scored - 1;
            if (!IsDone)
                return;
            Sequence?.Dispose();
            Sequence = null;
        }
    }
}
