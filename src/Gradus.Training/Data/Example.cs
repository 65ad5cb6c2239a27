namespace Gradus.Training.Data;

/// <summary>A tokenized document or conversation.</summary>
/// <param name="Ids">All tokens.</param>
/// <param name="Counts">Whether predicting a token counts; null counts all but the first, which nothing precedes.</param>
public sealed record Example(int[] Ids, bool[]? Counts = null)
{
    /// <summary>What an encoder reads for it; null where the model has none.</summary>
    public int[]? Source { get; init; }

    /// <summary>The number of its task, from 0, where an adapter has virtual tokens for several.</summary>
    public int Task { get; init; }

    /// <summary>All tokens that go through the model.</summary>
    public int TotalTokens => Ids.Length + (Source?.Length ?? 0);

    /// <summary>Whether the token of an index is to be predicted.</summary>
    public bool IsTarget(int index) => index > 0 && (Counts is null || Counts[index]);

    /// <summary>Whether anything is to be predicted.</summary>
    public bool HasTarget => Counts is null ? Ids.Length > 1 : Counts.AsSpan(Math.Min(1, Counts.Length)).Contains(true);
}
