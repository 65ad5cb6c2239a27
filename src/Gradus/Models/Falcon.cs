using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Falcon (Almazrouei et al., "The Falcon Series of Open Language Models", 2023) in its three forms: Falcon-7B (one key/value head,
/// attention and feed-forward layer side by side behind one norm), Falcon-40B and 180B (grouped key/value heads, side by side, a norm
/// each), and Falcon-RW (a key and value for each head, one after the other, linear position biases). Tensor names of Hugging Face's
/// FalconForCausalLM.
/// </summary>
/// <param name="HiddenSize">Width C.</param>
/// <param name="NumHiddenLayers">Blocks.</param>
/// <param name="NumAttentionHeads">Query heads H; divides the width.</param>
/// <param name="NumLnInParallelAttn">Norms before layers side by side, 1 or 2; where null 2 in the new form, else 1.</param>
/// <param name="NumKvHeads">Key/value heads of the new form, dividing H; H where null.</param>
/// <param name="NewDecoderArchitecture">Whether key/value heads are grouped, as in Falcon-40B.</param>
/// <param name="MultiQuery">Whether there is one key/value head, in the old form.</param>
/// <param name="ParallelAttn">Whether attention and feed-forward layer read the same input, in the old form; in the new one they always do.</param>
/// <param name="Bias">Whether the linear layers have biases.</param>
/// <param name="Alibi">Linear position biases instead of rotary positions.</param>
/// <param name="FfnHiddenSize">Width of the feed-forward layer; 4·C where null.</param>
/// <param name="Activation">Activation of the feed-forward layer.</param>
/// <param name="MaxPositionEmbeddings">Longest sequence, in tokens.</param>
/// <param name="RopeTheta">Base of the rotary frequencies.</param>
/// <param name="RopeScaling">Change of the rotary frequencies for long contexts, or null.</param>
/// <param name="LayerNormEpsilon">ε of the norms.</param>
/// <param name="HiddenDropout">Dropout of what is added to the residual stream, in [0, 1).</param>
/// <param name="AttentionDropout">Dropout of attention probabilities, in [0, 1).</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
[FormerName("hidden_size", "n_embed")]
[FormerName("num_hidden_layers", "n_layer")]
[FormerName("num_attention_heads", "n_head")]
[FormerName("num_kv_heads", "n_head_kv")]
public sealed record FalconConfig(
    int VocabSize = 65024,
    int HiddenSize = 4544,
    int NumHiddenLayers = 32,
    int NumAttentionHeads = 71,
    int? NumLnInParallelAttn = null,
    int? NumKvHeads = null,
    bool NewDecoderArchitecture = false,
    bool MultiQuery = true,
    bool ParallelAttn = true,
    bool Bias = false,
    bool Alibi = false,
    int? FfnHiddenSize = null,
    string Activation = "gelu",
    int MaxPositionEmbeddings = 2048,
    double RopeTheta = 10000,
    RopeScaling? RopeScaling = null,
    float LayerNormEpsilon = 1e-5f,
    float HiddenDropout = 0,
    float AttentionDropout = 0,
    float InitializerRange = 0.02f,
    bool TieWordEmbeddings = true,
    int? BosTokenId = 11,
    TokenIds? EosTokenId = null) : DecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => Models.RopeScaling.ContextLength(MaxPositionEmbeddings, RopeScaling);

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "FalconForCausalLM";

    internal Init Init => Init.Normal(InitializerRange);

    internal int HeadWidth => HiddenSize / NumAttentionHeads;

    internal int FeedForwardWidth => FfnHiddenSize ?? 4 * HiddenSize;

    internal int KeyValueHeads => NewDecoderArchitecture ? NumKvHeads ?? NumAttentionHeads : MultiQuery ? 1 : NumAttentionHeads;

    internal bool Parallel => NewDecoderArchitecture || ParallelAttn;

    internal bool TwoNorms => (NumLnInParallelAttn ?? (NewDecoderArchitecture ? 2 : 1)) == 2;

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. Measures((nameof(HiddenSize), HiddenSize), (nameof(NumHiddenLayers), NumHiddenLayers), (nameof(NumAttentionHeads), NumAttentionHeads), (nameof(MaxPositionEmbeddings), MaxPositionEmbeddings)),
        .. new[]
        {
            CountOf(nameof(NumKvHeads), NumKvHeads ?? 1, 1),
            AtLeast(nameof(FfnHiddenSize), FfnHiddenSize ?? 1, 1),
            Divides(nameof(NumAttentionHeads), NumAttentionHeads, HiddenSize, "hidden_size"),
            Divides(nameof(NumKvHeads), NumKvHeads ?? 1, NumAttentionHeads, "num_attention_heads"),
            NumLnInParallelAttn is null or 1 or 2 ? null : new ValidationResult($"must be 1 or 2, but is {NumLnInParallelAttn}", [nameof(NumLnInParallelAttn)]),
            Knows(nameof(Activation), Activation),
            Probability(nameof(HiddenDropout), HiddenDropout),
            Probability(nameof(AttentionDropout), AttentionDropout),
            Alibi || NumAttentionHeads < 1 ? null : Rotates(nameof(NumAttentionHeads), HeadWidth, HeadWidth),
            Alibi || NumAttentionHeads < 1 ? null : Scales(nameof(RopeScaling), RopeScaling, HeadWidth),
        }.OfType<ValidationResult>(),
    ];

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["query_key_value"], ["query_key_value", "dense_4h_to_h"]);

    internal override LanguageModel Build(Scope scope) => new Falcon(this, scope);
}

