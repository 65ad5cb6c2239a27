namespace Gradus.Tensors.Cpu;

/// <summary>What was measured of one kernel, ceiling or training step.</summary>
/// <param name="Name">What it is, with its shape.</param>
/// <param name="Threads">Threads that shared the work.</param>
/// <param name="Value">How much, in <paramref name="Unit"/>.</param>
/// <param name="Unit">GFLOP/s, GB/s, tokens/s, or × for a ratio.</param>
/// <param name="Share">Part of the ceiling that was reached; null where there is none.</param>
/// <param name="Goal">What is aimed at, or null.</param>
public sealed record CpuMeasurement(string Name, int Threads, double Value, string Unit, double? Share = null, Goal? Goal = null)
{
    /// <summary>Whether the goal is reached; null without one.</summary>
    public bool? Reached => Goal?.Kind switch
    {
        null => null,
        GoalKind.Share => Share >= Goal.Value,
        GoalKind.AtLeast => Value >= Goal.Value,
        _ => Value <= Goal.Value,
    };
}

/// <summary>What a measurement aims at.</summary>
/// <param name="Kind">What the value limits.</param>
/// <param name="Value">The limit: a share of 1, or in the measurement's unit.</param>
public sealed record Goal(GoalKind Kind, double Value);

/// <summary>What a <see cref="Goal"/> limits.</summary>
public enum GoalKind
{
    /// <summary>The share of the ceiling, from below.</summary>
    Share,

    /// <summary>The value, from below.</summary>
    AtLeast,

    /// <summary>The value, from above.</summary>
    AtMost,
}
