using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Generation;

/// <summary>
/// Continues any number of token sequences with one model, a step at a time: every <see cref="Step"/> reads a piece of each prompt
/// that is not read yet and gives one token to each of the other sequences (Yu et al., "Orca", 2022). Sequences join and leave
/// between steps. A sequence has the same tokens alone and among others.
/// Left out: beams (<see cref="BeamSearch"/>), and a policy for more sequences than memory holds (<see cref="GenerationEngine"/>).
/// </summary>
/// <remarks>A generator and its model belong to one thread at a time; several generators may take turns with a model.</remarks>
public sealed class Generator : IDisposable
{
    /// <summary>Cache memory that is taken when sequences join; beyond it the cache grows as they do.</summary>
    private const long ReservedBytes = 64 << 20;

    private readonly GenerativeModel _model;
    private readonly GeneratorOptions _options;
    private readonly CachedForward _forward;
    private readonly LogitsScratch _scratch = new();
    private readonly List<GeneratedSequence> _active = [];
    private readonly List<(GeneratedSequence Sequence, SequencePiece Piece)> _planned = [];
    private NewToken[] _new = new NewToken[8];
    private bool _joined;

    /// <summary>Prepares to generate; the model must outlive the generator.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How prompts are read; the defaults where null.</param>
    public Generator(GenerativeModel model, GeneratorOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _options = options ?? new GeneratorOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.PromptPiece, 1, nameof(options));
        _forward = new CachedForward(model);
    }

    /// <summary>The number of sequences that go on.</summary>
    public int Active
    {
        get
        {
            RemoveFinished();
            return _active.Count;
        }
    }

    /// <summary>Cache pages in use (<see cref="KvCache.PageSize"/> tokens of a transformer, or the state of a recurrent network).</summary>
    public int PagesInUse => _forward.Cache.PagesInUse;

    /// <summary>Bytes of all cache pages, used and free.</summary>
    public long CacheBytes => _forward.Cache.Bytes;

    /// <summary>Adds a sequence; it takes part from the next step on. One that has no room for a token is finished at once.</summary>
    /// <exception cref="ArgumentException">The prompt is empty, longer than the context, or holds an unknown id; or another value is wrong. One line.</exception>
    public GeneratedSequence Add(GenerationRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Check(_model);
        int capacity = request.Capacity(_model);
        GeneratedSequence sequence = new(request, capacity, _forward.Cache.NewSequence(capacity, request.Source));
        sequence.AcquireAdapter(_model);
        sequence.EndIfFull(_model.LongestSequence);
        if (sequence.Finish is null)
        {
            _active.Add(sequence);
            _joined = true;
        }
        return sequence;
    }

    /// <summary>
    /// Gives the next token to every sequence whose prompt has been read, and reads on in the others' prompts. The tokens are valid
    /// until the next call; none come while prompts are still being read, or when no sequence is active.
    /// </summary>
    /// <param name="cancellation">Looked at before the step; the sequences stay as they are and can go on later.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="InvalidOperationException">The model's scores are not numbers.</exception>
    public ReadOnlySpan<NewToken> Step(CancellationToken cancellation = default)
    {
        cancellation.ThrowIfCancellationRequested();
        RemoveFinished();
        if (_active.Count == 0)
            return [];
        if (_joined)
            Reserve();
        Plan();
        Tensor? logits = _forward.Run();
        Span<float> scores = logits is null ? default : logits.Span();
        int vocabulary = logits?.Shape.Columns ?? 0, count = 0;
        if (_new.Length < _planned.Count)
            _new = new NewToken[2 * _planned.Count];
        foreach ((GeneratedSequence sequence, SequencePiece piece) in _planned)
        {
            if (sequence.Take(piece, scores[..(piece.Scored * vocabulary)], _scratch, _model.LongestSequence))
                _new[count++] = new NewToken(sequence, sequence.Tokens[^1]);
            scores = scores[(piece.Scored * vocabulary)..];
        }
        return _new.AsSpan(0, count);
    }

    /// <summary>Generates a sequence and hands out its tokens as they come. Others that were added go on beside it; its pages are given back when the enumeration ends.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    /// <exception cref="ArgumentException">As for <see cref="Add"/>; thrown now, not when the first token is asked for.</exception>
    public IEnumerable<int> Stream(GenerationRequest request, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Check(_model);
        return StreamTokens(request, cancellation);
    }

    /// <summary>Generates a sequence to its end.</summary>
    public GeneratedSequence Run(GenerationRequest request, CancellationToken cancellation = default) => Run([request], cancellation)[0];

    /// <summary>Generates sequences together until all have ended.</summary>
    public IReadOnlyList<GeneratedSequence> Run(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        foreach (GenerationRequest request in requests)
        {
            ArgumentNullException.ThrowIfNull(request, nameof(requests));
            request.Check(_model);
        }
        GeneratedSequence[] sequences = [.. requests.Select(Add)];
        try
        {
            while (!Array.TrueForAll(sequences, s => s.Finish is not null))
                Step(cancellation);
        }
        finally
        {
            foreach (GeneratedSequence sequence in sequences)
                sequence.Cancel();
        }
        return sequences;
    }

    /// <summary>Frees the cache; sequences that go on end as cancelled.</summary>
    public void Dispose()
    {
        foreach (GeneratedSequence sequence in _active)
            sequence.Cancel();
        _active.Clear();
        _forward.Dispose();
    }

    private IEnumerable<int> StreamTokens(GenerationRequest request, CancellationToken cancellation)
    {
        using GeneratedSequence sequence = Add(request);
        int handed = 0;
        while (true)
        {
            while (handed < sequence.Generated.Length)
                yield return sequence.Generated[handed++];
            if (sequence.Finish is not null)
                yield break;
            Step(cancellation);
        }
    }

    private void Plan()
    {
        _forward.Begin();
        _planned.Clear();
        int promptTokens = 0;
        foreach (GeneratedSequence sequence in _active)
        {
            SequencePiece piece = sequence.Next(_options.PromptPiece, _model);
            if (piece.Count > 1 && promptTokens > 0 && promptTokens + piece.Count > _options.PromptTokensPerStep)
                continue;
            promptTokens += piece.Count > 1 ? piece.Count : 0;
            _forward.Add(sequence.Cache!, sequence.Tokens.Slice(piece.At, piece.Count), piece.Scored, sequence.Adapter);
            _planned.Add((sequence, piece));
        }
    }

    private void Reserve()
    {
        _joined = false;
        long pages = 0;
        foreach (GeneratedSequence sequence in _active)
            pages += _forward.Cache.PagesFor(sequence.Capacity);
        _forward.Cache.Reserve((int)Math.Min(pages, ReservedBytes / Math.Max(1, _forward.Cache.PageBytes)));
    }

    private void RemoveFinished()
    {
        int kept = 0;
        for (int i = 0; i < _active.Count; i++)
        {
            if (_active[i].Finish is null)
                _active[kept++] = _active[i];
        }
        _active.RemoveRange(kept, _active.Count - kept);
    }
}

/// <summary>A token that a step of a <see cref="Generator"/> gave to a sequence; <see cref="GeneratedSequence.Finish"/> says whether it is the last.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="Id">The token.</param>
public readonly record struct NewToken(GeneratedSequence Sequence, int Id);

/// <summary>How a <see cref="Generator"/> reads prompts.</summary>
/// <param name="PromptPiece">Tokens of one prompt that a step reads at most, ≥ 1: bounds how long the other sequences wait.</param>
/// <param name="PromptTokensPerStep">Prompt tokens of all sequences that a step reads at most, but at least one prompt's piece.</param>
public sealed record GeneratorOptions(int PromptPiece = 256, int PromptTokensPerStep = 1024);
