// Wang et al., "Plan-and-Solve Prompting", 2023, with tools: a plan first, each step worked on with the results before it, then the answer.

using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace Gradus.Applications.Agents;

/// <summary>A plan, its steps one after another, then the answer.</summary>
public sealed partial class PlanAndExecuteAgent : Agent
{
    private const int MostSteps = 10;

    /// <inheritdoc/>
    public override string Name => "plan";

    /// <inheritdoc/>
    public override string Description => "Plan and execute: a plan, its steps with tools, then the answer (Wang et al., 2023).";

    private protected override async Task<string?> AnswerAsync(AgentRun run, CancellationToken cancellation)
    {
        string[] plan = [];
        for (int round = 0; round < run.Options.Rounds && plan.Length == 0; round++)
        {
            ModelReply reply = await run.AskAsync(
                "plan",
                [
                    new ChatMessage(ChatRole.System, $"Make a plan for the task: a numbered list of at most {MostSteps} short steps, one a line, nothing else. These tools can be used: {run.Tools.Names}."),
                    new ChatMessage(ChatRole.User, run.Question),
                ],
                round == 0 ? 0 : run.Options.Temperature, withTools: false, [], cancellation).ConfigureAwait(false);
            plan = [.. PlanLine().Matches(reply.Text).Select(m => m.Groups[1].Value.Trim()).Take(MostSteps)];
        }
        if (plan.Length == 0)
            return null;
        StringBuilder done = new();
        for (int i = 0; i < plan.Length; i++)
        {
            string task = $"The whole task: {run.Question}\n\nDone so far:\n{(done.Length == 0 ? "nothing\n" : done)}\nDo only this step now, and write its result: {plan[i]}";
            string? result = await ToolCallingAgent.WorkAsync(run, $"step {i + 1}", task, cancellation).ConfigureAwait(false);
            done.Append(i + 1).Append(". ").Append(plan[i]).Append(" → ").Append(result ?? "(no result)").Append('\n');
        }
        ModelReply answer = await run.AskAsync(
            "answer",
            [
                new ChatMessage(ChatRole.System, "The steps of a task were done. Answer the task from their results. End with one line: Answer: the answer alone."),
                new ChatMessage(ChatRole.User, $"Task: {run.Question}\n\nResults:\n{done}"),
            ],
            0, withTools: false, [], cancellation).ConfigureAwait(false);
        return AnswerText.Find(answer.Text) ?? (string.IsNullOrWhiteSpace(answer.Text) ? null : answer.Text.Trim());
    }

    [GeneratedRegex(@"^\s*\d+[.)]\s+(.+)$", RegexOptions.Multiline)]
    private static partial Regex PlanLine();
}
