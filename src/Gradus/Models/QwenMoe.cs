using System.ComponentModel.DataAnnotations;
using Gradus.Nn;

namespace Gradus.Models;

/// <summary>The hyperparameters that the sparse models of the Qwen family have in common.</summary>
/// <param name="HiddenAct">Activation of the feed-forward gates.</param>
/// <param name="UseSlidingWindow">Whether some layers' attention reaches back a limited number of tokens.</param>
/// <param name="SlidingWindow">Tokens that a token sees there, itself included.</param>
/// <param name="MoeIntermediateSize">Width of an expert.</param>
/// <param name="NumExperts">Experts of a sparse layer.</param>
/// <param name="NumExpertsPerTok">Experts that a token goes to.</param>
/// <param name="NormTopkProb">Whether the weights of a token's experts sum to 1.</param>
/// <param name="DecoderSparseStep">Every so manyth layer is sparse.</param>
/// <param name="MlpOnlyLayers">The layers, from 0, that are not sparse all the same.</param>
/// <param name="OutputRouterLogits">Whether training adds the load-balancing loss.</param>
/// <param name="RouterAuxLossCoef">What that loss is multiplied by.</param>
public abstract record QwenMoeConfig(
    int VocabSize, int HiddenSize, int IntermediateSize, int NumHiddenLayers, int NumAttentionHeads, int? NumKeyValueHeads, int? HeadDim,
    string HiddenAct, int MaxPositionEmbeddings, float RmsNormEps, double RopeTheta, RopeScaling? RopeScaling, bool UseSlidingWindow,
    int? SlidingWindow, int MoeIntermediateSize, int NumExperts, int NumExpertsPerTok, bool NormTopkProb, int DecoderSparseStep,
    IReadOnlyList<int>? MlpOnlyLayers, bool OutputRouterLogits, float RouterAuxLossCoef, bool TieWordEmbeddings, float InitializerRange,
    int? BosTokenId, TokenIds? EosTokenId)
    : LlamaStyleConfig(
        VocabSize, HiddenSize, IntermediateSize, NumHiddenLayers, NumAttentionHeads, NumKeyValueHeads, HeadDim, MaxPositionEmbeddings,
        RmsNormEps, RopeTheta, RopeScaling, TieWordEmbeddings, InitializerRange, BosTokenId, EosTokenId)
{
    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

    internal int? Window => UseSlidingWindow ? SlidingWindow : null;

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
}

/// <summary>A sparse decoder of the Qwen family.</summary>
public abstract class QwenMoeDecoder : LlamaStyleDecoder
{
    private protected QwenMoeDecoder(QwenMoeConfig config, Scope scope, BlockBuilder block)
        : base(config, scope, block)
    {
        LoadBalancing = new LoadBalancing(config.NumExpertsPerTok, config.RouterAuxLossCoef, config.OutputRouterLogits);
    }

    /// <inheritdoc/>
    public override LoadBalancing LoadBalancing { get; }

    /// <summary>The experts of a layer and their router.</summary>
    private protected static SparseExperts Experts(QwenMoeConfig config, Scope place) => new(
        place.Linear("gate", config.HiddenSize, config.NumExperts, bias: false, config.Init),
        Repeat(config.NumExperts, place["experts"], (_, expert) => new GatedMlp(expert, config.HiddenSize, config.MoeIntermediateSize, config.Activation, config.Init)),
        config.NumExpertsPerTok,
        config.NormTopkProb);
}
