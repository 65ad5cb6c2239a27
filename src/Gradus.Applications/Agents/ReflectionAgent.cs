// Shinn et al., "Reflexion", 2023, and Madaan et al., "Self-Refine", 2023: the model criticises its own answer and writes a better one, until it finds
// no fault or the rounds are used up.

using Microsoft.Extensions.AI;

namespace Gradus.Applications.Agents;

/// <summary>An answer, its critique, a better answer.</summary>
public sealed class ReflectionAgent : Agent
{
    /// <inheritdoc/>
    public override string Name => "reflect";

    /// <inheritdoc/>
    public override string Description => "Reflection: answer, critique, better answer (Madaan et al.; Shinn et al., 2023).";

    private protected override async Task<string?> AnswerAsync(AgentRun run, CancellationToken cancellation)
    {
        string? answer = await ToolCallingAgent.WorkAsync(run, "answer", run.Question, cancellation).ConfigureAwait(false);
        for (int round = 1; answer is not null && round <= run.Options.Rounds; round++)
        {
            ModelReply critique = await run.AskAsync(
                $"critique {round}",
                [
                    new ChatMessage(ChatRole.System, "Check the answer to the question: facts, calculation, whether it answers what was asked. Where it is right, write only: NO FAULT. Otherwise list its faults."),
                    new ChatMessage(ChatRole.User, $"Question: {run.Question}\n\nAnswer:\n{answer}"),
                ],
                0, withTools: false, [], cancellation).ConfigureAwait(false);
            if (critique.Text.TrimStart().StartsWith("NO FAULT", StringComparison.OrdinalIgnoreCase))
                return answer;
            answer = await ToolCallingAgent.WorkAsync(
                run, $"answer {round + 1}", $"{run.Question}\n\nAn earlier answer:\n{answer}\n\nIts faults:\n{critique.Text.Trim()}\n\nWrite a better answer, the answer alone.", cancellation)
                .ConfigureAwait(false) ?? answer;
        }
        return answer;
    }
}
