// Wei et al., "Chain-of-Thought Prompting Elicits Reasoning in Large Language Models", 2022; the instruction without examples: Kojima et al., 2022.

using Microsoft.Extensions.AI;

namespace Gradus.Applications.Agents;

/// <summary>The model thinks before it answers.</summary>
public sealed class ChainOfThoughtAgent : Agent
{
    private const string Instruction = "Think step by step. Write your reasoning first. Then end with one line: Answer: the answer alone, as short as possible.";

    /// <inheritdoc/>
    public override string Name => "cot";

    /// <inheritdoc/>
    public override string Description => "Chain of thought: reasoning first, then the answer (Wei et al., 2022).";

    private protected override Task<string?> AnswerAsync(AgentRun run, CancellationToken cancellation) => ThinkAsync(run, "thought", 0, cancellation);

    /// <summary>One chain of thought, and its answer.</summary>
    internal static async Task<string?> ThinkAsync(AgentRun run, string title, float temperature, CancellationToken cancellation)
    {
        ModelReply reply = await run.AskAsync(
            title, [new ChatMessage(ChatRole.System, Instruction), new ChatMessage(ChatRole.User, run.Question)], temperature, withTools: false, [], cancellation).ConfigureAwait(false);
        return AnswerText.Find(reply.Text);
    }
}
