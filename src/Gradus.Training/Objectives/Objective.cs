using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>What a model is trained for: the data of every step and the loss.</summary>
public abstract class Objective
{
    /// <summary>The micro-batches of an optimizer step, a function of its number. Their losses are summed and divided by all their targets together.</summary>
    /// <param name="step">The step, from 0.</param>
    public abstract IReadOnlyList<MicroBatch> Batches(long step);

    /// <summary>The held-out data; empty where there is none.</summary>
    public abstract IEnumerable<MicroBatch> Validation();

    /// <summary>UTF-8 bytes per validation target, or 0 where unknown.</summary>
    public virtual double ValidationBytesPerTarget => 0;

    /// <summary>The sum of the losses of a micro-batch's targets, in nats: one value.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The micro-batch.</param>
    /// <param name="pass">The forward pass over its tokens.</param>
    public abstract Tensor Loss(LanguageModel model, MicroBatch batch, Pass pass);
}

/// <summary>
/// Predict the next token: pre-training on documents, supervised fine-tuning where only answers count (the targets say which), and
/// writing a target for a source (models with an encoder, batches with a <see cref="Nn.TokenBatch.Source"/>).
/// A sparse model whose configuration asks for it (<c>output_router_logits</c>) is also trained to keep its experts equally busy.
/// </summary>
/// <param name="train">Training data.</param>
/// <param name="validation">Held-out data, or null.</param>
/// <param name="accumulation">Micro-batches per step, ≥ 1.</param>
public sealed class NextToken(BatchSource train, BatchSource? validation = null, int accumulation = 1) : Objective
{
    /// <inheritdoc/>
    public override double ValidationBytesPerTarget => validation?.BytesPerTarget ?? 0;

    /// <inheritdoc/>
    public override IReadOnlyList<MicroBatch> Batches(long step)
    {
        MicroBatch[] batches = new MicroBatch[accumulation];
        for (int i = 0; i < accumulation; i++)
            batches[i] = train[(step * accumulation) + i];
        return batches;
    }

    /// <inheritdoc/>
    public override IEnumerable<MicroBatch> Validation() => validation?.All() ?? [];

    /// <inheritdoc/>
    public override Tensor Loss(LanguageModel model, MicroBatch batch, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(pass);
        if (model is not GenerativeModel writer)
            throw new NotSupportedException("Next-token training needs a model that scores the next token.");
        if (!pass.Training || writer.LoadBalancing is not { InTraining: true } balancing)
            return writer.Losses(pass, pass.Workspace.From(batch.Targets)).Sum();
        List<Tensor> routerLogits = [];
        pass.RouterLogits = routerLogits;
        Tensor loss = writer.Losses(pass, pass.Workspace.From(batch.Targets)).Sum();
        // The sum is divided by the number of targets later on, but this loss is a mean already.
        return routerLogits.Count == 0
            ? loss
            : loss.Add(balancing.Loss(routerLogits).Scale(balancing.Coefficient * batch.TargetCount));
    }
}
