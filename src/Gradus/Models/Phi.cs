using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Phi-1, Phi-1.5 and Phi-2 (Gunasekar et al., "Textbooks Are All You Need", 2023): attention and feed-forward layer side by side behind
/// one norm, rotary positions of a part of each head, a head with a bias. Tensor names of Hugging Face's PhiForCausalLM.
/// </summary>
/// <param name="ResidPdrop">Dropout of what is added to the residual stream, in [0, 1).</param>
/// <param name="EmbdPdrop">Dropout of the embeddings, in [0, 1).</param>
/// <param name="HiddenAct">Activation of the feed-forward layer.</param>
/// <param name="LayerNormEps">ε of the norms.</param>
/// <param name="PartialRotaryFactor">The share of a head's values that are turned, in (0, 1].</param>
/// <param name="QkLayernorm">Whether every query and key head is normalized.</param>
public sealed record PhiConfig(
    int VocabSize = 51200,
    int HiddenSize = 2048,
    int IntermediateSize = 8192,
    int NumHiddenLayers = 24,
    int NumAttentionHeads = 32,
    int? NumKeyValueHeads = null,
    float ResidPdrop = 0,
    float EmbdPdrop = 0,
    string HiddenAct = "gelu_new",
    int MaxPositionEmbeddings = 2048,
    float LayerNormEps = 1e-5f,
    double RopeTheta = 10000,
    RopeScaling? RopeScaling = null,
    double PartialRotaryFactor = 0.5,
    bool QkLayernorm = false,
    float InitializerRange = 0.02f,
    bool TieWordEmbeddings = false,
    int? BosTokenId = 1,
    TokenIds? EosTokenId = null,
    int? HeadDim = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "PhiForCausalLM";

    internal override int RotaryWidth => (int)(HeadWidth * PartialRotaryFactor);

    internal override string RotaryProperty => nameof(PartialRotaryFactor);

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj", "fc1", "fc2"], ["q_proj", "v_proj", "fc2"]);

    internal override LanguageModel Build(Scope scope) => new Phi(this, scope);
}

/// <inheritdoc cref="PhiConfig"/>
public sealed class Phi : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Phi(PhiConfig config, Scope scope)
        : base(
            config,
            scope,
            (i, rotary, layer) => Block(config, i, rotary, layer),
            body => body.LayerNorm("final_layernorm", config.HiddenSize, config.LayerNormEps),
            headBias: true)
    {
        EmbeddingDropout = config.EmbdPdrop;
    }

    // x + attention(norm(x)) + mlp(norm(x)).
    private static ParallelBlock Block(PhiConfig config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        LayerNorm norm = scope.LayerNorm("input_layernorm", config.HiddenSize, config.LayerNormEps);
        Mlp mlp = new(
            scope["mlp"].Linear("fc1", config.HiddenSize, config.IntermediateSize, bias: true, config.Init),
            scope["mlp"].Linear("fc2", config.IntermediateSize, config.HiddenSize, bias: true, config.Init),
            config.Activation);
        return new ParallelBlock(norm, Attention(config, layer, rotary, scope["self_attn"]), norm, mlp, config.ResidPdrop);
    }

    private static SelfAttention Attention(PhiConfig config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        int c = config.HiddenSize, heads = config.NumAttentionHeads, d = config.HeadWidth;
        return new SelfAttention(
            layer,
            new SeparateProjections(scope, c, heads, config.KeyValueHeads, d, bias: true, config.Init),
            scope.Linear("dense", heads * d, c, bias: true, config.Init),
            new AttentionOptions(1f / MathF.Sqrt(d), Causal: true))
        {
            Rotary = rotary,
            Dropout = config.AttentionDropout,
            QueryNorm = config.QkLayernorm ? scope.LayerNorm("q_layernorm", d, config.LayerNormEps) : null,
            KeyNorm = config.QkLayernorm ? scope.LayerNorm("k_layernorm", d, config.LayerNormEps) : null,
        };
    }
}
