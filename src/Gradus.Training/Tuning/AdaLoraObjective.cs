using Gradus.Adapters;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Tuning;

/// <summary>Any objective as AdaLoRA trains for it: with a penalty that keeps the factors orthogonal, and parts given up after every update.</summary>
internal sealed class AdaLoraObjective(Objective inner, AdaLoraAllocator allocator) : Objective
{
    public override IReadOnlyList<LossTerm> Terms => inner.Terms;

    public override bool IsLikelihood => inner.IsLikelihood;

    public override double ValidationBytesPerTarget => inner.ValidationBytesPerTarget;

    public override IReadOnlyList<Parameter> Parameters => inner.Parameters;

    public override IReadOnlyDictionary<string, double> State => inner.State;

    public override IReadOnlyDictionary<string, Tensor> Tensors => allocator.State;

    public override bool SeesGradients => true;

    public override void Restore(IReadOnlyDictionary<string, double> state) => inner.Restore(state);

    public override void Updated(long update) => allocator.Update(update);

    public override IEnumerable<Update> Updates(StepContext context) => inner.Updates(context);

    public override IEnumerable<TrainingBatch> Validation() => inner.Validation();

    public override IReadOnlyList<Tensor> Losses(LanguageModel model, TrainingBatch batch, LossContext context)
    {
        IReadOnlyList<Tensor> losses = inner.Losses(model, batch, context);
        double weight = batch.Weights[0];
        if (!context.Training || weight == 0 || allocator.Penalty(context.Workspace) is not { } penalty)
            return losses;
        context.Report("orthogonality", penalty.Item() * weight, weight);
        // The sum is divided by all weights later on, but the penalty counts once a step.
        return [losses[0].Add(penalty.Scale((float)(weight / Terms[0].Coefficient))), .. losses.Skip(1)];
    }
}
