namespace Gradus.Evaluation.Judges;

/// <summary>What a judge says: a score, or why there is none. A failure is never a score.</summary>
/// <param name="Score">The mean of the votes, within the rubric's scale; null where the judgement failed.</param>
/// <param name="Votes">The votes that count.</param>
/// <param name="Reasons">What the judge wrote with each vote.</param>
/// <param name="Failures">What went wrong, a line for every call that gave no vote: a timeout, a refusal, half a JSON, a score out of range.</param>
public sealed record Judgement(double? Score, IReadOnlyList<double> Votes, IReadOnlyList<string> Reasons, IReadOnlyList<string> Failures)
{
    /// <summary>Whether there is no score.</summary>
    public bool Failed => Score is null;
}

/// <summary>Which of two answers a judge prefers.</summary>
public enum Preference
{
    /// <summary>The first answer.</summary>
    First,

    /// <summary>The second answer.</summary>
    Second,

    /// <summary>Neither.</summary>
    Tie,
}

/// <summary>What a judge says of two answers, each shown first once.</summary>
/// <param name="Preference">The preferred answer; a tie where the order decided. Null where the judgement failed.</param>
/// <param name="OrderDecided">Whether the judge preferred the same place in both orders.</param>
/// <param name="Reasons">What the judge wrote, in both orders.</param>
/// <param name="Failures">What went wrong, a line for every call without a verdict.</param>
public sealed record PairJudgement(Preference? Preference, bool OrderDecided, IReadOnlyList<string> Reasons, IReadOnlyList<string> Failures)
{
    /// <summary>Whether there is no verdict.</summary>
    public bool Failed => Preference is null;
}

/// <summary>How a judge is asked.</summary>
/// <param name="Votes">Votes of which the mean is taken, 1 or more.</param>
/// <param name="Attempts">Calls for each vote before it is given up, 1 or more.</param>
/// <param name="TimeoutSeconds">Seconds after which a call is given up, above 0.</param>
/// <param name="Temperature">0 takes the likeliest words each time; several votes want more.</param>
/// <param name="Seed">The seed of the first call; each call has the next one.</param>
public sealed record JudgeOptions(int Votes = 1, int Attempts = 2, double TimeoutSeconds = 120, float Temperature = 0, long Seed = 0)
{
    /// <summary>Refuses values out of their ranges.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public JudgeOptions Checked()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Votes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Attempts, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(TimeoutSeconds);
        ArgumentOutOfRangeException.ThrowIfNegative(Temperature);
        return this;
    }
}
