using Gradus.Models;
using Gradus.Tensors;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Alignment;

/// <summary>Trains a model on answers that are good or bad, by any <see cref="UnpairedLoss"/> (KTO), with dropout off.</summary>
/// <param name="loss">The loss.</param>
/// <param name="train">Answers with their reference's log-probabilities (<see cref="UnpairedExamples.SetReference"/>).</param>
/// <param name="validation">Held-out answers, likewise, or null.</param>
/// <param name="accumulation">Micro-batches per step, ≥ 1.</param>
public sealed class UnpairedObjective(UnpairedLoss loss, UnpairedExamples train, UnpairedExamples? validation = null, int accumulation = 1)
    : Objective<UnpairedBatch>(accumulation)
{
    /// <inheritdoc/>
    public override UnpairedBatch Batch(long step, int index) => train[(step * BatchesPerStep) + index] with { IsFirst = step == 0 };

    /// <inheritdoc/>
    public override IEnumerable<TrainingBatch> Validation() => validation?.All() ?? [];

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Losses(LanguageModel model, UnpairedBatch batch, LossContext context)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(context);
        if (model is not GenerativeModel writer)
            throw new NotSupportedException("Preferences are learned by a model that writes.");
        if (batch.Reference.Count != batch.Tokens.Sequences)
            throw new InvalidOperationException("The loss needs the reference's log-probabilities; compute them first.");
        Tensor sums = HostLoss.LogProbabilities(writer, context.Pass(batch.Tokens, dropout: false), batch.Targets);
        double[] policy = [.. sums.ToArray().Select(v => (double)v)];
        if (batch.IsFirst && context.Training)
            PreferenceObjective.CheckStart(policy, [.. batch.Reference]);
        int answers = batch.Good.Count;
        double[] ratios = [.. policy.Zip(batch.Reference, (p, r) => p - r)];
        double kl = loss.UsesKl ? UnpairedLoss.Kl(ratios[answers..]) : 0, sum = 0;
        // What is mismatched has no gradient.
        double[] gradient = new double[policy.Length];
        for (int i = 0; i < answers; i++)
        {
            Dual each = loss.Loss(policy[i], batch.Reference[i], batch.Good[i], kl);
            (sum, gradient[i]) = (sum + each.Value, each.Chosen);
        }
        Report(context, batch, ratios, kl);
        return [HostLoss.Record(sums, sum, gradient)];
    }

    private void Report(LossContext context, UnpairedBatch batch, double[] ratios, double kl)
    {
        double good = 0, bad = 0;
        for (int i = 0; i < batch.Good.Count; i++)
            _ = batch.Good[i] ? good += loss.Beta * ratios[i] : bad += loss.Beta * ratios[i];
        int count = batch.Good.Count(g => g);
        context.Report("rewards/chosen", good, count);
        context.Report("rewards/rejected", bad, batch.Good.Count - count);
        context.Report("kl", kl * batch.Good.Count, batch.Good.Count);
    }
}
