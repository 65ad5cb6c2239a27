using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Training.Alignment;

namespace Gradus.Cli.Stages;

/// <summary>What an alignment learns from.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(PreferenceAlignment), "preference")]
[JsonDerivedType(typeof(UnpairedAlignment), "unpaired")]
[JsonDerivedType(typeof(RewardAlignment), "reward")]
[JsonDerivedType(typeof(PolicyAlignment), "policy")]
public abstract record AlignObjective
{
    /// <summary>Updates of the parameters in so many steps.</summary>
    internal virtual int Updates(int steps) => steps;
}

/// <summary>Pairs of a better and a worse answer: DPO and its relatives, ORPO, CPO, SimPO.</summary>
/// <param name="SftCoefficient">Coefficient of −log π of the better answers per token beside the loss; null for what is usual with the loss.</param>
/// <param name="SftOnPrompts">Whether that term has the prompts' tokens too.</param>
public sealed record PreferenceAlignment([Range(0.0, double.PositiveInfinity)] double? SftCoefficient = null, bool SftOnPrompts = false) : AlignObjective
{
    /// <summary>The loss.</summary>
    public PreferenceLoss Loss { get; init; } = new SigmoidLoss();

    /// <summary>Make the pairs of the model's own answers to the data's prompts, as the rewards judge them; null to read pairs.</summary>
    public PairSampling? Sampling { get; init; }

    /// <summary>What judges sampled answers.</summary>
    public RewardRecipe[] Rewards { get; init; } = [];
}

/// <summary>Single answers that are good or bad: KTO.</summary>
public sealed record UnpairedAlignment : AlignObjective
{
    /// <summary>The loss.</summary>
    public UnpairedLoss Loss { get; init; } = new KtoLoss();
}

/// <summary>A reward model, from pairs.</summary>
/// <param name="Centering">Keeps rewards around 0; .01 is usual, 0 for none.</param>
public sealed record RewardAlignment([Range(0.0, double.PositiveInfinity)] double Centering = 0.01) : AlignObjective;

/// <summary>Rewards of the answers that the model itself writes: PPO, REINFORCE, RLOO, GRPO, by their advantage and loss.</summary>
/// <param name="Reference">Whether the start is kept as a reference, from which the divergence is measured.</param>
/// <param name="MaxKl">Nats per answer from the reference at which the run ends; 0 for any.</param>
public sealed record PolicyAlignment(bool Reference = true, [Range(0.0, double.PositiveInfinity)] double MaxKl = 0) : AlignObjective
{
    /// <summary>How.</summary>
    public OnPolicyOptions Options { get; init; } = new();

    /// <summary>What scores answers.</summary>
    public RewardRecipe[] Rewards { get; init; } = [];

    internal override int Updates(int steps) => checked(steps * Options.Epochs * Options.MiniBatches);
}
