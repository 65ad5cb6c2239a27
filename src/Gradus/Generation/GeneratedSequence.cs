using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Generation;

/// <summary>A sequence in a <see cref="Generator"/>: its request and what has become of it. Dispose it, or let it finish, to give its cache pages back.</summary>
/// <remarks>
/// The bits of a token's scores depend on how the tokens before it were read: pieces of a prompt and single tokens go through different
/// kernels. So a sequence is always read in the same way (<see cref="Next"/>): its prompt in pieces that end at fixed places, what was generated
/// token by token. Read a second time, because its cache was given up or belongs to a prefix that others share, it has the same bits.
/// </remarks>
public sealed class GeneratedSequence : IDisposable
{
    /// <summary>Tokens that a step may read again at once with the bits of one at a time: kernels take so few queries row by row.</summary>
    private const int ReadAgainAtOnce = 4;

    private readonly int[] _tokens;
    private readonly TokenScores? _scores;
    private readonly TokenScores? _promptScores;
    private readonly LogitsStep[] _steps;
    private readonly int[] _stopTokens;
    private readonly int[][] _stopSequences;
    private readonly ulong _samplingKey;
    private int _count;
    private int _readInPieces;
    private SpeculationRate _rate;

    internal GeneratedSequence(GenerationRequest request, int capacity, CachedSequence? cache = null)
    {
        Request = request;
        Cache = cache;
        PromptLength = _count = _readInPieces = request.Prompt.Length;
        _tokens = new int[Math.Max(capacity, _count)];
        request.Prompt.CopyTo(_tokens, 0);
        if (request.LogProbabilities)
            _scores = new TokenScores(_tokens.Length - _count, request.Alternatives);
        if (request.PromptLogProbabilitiesFrom is { } from)
            _promptScores = new TokenScores(_count - from, request.Alternatives);
        _steps = [.. request.Steps];
        _stopTokens = [.. request.StopTokens];
        _stopSequences = [.. request.StopSequences];
        _samplingKey = Distribution.SamplingKey(request.Seed ?? 0);
        Constraint = request.Constraint?.Invoke();
    }

    /// <summary>What was asked for.</summary>
    public GenerationRequest Request { get; }

    /// <summary>The number of tokens of the prompt.</summary>
    public int PromptLength { get; }

    /// <summary>The prompt and the tokens generated so far.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, _count);

    /// <summary>The tokens generated so far; a stop token or stop sequence is among them.</summary>
    public ReadOnlySpan<int> Generated => Tokens[PromptLength..];

    /// <summary>
    /// For each generated token, log p under the model itself, before any step, in nats; empty if
    /// <see cref="GenerationRequest.LogProbabilities"/> was not asked for.
    /// </summary>
    public ReadOnlySpan<float> LogProbabilities => _scores is null ? [] : _scores.Values;

    /// <summary>The same for the tokens of the prompt from <see cref="GenerationRequest.PromptLogProbabilitiesFrom"/> on, as far as they have been read.</summary>
    public ReadOnlySpan<float> PromptLogProbabilities => _promptScores is null ? [] : _promptScores.Values;

    /// <summary>Why the sequence ended, or null while it goes on.</summary>
    public FinishReason? Finish { get; private set; }

    /// <summary>What the model keeps of the sequence; null while it waits without any.</summary>
    internal CachedSequence? Cache { get; private set; }

    /// <summary>The adapter that it is run with, or null; it stays until the sequence ends, also where it is unloaded before.</summary>
    internal SequenceAdapter? Adapter { get; private set; }

    /// <summary>What restricts the tokens, or null.</summary>
    internal TokenConstraint? Constraint { get; }

    /// <summary>The tokens that it can have at most.</summary>
    internal int Capacity => _tokens.Length;

    /// <summary>The tokens, from the first, that are read in pieces: the prompt, or all that there were when rotary frequencies changed.</summary>
    internal int ReadInPieces => _readInPieces;

    /// <summary>Tokens, from the first, whose scores nobody asks for: a cached prefix may stand for so many.</summary>
    internal int Unscored => Math.Min(_readInPieces, PromptScoresFrom + (_promptScores?.Count ?? 0)) - 1;

    /// <summary>Whether the prompt's scores are still wanted.</summary>
    private bool ScoresPrompt => _promptScores is not null && PromptScoresFrom + _promptScores.Count < PromptLength;

