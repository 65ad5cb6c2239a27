// DPO and its relatives: a policy learns from pairs of answers without a reward model and without writing anything itself.

using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Alignment;

/// <summary>Trains a model to prefer the better of two answers, by any <see cref="PreferenceLoss"/>, with dropout off.</summary>
/// <remarks>
/// That the log-probability of chosen answers falls is normal in DPO: only the difference counts. <c>logps/chosen</c> shows it, an SFT term holds
/// it up.
/// </remarks>
public sealed class PreferenceObjective : Objective<PreferenceBatch>
{
    private readonly PreferenceExamples _train;
    private readonly PreferenceExamples? _validation;
    private readonly PreferenceLoss _loss;
    private readonly SftTokens _sft;
    private double _rewardSum;
    private double _rewardCount;

    /// <summary>Prepares to train on pairs.</summary>
    /// <param name="loss">The loss.</param>
    /// <param name="train">Pairs; with their reference's log-probabilities if the loss uses them (<see cref="PreferenceExamples.SetReference"/>).</param>
    /// <param name="validation">Held-out pairs, likewise, or null.</param>
    /// <param name="accumulation">Micro-batches per step, ≥ 1.</param>
    /// <param name="sftCoefficient">The coefficient of −log π of the better answers per token; null for what is usual with the loss.</param>
    /// <param name="sftOnPrompts">Whether that term has the prompts' tokens too.</param>
    public PreferenceObjective(
        PreferenceLoss loss, PreferenceExamples train, PreferenceExamples? validation = null, int accumulation = 1, double? sftCoefficient = null, bool sftOnPrompts = false)
        : base(accumulation)
    {
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(train);
        (_loss, _train, _validation) = (loss, train, validation);
        double sft = sftCoefficient ?? loss.SftCoefficient;
        _sft = sft == 0 ? SftTokens.None : sftOnPrompts ? SftTokens.PromptsAndAnswers : SftTokens.Answers;
        Terms = sft == 0 ? [new("preference")] : [new("preference"), new("sft", sft)];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<LossTerm> Terms { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, double> State => _loss is BcoPairLoss or MixedLoss
        ? new Dictionary<string, double> { ["reward_sum"] = _rewardSum, ["reward_count"] = _rewardCount }
        : base.State;

    /// <inheritdoc/>
    public override void Restore(IReadOnlyDictionary<string, double> state)
    {
        base.Restore(state);
        (_rewardSum, _rewardCount) = (state.GetValueOrDefault("reward_sum"), state.GetValueOrDefault("reward_count"));
    }

    /// <inheritdoc/>
    public override PreferenceBatch Batch(long step, int index) =>
        _train[(step * BatchesPerStep) + index] with { IsFirst = step == 0, Sft = _sft };

    /// <inheritdoc/>
    public override IEnumerable<TrainingBatch> Validation() => _validation?.All().Select(b => b with { Sft = _sft }) ?? [];

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Losses(LanguageModel model, PreferenceBatch batch, LossContext context)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(context);
        if (model is not GenerativeModel writer)
            throw new NotSupportedException("Preferences are learned by a model that writes.");
        if (_loss.UsesReference && batch.Reference is null)
            throw new InvalidOperationException("The loss needs the reference's log-probabilities; compute them first.");
        Pass pass = context.Pass(batch.Tokens, dropout: false);
        Tensor each = writer.Losses(pass, context.Workspace.From(_sft == SftTokens.PromptsAndAnswers ? batch.AllTargets : batch.Targets));
        Tensor sums = HostLoss.SumsOf(each, pass.Layout, i => batch.Targets[i] >= 0);
        int pairs = batch.Pairs;
        double[] scale = [.. Enumerable.Range(0, 2 * pairs).Select(s => _loss.AveragesTokens ? 1.0 / Length(batch, s) : 1)];
        double[] policy = [.. sums.ToArray().Select((v, s) => v * scale[s])];
        double[] reference = [.. Enumerable.Range(0, 2 * pairs).Select(s => _loss.UsesReference ? batch.Reference![s] * scale[s] : 0)];
        if (batch.IsFirst && context.Training && _loss.UsesReference)
            CheckStart(policy, reference);
        double[] rewards = [.. policy.Select((p, s) => _loss.Reward(p, reference[s]))];
        double mean = MeanReward(rewards, context.Training);
        IReadOnlyList<PairLoss> losses = _loss.Losses(new PreferencePairs(policy[..pairs], policy[pairs..], reference[..pairs], reference[pairs..], mean));
        double[] gradient = new double[2 * pairs];
        foreach (PairLoss loss in losses)
        {
            gradient[loss.ChosenOf] += loss.Loss.Chosen * scale[loss.ChosenOf];
            gradient[pairs + loss.RejectedOf] += loss.Loss.Rejected * scale[pairs + loss.RejectedOf];
        }
        Report(context, rewards, sums.ToArray(), pairs);
        Tensor preference = HostLoss.Record(sums, losses.Sum(l => l.Loss.Value), gradient);
        if (Terms.Count == 1)
            return [preference];
        // −log π of the better answers, which are the first.
        return [preference, HostLoss.SumsOf(each, pass.Layout, i => i < batch.Tokens.Starts[pairs]).Sum().Scale(-1)];
    }

    private static int Length(PreferenceBatch batch, int sequence) =>
        HostLoss.Counted(batch.Targets, batch.Tokens.Starts[sequence], batch.Tokens.Starts[sequence + 1] - batch.Tokens.Starts[sequence]);

    // A reference that is another model than the start (an adapter that was not empty, dropout, another precision) makes a wrong run.
    internal static void CheckStart(double[] policy, double[] reference)
    {
        for (int s = 0; s < policy.Length; s++)
        {
            if (Math.Abs(policy[s] - reference[s]) > 1e-4 * (1 + Math.Abs(reference[s])))
                throw new InvalidDataException($"Before the first step the model gives an answer the log-probability {policy[s]:0.######}, but its reference {reference[s]:0.######}: the reference must be the model that training starts from, in the same precision.");
        }
    }

    // Rewards up to and with this micro-batch; held-out ones do not count.
    private double MeanReward(double[] rewards, bool training)
    {
        double sum = _rewardSum + rewards.Sum(), count = _rewardCount + rewards.Length;
        if (training)
            (_rewardSum, _rewardCount) = (sum, count);
        return training || _rewardCount == 0 ? sum / count : _rewardSum / _rewardCount;
    }

    private static void Report(LossContext context, double[] rewards, float[] sums, int pairs)
    {
        context.Report("rewards/chosen", rewards[..pairs].Sum(), pairs);
        context.Report("rewards/rejected", rewards[pairs..].Sum(), pairs);
        context.Report("rewards/margins", Enumerable.Range(0, pairs).Sum(i => rewards[i] - rewards[pairs + i]), pairs);
        context.Report("rewards/accuracies", Enumerable.Range(0, pairs).Count(i => rewards[i] > rewards[pairs + i]), pairs);
        context.Report("logps/chosen", sums[..pairs].Sum(v => (double)v), pairs);
        context.Report("logps/rejected", sums[pairs..].Sum(v => (double)v), pairs);
    }
}
