using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>The hyperparameters that Llama and other decoders with rotary positions and grouped-query attention have in common under the same names.</summary>
[OnlyUsual("partial_rotary_factor", "1")]
public abstract record RotaryDecoderConfig : DecoderConfig
{
    /// <summary>Width C.</summary>
    public abstract int HiddenSize { get; init; }

    /// <summary>Width of the feed-forward layer.</summary>
    public abstract int IntermediateSize { get; init; }

    /// <summary>Blocks.</summary>
    public abstract int NumHiddenLayers { get; init; }

    /// <summary>Query heads H.</summary>
    public abstract int NumAttentionHeads { get; init; }

    /// <summary>Key/value heads Hkv, dividing H; H where null.</summary>
    public abstract int? NumKeyValueHeads { get; init; }

    /// <summary>Values per head D; C/H where null.</summary>
    public abstract int? HeadDim { get; init; }

    /// <summary>Longest sequence, in tokens.</summary>
    public abstract int MaxPositionEmbeddings { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public abstract double RopeTheta { get; init; }

    /// <summary>Change of the rotary frequencies for long contexts, or null.</summary>
    public abstract RopeScaling? RopeScaling { get; init; }

    /// <summary>Standard deviation of new weights.</summary>
    public abstract float InitializerRange { get; init; }

    /// <summary>Dropout of attention probabilities, in [0, 1).</summary>
    public float AttentionDropout { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => RopeScaling.ContextLength(MaxPositionEmbeddings, Scaling);

    internal int KeyValueHeads => NumKeyValueHeads ?? NumAttentionHeads;

    internal Init Init => Init.Normal(InitializerRange);

    /// <summary>Values per head D.</summary>
    internal int HeadWidth => HeadDim ?? HiddenSize / NumAttentionHeads;

    /// <summary>Whether a file without <c>head_dim</c> means a number of the family rather than C/H.</summary>
    private protected virtual bool NeedsHeadDim => false;

    /// <summary>Values of a head that are turned by its position.</summary>
    internal virtual int RotaryWidth => HeadWidth;

    /// <summary>The property that decides on that number.</summary>
    internal virtual string RotaryProperty => HeadDim is null ? nameof(NumAttentionHeads) : nameof(HeadDim);

    /// <summary>The change of the rotary frequencies with all that is known of it.</summary>
    internal virtual RopeScaling? Scaling => RopeScaling;

    /// <summary>The activation of the feed-forward layer, and the property that names it.</summary>
    internal abstract (string Property, string Name) ActivationChoice { get; }

    internal Activation Activation => Activations.Parse(ActivationChoice.Name);

    /// <summary>The rotary embedding of a model.</summary>
    internal RotaryEmbedding Rotary(Scope scope) =>
        RopeScaling.Rotary(scope.Parts.Store, RotaryWidth, RopeTheta, MaxPositionEmbeddings, Scaling);

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. Measures(
            (nameof(HiddenSize), HiddenSize),
            (nameof(NumHiddenLayers), NumHiddenLayers),
            (nameof(NumAttentionHeads), NumAttentionHeads),
            (nameof(MaxPositionEmbeddings), MaxPositionEmbeddings)),
        .. new[]
        {
            AtLeast(nameof(IntermediateSize), IntermediateSize, 1),
            CountOf(nameof(NumKeyValueHeads), NumKeyValueHeads ?? 1, 1),
            Divides(nameof(NumKeyValueHeads), NumKeyValueHeads ?? 1, NumAttentionHeads, "num_attention_heads"),
            Knows(ActivationChoice.Property, ActivationChoice.Name),
            Probability(nameof(AttentionDropout), AttentionDropout),
        }.OfType<ValidationResult>(),
        .. NumAttentionHeads < 1 ? [] : HeadProblems(),
    ];

    private IEnumerable<ValidationResult> HeadProblems()
    {
        if (HeadDim is null && NeedsHeadDim)
            return [new ValidationResult("is null; give the values per head", [nameof(HeadDim)])];
        return new[]
        {
            HeadDim is { } width ? CountOf(nameof(HeadDim), width, 1) : Divides(nameof(NumAttentionHeads), NumAttentionHeads, HiddenSize, "hidden_size"),
            Rotates(RotaryProperty, RotaryWidth, HeadWidth),
            Scales(nameof(RopeScaling), Scaling, RotaryWidth),
        }.OfType<ValidationResult>();
    }

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
