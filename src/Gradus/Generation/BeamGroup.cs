using System.Numerics.Tensors;
using Gradus.Nn;

namespace Gradus.Generation;

/// <summary>The beams and finished hypotheses of one prompt.</summary>
internal sealed class BeamGroup : IDisposable
{
    private readonly BeamSearchRequest _request;
    private readonly int _limit;
    private readonly SequenceAdapter? _adapter;
    private readonly int _width;
    private readonly LogitsStep[] _steps;
    private readonly int[] _stopTokens;
    private readonly List<Hypothesis> _finished = [];
    private readonly PriorityQueue<Candidate, double> _queue = new();
    private readonly List<Candidate> _candidates = [];
    private List<Beam> _beams;
    private List<Beam> _next = [];
    private int _generated;
    private bool _mayImprove = true;

    public BeamGroup(BeamSearchRequest request, int limit, CachedSequence cache, SequenceAdapter? adapter)
    {
        _request = request;
        _limit = limit;
        _adapter = adapter;
        _width = request.Beams / request.Groups;
        _steps = [.. request.Steps];
        _stopTokens = [.. request.StopTokens];
        _beams = [new Beam([.. request.Prompt], 0, cache)];
    }

    /// <summary>Whether the search has ended.</summary>
    public bool Done { get; private set; }

    /// <summary>Rows of logits that this group asked for in the present step.</summary>
    public int RowsInStep { get; private set; }

    /// <summary>The tokens that the beams which go on have just chosen.</summary>
    public IEnumerable<int> Chosen => _beams.Select(b => b.Tokens[^1]);

    private bool Full => _finished.Count == _width;

    /// <summary>All results, the best first.</summary>
    public IReadOnlyList<Hypothesis> Found() => [.. _finished];

    /// <summary>Adds what the model has not read yet to a step; nothing once the search has ended.</summary>
    public void AddTo(CachedForward forward, int promptPiece)
    {
        RowsInStep = 0;
        foreach (Beam beam in _beams)
        {
            beam.Cache.Expect(beam.Tokens.Length, forward.ShortLimit);
            int pending = beam.Tokens.Length - beam.Cache.Length, count = Math.Min(pending, promptPiece);
            forward.Add(beam.Cache, beam.Tokens.AsSpan(beam.Cache.Length, count), scored: count == pending ? 1 : 0, _adapter);
            RowsInStep += count == pending ? 1 : 0;
        }
    }

    /// <summary>One token more: takes the best continuations of all beams, finished ones apart.</summary>
    /// <param name="logits">A row for each beam.</param>
    /// <param name="vocabulary">The length of a row.</param>
    /// <param name="scratch">Working memory.</param>
    /// <param name="taken">The tokens that the groups before this one have just chosen.</param>
    public void Advance(Span<float> logits, int vocabulary, LogitsScratch scratch, IReadOnlyList<int> taken)
    {
        RankCandidates(logits, vocabulary, scratch, taken);
        _generated++;
        bool last = _generated == _limit, takes = _mayImprove && !(Full && _request.EarlyStopping == EarlyStopping.WhenFull);
        for (int rank = 0; rank < _candidates.Count; rank++)
        {
            Candidate candidate = _candidates[rank];
            bool ends = last || Array.IndexOf(_stopTokens, candidate.Token) >= 0;
            // What ends behind the first ranks is dropped: it is there only so that enough beams go on.
            if (ends && rank < _width && takes)
                Finish(candidate);
            else if (!ends && _next.Count < _width)
                _next.Add(Continue(candidate));
        }
        foreach (Beam beam in _beams)
            beam.Cache.Dispose();
        (_beams, _next) = (_next, _beams);
        _next.Clear();
        if (last || _beams.Count == 0 || !MayGoOn())
            Dispose();
    }

    /// <summary>Ends the search; the beams' pages go back to the cache.</summary>
    public void Dispose()
    {
        if (!Done)
            _adapter?.Release();
        Done = true;
        foreach (Beam beam in _beams)
            beam.Cache.Dispose();
        _beams.Clear();
    }

    // As many candidates as leave enough beams even if every beam's best continuations are stop tokens.
    private void RankCandidates(Span<float> logits, int vocabulary, LogitsScratch scratch, IReadOnlyList<int> taken)
    {
        int wanted = Math.Max(2, 1 + _stopTokens.Length) * _width;
        for (int b = 0; b < _beams.Count; b++)
        {
            Beam beam = _beams[b];
            Span<float> row = logits.Slice(b * vocabulary, vocabulary);
            TensorPrimitives.Subtract(row, (float)Distribution.LogSumExp(row, scratch), row);
            GenerationState state = new(beam.Tokens, _request.Prompt.Length, scratch);
            foreach (LogitsStep step in _steps)
                step.Apply(row, state);
            foreach (int token in taken)
                row[token] -= _request.DiversityPenalty;
            for (int token = 0; token < row.Length; token++)
            {
                double score = beam.LogProbability + row[token];
                if (double.IsNaN(score))
                    throw new InvalidDataException($"The logit of token {token} is NaN; the model's weights are broken, or numbers overflowed.");
                if (double.IsNegativeInfinity(score))
                    continue;
                if (_queue.Count < wanted)
                    _queue.Enqueue(new Candidate(beam, token, score), score);
                else if (score > _queue.Peek().LogProbability)
                    _queue.EnqueueDequeue(new Candidate(beam, token, score), score);
            }
        }
        _candidates.Clear();
        while (_queue.TryDequeue(out Candidate candidate, out _))
            _candidates.Add(candidate);
        _candidates.Reverse();
    }

    private void Finish(Candidate candidate)
    {
        double score = candidate.LogProbability / Math.Pow(_generated, _request.LengthPenalty);
        int place = _finished.FindIndex(h => h.Score < score);
        _finished.Insert(place < 0 ? _finished.Count : place, new Hypothesis([.. candidate.Beam.Tokens.AsSpan(_request.Prompt.Length), candidate.Token], score));
        if (_finished.Count > _width)
            _finished.RemoveAt(_finished.Count - 1);
    }

    private static Beam Continue(Candidate candidate) =>
        new([.. candidate.Beam.Tokens, candidate.Token], candidate.LogProbability, candidate.Beam.Cache.Fork());

    private bool MayGoOn()
    {
        if (!Full)
            return true;
        bool whateverLength = _request.EarlyStopping == EarlyStopping.WhenImpossibleToImprove && _request.LengthPenalty > 0;
        double length = whateverLength ? _limit : _generated;
        _mayImprove &= _beams[0].LogProbability / Math.Pow(length, _request.LengthPenalty) > _finished[^1].Score;
        return _mayImprove && _request.EarlyStopping != EarlyStopping.WhenFull;
    }

    /// <summary>A sequence that goes on.</summary>
    /// <param name="Tokens">The prompt and what was generated.</param>
    /// <param name="LogProbability">Of what was generated.</param>
    /// <param name="Cache">Its keys and values.</param>
    private sealed record Beam(int[] Tokens, double LogProbability, CachedSequence Cache);

    /// <summary>A beam with one token more.</summary>
    private readonly record struct Candidate(Beam Beam, int Token, double LogProbability);
}
