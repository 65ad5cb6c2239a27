namespace Gradus.Generation;

/// <summary>How a <see cref="GenerationEngine"/> shares the machine among its requests. None of it changes a bit of a result but <see cref="PromptPiece"/>.</summary>
/// <param name="CacheBytes">Memory for keys and values, in bytes, at least one page's; requests wait, or are read again later, where it is short.</param>
/// <param name="MaxSequences">Sequences that go on at once, ≥ 1; the others wait.</param>
/// <param name="PromptPiece">Tokens of one prompt that a step reads at most, a multiple of 64: bounds how long the others wait for their next token.</param>
/// <param name="PromptTokensPerStep">Prompt tokens of all sequences that a step reads at most, but at least one prompt's piece.</param>
/// <param name="SharePrefixes">Whether what was read of a prompt is kept for prompts that begin alike.</param>
public sealed record EngineOptions(
    long CacheBytes = 1L << 30, int MaxSequences = 64, int PromptPiece = 256, int PromptTokensPerStep = 512, bool SharePrefixes = true)
{
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(CacheBytes, 1, nameof(CacheBytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxSequences, 1, nameof(MaxSequences));
        ArgumentOutOfRangeException.ThrowIfLessThan(PromptTokensPerStep, 1, nameof(PromptTokensPerStep));
        if (PromptPiece < 64 || PromptPiece % 64 != 0)
            throw new ArgumentOutOfRangeException(nameof(PromptPiece), PromptPiece, "PromptPiece is a multiple of 64.");
    }
}

/// <summary>Who asks, and how urgently.</summary>
/// <param name="Priority">Requests of a higher one go first, and take the place of lower ones where there is none.</param>
/// <param name="Client">Requests of one client share its part: clients of one priority get equal numbers of tokens while they wait.</param>
public sealed record RequestClass(int Priority = 0, string Client = "");

/// <summary>What a <see cref="GenerationEngine"/> is doing, and has done since it began.</summary>
/// <param name="Running">Sequences that go on.</param>
/// <param name="Waiting">Requests that wait, preempted ones among them.</param>
/// <param name="PagesInUse">Pages of the cache that belong to sequences or kept prefixes.</param>
/// <param name="PagesKept">Those of them that belong to kept prefixes.</param>
/// <param name="MostPages">The pages that the memory budget holds.</param>
/// <param name="Steps">Forward passes.</param>
/// <param name="PromptTokens">Tokens of prompts that were read, those read again included.</param>
/// <param name="CachedTokens">Tokens of prompts that did not have to be read because a kept prefix had them.</param>
/// <param name="GeneratedTokens">Tokens chosen.</param>
/// <param name="Preemptions">Sequences that had to give their pages up and be read again.</param>
/// <param name="GuessedTokens">Tokens that were guessed ahead (<see cref="GenerationRequest.Speculation"/>).</param>
/// <param name="RightGuesses">Those of them that were chosen: steps that were saved.</param>
public sealed record EngineStatistics(
    int Running, int Waiting, int PagesInUse, int PagesKept, int MostPages, long Steps, long PromptTokens, long CachedTokens, long GeneratedTokens, long Preemptions,
    long GuessedTokens = 0, long RightGuesses = 0);
