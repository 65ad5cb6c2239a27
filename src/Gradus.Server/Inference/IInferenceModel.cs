namespace Gradus.Server.Inference;

/// <summary>A model that answers requests: one over a generation engine, or whatever else writes text.</summary>
public interface IInferenceModel : IDisposable
{
    /// <summary>The most tokens that prompt and answer can have together.</summary>
    int ContextLength { get; }

    /// <summary>The names of the adapters that requests may ask for.</summary>
    IReadOnlyList<string> Adapters { get; }

    /// <summary>What the model is doing.</summary>
    ModelLoad Load { get; }

    /// <summary>The tokens of a prompt.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="adapter">The adapter that would read it, by name; null for the model itself.</param>
    /// <exception cref="Http.ApiException">The prompt is not well formed.</exception>
    int[] Tokenize(InferencePrompt prompt, string? adapter = null);

    /// <summary>Begins to answer.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="cancellation">Ends the work before the next step.</param>
    /// <exception cref="Http.ApiException">The request does not fit the model.</exception>
    InferenceRun Start(InferenceRequest request, CancellationToken cancellation);
}

/// <summary>A request that is being answered.</summary>
/// <param name="PromptTokens">The tokens that the model reads.</param>
/// <param name="Seed">The seed of the first answer; null where nothing is drawn.</param>
/// <param name="Pieces">The pieces of all answers as they come; to be enumerated once. Leaving early cancels the work.</param>
public sealed record InferenceRun(int[] PromptTokens, ulong? Seed, IAsyncEnumerable<InferencePiece> Pieces);

/// <summary>What a model is doing, and has done since it was loaded.</summary>
/// <param name="Running">Answers that are being written.</param>
/// <param name="Waiting">Answers that wait.</param>
/// <param name="CacheUse">The part of the memory for keys and values that is in use, 0 to 1.</param>
/// <param name="PromptTokens">Tokens of prompts that were read.</param>
/// <param name="CachedTokens">Tokens of prompts that did not have to be read.</param>
/// <param name="GeneratedTokens">Tokens chosen.</param>
/// <param name="Preemptions">Answers that had to make room and be read again.</param>
public sealed record ModelLoad(int Running, int Waiting, double CacheUse, long PromptTokens, long CachedTokens, long GeneratedTokens, long Preemptions);
