using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// BART (Lewis et al., "BART: Denoising Sequence-to-Sequence Pre-training", 2020): the transformer of 2017 with learned positions, a norm
/// after every residual sum and GELU. Tensor names of Hugging Face's BartForConditionalGeneration. Left out: the classification heads.
/// </summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="MaxPositionEmbeddings">Longest source and longest target, in tokens.</param>
/// <param name="DModel">Width C.</param>
/// <param name="EncoderLayers">Blocks of the encoder.</param>
/// <param name="EncoderAttentionHeads">Heads of the encoder, dividing C.</param>
/// <param name="EncoderFfnDim">Width of the encoder's feed-forward layers.</param>
/// <param name="DecoderLayers">Blocks of the decoder.</param>
/// <param name="DecoderAttentionHeads">Heads of the decoder, dividing C.</param>
/// <param name="DecoderFfnDim">Width of the decoder's feed-forward layers.</param>
/// <param name="ActivationFunction">Activation of the feed-forward layers.</param>
/// <param name="Dropout">Dropout of embeddings and of what is added to the residual stream, in [0, 1).</param>
/// <param name="ActivationDropout">Dropout within the feed-forward layers, in [0, 1).</param>
/// <param name="AttentionDropout">Dropout of attention probabilities, in [0, 1).</param>
/// <param name="EncoderLayerdrop">Probability with which training leaves a block of the encoder out, in [0, 1).</param>
/// <param name="DecoderLayerdrop">The same for the decoder.</param>
/// <param name="InitStd">Standard deviation of new weights.</param>
/// <param name="ScaleEmbedding">Whether token vectors are multiplied by √C.</param>
/// <param name="TieWordEmbeddings">Whether the head uses the token table.</param>
/// <param name="IsEncoderDecoder">Always true; for other programs.</param>
/// <param name="DecoderStartTokenId">Token that begins every target.</param>
/// <param name="BosTokenId">Token that begins a text.</param>
/// <param name="PadTokenId">Token that other programs pad with.</param>
/// <param name="EosTokenId">Token that ends a text.</param>
/// <param name="ForcedBosTokenId">First token that generation has to choose; for other programs.</param>
/// <param name="ForcedEosTokenId">Last token that generation has to choose; for other programs.</param>
[OnlyUsual("normalize_before", "false")]
[OnlyUsual("normalize_embedding", "true")]
[OnlyUsual("add_final_layer_norm", "false")]
[OnlyUsual("static_position_embeddings", "false")]
[FormerName("d_model", "hidden_size")]
[FormerName("encoder_attention_heads", "num_attention_heads")]
public sealed record BartConfig(
    int VocabSize = 50265,
    int MaxPositionEmbeddings = 1024,
    int DModel = 1024,
    int EncoderLayers = 12,
    int EncoderAttentionHeads = 16,
    int EncoderFfnDim = 4096,
    int DecoderLayers = 12,
    int DecoderAttentionHeads = 16,
    int DecoderFfnDim = 4096,
    string ActivationFunction = "gelu",
    float Dropout = 0.1f,
    float ActivationDropout = 0,
    float AttentionDropout = 0,
    float EncoderLayerdrop = 0,
    float DecoderLayerdrop = 0,
    float InitStd = 0.02f,
    bool ScaleEmbedding = false,
    bool TieWordEmbeddings = true,
    bool IsEncoderDecoder = true,
    int DecoderStartTokenId = 2,
    int? BosTokenId = 0,
    int? PadTokenId = 1,
    TokenIds? EosTokenId = null,
    int? ForcedBosTokenId = null,
    int? ForcedEosTokenId = 2) : ModelConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => MaxPositionEmbeddings;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "BartForConditionalGeneration";

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    internal override (ModelConfig Config, float HeadScale)? Untie() => TieWordEmbeddings ? (this with { TieWordEmbeddings = false }, 1) : null;

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => new[]
    {
        AtLeast(nameof(VocabSize), VocabSize, 1),
        AtLeast(nameof(MaxPositionEmbeddings), MaxPositionEmbeddings, 1),
        AtLeast(nameof(DModel), DModel, 1),
        CountOf(nameof(EncoderLayers), EncoderLayers, 0),
        CountOf(nameof(EncoderAttentionHeads), EncoderAttentionHeads, 1),
        AtLeast(nameof(EncoderFfnDim), EncoderFfnDim, 1),
        CountOf(nameof(DecoderLayers), DecoderLayers, 0),
        CountOf(nameof(DecoderAttentionHeads), DecoderAttentionHeads, 1),
        AtLeast(nameof(DecoderFfnDim), DecoderFfnDim, 1),
        Knows(nameof(ActivationFunction), ActivationFunction),
        Probability(nameof(Dropout), Dropout),
        Probability(nameof(ActivationDropout), ActivationDropout),
        Probability(nameof(AttentionDropout), AttentionDropout),
        Probability(nameof(EncoderLayerdrop), EncoderLayerdrop),
        Probability(nameof(DecoderLayerdrop), DecoderLayerdrop),
        Divides(nameof(EncoderAttentionHeads), EncoderAttentionHeads, DModel, "d_model"),
        Divides(nameof(DecoderAttentionHeads), DecoderAttentionHeads, DModel, "d_model"),
        VocabSize > 0 && (uint)DecoderStartTokenId >= (uint)VocabSize
            ? new ValidationResult($"{DecoderStartTokenId} is no token of {VocabSize}", [nameof(DecoderStartTokenId)]) : null,
    }.OfType<ValidationResult>();

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["q_proj", "v_proj", "fc2"])
    {
        Residuals =
        [
            new ResidualSite("self_attn.out_proj", "attention_adapters", BlockPart.Attention, "self_attn_layer_norm"),
            new ResidualSite("encoder_attn.out_proj", "cross_attention_adapters", BlockPart.SourceAttention, "encoder_attn_layer_norm"),
            new ResidualSite("fc2", "output_adapters", BlockPart.FeedForward, "final_layer_norm"),
        ],
    };

    internal override LanguageModel Build(Scope scope) => new Bart(this, scope);
}

