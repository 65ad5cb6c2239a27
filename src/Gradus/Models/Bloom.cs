using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// BLOOM (Le Scao et al., "BLOOM: A 176B-Parameter Open-Access Multilingual Language Model", 2022): linear position biases (Press et al.,
/// "ALiBi", 2021) and a norm of the embeddings. Tensor names of Hugging Face's BloomForCausalLM.
/// </summary>
/// <param name="HiddenSize">Width C.</param>
/// <param name="NLayer">Blocks.</param>
/// <param name="NHead">Attention heads H; divides the width.</param>
/// <param name="SeqLength">Longest sequence, in tokens: that of training, although the biases know no limit.</param>
/// <param name="LayerNormEpsilon">ε of the norms.</param>
/// <param name="ApplyResidualConnectionPostLayernorm">Whether attention and feed-forward layer are added to their normalized inputs.</param>
/// <param name="HiddenDropout">Dropout of what is added to the residual stream, in [0, 1).</param>
/// <param name="AttentionDropout">Dropout of attention probabilities, in [0, 1).</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
[FormerName("hidden_size", "n_embed")]
[FormerName("n_layer", "num_hidden_layers")]
[FormerName("n_head", "num_attention_heads")]
public sealed record BloomConfig(
    int VocabSize = 250880,
    int HiddenSize = 64,
    int NLayer = 2,
    int NHead = 8,
    int SeqLength = 2048,
    float LayerNormEpsilon = 1e-5f,
    bool ApplyResidualConnectionPostLayernorm = false,
    float HiddenDropout = 0,
    float AttentionDropout = 0,
    float InitializerRange = 0.02f,
    bool TieWordEmbeddings = true,
    int? BosTokenId = 1,
    TokenIds? EosTokenId = null) : DecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => SeqLength;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "BloomForCausalLM";

    internal Init Init => Init.Normal(InitializerRange);

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. Measures((nameof(HiddenSize), HiddenSize), (nameof(NLayer), NLayer), (nameof(NHead), NHead), (nameof(SeqLength), SeqLength)),
        .. new[]
        {
            Divides(nameof(NHead), NHead, HiddenSize, "hidden_size"),
            Probability(nameof(HiddenDropout), HiddenDropout),
            Probability(nameof(AttentionDropout), AttentionDropout),
        }.OfType<ValidationResult>(),
    ];

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["query_key_value"], ["query_key_value", "mlp.dense_4h_to_h"]);

    internal override LanguageModel Build(Scope scope) => new Bloom(this, scope);
}

/// <inheritdoc cref="BloomConfig"/>
public sealed class Bloom : DecoderModel
{
    private readonly LayerNorm _embeddingNorm;

    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Bloom(BloomConfig config, Scope scope)
        : base(config, scope, config.NHead, config.HiddenSize / config.NHead)
    {
        Scope body = scope["transformer"];
        Tensor slopes = scope.Parts.Store.From(Alibi.Slopes(config.NHead), new Shape(config.NHead));
        Tokens = body.Embedding("word_embeddings", config.VocabSize, config.HiddenSize, config.Init);
        Blocks = Repeat(config.NLayer, body["h"], (i, layer) => new Block(config, i, slopes, layer));
        Norm = body.LayerNorm("ln_f", config.HiddenSize, config.LayerNormEpsilon);
        Head = MakeHead(scope, "lm_head", config.HiddenSize, config.Init);
        _embeddingNorm = body.LayerNorm("word_embeddings_layernorm", config.HiddenSize, config.LayerNormEpsilon);
    }

    /// <inheritdoc/>
    protected override Tensor Embed(Pass pass) => _embeddingNorm.Forward(base.Embed(pass));

    // x + attention(norm(x)), then x + mlp(norm(x)); or the normalized x instead of x in both sums.
    private sealed class Block(BloomConfig config, int layer, Tensor slopes, Scope scope) : IBlock
    {
        private readonly LayerNorm _norm1 = scope.LayerNorm("input_layernorm", config.HiddenSize, config.LayerNormEpsilon);
        private readonly SelfAttention _attention = Attention(config, layer, slopes, scope["self_attention"]);
        private readonly LayerNorm _norm2 = scope.LayerNorm("post_attention_layernorm", config.HiddenSize, config.LayerNormEpsilon);
        private readonly Mlp _mlp = new(
            scope["mlp"].Linear("dense_h_to_4h", config.HiddenSize, 4 * config.HiddenSize, bias: true, config.Init),
            scope["mlp"].Linear("dense_4h_to_h", 4 * config.HiddenSize, config.HiddenSize, bias: true, config.Init),
            Activation.GeluTanh);

        public Tensor Forward(Tensor x, Pass pass) => Add(_mlp, _norm2, Add(_attention, _norm1, x, pass), pass);

        private Tensor Add(IBlock part, LayerNorm norm, Tensor x, Pass pass)
        {
            Tensor normal = norm.Forward(x), residual = config.ApplyResidualConnectionPostLayernorm ? normal : x;
            return part.AddTo(residual, normal, pass, config.HiddenDropout);
        }
    }

    // One projection: for every head its query, key and value.
    private static SelfAttention Attention(BloomConfig config, int layer, Tensor slopes, Scope scope)
    {
        int c = config.HiddenSize, heads = config.NHead, d = c / heads;
        return new SelfAttention(
            layer,
            new FusedProjection(scope.Linear("query_key_value", c, 3 * c, bias: true, config.Init), groups: heads, heads, heads, d),
            scope.Linear("dense", c, c, bias: true, config.Init),
            new AttentionOptions(1f / MathF.Sqrt(d), Causal: true))
        {
            Slopes = slopes,
            Dropout = config.AttentionDropout,
        };
    }
}