    private int PromptScoresFrom => Request.PromptLogProbabilitiesFrom ?? int.MaxValue / 2;

    /// <summary>The most probable tokens in the place of a generated one, the most probable first: <see cref="GenerationRequest.Alternatives"/> of them.</summary>
    /// <param name="index">Its index in <see cref="LogProbabilities"/>.</param>
    public ReadOnlySpan<TokenScore> Alternatives(int index) => _scores is null ? [] : _scores.Alternatives(index);

    /// <summary>The same for a token of the prompt.</summary>
    /// <param name="index">Its index in <see cref="PromptLogProbabilities"/>.</param>
    public ReadOnlySpan<TokenScore> PromptAlternatives(int index) => _promptScores is null ? [] : _promptScores.Alternatives(index);

    /// <summary>Ends the sequence if it still goes on; its pages go back to the cache.</summary>
    public void Cancel() => End(FinishReason.Cancelled);

    /// <inheritdoc cref="Cancel"/>
    public void Dispose() => Cancel();

    internal void End(FinishReason reason)
    {
        if (Finish is not null)
            return;
        Finish = reason;
        GiveUpCache();
        Adapter?.Release();
    }

    /// <summary>Takes the adapter that the request names.</summary>
    /// <exception cref="ArgumentException">The model has none of this name any more.</exception>
    internal void AcquireAdapter(GenerativeModel model) => Adapter = Request.Adapter is { } name ? model.Acquire(name) : null;

    /// <summary>Begins or goes on with a cache that holds the first of its tokens, or none.</summary>
    internal void Use(CachedSequence cache) => Cache = cache;

    /// <summary>Gives the pages back; the sequence can be read again later.</summary>
    internal void GiveUpCache()
    {
        Cache?.Dispose();
        Cache = null;
    }

    /// <summary>Ends a sequence that has no room for a token and nothing left to score.</summary>
    internal void EndIfFull(int contextLength)
    {
        if (ScoresPrompt)
            return;
        if (_count - PromptLength >= Request.MaxNewTokens)
            End(FinishReason.Length);
        else if (_count >= Math.Min(contextLength, Capacity))
            End(FinishReason.ContextFull);
    }

    /// <summary>What the next step reads of this sequence, and after how many of those tokens, counted from the last, scores are wanted.</summary>
    /// <param name="piece">The pieces of a prompt end at multiples of this.</param>
    /// <param name="model">The model.</param>
    /// <param name="guesses">Whether it may guess tokens ahead, where the request asks for it.</param>
    internal SequencePiece Next(int piece, GenerativeModel model, bool guesses = false)
    {
        int at = Cache!.Length, end = NextEnd(at, piece, model);
        Cache.Expect(at < _readInPieces ? _readInPieces : end, model.ShortLimit);
        if (Cache.Length < at)
        {
            // The frequencies changed with the length: all is read anew.
            _readInPieces = _count;
            at = 0;
            end = NextEnd(at, piece, model);
        }
        bool chooses = end == _count && (PromptLength < _count || Request.MaxNewTokens > 0);
        int scored = chooses ? 1 : 0;
        // The scores after a token are those of the next one.
        if (ScoresPrompt && PromptScoresFrom + _promptScores!.Count <= end)
            scored = end - (PromptScoresFrom + _promptScores.Count - 1);
        int guessed = guesses && chooses && at >= _readInPieces && end - at == 1 && scored == 1 && Request.Speculation is not null ? Guess(model) : 0;
        return new SequencePiece(at, end - at + guessed, scored + guessed, chooses, guessed);
    }

    // The guess stands behind the tokens until they are chosen; there is one token at least that is not guessed.
    private int Guess(GenerativeModel model)
    {
        int room = Math.Min(Math.Min(Capacity, model.LongestSequence), model.PrefixLimit ?? int.MaxValue) - _count - 1;
        if (room <= 0 || !Cache!.GoesBack || !_rate.Guesses(_count))
            return 0;
        return Request.Speculation!.Guess(Tokens, PromptLength, _tokens.AsSpan(_count, Math.Min(room, Speculation.Most)));
    }

