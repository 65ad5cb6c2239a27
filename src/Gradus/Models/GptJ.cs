using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// GPT-J (Wang and Komatsuzaki, "GPT-J-6B", 2021): attention and feed-forward layer side by side behind one norm, rotary positions of
/// neighbouring values, a head with a bias. Tensor names of Hugging Face's GPTJForCausalLM.
/// </summary>
/// <param name="NPositions">Longest sequence, in tokens.</param>
/// <param name="NEmbd">Width C.</param>
/// <param name="NLayer">Blocks.</param>
/// <param name="NHead">Attention heads H; divides the width.</param>
/// <param name="RotaryDim">Values of a head that are turned; all where null.</param>
/// <param name="NInner">Width of the feed-forward layer; 4·C where null.</param>
/// <param name="ActivationFunction">Activation of the feed-forward layer.</param>
/// <param name="ResidPdrop">Dropout of what is added to the residual stream, in [0, 1).</param>
/// <param name="EmbdPdrop">Dropout of the embeddings, in [0, 1).</param>
/// <param name="AttnPdrop">Dropout of attention probabilities, in [0, 1).</param>
/// <param name="LayerNormEpsilon">ε of the norms.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
[FormerName("n_positions", "max_position_embeddings")]
[FormerName("n_embd", "hidden_size")]
[FormerName("n_layer", "num_hidden_layers")]
[FormerName("n_head", "num_attention_heads")]
public sealed record GptJConfig(
    int VocabSize = 50400,
    int NPositions = 2048,
    int NEmbd = 4096,
    int NLayer = 28,
    int NHead = 16,
    int? RotaryDim = 64,
    int? NInner = null,
    string ActivationFunction = "gelu_new",
    float ResidPdrop = 0,
    float EmbdPdrop = 0,
    float AttnPdrop = 0,
    float LayerNormEpsilon = 1e-5f,
    float InitializerRange = 0.02f,
    bool TieWordEmbeddings = false,
    int? BosTokenId = 50256,
    TokenIds? EosTokenId = null) : DecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => NPositions;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "GPTJForCausalLM";

    internal Init Init => Init.Normal(InitializerRange);

    internal int HeadWidth => NEmbd / NHead;

    internal int FeedForwardWidth => NInner ?? 4 * NEmbd;

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. Measures((nameof(NEmbd), NEmbd), (nameof(NLayer), NLayer), (nameof(NHead), NHead), (nameof(NPositions), NPositions)),
        .. new[]
        {
            AtLeast(nameof(NInner), NInner ?? 1, 1),
            CountOf(nameof(RotaryDim), RotaryDim ?? 0, 0),
            Divides(nameof(NHead), NHead, NEmbd, "n_embd"),
            Knows(nameof(ActivationFunction), ActivationFunction),
            Probability(nameof(ResidPdrop), ResidPdrop),
            Probability(nameof(EmbdPdrop), EmbdPdrop),
            Probability(nameof(AttnPdrop), AttnPdrop),
            NHead < 1 ? null : Rotates(nameof(RotaryDim), RotaryDim ?? HeadWidth, HeadWidth),
        }.OfType<ValidationResult>(),
    ];

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["q_proj", "v_proj", "fc_out"]);

    internal override LanguageModel Build(Scope scope) => new GptJ(this, scope);
}

/// <inheritdoc cref="GptJConfig"/>
public sealed class GptJ : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope.</summary>
    public GptJ(GptJConfig config, Scope scope)
        : base(config, scope, config.NHead, config.HeadWidth)
    {
        Scope body = scope["transformer"];
        double[] frequencies = RotaryEmbedding.Frequencies(config.RotaryDim ?? config.HeadWidth, theta: 10000);
        RotaryEmbedding rotary = Rotary = new(scope.Parts.Store, frequencies, config.NPositions) { Interleaved = true };
        Tokens = body.Embedding("wte", config.VocabSize, config.NEmbd, config.Init);
        EmbeddingDropout = config.EmbdPdrop;
        Blocks = Repeat(config.NLayer, body["h"], (i, layer) => Block(config, i, rotary, layer));
        Norm = body.LayerNorm("ln_f", config.NEmbd, config.LayerNormEpsilon);
        Head = MakeHead(scope, "lm_head", config.NEmbd, config.Init, bias: true);
    }

    // x + attention(norm(x)) + mlp(norm(x)).
    private static ParallelBlock Block(GptJConfig config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        LayerNorm norm = scope.LayerNorm("ln_1", config.NEmbd, config.LayerNormEpsilon);
        Mlp mlp = new(
            scope["mlp"].Linear("fc_in", config.NEmbd, config.FeedForwardWidth, bias: true, config.Init),
            scope["mlp"].Linear("fc_out", config.FeedForwardWidth, config.NEmbd, bias: true, config.Init),
            Activations.Parse(config.ActivationFunction));
        return new ParallelBlock(norm, Attention(config, layer, rotary, scope["attn"]), norm, mlp, config.ResidPdrop);
    }

    private static SelfAttention Attention(GptJConfig config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        int c = config.NEmbd, heads = config.NHead, d = config.HeadWidth;
        return new SelfAttention(
            layer,
            new SeparateProjections(scope, c, heads, heads, d, bias: false, config.Init),
            scope.Linear("out_proj", c, c, bias: false, config.Init),
            new AttentionOptions(1f / MathF.Sqrt(d), Causal: true))
        {
            Rotary = rotary,
            Dropout = config.AttnPdrop,
        };
    }
}
