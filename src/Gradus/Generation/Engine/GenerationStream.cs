using System.Threading.Channels;

namespace Gradus.Generation;

/// <summary>
/// A request in a <see cref="GenerationEngine"/>: its tokens as they come (to be enumerated once), or all of it when it is done. Any thread
/// may cancel it; whoever stops enumerating cancels it too.
/// </summary>
public sealed class GenerationStream : IAsyncEnumerable<GeneratedToken>
{
    private readonly Channel<GeneratedToken> _tokens = Channel.CreateUnbounded<GeneratedToken>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly TaskCompletionSource<GenerationResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action _wake;
    private volatile bool _isCancelled;

    internal GenerationStream(GenerationRequest request, Action wake)
    {
        Request = request;
        _wake = wake;
    }

    /// <summary>What was asked for.</summary>
    public GenerationRequest Request { get; }

    /// <summary>All of the result; of a cancelled request what there was of it. Fails where the model's scores are not numbers or the engine fails.</summary>
    public Task<GenerationResult> Completion => _completion.Task;

    internal bool IsCancelled => _isCancelled;

    /// <summary>Ends the request before the engine's next step; its pages go back.</summary>
    public void Cancel()
    {
        _isCancelled = true;
        _wake();
    }

    /// <summary>The tokens as they come. Cancelling, or leaving early, cancels the request.</summary>
    /// <exception cref="OperationCanceledException">The enumeration was cancelled.</exception>
    public async IAsyncEnumerator<GeneratedToken> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        try
        {
            while (await _tokens.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
            {
                while (_tokens.Reader.TryRead(out GeneratedToken token))
                    yield return token;
            }
        }
        finally
        {
            if (!_completion.Task.IsCompleted)
                Cancel();
        }
    }

    internal void Publish(in GeneratedToken token) => _tokens.Writer.TryWrite(token);

    internal void Complete(GenerationResult result)
    {
        _tokens.Writer.TryComplete();
        _completion.TrySetResult(result);
    }

    internal void Fail(Exception error)
    {
        _tokens.Writer.TryComplete(error);
        _completion.TrySetException(error);
        // Nobody has to look at both.
        _ = _completion.Task.Exception;
    }
}

/// <summary>A token of a <see cref="GenerationStream"/>.</summary>
/// <param name="Id">The token.</param>
/// <param name="LogProbability">log p under the model itself, in nats; NaN where <see cref="GenerationRequest.LogProbabilities"/> was not asked for.</param>
/// <param name="Alternatives">The most probable tokens in its place, as many as <see cref="GenerationRequest.Alternatives"/> asked for.</param>
public readonly record struct GeneratedToken(int Id, float LogProbability, IReadOnlyList<TokenScore> Alternatives);

/// <summary>What became of a request.</summary>
/// <param name="Generated">The tokens; a stop token or stop sequence is among them.</param>
/// <param name="Finish">Why it ended.</param>
/// <param name="LogProbabilities">Of the generated tokens, where they were asked for.</param>
/// <param name="PromptLogProbabilities">Of the prompt's tokens from <see cref="GenerationRequest.PromptLogProbabilitiesFrom"/> on.</param>
/// <param name="Alternatives">Beside each of <paramref name="LogProbabilities"/>.</param>
/// <param name="PromptAlternatives">Beside each of <paramref name="PromptLogProbabilities"/>.</param>
/// <param name="CachedTokens">Tokens of the prompt that a kept prefix had when the request was first admitted.</param>
/// <param name="Preemptions">How often it had to give its pages up and be read again.</param>
public sealed record GenerationResult(
    int[] Generated, FinishReason Finish, float[] LogProbabilities, float[] PromptLogProbabilities, TokenScore[][] Alternatives,
    TokenScore[][] PromptAlternatives, int CachedTokens, int Preemptions);
