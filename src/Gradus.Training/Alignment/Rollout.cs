using Gradus.Nn;
using Gradus.Training.Data;

namespace Gradus.Training.Alignment;

/// <summary>An answer that the policy has written.</summary>
/// <param name="Prompt">What it went on from; of a model with an encoder the start token.</param>
/// <param name="Answer">Its tokens, the one that ended it included.</param>
/// <param name="Ended">Whether it came to an end by itself.</param>
public sealed record Rollout(int[] Prompt, int[] Answer, bool Ended)
{
    /// <summary>What an encoder reads; null for models without one.</summary>
    public int[]? Source { get; init; }

    /// <summary>The number of its prompt in the data.</summary>
    public int PromptNumber { get; init; }

    /// <summary>log π of every token when it was sampled.</summary>
    public double[] Sampled { get; set; } = [];

    /// <summary>log π_ref of every token; empty without a reference.</summary>
    public double[] Reference { get; set; } = [];

    /// <summary>The entropy of π before every token; empty where nobody wants it.</summary>
    public double[] Entropies { get; set; } = [];

    /// <summary>The critic's value before every token; empty without one.</summary>
    public double[] Values { get; set; } = [];

    /// <summary>The advantage of every token.</summary>
    public IReadOnlyList<double> Advantages { get; set; } = [];

    /// <summary>What the critic should say before every token; empty without one.</summary>
    public IReadOnlyList<double> Returns { get; set; } = [];

    /// <summary>What each reward gave, by name.</summary>
    public Dictionary<string, double> Rewards { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether each token's ratio counts.</summary>
    public bool[] Counts { get; set; } = [];

    /// <summary>An estimate of how far the policy is from the reference on this answer, in nats.</summary>
    public double Divergence(KlEstimator estimator) => Sampled.Zip(Reference, (p, q) => PolicyLoss.Kl(estimator, p, q)).Sum();

    /// <summary>The tokens that go through the model.</summary>
    public int TotalTokens => Prompt.Length + Answer.Length + (Source?.Length ?? 0);
}

/// <summary>Answers that go through the model at once.</summary>
/// <param name="Rollouts">The answers.</param>
/// <param name="PolicyWeight">What the sum of their losses counts towards.</param>
/// <param name="IsFirst">Whether the policy has not been updated since they were sampled.</param>
/// <param name="HasCritic">Whether there is a term of the critic.</param>
public sealed record RolloutBatch(IReadOnlyList<Rollout> Rollouts, double PolicyWeight, bool IsFirst, bool HasCritic) : TrainingBatch
{
    /// <summary>Whether the answers are to held-out prompts: they are measured, not learned from.</summary>
    public bool IsHeldOut { get; init; }

    /// <summary>The tokens of the answers.</summary>
    public int AnswerTokens { get; } = Rollouts.Sum(r => r.Answer.Length);

    /// <inheritdoc/>
    public override long TokenCount { get; } = Rollouts.Sum(r => (long)r.TotalTokens);

    /// <inheritdoc/>
    public override IReadOnlyList<double> Weights => HasCritic ? [PolicyWeight, AnswerTokens] : [PolicyWeight];

    /// <summary>The sequences, each without the last token of its answer, which predicts nothing.</summary>
    public TokenBatch Tokens()
    {
        TokenBatch plain = TokenBatch.Of([.. Rollouts.Select(r => (int[])[.. r.Prompt, .. r.Answer.AsSpan(..^1)])]);
        return new TokenBatch(plain.Ids, plain.Starts) { Source = Rollouts[0].Source is null ? null : TokenBatch.Of([.. Rollouts.Select(r => r.Source!)]) };
    }

    /// <summary>The rows of the sequences that predict the answers' tokens, and these.</summary>
    public (int[] Rows, int[] Targets) Predictions()
    {
        List<int> rows = [], targets = [];
        int start = 0;
        foreach (Rollout rollout in Rollouts)
        {
            rows.AddRange(Enumerable.Range(start + rollout.Prompt.Length - 1, rollout.Answer.Length));
            targets.AddRange(rollout.Answer);
            start += rollout.Prompt.Length + rollout.Answer.Length - 1;
        }
        return ([.. rows], [.. targets]);
    }
}

/// <summary>Scores answers: a reward model, a rule, a program that checks them.</summary>
/// <param name="name">Its name in the log.</param>
/// <param name="weight">What it counts in the sum of rewards; 0 to be logged only, which shows whether the policy learned the reward rather than the task.</param>
public abstract class RewardSource(string name, double weight = 1)
{
    /// <summary>Its name in the log.</summary>
    public string Name => name;

    /// <summary>What it counts in the sum.</summary>
    public double Weight => weight;

    /// <summary>A score for every answer.</summary>
    public abstract IReadOnlyList<double> Score(IReadOnlyList<Rollout> rollouts);

    /// <summary>A reward that looks at one answer at a time.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">The score of an answer.</param>
    /// <param name="weight">What it counts in the sum.</param>
    public static RewardSource Of(string name, Func<Rollout, double> score, double weight = 1) => new Rule(name, score, weight);

    private sealed class Rule(string name, Func<Rollout, double> score, double weight) : RewardSource(name, weight)
    {
        public override IReadOnlyList<double> Score(IReadOnlyList<Rollout> rollouts) => [.. rollouts.Select(score)];
    }
}
