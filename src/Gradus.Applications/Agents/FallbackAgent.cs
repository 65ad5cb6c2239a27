// Yao et al., 2023, section 3.2: what the model knows by itself and what it finds out complete each other. Either ReAct comes first and self-consistency
// answers where it found nothing within seven turns, or self-consistency comes first and ReAct answers where fewer than half of the chains agree.

namespace Gradus.Applications.Agents;

/// <summary>ReAct and self-consistency, one where the other fails.</summary>
public sealed class FallbackAgent(bool reactFirst) : Agent
{
    private const int Turns = 7;

    /// <inheritdoc/>
    public override string Name => reactFirst ? "react-cot-sc" : "cot-sc-react";

    /// <inheritdoc/>
    public override string Description => reactFirst
        ? "ReAct, then self-consistency where seven turns gave no answer (Yao et al., 2023)."
        : "Self-consistency, then ReAct where fewer than half agree (Yao et al., 2023).";

    private protected override async Task<string?> AnswerAsync(AgentRun run, CancellationToken cancellation)
    {
        if (reactFirst)
        {
            string? found = null;
            try
            {
                found = await ReActAgent.ActAsync(run, Turns, cancellation).ConfigureAwait(false);
            }
            catch (AgentStoppedException e) when (e.End is AgentEnd.Repeated or AgentEnd.ToolCallsUsedUp)
            {
                run.Decide("fallback", e.Message);
            }
            if (found is not null)
                return found;
            run.Decide("fallback", "ReAct found no answer; self-consistency answers.");
            return (await SelfConsistencyAgent.VoteAsync(run, cancellation).ConfigureAwait(false)).Answer;
        }
        (string? answer, int votes) = await SelfConsistencyAgent.VoteAsync(run, cancellation).ConfigureAwait(false);
        if (answer is not null && 2 * votes >= run.Options.Samples)
            return answer;
        run.Decide("fallback", $"{votes} of {run.Options.Samples} chains agree; ReAct answers.");
        return await ReActAgent.ActAsync(run, Turns, cancellation).ConfigureAwait(false) ?? answer;
    }
}
