using Gradus.Applications.Python;

namespace Gradus.Applications.Agents;

/// <summary>Runs a program that a model wrote, and gives what it did.</summary>
/// <param name="source">The program.</param>
/// <param name="resultVariable">The function without parameters, or variable, whose value is the answer.</param>
/// <param name="cancellation">Ends it.</param>
public delegate Task<PythonResult> ProgramRunner(string source, string resultVariable, CancellationToken cancellation);

/// <summary>What an agent may use, and how it asks.</summary>
/// <param name="ModelCalls">Calls of the model, at least 1.</param>
/// <param name="ToolCalls">Calls of tools.</param>
/// <param name="Tokens">Tokens read and written, where the model counts them.</param>
/// <param name="Time">Time for all of it; null for any.</param>
/// <param name="Seed">What random choices begin with; every call of the model gets a seed of its own.</param>
/// <param name="Temperature">Of the calls whose answers are compared; others are greedy.</param>
/// <param name="Samples">Answers that are compared: self-consistency, programs.</param>
/// <param name="Rounds">Attempts to mend: programs that fail, plans, reflections.</param>
/// <param name="MaxOutputTokens">Tokens of one answer; null for the model's own limit.</param>
public sealed record AgentOptions(
    int ModelCalls = 40, int ToolCalls = 20, long Tokens = long.MaxValue, TimeSpan? Time = null, long Seed = 0, float Temperature = 0.7f, int Samples = 5, int Rounds = 3,
    int? MaxOutputTokens = null)
{
    /// <summary>Says what is out of range.</summary>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ModelCalls, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(ToolCalls);
        ArgumentOutOfRangeException.ThrowIfLessThan(Tokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Samples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Rounds, 1);
        if (Temperature is < 0 or > 2 || !float.IsFinite(Temperature))
            throw new ArgumentOutOfRangeException(nameof(Temperature), Temperature, "the temperature lies between 0 and 2.");
        if (Time <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(Time), Time, "the time is more than nothing.");
    }
}

/// <summary>The agent has come to an end before its method has.</summary>
internal sealed class AgentStoppedException(AgentEnd end, string reason) : Exception(reason)
{
    public AgentEnd End => end;
}
