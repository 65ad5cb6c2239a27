namespace Gradus.Generation;

/// <summary>A request that the engine has taken in.</summary>
internal sealed class EngineSequence(GeneratedSequence sequence, GenerationStream stream, RequestClass requestClass, long arrival)
{
    private bool _wasAdmitted;

    public GeneratedSequence Sequence => sequence;

    public GenerationStream Stream => stream;

    public RequestClass Class => requestClass;

    /// <summary>Ascends with the requests.</summary>
    public long Arrival => arrival;

    /// <summary>How many tokens the stream has been given.</summary>
    public int Published { get; set; }

    /// <summary>The last page of the sequence that a kept prefix has, or a root; null where none may be shared.</summary>
    public PageTree.Node? Node { get; set; }

    public int CachedTokens { get; private set; }

    public int Preemptions { get; set; }

    /// <summary>Whether the step that is being planned has it.</summary>
    public bool IsPlanned { get; set; }

    /// <summary>Whether the prompt is still being read.</summary>
    public bool Reads => sequence.Cache!.Length < sequence.ReadInPieces;

    /// <summary>What went wrong while the constraint prepared, or null.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Lets the constraint find out what it allows next.</summary>
    public void Prepare()
    {
        try
        {
            sequence.Constraint!.Prepare();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Failure = e;
        }
    }

    /// <summary>Notes what a kept prefix had of a request that was admitted for the first time.</summary>
    public void Admitted(int cachedTokens)
    {
        if (!_wasAdmitted)
            CachedTokens = cachedTokens;
        _wasAdmitted = true;
    }

    /// <summary>Hands out the tokens that are new, and the result if that was all.</summary>
    public void Publish()
    {
        for (; Published < sequence.Generated.Length; Published++)
        {
            bool scored = Published < sequence.LogProbabilities.Length;
            stream.Publish(new GeneratedToken(
                sequence.Generated[Published],
                scored ? sequence.LogProbabilities[Published] : float.NaN,
                scored && stream.Request.Alternatives > 0 ? sequence.Alternatives(Published).ToArray() : []));
        }
        if (sequence.Finish is { } finish)
            stream.Complete(Result(finish));
    }

    private GenerationResult Result(FinishReason finish)
    {
        float[] scores = sequence.LogProbabilities.ToArray(), prompt = sequence.PromptLogProbabilities.ToArray();
        return new GenerationResult(
            sequence.Generated.ToArray(), finish, scores, prompt,
            [.. scores.Select((_, i) => sequence.Alternatives(i).ToArray())],
            [.. prompt.Select((_, i) => sequence.PromptAlternatives(i).ToArray())],
            CachedTokens, Preemptions);
    }
}