/// <inheritdoc cref="BartConfig"/>
public sealed class Bart : EncoderDecoderModel
{
    private const float Epsilon = 1e-5f;

    /// <summary>Rows of the position tables before that of the first token.</summary>
    private const int PositionOffset = 2;

    private readonly BartConfig _config;
    private readonly Half _encoder;
    private readonly Half _decoder;

    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Bart(BartConfig config, Scope scope)
        : base(config, scope)
    {
        _config = config;
        Init init = Init.Normal(config.InitStd);
        Scope body = scope["model"];
        body.Alias("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight");
        Embedding tokens = body.Embedding("shared", config.VocabSize, config.DModel, init, config.PadTokenId);
        _encoder = new Half(config, tokens, Layer.Encoding(config), config.EncoderLayers, body["encoder"]);
        _decoder = new Half(config, tokens, Layer.Decoding(config), config.DecoderLayers, body["decoder"]);
        Parameter bias = scope.Buffer("final_logits_bias", new Shape(1, config.VocabSize), Init.Zeros);
        Head = scope.TiedLinear("lm_head", config.TieWordEmbeddings ? tokens.Table : scope.Parameter("lm_head.weight", tokens.Table.Shape, init), bias);
    }

    /// <inheritdoc/>
    public override int StartToken => _config.DecoderStartTokenId;

    /// <inheritdoc/>
    protected override Stack Encoder => _encoder;

    /// <inheritdoc/>
    protected override Stack Decoder => _decoder;

    /// <inheritdoc/>
    protected override IReadOnlyList<ISourceAttention> SourceAttentions => _decoder.SourceAttentions;

    /// <inheritdoc/>
    protected override int CacheHeads => _config.DecoderAttentionHeads;

    /// <inheritdoc/>
    protected override int CacheWidth => _config.DModel / _config.DecoderAttentionHeads;

    /// <summary>In what the layers of the two halves differ.</summary>
    private sealed record Layer(bool Decodes, int Heads, int FeedForward, float Dropout)
    {
        public static Layer Encoding(BartConfig config) => new(false, config.EncoderAttentionHeads, config.EncoderFfnDim, config.EncoderLayerdrop);

        public static Layer Decoding(BartConfig config) => new(true, config.DecoderAttentionHeads, config.DecoderFfnDim, config.DecoderLayerdrop);
    }

    private sealed class Half : Stack
    {
        private readonly BartConfig _config;
        private readonly Embedding _tokens;
        private readonly Embedding _positions;
        private readonly LayerNorm _norm;
        private readonly Block[] _blocks;
        private int[] _places = [];

        public Half(BartConfig config, Embedding tokens, Layer kind, int layers, Scope scope)
        {
            _config = config;
            _tokens = tokens;
            BlockDropout = kind.Dropout;
            _positions = scope.Embedding("embed_positions", config.MaxPositionEmbeddings + PositionOffset, config.DModel, Init.Normal(config.InitStd));
            _norm = scope.LayerNorm("layernorm_embedding", config.DModel, Epsilon);
            _blocks = [.. Enumerable.Range(0, layers).Select(i => new Block(config, kind, i, scope["layers"][i]))];
            SourceAttentions = [.. _blocks.Select(b => b.SourceAttention).OfType<ISourceAttention>()];
        }

