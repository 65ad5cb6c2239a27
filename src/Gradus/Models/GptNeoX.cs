using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// GPT-NeoX and Pythia (Black et al., "GPT-NeoX-20B", 2022; Biderman et al., "Pythia", 2023): attention and feed-forward layer side by
/// side, rotary positions of a part of each head. Tensor names of Hugging Face's GPTNeoXForCausalLM.
/// </summary>
/// <param name="HiddenSize">Width C.</param>
/// <param name="NumHiddenLayers">Blocks.</param>
/// <param name="NumAttentionHeads">Attention heads H; divides the width.</param>
/// <param name="IntermediateSize">Width of the feed-forward layer.</param>
/// <param name="HiddenAct">Activation of the feed-forward layer.</param>
/// <param name="RotaryPct">The share of a head's values that are turned, in (0, 1].</param>
/// <param name="RotaryEmbBase">Base of the rotary frequencies.</param>
/// <param name="RopeScaling">Change of the rotary frequencies for long contexts, or null.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
/// <param name="UseParallelResidual">Whether attention and feed-forward layer read the same input, rather than one after the other.</param>
/// <param name="MaxPositionEmbeddings">Longest sequence, in tokens.</param>
/// <param name="LayerNormEps">ε of the norms.</param>
/// <param name="HiddenDropout">Dropout of the embeddings and of what is added to the residual stream, in [0, 1).</param>
/// <param name="AttentionDropout">Dropout of attention probabilities, in [0, 1).</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
[FormerName("rotary_pct", "partial_rotary_factor")]
[FormerName("rotary_emb_base", "rope_theta")]
public sealed record GptNeoXConfig(
    int VocabSize = 50432,
    int HiddenSize = 6144,
    int NumHiddenLayers = 44,
    int NumAttentionHeads = 64,
    int IntermediateSize = 24576,
    string HiddenAct = "gelu",
    double RotaryPct = 0.25,
    double RotaryEmbBase = 10000,
    RopeScaling? RopeScaling = null,
    bool AttentionBias = true,
    bool UseParallelResidual = true,
    int MaxPositionEmbeddings = 2048,
    float LayerNormEps = 1e-5f,
    float HiddenDropout = 0,
    float AttentionDropout = 0,
    float InitializerRange = 0.02f,
    bool TieWordEmbeddings = false,
    int? BosTokenId = 0,
    TokenIds? EosTokenId = null) : DecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => Models.RopeScaling.ContextLength(MaxPositionEmbeddings, RopeScaling);

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "GPTNeoXForCausalLM";

    internal Init Init => Init.Normal(InitializerRange);

    internal int HeadWidth => HiddenSize / NumAttentionHeads;

    internal int RotaryWidth => (int)(HeadWidth * RotaryPct);

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. Measures((nameof(HiddenSize), HiddenSize), (nameof(NumHiddenLayers), NumHiddenLayers), (nameof(NumAttentionHeads), NumAttentionHeads), (nameof(MaxPositionEmbeddings), MaxPositionEmbeddings)),
        .. new[]
        {
            AtLeast(nameof(IntermediateSize), IntermediateSize, 1),
            Divides(nameof(NumAttentionHeads), NumAttentionHeads, HiddenSize, "hidden_size"),
            Knows(nameof(HiddenAct), HiddenAct),
            Probability(nameof(HiddenDropout), HiddenDropout),
            Probability(nameof(AttentionDropout), AttentionDropout),
            NumAttentionHeads < 1 ? null : Rotates(nameof(RotaryPct), RotaryWidth, HeadWidth),
            NumAttentionHeads < 1 ? null : Scales(nameof(RopeScaling), RopeScaling, RotaryWidth),
        }.OfType<ValidationResult>(),
    ];

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["query_key_value"], ["query_key_value", "dense_4h_to_h"]);

    internal override LanguageModel Build(Scope scope) => new GptNeoX(this, scope);
}

/// <inheritdoc cref="GptNeoXConfig"/>
public sealed class GptNeoX : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public GptNeoX(GptNeoXConfig config, Scope scope)
        : base(config, scope, config.NumAttentionHeads, config.HeadWidth)
    {
        Scope body = scope["gpt_neox"];
        RotaryEmbedding rotary = Rotary = RopeScaling.Rotary(
            scope.Parts.Store, config.RotaryWidth, config.RotaryEmbBase, config.MaxPositionEmbeddings, config.RopeScaling);
        Tokens = body.Embedding("embed_in", config.VocabSize, config.HiddenSize, config.Init);
        EmbeddingDropout = config.HiddenDropout;
        Blocks = Repeat(config.NumHiddenLayers, body["layers"], (i, layer) => Block(config, i, rotary, layer));
        Norm = body.LayerNorm("final_layer_norm", config.HiddenSize, config.LayerNormEps);
        Head = MakeHead(scope, "embed_out", config.HiddenSize, config.Init);
    }

    // x + attention(norm₁(x)) + mlp(norm₂(x)), or the two one after the other.
    private static IBlock Block(GptNeoXConfig config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        LayerNorm norm1 = scope.LayerNorm("input_layernorm", config.HiddenSize, config.LayerNormEps);
        LayerNorm norm2 = scope.LayerNorm("post_attention_layernorm", config.HiddenSize, config.LayerNormEps);
        SelfAttention attention = Attention(config, layer, rotary, scope["attention"]);
        Mlp mlp = new(
            scope["mlp"].Linear("dense_h_to_4h", config.HiddenSize, config.IntermediateSize, bias: true, config.Init),
            scope["mlp"].Linear("dense_4h_to_h", config.IntermediateSize, config.HiddenSize, bias: true, config.Init),
            Activations.Parse(config.HiddenAct));
        return config.UseParallelResidual
            ? new ParallelBlock(norm1, attention, norm2, mlp, config.HiddenDropout)
            : new PreNormBlock(norm1, attention, norm2, mlp, config.HiddenDropout);
    }

    // One projection: for every head its query, key and value.
    private static SelfAttention Attention(GptNeoXConfig config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        int c = config.HiddenSize, heads = config.NumAttentionHeads, d = config.HeadWidth;
        return new SelfAttention(
            layer,
            new FusedProjection(scope.Linear("query_key_value", c, 3 * c, config.AttentionBias, config.Init), groups: heads, heads, heads, d),
            scope.Linear("dense", c, c, config.AttentionBias, config.Init),
            new AttentionOptions(1f / MathF.Sqrt(d), Causal: true))
        {
            Rotary = rotary,
            Dropout = config.AttentionDropout,
        };
    }
}