    /// <summary>The tokens of a piece, guesses included.</summary>
    internal ReadOnlySpan<int> Read(in SequencePiece piece) => _tokens.AsSpan(piece.At, piece.Count);

    private int NextEnd(int at, int piece, GenerativeModel model)
    {
        if (at < _readInPieces)
            return Math.Min(_readInPieces, ((at / piece) + 1) * piece);
        return Math.Min(_count, at + (_count > model.PrefixLimit ? 1 : ReadAgainAtOnce));
    }

    /// <summary>Takes in the scores of a piece; true if a token was chosen.</summary>
    /// <param name="piece">The piece.</param>
    /// <param name="logits">(scored, V); changed.</param>
    /// <param name="scratch">Working memory.</param>
    /// <param name="contextLength">The model's context.</param>
    internal bool Take(in SequencePiece piece, Span<float> logits, LogitsScratch scratch, int contextLength)
    {
        int vocabulary = piece.Scored == 0 ? 0 : logits.Length / piece.Scored;
        for (int row = 0; row < piece.Scored && ScoresPrompt; row++)
        {
            int next = piece.At + piece.Count - piece.Scored + row + 1;
            if (next < PromptLength)
                _promptScores!.Add(logits.Slice(row * vocabulary, vocabulary), _tokens[next], scratch);
        }
        if (piece.Guessed > 0)
            return ChooseGuessed(piece, logits, scratch, contextLength);
        if (piece.Chooses)
            return Choose(logits[^vocabulary..], scratch, contextLength);
        EndIfFull(contextLength);
        return false;
    }

    // Chooses a token after each of those that were read, until one is not the guess that was read behind it.
    private bool ChooseGuessed(in SequencePiece piece, Span<float> logits, LogitsScratch scratch, int contextLength)
    {
        int vocabulary = logits.Length / piece.Scored, before = _count;
        for (int row = 0; row < piece.Scored; row++)
        {
            int guess = row < piece.Guessed ? _tokens[_count] : -1;
            if (!Choose(logits.Slice(row * vocabulary, vocabulary), scratch, contextLength) || Finish is not null || _tokens[_count - 1] != guess)
                break;
        }
        _rate.Count(piece.Guessed, Math.Max(0, _count - before - 1), _count);
        Cache?.Truncate(_count - 1);
        return _count > before;
    }

    // Chooses the next token from the model's scores, which are changed; false if none is allowed.
    private bool Choose(Span<float> logits, LogitsScratch scratch, int contextLength)
    {
        Span<float> model = _scores is null ? default : scratch.Original(logits.Length);
        logits[..model.Length].CopyTo(model);
        Constraint?.Mask(logits);
        GenerationState state = new(Tokens, PromptLength, scratch);
        foreach (LogitsStep step in _steps)
            step.Apply(logits, state);
        // The number belongs to the position, so a sequence draws the same alone, in a batch, or taken up again.
        int token = Request.Seed is null
            ? Distribution.Largest(logits)
            : Distribution.Draw(logits, CounterRandom.Uniform(_samplingKey, _count), scratch);
        if (token < 0)
        {
            End(FinishReason.NothingAllowed);
            return false;
        }
        _scores?.Add(model, token, scratch);
        _tokens[_count++] = token;
        Constraint?.Accept(token);
        EndAfter(token);
        EndIfFull(contextLength);
        return true;
    }

    private void EndAfter(int token)
    {
        if (Array.IndexOf(_stopTokens, token) >= 0)
            End(FinishReason.StopToken);
        foreach (int[] stop in _stopSequences)
        {
            if (Generated.EndsWith(stop))
                End(FinishReason.StopSequence);
        }
    }
}

/// <summary>What a step reads of a sequence.</summary>
/// <param name="At">The tokens that were read before.</param>
/// <param name="Count">Those that are read.</param>
/// <param name="Scored">After how many of them, counted from the last, the scores are wanted.</param>
/// <param name="Chooses">Whether the sequence gets a token.</param>
/// <param name="Guessed">How many of those that are read, the last ones, are guesses.</param>
internal readonly record struct SequencePiece(int At, int Count, int Scored, bool Chooses, int Guessed = 0)
{
    /// <summary>The piece without its guesses.</summary>
    public SequencePiece WithoutGuess => this with { Count = Count - Guessed, Scored = Scored - Guessed, Guessed = 0 };
}
