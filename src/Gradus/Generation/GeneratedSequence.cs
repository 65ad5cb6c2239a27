using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Generation;

/// <summary>A sequence in a <see cref="Generator"/>: its request and what has become of it. Dispose it, or let it finish, to give its cache pages back.</summary>
public sealed class GeneratedSequence : IDisposable
{
    private readonly int[] _tokens;
    private readonly float[] _logProbabilities;
    private readonly LogitsStep[] _steps;
    private readonly int[] _stopTokens;
    private readonly int[][] _stopSequences;
    private readonly ulong _samplingKey;
    private int _count;

    internal GeneratedSequence(GenerationRequest request, int capacity, CachedSequence cache)
    {
        Request = request;
        Cache = cache;
        PromptLength = _count = request.Prompt.Length;
        _tokens = new int[Math.Max(capacity, _count)];
        request.Prompt.CopyTo(_tokens, 0);
        _logProbabilities = request.LogProbabilities ? new float[_tokens.Length - _count] : [];
        _steps = [.. request.Steps];
        _stopTokens = [.. request.StopTokens];
        _stopSequences = [.. request.StopSequences];
        _samplingKey = Distribution.SamplingKey(request.Seed ?? 0);
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
    public ReadOnlySpan<float> LogProbabilities => _logProbabilities.AsSpan(0, Math.Min(_logProbabilities.Length, _count - PromptLength));

    /// <summary>Why the sequence ended, or null while it goes on.</summary>
    public FinishReason? Finish { get; private set; }

    internal CachedSequence Cache { get; }

    /// <summary>The tokens that it can have at most.</summary>
    internal int Capacity => _tokens.Length;

    /// <summary>The tokens that the model has not read yet.</summary>
    internal ReadOnlySpan<int> Pending => Tokens[Cache.Length..];

    /// <summary>Ends the sequence if it still goes on; its pages go back to the cache.</summary>
    public void Cancel() => End(FinishReason.Cancelled);

    /// <inheritdoc cref="Cancel"/>
    public void Dispose() => Cancel();

    internal void End(FinishReason reason)
    {
        if (Finish is not null)
            return;
        Finish = reason;
        Cache.Dispose();
    }

    /// <summary>Ends a sequence that has no room for a token.</summary>
    internal void EndIfFull(int contextLength)
    {
        if (_count - PromptLength >= Request.MaxNewTokens)
            End(FinishReason.Length);
        else if (_count >= contextLength)
            End(FinishReason.ContextFull);
    }

    /// <summary>Chooses the next token from the model's scores, which are changed; false if none is allowed.</summary>
    internal bool Choose(Span<float> logits, LogitsScratch scratch, int contextLength)
    {
        bool logged = Request.LogProbabilities;
        Span<float> model = logged ? scratch.Original(logits.Length) : default;
        logits[..model.Length].CopyTo(model);
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
        if (logged)
            _logProbabilities[_count - PromptLength] = (float)(model[token] - Distribution.LogSumExp(model, scratch));
        _tokens[_count++] = token;
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