        public IReadOnlyList<ISourceAttention> SourceAttentions { get; }

        protected override IReadOnlyList<IBlock> Blocks => _blocks;

        protected override float BlockDropout { get; }

        protected override Tensor Embed(Pass pass)
        {
            Tensor tokens = _tokens.Forward(pass.Ids);
            if (_config.ScaleEmbedding)
                tokens = tokens.Scale(MathF.Sqrt(_config.DModel));
            return pass.Dropout(_norm.Forward(tokens.Add(_positions.Forward(Places(pass)))), _config.Dropout);
        }

        private Tensor Places(Pass pass)
        {
            ReadOnlySpan<int> positions = pass.Positions.Span<int>();
            if (_places.Length < positions.Length)
                _places = new int[positions.Length];
            for (int i = 0; i < positions.Length; i++)
                _places[i] = positions[i] + PositionOffset;
            return pass.Workspace.From(_places.AsSpan(0, positions.Length));
        }
    }

    // norm(x + attention(x)), in the decoder then norm(x + attention to the source(x)), then norm(x + feed-forward(x)).
    private sealed class Block(BartConfig config, Layer kind, int layer, Scope scope) : IBlock
    {
        private readonly Attention _attention = new(config, kind.Heads, layer, causal: kind.Decodes, scope["self_attn"]);
        private readonly LayerNorm _norm1 = scope.LayerNorm("self_attn_layer_norm", config.DModel, Epsilon);
        private readonly LayerNorm? _norm2 = kind.Decodes ? scope.LayerNorm("encoder_attn_layer_norm", config.DModel, Epsilon) : null;
        private readonly Activation _activation = Activations.Parse(config.ActivationFunction);
        private readonly Linear _expand = scope.Linear("fc1", config.DModel, kind.FeedForward, bias: true, Init.Normal(config.InitStd));
        private readonly Linear _contract = scope.Linear("fc2", kind.FeedForward, config.DModel, bias: true, Init.Normal(config.InitStd));
        private readonly LayerNorm _norm3 = scope.LayerNorm("final_layer_norm", config.DModel, Epsilon);

        public Attention? SourceAttention { get; } =
            kind.Decodes ? new Attention(config, kind.Heads, layer, causal: false, scope["encoder_attn"]) : null;

        public Tensor Forward(Tensor x, Pass pass)
        {
            x = _norm1.Forward(_attention.AddTo(x, pass));
            if (SourceAttention is not null)
                x = _norm2!.Forward(SourceAttention.AddSourceTo(x, pass));
            Tensor h = pass.Dropout(_expand.Forward(x, pass, Epilogue.Activate(_activation)), config.ActivationDropout);
            return _norm3.Forward(_contract.AddTo(x, h, pass, config.Dropout));
        }
    }

    private sealed class Attention(BartConfig config, int heads, int layer, bool causal, Scope scope) : ISourceAttention
    {
        private readonly int _width = config.DModel / heads;
        private readonly float _scale = 1f / MathF.Sqrt(config.DModel / heads);
        private readonly Linear _key = Project(scope, "k_proj", config);
        private readonly Linear _value = Project(scope, "v_proj", config);
        private readonly Linear _query = Project(scope, "q_proj", config);
        private readonly Linear _output = Project(scope, "out_proj", config);

        public Tensor AddTo(Tensor x, Pass pass)
        {
            (Tensor k, Tensor v) = KeysAndValues(x, pass);
            Tensor attended = pass.Attend(layer, Heads(_query, x, pass), k, v, new AttentionOptions(_scale, causal), dropout: config.AttentionDropout);
            return _output.AddTo(x, attended, pass, config.Dropout);
        }

        public Tensor AddSourceTo(Tensor x, Pass pass) =>
            _output.AddTo(x, pass.AttendSource(layer, Heads(_query, x, pass), this, _scale, config.AttentionDropout), pass, config.Dropout);

        public (Tensor Keys, Tensor Values) KeysAndValues(Tensor encoded, Pass pass) => (Heads(_key, encoded, pass), Heads(_value, encoded, pass));

        // (N, H, D)
        private Tensor Heads(Linear projection, Tensor x, Pass pass) => projection.Forward(x, pass).Reshape(x.Shape[0], heads, _width);

        private static Linear Project(Scope scope, string name, BartConfig config) =>
            scope.Linear(name, config.DModel, config.DModel, bias: true, Init.Normal(config.InitStd));
    }
}
