using Gradus.Models;
using Gradus.Tensors;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Alignment;

/// <summary>
/// Trains a reward model: a model that judges sequences with one number, the higher the better (Ouyang et al., "Training language models to follow
/// instructions with human feedback", 2022). A decoder's number stands at the last token.
/// </summary>
/// <param name="loss">Margins and centring.</param>
/// <param name="train">Pairs.</param>
/// <param name="validation">Held-out pairs, or null.</param>
/// <param name="accumulation">Micro-batches per step, ≥ 1.</param>
public sealed class RewardObjective(RewardLoss loss, PreferenceExamples train, PreferenceExamples? validation = null, int accumulation = 1)
    : Objective<PreferenceBatch>(accumulation)
{
    /// <inheritdoc/>
    public override PreferenceBatch Batch(long step, int index) => train[(step * BatchesPerStep) + index];

    /// <inheritdoc/>
    public override IEnumerable<TrainingBatch> Validation() => validation?.All() ?? [];

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Losses(LanguageModel model, PreferenceBatch batch, LossContext context)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(context);
        if (model is not TaskModel { Head: SequenceHead } task || model.Config.Labels.Count != 1)
            throw new NotSupportedException("A reward model judges sequences with one label.");
        Tensor scores = task.Scores(context.Pass(batch.Tokens));
        float[] rewards = scores.ToArray();
        int pairs = batch.Pairs;
        double[] gradient = new double[2 * pairs];
        double sum = 0;
        for (int i = 0; i < pairs; i++)
        {
            Dual pair = loss.Loss(rewards[i], rewards[pairs + i], batch.Margins[i]);
            sum += pair.Value;
            (gradient[i], gradient[pairs + i]) = (pair.Chosen, pair.Rejected);
        }
        context.Report("accuracy", Enumerable.Range(0, pairs).Count(i => rewards[i] > rewards[pairs + i]), pairs);
        context.Report("margin", Enumerable.Range(0, pairs).Sum(i => (double)rewards[i] - rewards[pairs + i]), pairs);
        context.Report("reward", rewards.Sum(r => (double)r), rewards.Length);
        // Against what is learned from lengths alone.
        context.Report("longer_is_better", Enumerable.Range(0, pairs).Sum(i => Longer(batch, i, pairs + i)), pairs);
        return [HostLoss.Record(scores, sum, gradient)];
    }

    private static double Longer(PreferenceBatch batch, int chosen, int rejected)
    {
        int difference = Length(chosen).CompareTo(Length(rejected));
        return difference > 0 ? 1 : difference == 0 ? 0.5 : 0;

        int Length(int s) => batch.Tokens.Starts[s + 1] - batch.Tokens.Starts[s];
    }
}
