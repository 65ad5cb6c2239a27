using System.ComponentModel.DataAnnotations;
using Gradus.Nn;

namespace Gradus.Models;

/// <summary>The hyperparameters that the sparse models of the Qwen family have in common.</summary>
public abstract record QwenMoeConfig : RotaryDecoderConfig
{
    /// <summary>Activation of the feed-forward gates.</summary>
    public abstract string HiddenAct { get; init; }

    /// <summary>Whether some layers' attention reaches back a limited number of tokens.</summary>
    public abstract bool UseSlidingWindow { get; init; }

    /// <summary>Tokens that a token sees there, itself included.</summary>
    public abstract int? SlidingWindow { get; init; }

    /// <summary>Width of an expert.</summary>
    public abstract int MoeIntermediateSize { get; init; }

    /// <summary>Experts of a sparse layer.</summary>
    public abstract int NumExperts { get; init; }

    /// <summary>Experts that a token goes to.</summary>
    public abstract int NumExpertsPerTok { get; init; }

    /// <summary>Whether the weights of a token's experts sum to 1.</summary>
    public abstract bool NormTopkProb { get; init; }

    /// <summary>Layers n, 2n, … are sparse.</summary>
    public abstract int DecoderSparseStep { get; init; }

    /// <summary>The layers, from 0, that are not sparse all the same.</summary>
    public abstract IReadOnlyList<int>? MlpOnlyLayers { get; init; }

    /// <summary>Whether training adds the load-balancing loss.</summary>
    public abstract bool OutputRouterLogits { get; init; }

    /// <summary>What that loss is multiplied by.</summary>
    public abstract float RouterAuxLossCoef { get; init; }

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

    internal int? Window => UseSlidingWindow ? SlidingWindow : null;

    internal LoadBalancing Balancing => new(NumExpertsPerTok, RouterAuxLossCoef, OutputRouterLogits);

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. base.Validate(validationContext),
        .. Chooses(nameof(NumExpertsPerTok), NumExpertsPerTok, NumExperts),
        .. new[]
        {
            AtLeast(nameof(DecoderSparseStep), DecoderSparseStep, 1),
            AtLeast(nameof(MoeIntermediateSize), MoeIntermediateSize, 1),
        }.OfType<ValidationResult>(),
    ];

    internal bool IsSparse(int layer) => MlpOnlyLayers?.Contains(layer) != true && (layer + 1) % DecoderSparseStep == 0;

    /// <summary>The experts of a layer and their router.</summary>
    internal SparseExperts Experts(Scope scope) => new(
        scope.Linear("gate", HiddenSize, NumExperts, bias: false, Init),
        [.. Enumerable.Range(0, NumExperts).Select(e => new GatedMlp(scope["experts"][e], HiddenSize, MoeIntermediateSize, Activation, Init))],
        NumExpertsPerTok,
        NormTopkProb);
}
