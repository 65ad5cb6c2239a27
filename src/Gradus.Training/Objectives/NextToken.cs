using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>
/// Predict the next token: pre-training on documents, supervised fine-tuning where only answers count (the targets say which), and
/// writing a target for a source (models with an encoder, batches with a <see cref="TokenBatch.Source"/>).
/// A sparse model whose configuration asks for it (<c>output_router_logits</c>) is also trained to keep its experts equally busy.
/// </summary>
/// <param name="train">Training data.</param>
/// <param name="validation">Held-out data, or null.</param>
/// <param name="accumulation">Micro-batches per step, ≥ 1.</param>
public sealed class NextToken(BatchSource train, BatchSource? validation = null, int accumulation = 1) : Objective<MicroBatch>(accumulation)
{
    /// <inheritdoc/>
    public override bool IsLikelihood => true;

    /// <inheritdoc/>
    public override double ValidationBytesPerTarget => validation?.BytesPerTarget ?? 0;

    /// <inheritdoc/>
    public override MicroBatch Batch(long step, int index) => train[(step * BatchesPerStep) + index];

    /// <inheritdoc/>
    public override IEnumerable<TrainingBatch> Validation() => validation?.All() ?? [];

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Losses(LanguageModel model, MicroBatch batch, LossContext context)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(context);
        if (model is not GenerativeModel writer)
            throw new NotSupportedException("Next-token training needs a model that scores the next token.");
        Pass pass = context.Pass(batch.Tokens);
        if (!context.Training || writer.LoadBalancing is not { InTraining: true } balancing)
            return [writer.Losses(pass, context.Workspace.From(batch.Targets)).Sum()];
        List<Tensor> routerLogits = [];
        pass.RouterLogits = routerLogits;
        Tensor loss = writer.Losses(pass, context.Workspace.From(batch.Targets)).Sum();
        // The sum is divided by the number of targets later on, but this loss is a mean already.
        return [routerLogits.Count == 0
            ? loss
            : loss.Add(balancing.Loss(routerLogits).Scale(balancing.Coefficient * batch.TargetCount))];
    }
}
