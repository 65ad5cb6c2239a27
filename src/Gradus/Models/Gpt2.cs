using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// GPT-2 (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019), with the tensor names and the (in, out)
/// weights of Hugging Face's GPT2LMHeadModel. Left out: cross-attention and the multiple-choice head.
/// </summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
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
/// <param name="TieWordEmbeddings">Whether the head uses the token table.</param>
/// <param name="BosTokenId">Token that begins a text.</param>
/// <param name="EosTokenId">Token that ends a text.</param>
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
    int? EosTokenId = null) : ModelConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => NPositions;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "GPT2LMHeadModel";

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => new[]
    {
        AtLeast(nameof(VocabSize), VocabSize, 1),
        AtLeast(nameof(NPositions), NPositions, 1),
        AtLeast(nameof(NEmbd), NEmbd, 1),
        AtLeast(nameof(NLayer), NLayer, 0),
        AtLeast(nameof(NHead), NHead, 1),
        AtLeast(nameof(NInner), NInner ?? 1, 1),
        Divides(nameof(NHead), NHead, NEmbd, "n_embd"),
        Dropout(nameof(ResidPdrop), ResidPdrop),
        Dropout(nameof(EmbdPdrop), EmbdPdrop),
        Dropout(nameof(AttnPdrop), AttnPdrop),
    }.OfType<ValidationResult>();
}

/// <inheritdoc cref="Gpt2Config"/>
public sealed class Gpt2 : DecoderModel
{
    private readonly Embedding _tokens;
    private readonly Embedding _positions;
    private readonly Block[] _blocks;
    private readonly LayerNorm _norm;
    private readonly float _dropout;

    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Gpt2(Gpt2Config config, Scope scope)
        : base(config, scope)
    {
        Init init = Init.Normal(config.InitializerRange);
        Scope body = scope["transformer"];
        _tokens = body.Embedding("wte", config.VocabSize, config.NEmbd, init);
        _positions = body.Embedding("wpe", config.NPositions, config.NEmbd, init);
        _blocks = [.. Enumerable.Range(0, config.NLayer).Select(i => new Block(config, i, body["h"][i]))];
        _norm = body.LayerNorm("ln_f", config.NEmbd, config.LayerNormEpsilon);
        Head = config.TieWordEmbeddings
            ? scope.TiedLinear("lm_head", _tokens.Table)
            : scope.Linear("lm_head", config.NEmbd, config.VocabSize, bias: false, init);
        CacheHeads = config.NHead;
        CacheWidth = config.NEmbd / config.NHead;
        _dropout = config.EmbdPdrop;
    }

    /// <inheritdoc/>
    public override Linear Head { get; }

    /// <inheritdoc/>
    protected override IReadOnlyList<IBlock> Blocks => _blocks;

    /// <inheritdoc/>
    protected override int CacheHeads { get; }

    /// <inheritdoc/>
    protected override int CacheWidth { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Pass pass) =>
        pass.Dropout(_tokens.Forward(pass.Ids).Add(_positions.Forward(pass.Positions)), _dropout);

    /// <inheritdoc/>
    protected override Tensor Normalize(Tensor x) => _norm.Forward(x);

    // x + attention(norm(x)), then x + mlp(norm(x)).
    private sealed class Block(Gpt2Config config, int layer, Scope scope) : IBlock
    {
        private readonly LayerNorm _norm1 = scope.LayerNorm("ln_1", config.NEmbd, config.LayerNormEpsilon);
        private readonly Attention _attention = new(config, layer, scope["attn"]);
        private readonly LayerNorm _norm2 = scope.LayerNorm("ln_2", config.NEmbd, config.LayerNormEpsilon);
        private readonly Mlp _mlp = new(config, scope["mlp"]);

        public Tensor Forward(Tensor x, Pass pass)
        {
            x = x.Add(pass.Dropout(_attention.Forward(_norm1.Forward(x), pass), config.ResidPdrop));
            return x.Add(pass.Dropout(_mlp.Forward(_norm2.Forward(x), pass), config.ResidPdrop));
        }
    }

    private sealed class Attention(Gpt2Config config, int layer, Scope scope)
    {
        private readonly int _heads = config.NHead;
        private readonly int _width = config.NEmbd / config.NHead;
        private readonly Linear _queryKeyValue = scope.Linear(
            "c_attn", config.NEmbd, 3 * config.NEmbd, bias: true, Init.Normal(config.InitializerRange), WeightLayout.InOut);

        private readonly Linear _output = scope.Linear(
            "c_proj", config.NEmbd, config.NEmbd, bias: true, ResidualInit(config), WeightLayout.InOut);

        private readonly AttentionOptions _options = new(
            (config.ScaleAttnWeights ? 1f / MathF.Sqrt(config.NEmbd / config.NHead) : 1f)
            / (config.ScaleAttnByInverseLayerIdx ? layer + 1 : 1),
            Causal: true);

        public Tensor Forward(Tensor x, Pass pass)
        {
            Tensor qkv = _queryKeyValue.Forward(x, pass);        // (N, 3·H·D)
            Tensor q = Part(qkv, 0), k = Part(qkv, 1), v = Part(qkv, 2);
            return _output.Forward(pass.Attend(layer, q, k, v, _options, dropout: config.AttnPdrop), pass);
        }

        // (N, H, D)
        private Tensor Part(Tensor qkv, int index) =>
            qkv.Columns(index * _heads * _width, _heads * _width).Reshape(qkv.Shape[0], _heads, _width);
    }

    private sealed class Mlp(Gpt2Config config, Scope scope)
    {
        private readonly Activation _activation = Activations.Parse(config.ActivationFunction);
        private readonly Linear _expand = scope.Linear(
            "c_fc", config.NEmbd, config.NInner ?? 4 * config.NEmbd, bias: true, Init.Normal(config.InitializerRange), WeightLayout.InOut);

        private readonly Linear _contract = scope.Linear(
            "c_proj", config.NInner ?? 4 * config.NEmbd, config.NEmbd, bias: true, ResidualInit(config), WeightLayout.InOut);

        public Tensor Forward(Tensor x, Pass pass) =>
            _contract.Forward(_expand.Forward(x, pass).Activate(_activation), pass);
    }

    // The residual stream sums 2·L contributions: each starts out smaller by the root of that.
    private static Init ResidualInit(Gpt2Config config) => Init.Normal(config.InitializerRange / MathF.Sqrt(2 * config.NLayer));
}
