// What Llama and its descendants share: the names of configuration keys and tensors, and the parts that those name. Each
// architecture has a file of its own, which says what is particular about it.

using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>The hyperparameters that Llama and its descendants have in common.</summary>
/// <param name="HeadDim">Values per head D; C/H where null.</param>
/// <param name="RmsNormEps">ε of the norms.</param>
[OnlyUsual("partial_rotary_factor", "1")]
public abstract record LlamaStyleConfig(
    int VocabSize,
    int HiddenSize,
    int IntermediateSize,
    int NumHiddenLayers,
    int NumAttentionHeads,
    int? NumKeyValueHeads,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? HeadDim,
    int MaxPositionEmbeddings,
    float RmsNormEps,
    double RopeTheta,
    RopeScaling? RopeScaling,
    bool TieWordEmbeddings,
    float InitializerRange,
    int? BosTokenId,
    TokenIds? EosTokenId)
    : RotaryDecoderConfig(VocabSize, HiddenSize, IntermediateSize, NumHiddenLayers, NumAttentionHeads, NumKeyValueHeads, MaxPositionEmbeddings,
        RopeTheta, RopeScaling, TieWordEmbeddings, InitializerRange, BosTokenId, EosTokenId)
{
    internal override int HeadWidth => HeadDim ?? base.HeadWidth;

    /// <summary>Whether a file without <c>head_dim</c> means a number of the family rather than C/H.</summary>
    private protected virtual bool NeedsHeadDim => false;

    internal override string RotaryProperty => HeadDim is null ? base.RotaryProperty : nameof(HeadDim);

    private protected override IEnumerable<ValidationResult> HeadProblems() => HeadDim is null
        ? NeedsHeadDim ? [new ValidationResult("is null; give the values per head", [nameof(HeadDim)])] : base.HeadProblems()
        : new[]
        {
            CountOf(nameof(HeadDim), HeadDim.Value, 1),
            Rotates(RotaryProperty, RotaryWidth, HeadWidth),
            Scales(nameof(RopeScaling), Scaling, RotaryWidth),
        }.OfType<ValidationResult>();

    /// <summary>Whether a layer's attention reaches back a limited number of tokens.</summary>
    private protected static bool Slides(IReadOnlyList<LayerType>? types, int layer, bool otherwise) =>
        types is null ? otherwise : types[layer] == LayerType.SlidingAttention;

    private protected IEnumerable<ValidationResult> HasTypes(string property, IReadOnlyList<LayerType>? types) => HasLayers(property, types?.Count);

    private protected IEnumerable<ValidationResult> HasLayers(string property, int? count)
    {
        if (count is not null && count != NumHiddenLayers)
            yield return new ValidationResult($"names {count} layers, but num_hidden_layers is {NumHiddenLayers}", [property]);
    }

    private protected static IEnumerable<ValidationResult> Chooses(string property, int chosen, int experts)
    {
        if (experts > MostParts)
            yield return new ValidationResult($"at most {MostParts} experts can be chosen from, not {experts}", [property]);
        if (chosen < 1 || chosen > experts)
            yield return new ValidationResult($"must be from 1 to the number of experts, {experts}, but is {chosen}", [property]);
    }
}

/// <summary>How far a layer's attention reaches.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LayerType>))]
public enum LayerType
{
    /// <summary>Back to the beginning.</summary>
    [JsonStringEnumMemberName("full_attention")]
    FullAttention,

    /// <summary>Back a limited number of tokens.</summary>
    [JsonStringEnumMemberName("sliding_attention")]
    SlidingAttention,
}

/// <summary>A decoder with the tensor names of LlamaForCausalLM: <c>model.embed_tokens</c>, <c>model.layers</c>, <c>model.norm</c>, <c>lm_head</c>.</summary>
public abstract class LlamaStyleDecoder : StackedDecoder
{
    private readonly float _embeddingScale;

    private protected LlamaStyleDecoder(LlamaStyleConfig config, Scope scope, BlockBuilder block, float normOffset = 0, float embeddingScale = 1)
        : base(config, scope, RotaryStack(config, scope, block, body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps, normOffset)))
    {
        _embeddingScale = embeddingScale;
    }

    /// <inheritdoc/>
    protected override Tensor Embed(Pass pass)
    {
        Tensor x = base.Embed(pass);
        return _embeddingScale == 1 ? x : x.Scale(_embeddingScale);
    }

    /// <summary>The pre-norm block with the names that all descendants but Gemma 2, Gemma 3 and OLMo 2 use.</summary>
    private protected static PreNormBlock PreNorm(LlamaStyleConfig config, Scope place, IBlock attention, IBlock mlp, float normOffset = 0, float dropout = 0) => new(
        place.RmsNorm("input_layernorm", config.HiddenSize, config.RmsNormEps, normOffset),
        attention,
        place.RmsNorm("post_attention_layernorm", config.HiddenSize, config.RmsNormEps, normOffset),
        mlp,
        dropout);

    /// <summary>The block of Gemma 2 and Gemma 3, with norms on both sides.</summary>
    private protected static SandwichBlock Sandwich(LlamaStyleConfig config, Scope place, IBlock attention, IBlock mlp, float normOffset) => new(
        place.RmsNorm("input_layernorm", config.HiddenSize, config.RmsNormEps, normOffset),
        attention,
        place.RmsNorm("post_attention_layernorm", config.HiddenSize, config.RmsNormEps, normOffset),
        place.RmsNorm("pre_feedforward_layernorm", config.HiddenSize, config.RmsNormEps, normOffset),
        mlp,
        place.RmsNorm("post_feedforward_layernorm", config.HiddenSize, config.RmsNormEps, normOffset));

    /// <summary>The gated feed-forward layer of a block.</summary>
    private protected static GatedMlp FeedForward(LlamaStyleConfig config, Scope place, bool bias = false) =>
        new(place, config.HiddenSize, config.IntermediateSize, config.Activation, config.Init, bias);

    /// <summary>Query, key and value projections.</summary>
    private protected static SeparateProjections Projections(LlamaStyleConfig config, Scope place, bool bias) =>
        new(place, config.HiddenSize, config.NumAttentionHeads, config.KeyValueHeads, config.HeadWidth, bias, config.Init);

    /// <summary>The projection of attention's result.</summary>
    private protected static Linear Output(LlamaStyleConfig config, Scope place, bool bias) =>
        place.Linear("o_proj", config.NumAttentionHeads * config.HeadWidth, config.HiddenSize, bias, config.Init);

    /// <summary>Causal attention, scaled by 1/√D, to at most <paramref name="window"/> tokens; 0 or null for all.</summary>
    private protected static AttentionOptions Causal(LlamaStyleConfig config, int? window = null) =>
        new(1f / MathF.Sqrt(config.HeadWidth), Causal: true, Window: window ?? 0);
}
