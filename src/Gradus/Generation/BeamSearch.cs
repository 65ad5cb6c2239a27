using Gradus.Models;

namespace Gradus.Generation;

/// <summary>
/// Follows the most probable beginnings of a sequence at once and returns the best whole ones (Lowerre, "The HARPY Speech Recognition
/// System", 1976), with the stopping rules of transformers. Beams share the cache pages of what they have in common.
/// Left out: sampling among beams, diverse groups and constraints.
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
        BeamGroup[] groups = [.. requests.Select(r => new BeamGroup(r, r.Limit(_model), _forward.Cache.NewSequence(source: r.Source), r.Adapter is { } name ? _model.Acquire(name) : null))];
        try
        {
            while (!Array.TrueForAll(groups, g => g.Done))
            {
                cancellation.ThrowIfCancellationRequested();
                Step(groups);
            }
        }
        finally
        {
            foreach (BeamGroup group in groups)
                group.Dispose();
        }
        return [.. groups.Select(g => g.Best())];
    }

    /// <summary>Frees the cache.</summary>
    public void Dispose() => _forward.Dispose();

    private void Step(BeamGroup[] groups)
    {
        _forward.Begin();
        foreach (BeamGroup group in groups)
            group.AddTo(_forward, PromptPiece);
        if (_forward.Run() is not { } logits)
            return;
        int vocabulary = logits.Shape.Columns, row = 0;
        Span<float> scores = logits.Span();
        foreach (BeamGroup group in groups)
        {
            int rows = group.RowsInStep;
            if (rows > 0)
                group.Advance(scores.Slice(row * vocabulary, rows * vocabulary), vocabulary, _scratch);
            row += rows;
        }
    }
}
