// Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", 2023: several chains are drawn, and the answer that most of
// them come to counts. Drawing ends as soon as no other answer can reach the leading one.

using System.Globalization;

namespace Gradus.Applications.Agents;

/// <summary>Several chains of thought vote.</summary>
public sealed class SelfConsistencyAgent : Agent
{
    /// <inheritdoc/>
    public override string Name => "cot-sc";

    /// <inheritdoc/>
    public override string Description => "Self-consistency: the answer of most of several chains of thought (Wang et al., 2023).";

    private protected override async Task<string?> AnswerAsync(AgentRun run, CancellationToken cancellation) => (await VoteAsync(run, cancellation).ConfigureAwait(false)).Answer;

    /// <summary>Draws chains and counts.</summary>
    /// <returns>The leading answer, its votes, and the chains drawn.</returns>
    internal static async Task<(string? Answer, int Votes)> VoteAsync(AgentRun run, CancellationToken cancellation)
    {
        List<string> answers = [];
        int samples = run.Options.Samples;
        for (int i = 0; i < samples; i++)
        {
            if (await ChainOfThoughtAgent.ThinkAsync(run, $"sample {i + 1}", run.Options.Temperature, cancellation).ConfigureAwait(false) is { } answer)
                answers.Add(answer);
            if (answers.Count == 0)
                continue;
            int leading = AnswerText.Majority(answers).Votes;
            int second = answers.GroupBy(AnswerText.Normalize).Select(g => g.Count()).OrderDescending().ElementAtOrDefault(1);
            if (leading > second + (samples - i - 1))
                break;
        }
        if (answers.Count == 0)
            return (null, 0);
        (string best, int votes) = AnswerText.Majority(answers);
        string counts = string.Join(", ", answers.GroupBy(AnswerText.Normalize).OrderByDescending(g => g.Count()).Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Key}: {g.Count()}")));
        run.Decide("vote", $"{counts} → {best}");
        return (best, votes);
    }
}