/// <inheritdoc cref="FalconConfig"/>
public sealed class Falcon : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Falcon(FalconConfig config, Scope scope)
        : base(config, scope, config.KeyValueHeads, config.HeadWidth)
    {
        Scope body = scope["transformer"];
        Positions positions = new(config, scope.Parts.Store);
        Rotary = positions.Rotary;
        Tokens = body.Embedding("word_embeddings", config.VocabSize, config.HiddenSize, config.Init);
        Blocks = Repeat(config.NumHiddenLayers, body["h"], (i, layer) => Block(config, i, positions, layer));
        Norm = body.LayerNorm("ln_f", config.HiddenSize, config.LayerNormEpsilon);
        Head = MakeHead(scope, "lm_head", config.HiddenSize, config.Init);
    }

    private static IBlock Block(FalconConfig config, int layer, Positions positions, Scope scope)
    {
        SelfAttention attention = Attention(config, layer, positions, scope["self_attention"]);
        Mlp mlp = new(
            scope["mlp"].Linear("dense_h_to_4h", config.HiddenSize, config.FeedForwardWidth, config.Bias, config.Init),
            scope["mlp"].Linear("dense_4h_to_h", config.FeedForwardWidth, config.HiddenSize, config.Bias, config.Init),
            Activations.Parse(config.Activation));
        if (!config.Parallel)
            return new PreNormBlock(Norm("input_layernorm"), attention, Norm("post_attention_layernorm"), mlp, config.HiddenDropout);
        LayerNorm norm = Norm(config.TwoNorms ? "ln_attn" : "input_layernorm");
        return new ParallelBlock(norm, attention, config.TwoNorms ? Norm("ln_mlp") : norm, mlp, config.HiddenDropout);

        LayerNorm Norm(string name) => scope.LayerNorm(name, config.HiddenSize, config.LayerNormEpsilon);
    }

    // One projection: for every key/value head the queries that it serves, then its key and value.
    private static SelfAttention Attention(FalconConfig config, int layer, Positions positions, Scope scope)
    {
        int c = config.HiddenSize, heads = config.NumAttentionHeads, keyValueHeads = config.KeyValueHeads, d = config.HeadWidth;
        Linear projection = scope.Linear("query_key_value", c, (heads + (2 * keyValueHeads)) * d, config.Bias, config.Init);
        return new SelfAttention(
            layer,
            new FusedProjection(projection, groups: keyValueHeads, heads, keyValueHeads, d),
            scope.Linear("dense", c, c, config.Bias, config.Init),
            new AttentionOptions(1f / MathF.Sqrt(d), Causal: true))
        {
            Rotary = positions.Rotary,
            Slopes = positions.Slopes,
            Dropout = config.AttentionDropout,
        };
    }

    // How attention knows positions: by rotation, or by biases, which Falcon scales like the scores.
    private sealed class Positions(FalconConfig config, Workspace store)
    {
        public RotaryEmbedding? Rotary { get; } = config.Alibi
            ? null
            : RopeScaling.Rotary(store, config.HeadWidth, config.RopeTheta, config.MaxPositionEmbeddings, config.RopeScaling);

        public Tensor? Slopes { get; } = config.Alibi
            ? store.From([.. Nn.Alibi.Slopes(config.NumAttentionHeads).Select(s => s / MathF.Sqrt(config.HeadWidth))], new Shape(config.NumAttentionHeads))
            : null;
    }
}
