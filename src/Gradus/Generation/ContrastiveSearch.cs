// Source: Su et al., "A Contrastive Framework for Neural Text Generation", 2022; as transformers' generate with penalty_alpha and top_k.

using System.Numerics.Tensors;
using Gradus.Models;
using Gradus.Nn;
using Tensor = Gradus.Tensors.Tensor;

namespace Gradus.Generation;

/// <summary>What a contrastive search is to find.</summary>
/// <param name="Request">Prompt, steps, stop tokens, and how many tokens; seeds, constraints and log-probabilities have no part.</param>
/// <param name="Alpha">The weight of the penalty, in [0, 1].</param>
/// <param name="Candidates">The most probable tokens that are looked at, ≥ 1.</param>
public sealed record ContrastiveRequest(GenerationRequest Request, float Alpha = 0.6f, int Candidates = 4);

/// <summary>
/// Goes on with the token v among the most probable ones for which (1 − α) p(v) − α maxⱼ cos(h_v, hⱼ) is largest, where h are the last hidden states of v and
/// of all tokens before it: probable, but unlike what was said. It draws nothing, so the same request has the same result.
/// </summary>
/// <remarks>A search and its model belong to one thread at a time.</remarks>
public sealed class ContrastiveSearch : IDisposable
{
    private const int PromptPiece = 256;

    private readonly GenerativeModel _model;
    private readonly CachedForward _forward;
    private readonly LogitsScratch _scratch = new();

    /// <summary>Prepares to search; the model must outlive the search.</summary>
    public ContrastiveSearch(GenerativeModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _forward = new CachedForward(model);
    }

    /// <summary>Cache pages in use.</summary>
    public int PagesInUse => _forward.Cache.PagesInUse;

    /// <summary>Continues a prompt.</summary>
    /// <param name="request">What to search for.</param>
    /// <param name="taken">Given each token as it comes; null for nobody.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    /// <returns>The generated tokens, a stop token among them, and why the sequence ended.</returns>
    /// <exception cref="ArgumentException">A value of the request is wrong; one line that says which and what to do.</exception>
    public (int[] Generated, FinishReason Finish) Run(ContrastiveRequest request, Action<int>? taken = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Request.Check(_model);
        if (request.Alpha is not (>= 0 and <= 1))
            throw new ArgumentException($"Alpha is {request.Alpha}; give 0 to 1.");
        if (request.Candidates < 1 || request.Candidates > _model.Config.Vocabulary)
            throw new ArgumentException($"Candidates is {request.Candidates}; give 1 to {_model.Config.Vocabulary}.");
        if (request.Request.Adapter is not null)
            throw new ArgumentException("A contrastive search runs the model as it is; leave Adapter out.");
        if (request.Request.Constraint is not null)
            throw new ArgumentException("A contrastive search follows no structure; leave Constraint out.");
        int limit = request.Request.Capacity(_model);
        CachedSequence cache = _forward.Cache.NewSequence(limit, request.Request.Source);
        History history = new();
        try
        {
            List<int> tokens = [.. request.Request.Prompt];
            float[] logits = Read(tokens, cache, history, cancellation);
            while (true)
            {
                if (tokens.Count >= limit)
                    return (Generated(), tokens.Count - request.Request.Prompt.Length >= request.Request.MaxNewTokens ? FinishReason.Length : FinishReason.ContextFull);
                cancellation.ThrowIfCancellationRequested();
                if (Advance(request, tokens, ref cache, history, logits) is not { } next)
                    return (Generated(), FinishReason.NothingAllowed);
                taken?.Invoke(next);
                if (request.Request.StopTokens.Contains(next))
                    return (Generated(), FinishReason.StopToken);
            }

            int[] Generated() => [.. tokens.Skip(request.Request.Prompt.Length)];
        }
        finally
        {
            cache.Dispose();
        }
    }

    /// <summary>Frees the cache.</summary>
    public void Dispose() => _forward.Dispose();

    private float[] Read(List<int> tokens, CachedSequence cache, History history, CancellationToken cancellation)
    {
        int[] prompt = [.. tokens];
        cache.Expect(prompt.Length, _forward.ShortLimit);
        for (int at = 0; ; at += PromptPiece)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(PromptPiece, prompt.Length - at);
            bool last = at + count == prompt.Length;
            _forward.Begin();
            _forward.Add(cache, prompt.AsSpan(at, count), last ? 1 : 0);
            Tensor? logits = _forward.Run();
            history.Add(_forward.Hidden!);
            if (last)
                return logits!.Span().ToArray();
        }
    }

    private int? Advance(ContrastiveRequest request, List<int> tokens, ref CachedSequence cache, History history, float[] logits)
    {
        GenerationState state = new(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(tokens), request.Request.Prompt.Length, _scratch);
        foreach (LogitsStep step in request.Request.Steps)
            step.Apply(logits, state);
        float[] probabilities = new float[logits.Length];
        Distribution.Softmax(logits, probabilities);
        int[] candidates = [.. Enumerable.Range(0, logits.Length).Where(i => probabilities[i] > 0).OrderByDescending(i => probabilities[i]).ThenBy(i => i).Take(request.Candidates)];
        if (candidates.Length == 0)
            return null;
        CachedSequence[] forks = new CachedSequence[candidates.Length];
        _forward.Begin();
        for (int i = 0; i < candidates.Length; i++)
        {
            forks[i] = cache.Fork();
            forks[i].Expect(tokens.Count + 1, _forward.ShortLimit);
            _forward.Add(forks[i], [candidates[i]], 1);
        }
        Tensor scores = _forward.Run()!, hidden = _forward.Hidden!;
        int best = 0;
        double most = double.NegativeInfinity;
        for (int i = 0; i < candidates.Length; i++)
        {
            double score = ((1 - request.Alpha) * probabilities[candidates[i]]) - (request.Alpha * history.Closest(hidden, i));
            if (score > most)
                (best, most) = (i, score);
        }
        cache.Dispose();
        cache = forks[best];
        for (int i = 0; i < forks.Length; i++)
        {
            if (i != best)
                forks[i].Dispose();
        }
        history.Add(hidden, best);
        scores.Span().Slice(best * logits.Length, logits.Length).CopyTo(logits);
        tokens.Add(candidates[best]);
        return candidates[best];
    }

    /// <summary>The hidden states of all tokens so far, scaled to length 1.</summary>
    private sealed class History
    {
        private readonly List<float[]> _directions = [];

        public void Add(Tensor hidden)
        {
            for (int row = 0; row < hidden.Shape.Rows; row++)
                Add(hidden, row);
        }

        public void Add(Tensor hidden, int row) => _directions.Add(Direction(hidden, row));

        /// <summary>The largest cosine between a row and a token so far.</summary>
        public double Closest(Tensor hidden, int row)
        {
            float[] own = Direction(hidden, row);
            double most = -1;
            foreach (float[] other in _directions)
                most = Math.Max(most, TensorPrimitives.Dot<float>(own, other));
            return most;
        }

        private static float[] Direction(Tensor hidden, int row)
        {
            float[] values = hidden.Span().Slice(row * hidden.Shape.Columns, hidden.Shape.Columns).ToArray();
            float norm = TensorPrimitives.Norm<float>(values);
            if (norm > 0)
                TensorPrimitives.Divide(values, norm, values);
            return values;
        }
    }
}
