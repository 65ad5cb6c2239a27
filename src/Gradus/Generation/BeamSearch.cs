using Gradus.Models;

namespace Gradus.Generation;

/// <summary>
/// Follows the most probable beginnings of a sequence at once and returns the best whole ones (Lowerre, "The HARPY Speech Recognition
/// System", 1976), with the stopping rules of transformers. Beams share the cache pages of what they have in common.
/// Left out: sampling among beams, and constraints.
/// </summary>
/// <remarks>A search and its model belong to one thread at a time.</remarks>
public sealed class BeamSearch : IDisposable
{
    private const int PromptPiece = 256;

    private readonly GenerativeModel _model;
    private readonly CachedForward _forward;
    private readonly LogitsScratch _scratch = new();

    /// <summary>Prepares to search; the model must outlive the search.</summary>
    public BeamSearch(GenerativeModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _forward = new CachedForward(model);
    }

    /// <summary>Cache pages in use (<see cref="Nn.KvCache.PageSize"/> tokens of a transformer, or the state of a recurrent network).</summary>
    public int PagesInUse => _forward.Cache.PagesInUse;

    /// <summary>The best hypotheses of a prompt, the best first.</summary>
    /// <exception cref="ArgumentException">A value of the request is wrong; one line that says which and what to do.</exception>
    public IReadOnlyList<Hypothesis> Run(BeamSearchRequest request, CancellationToken cancellation = default) => Run([request], cancellation)[0];

    /// <summary>The best hypotheses of each of several prompts, which are searched together.</summary>
    /// <exception cref="ArgumentException">A value of a request is wrong; one line that says which and what to do.</exception>
    public IReadOnlyList<IReadOnlyList<Hypothesis>> Run(IReadOnlyList<BeamSearchRequest> requests, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        foreach (BeamSearchRequest request in requests)
        {
            ArgumentNullException.ThrowIfNull(request, nameof(requests));
            request.Check(_model);
        }
        BeamGroup[][] searches = [.. requests.Select(r => Enumerable.Range(0, r.Groups).Select(_ => new BeamGroup(r, r.Limit(_model), _forward.Cache.NewSequence(source: r.Source), r.Adapter is { } name ? _model.Acquire(name) : null)).ToArray())];
        BeamGroup[] groups = [.. searches.SelectMany(s => s)];
        try
        {
            while (!Array.TrueForAll(groups, g => g.Done))
            {
                cancellation.ThrowIfCancellationRequested();
                Step(searches);
            }
        }
        finally
        {
            foreach (BeamGroup group in groups)
                group.Dispose();
        }
        return [.. searches.Select((search, i) => (IReadOnlyList<Hypothesis>)[.. search.SelectMany(g => g.Found()).OrderByDescending(h => h.Score).Take(requests[i].Returned)])];
    }

    /// <summary>Frees the cache.</summary>
    public void Dispose() => _forward.Dispose();

    private void Step(BeamGroup[][] searches)
    {
        _forward.Begin();
        foreach (BeamGroup group in searches.SelectMany(s => s))
            group.AddTo(_forward, PromptPiece);
        if (_forward.Run() is not { } logits)
            return;
        int vocabulary = logits.Shape.Columns, row = 0;
        Span<float> scores = logits.Span();
        List<int> taken = [];
        foreach (BeamGroup[] search in searches)
        {
            taken.Clear();
            foreach (BeamGroup group in search)
            {
                int rows = group.RowsInStep;
                if (rows > 0)
                {
                    group.Advance(scores.Slice(row * vocabulary, rows * vocabulary), vocabulary, _scratch, taken);
                    taken.AddRange(group.Chosen);
                }
                row += rows;
            }
        }
    }
}
