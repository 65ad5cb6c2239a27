using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;
using static Gradus.Models.LlamaLayers;

namespace Gradus.Models;

/// <summary>
/// Phi-3 and Phi-4 (Abdin et al., "Phi-3 Technical Report", 2024): Llama's blocks with fused projections, and LongRoPE (Ding et al., 2024),
/// whose frequencies depend on the length of the text. Tensor names of Hugging Face's Phi3ForCausalLM.
/// </summary>
/// <param name="HiddenAct">Activation of the feed-forward gate.</param>
/// <param name="OriginalMaxPositionEmbeddings">The length of training, for LongRoPE.</param>
/// <param name="PartialRotaryFactor">The share of a head's values that are turned, in (0, 1].</param>
/// <param name="SlidingWindow">Tokens that a token sees, itself included; all where null.</param>
/// <param name="ResidPdrop">Dropout of what is added to the residual stream, in [0, 1).</param>
/// <param name="EmbdPdrop">Dropout of the embeddings, in [0, 1); kept for other programs, not applied there or here.</param>
public sealed record Phi3Config(
    int VocabSize = 32064, int HiddenSize = 3072, int IntermediateSize = 8192, int NumHiddenLayers = 32,
    int NumAttentionHeads = 32, int? NumKeyValueHeads = null, int? HeadDim = null, string HiddenAct = "silu",
    int MaxPositionEmbeddings = 4096, int OriginalMaxPositionEmbeddings = 4096, float RmsNormEps = 1e-5f, double RopeTheta = 10000,
    RopeScaling? RopeScaling = null, double PartialRotaryFactor = 1, int? SlidingWindow = null, float ResidPdrop = 0, float EmbdPdrop = 0,
    bool TieWordEmbeddings = false, float InitializerRange = 0.02f, int? BosTokenId = 1, TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "Phi3ForCausalLM";

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

    internal override int RotaryWidth => (int)(HeadWidth * PartialRotaryFactor);

    internal override string RotaryProperty => nameof(PartialRotaryFactor);

    // Early Phi-3 files name the kind "su" or "yarn", and all of them give the length of training outside of rope_scaling.
    internal override RopeScaling? Scaling => RopeScaling is null ? null : RopeScaling with
    {
        RopeType = RopeScaling.Kind is "su" or "yarn" ? "longrope" : RopeScaling.Kind,
        OriginalMaxPositionEmbeddings = RopeScaling.OriginalMaxPositionEmbeddings ?? OriginalMaxPositionEmbeddings,
    };

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["qkv_proj"], ["qkv_proj", "down_proj"]);

    internal override LanguageModel Build(Scope scope) => new Phi3(this, scope);
}

/// <inheritdoc cref="Phi3Config"/>
public sealed class Phi3 : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Phi3(Phi3Config config, Scope scope)
        : base(config, scope, (i, rotary, layer) => Block(config, i, rotary, layer), body => body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps))
    {
    }

    private static PreNormBlock Block(Phi3Config config, int layer, RotaryEmbedding rotary, Scope scope) => PreNorm(
        config.HiddenSize, config.RmsNormEps, scope,
        Attention(config, layer, rotary, scope["self_attn"]),
        new FusedMlp(config, scope["mlp"]),
        dropout: config.ResidPdrop);

    private static SelfAttention Attention(Phi3Config config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        int heads = config.NumAttentionHeads, keyValueHeads = config.KeyValueHeads, d = config.HeadWidth;
        Linear projection = scope.Linear("qkv_proj", config.HiddenSize, (heads + (2 * keyValueHeads)) * d, bias: false, config.Init);
        return new SelfAttention(
            layer,
            new FusedProjection(projection, groups: 1, heads, keyValueHeads, d),
            Output(config, scope, bias: false),
            Causal(config, config.SlidingWindow))
        {
            Rotary = rotary,
            Dropout = config.AttentionDropout,
        };
    }

    // The gate's columns come first, then those that are gated.
    private sealed class FusedMlp(Phi3Config config, Scope scope) : IBlock
    {
        private readonly Linear _gateUp = scope.Linear("gate_up_proj", config.HiddenSize, 2 * config.IntermediateSize, bias: false, config.Init);
        private readonly Linear _down = scope.Linear("down_proj", config.IntermediateSize, config.HiddenSize, bias: false, config.Init);

        public Tensor Forward(Tensor x, Pass pass) => _down.Forward(Inner(x, pass), pass);

        public Tensor AddTo(Tensor residual, Tensor x, Pass pass, float dropout) => _down.AddTo(residual, Inner(x, pass), pass, dropout);

        private Tensor Inner(Tensor x, Pass pass)
        {
            Tensor both = _gateUp.Forward(x, pass);
            Tensor gate = both.Columns(0, config.IntermediateSize), up = both.Columns(config.IntermediateSize, config.IntermediateSize);
            return gate.Gate(config.Activation, up);
        }
    }
}
