using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// GPT-2 (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019), with the tensor names and the (in, out)
/// weights of Hugging Face's GPT2LMHeadModel. Left out: cross-attention and the multiple-choice head.
/// </summary>
/// <param name="NPositions">Longest sequence, in tokens.</param>
/// <param name="NEmbd">Width C.</param>
/// <param name="NLayer">Blocks.</param>
/// <param name="NHead">Attention heads H; divides the width.</param>
/// <param name="NInner">Width of the feed-forward layer; 4·C where null.</param>
/// <param name="ActivationFunction">Activation of the feed-forward layer.</param>
/// <param name="ResidPdrop">Dropout of what is added to the residual stream, in [0, 1).</param>
/// <param name="EmbdPdrop">Dropout of the embeddings, in [0, 1).</param>
/// <param name="AttnPdrop">Dropout of attention probabilities, in [0, 1).</param>
/// <param name="LayerNormEpsilon">ε of the norms.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
/// <param name="ScaleAttnWeights">Whether scores are divided by √D.</param>
/// <param name="ScaleAttnByInverseLayerIdx">Whether scores are also divided by the layer's number.</param>
[FormerName("n_positions", "max_position_embeddings")]
[FormerName("n_embd", "hidden_size")]
[FormerName("n_layer", "num_hidden_layers")]
[FormerName("n_head", "num_attention_heads")]
public sealed record Gpt2Config(
    int VocabSize = 50257,
    int NPositions = 1024,
    int NEmbd = 768,
    int NLayer = 12,
    int NHead = 12,
    int? NInner = null,
    string ActivationFunction = "gelu_new",
    float ResidPdrop = 0.1f,
    float EmbdPdrop = 0.1f,
    float AttnPdrop = 0.1f,
    float LayerNormEpsilon = 1e-5f,
    float InitializerRange = 0.02f,
    bool ScaleAttnWeights = true,
    bool ScaleAttnByInverseLayerIdx = false,
    bool TieWordEmbeddings = true,
    int? BosTokenId = null,
    TokenIds? EosTokenId = null) : DecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => NPositions;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "GPT2LMHeadModel";

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. Measures((nameof(NEmbd), NEmbd), (nameof(NLayer), NLayer), (nameof(NHead), NHead), (nameof(NPositions), NPositions)),
        .. new[]
        {
            AtLeast(nameof(NInner), NInner ?? 1, 1),
            Divides(nameof(NHead), NHead, NEmbd, "n_embd"),
            Probability(nameof(ResidPdrop), ResidPdrop),
            Probability(nameof(EmbdPdrop), EmbdPdrop),
            Probability(nameof(AttnPdrop), AttnPdrop),
            Knows(nameof(ActivationFunction), ActivationFunction),
        }.OfType<ValidationResult>(),
    ];

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["c_attn"], ["c_attn", "mlp.c_proj"])
    {
        Residuals =
        [
            new ResidualSite("attn.c_proj", "attention_adapters", BlockPart.Attention),
            new ResidualSite("mlp.c_proj", "output_adapters", BlockPart.FeedForward),
        ],
    };

    internal override LanguageModel Build(Scope scope) => new Gpt2(this, scope);
}

/// <inheritdoc cref="Gpt2Config"/>
public sealed class Gpt2 : DecoderModel
{
    private readonly Embedding _positions;
    private readonly float _dropout;

    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Gpt2(Gpt2Config config, Scope scope)
        : base(config, scope, config.NHead, config.NEmbd / config.NHead)
    {
        Init init = Init.Normal(config.InitializerRange);
        Scope body = scope["transformer"];
        Tokens = body.Embedding("wte", config.VocabSize, config.NEmbd, init);
        Blocks = Repeat(config.NLayer, body["h"], (i, layer) => Block(config, i, layer));
        Norm = body.LayerNorm("ln_f", config.NEmbd, config.LayerNormEpsilon);
        Head = MakeHead(scope, "lm_head", config.NEmbd, init);
        _positions = body.Embedding("wpe", config.NPositions, config.NEmbd, init);
        _dropout = config.EmbdPdrop;
    }

    /// <inheritdoc/>
    protected override Tensor Embed(Pass pass) => pass.Dropout(base.Embed(pass).Add(_positions.Forward(pass.Positions)), _dropout);

    // x + attention(norm(x)), then x + mlp(norm(x)).
    private static PreNormBlock Block(Gpt2Config config, int layer, Scope scope) => new(
        scope.LayerNorm("ln_1", config.NEmbd, config.LayerNormEpsilon),
        Attention(config, layer, scope["attn"]),
        scope.LayerNorm("ln_2", config.NEmbd, config.LayerNormEpsilon),
        FeedForward(config, scope["mlp"]),
        config.ResidPdrop);

    // One projection: all queries, all keys, all values.
    private static SelfAttention Attention(Gpt2Config config, int layer, Scope scope)
    {
        int c = config.NEmbd, heads = config.NHead, d = c / heads;
        Linear projection = scope.Linear("c_attn", c, 3 * c, bias: true, Init.Normal(config.InitializerRange), WeightLayout.InOut);
        float scale = (config.ScaleAttnWeights ? 1f / MathF.Sqrt(d) : 1f) / (config.ScaleAttnByInverseLayerIdx ? layer + 1 : 1);
        return new SelfAttention(
            layer,
            new FusedProjection(projection, groups: 1, heads, heads, d),
            scope.Linear("c_proj", c, c, bias: true, ResidualInit(config), WeightLayout.InOut),
            new AttentionOptions(scale, Causal: true))
        {
            Dropout = config.AttnPdrop,
        };
    }

    private static Mlp FeedForward(Gpt2Config config, Scope scope)
    {
        int c = config.NEmbd, inner = config.NInner ?? 4 * c;
        return new Mlp(
            scope.Linear("c_fc", c, inner, bias: true, Init.Normal(config.InitializerRange), WeightLayout.InOut),
            scope.Linear("c_proj", inner, c, bias: true, ResidualInit(config), WeightLayout.InOut),
            Activations.Parse(config.ActivationFunction));
    }

    // The residual stream sums 2·L contributions: each starts out smaller by the root of that.
    private static Init ResidualInit(Gpt2Config config) => Init.Normal(config.InitializerRange / MathF.Sqrt(2 * config.NLayer));
}
