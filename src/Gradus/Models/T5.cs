using System.ComponentModel.DataAnnotations;
using System.Numerics;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// T5 (Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", 2020), version 1.1 and FLAN-T5
/// (Shazeer, "GLU Variants Improve Transformer", 2020; Chung et al., 2022): pre-norm blocks with RMS norm, unscaled attention scores, and
/// learned biases by distance in place of positions. Tensor names of Hugging Face's T5ForConditionalGeneration.
/// </summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="DModel">Width C.</param>
/// <param name="DKv">Values per head D.</param>
/// <param name="DFf">Width of the feed-forward layer.</param>
/// <param name="NumLayers">Blocks of the encoder.</param>
/// <param name="NumDecoderLayers">Blocks of the decoder; as many as the encoder's where null.</param>
/// <param name="NumHeads">Attention heads H.</param>
/// <param name="RelativeAttentionNumBuckets">Biases per head; distances share them, the longer the more.</param>
/// <param name="RelativeAttentionMaxDistance">Distance from which on all share the last bias.</param>
/// <param name="DropoutRate">Dropout, in [0, 1).</param>
/// <param name="LayerNormEpsilon">ε of the norms.</param>
/// <param name="InitializerFactor">Factor of all standard deviations of new weights.</param>
/// <param name="FeedForwardProj">Activation of the feed-forward layer, after <c>gated-</c> if it is gated; <c>gated-gelu</c> means gelu_new.</param>
/// <param name="TieWordEmbeddings">Whether the head uses the token table (version 1.0), with hidden states scaled by 1/√C.</param>
/// <param name="IsEncoderDecoder">Always true; for other programs.</param>
/// <param name="DecoderStartTokenId">Token that begins every target; the padding token where null.</param>
/// <param name="PadTokenId">Token that other programs pad with.</param>
/// <param name="EosTokenId">Token that ends a source and a target.</param>
[FormerName("d_model", "hidden_size")]
[FormerName("d_kv", "head_dim")]
[FormerName("num_layers", "num_hidden_layers")]
[FormerName("num_heads", "num_attention_heads")]
public sealed record T5Config(
    int VocabSize = 32128,
    int DModel = 512,
    int DKv = 64,
    int DFf = 2048,
    int NumLayers = 6,
    int? NumDecoderLayers = null,
    int NumHeads = 8,
    int RelativeAttentionNumBuckets = 32,
    int RelativeAttentionMaxDistance = 128,
    float DropoutRate = 0.1f,
    float LayerNormEpsilon = 1e-6f,
    float InitializerFactor = 1,
    string FeedForwardProj = "relu",
    bool TieWordEmbeddings = true,
    bool IsEncoderDecoder = true,
    int? DecoderStartTokenId = null,
    int PadTokenId = 0,
    TokenIds? EosTokenId = null) : ModelConfig
{
    private const string Gated = "gated-";

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => UnlimitedContext;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "T5ForConditionalGeneration";

    internal bool IsGated => FeedForwardProj?.StartsWith(Gated, StringComparison.Ordinal) == true;

    internal Activation Activation => Activations.Parse(ActivationName);

    private string ActivationName => FeedForwardProj switch
    {
        "gated-gelu" => "gelu_new",
        _ => IsGated ? FeedForwardProj[Gated.Length..] : FeedForwardProj,
    };

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    internal override (ModelConfig Config, float HeadScale)? Untie() =>
        TieWordEmbeddings ? (this with { TieWordEmbeddings = false }, 1f / MathF.Sqrt(DModel)) : null;

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => new[]
    {
        AtLeast(nameof(VocabSize), VocabSize, 1),
        AtLeast(nameof(DModel), DModel, 1),
        CountOf(nameof(DKv), DKv, 1),
        AtLeast(nameof(DFf), DFf, 1),
        CountOf(nameof(NumLayers), NumLayers, 1),
        CountOf(nameof(NumDecoderLayers), NumDecoderLayers ?? 1, 1),
        CountOf(nameof(NumHeads), NumHeads, 1),
        Knows(nameof(FeedForwardProj), ActivationName),
        Probability(nameof(DropoutRate), DropoutRate),
        CountOf(nameof(RelativeAttentionNumBuckets), RelativeAttentionNumBuckets, 4),
        AtLeast(nameof(RelativeAttentionMaxDistance), RelativeAttentionMaxDistance, (RelativeAttentionNumBuckets / 2) + 1),
        VocabSize > 0 && (uint)(DecoderStartTokenId ?? PadTokenId) >= (uint)VocabSize
            ? new ValidationResult($"{DecoderStartTokenId ?? PadTokenId} is no token of {VocabSize}", [nameof(DecoderStartTokenId)]) : null,
    }.OfType<ValidationResult>();

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q", "v"], ["k", "v", "wo"])
    {
        Residuals =
        [
            new ResidualSite(".SelfAttention.o", "", BlockPart.Attention),
            new ResidualSite(".EncDecAttention.o", "", BlockPart.SourceAttention),
            new ResidualSite(".DenseReluDense.wo", "", BlockPart.FeedForward),
        ],
    };

    internal override LanguageModel Build(Scope scope) => new T5(this, scope);
}

/// <inheritdoc cref="T5Config"/>
public sealed class T5 : EncoderDecoderModel
{
    private readonly T5Config _config;
    private readonly Half _encoder;
    private readonly Half _decoder;

    /// <summary>Builds the model from the parameters of a scope.</summary>
    public T5(T5Config config, Scope scope)
        : base(config, scope)
    {
        _config = config;
        scope.Alias("shared.weight", ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", .. config.TieWordEmbeddings ? ["lm_head.weight"] : Array.Empty<string>()]);
        Embedding tokens = scope.Embedding("shared", config.VocabSize, config.DModel, Init.Normal(config.InitializerFactor));
        _encoder = new Half(config, tokens, decodes: false, config.NumLayers, scope["encoder"]);
        _decoder = new Half(config, tokens, decodes: true, config.NumDecoderLayers ?? config.NumLayers, scope["decoder"]);
        Head = config.TieWordEmbeddings
            ? scope.TiedLinear("lm_head", tokens)
            : scope.Linear("lm_head", config.DModel, config.VocabSize, bias: false, Init.Normal(config.InitializerFactor));
    }

    /// <inheritdoc/>
    public override int StartToken => _config.DecoderStartTokenId ?? _config.PadTokenId;

    /// <inheritdoc/>
    protected override Stack Encoder => _encoder;

    /// <inheritdoc/>
    protected override Stack Decoder => _decoder;

    /// <inheritdoc/>
    protected override IReadOnlyList<ISourceAttention> SourceAttentions => _decoder.SourceAttentions;

    /// <inheritdoc/>
    protected override int CacheHeads => _config.NumHeads;

    /// <inheritdoc/>
    protected override int CacheWidth => _config.DKv;

    /// <inheritdoc/>
    protected override Tensor HeadInput(Tensor hidden) =>
        ((T5Config)Config).TieWordEmbeddings ? hidden.Scale(1f / MathF.Sqrt(_config.DModel)) : hidden;

    // Encoder and decoder differ in the direction of their biases and in the attention to the source.
    private sealed class Half : Stack
    {
        private readonly T5Config _config;
        private readonly Embedding _tokens;
        private readonly Block[] _blocks;
        private readonly RelativeBias _positions;
        private readonly RmsNorm _norm;

        public Half(T5Config config, Embedding tokens, bool decodes, int layers, Scope scope)
        {
            _config = config;
            _tokens = tokens;
            _blocks = [.. Enumerable.Range(0, layers).Select(i => new Block(config, decodes, i, scope["block"][i]["layer"]))];
            // The first block holds the biases, all use them.
            _positions = new RelativeBias(config, bidirectional: !decodes, scope["block.0.layer.0.SelfAttention"]);
            _norm = scope.RmsNorm("final_layer_norm", config.DModel, config.LayerNormEpsilon);
            SourceAttentions = [.. _blocks.Select(b => b.SourceAttention).OfType<ISourceAttention>()];
        }

        public IReadOnlyList<ISourceAttention> SourceAttentions { get; }

        protected override IReadOnlyList<IBlock> Blocks => _blocks;

        protected override Tensor Embed(Pass pass)
        {
            pass.Bias = _positions.Forward(pass);
            return pass.Dropout(_tokens.Forward(pass.Ids), _config.DropoutRate);
        }

        protected override Tensor Finish(Tensor x, Pass pass) => pass.Dropout(_norm.Forward(x), _config.DropoutRate);
    }

    // x + attention(norm(x)), in the decoder then x + attention to the source(norm(x)), then x + feed-forward(norm(x)).
    private sealed class Block(T5Config config, bool decodes, int layer, Scope scope) : IBlock
    {
        private readonly Attention _attention = new(config, layer, causal: decodes, scope["0.SelfAttention"]);
        private readonly RmsNorm _norm1 = scope.RmsNorm("0.layer_norm", config.DModel, config.LayerNormEpsilon);
        private readonly RmsNorm? _norm2 = decodes ? scope.RmsNorm("1.layer_norm", config.DModel, config.LayerNormEpsilon) : null;
        private readonly FeedForward _feedForward = new(config, scope[decodes ? 2 : 1]["DenseReluDense"]);
        private readonly RmsNorm _norm3 = scope[decodes ? 2 : 1].RmsNorm("layer_norm", config.DModel, config.LayerNormEpsilon);

        public Attention? SourceAttention { get; } = decodes ? new Attention(config, layer, causal: false, scope["1.EncDecAttention"]) : null;

        public Tensor Forward(Tensor x, Pass pass)
        {
            x = _attention.AddTo(x, _norm1.Forward(x), pass);
            if (SourceAttention is not null)
                x = SourceAttention.AddSourceTo(x, _norm2!.Forward(x), pass);
            return _feedForward.AddTo(x, _norm3.Forward(x), pass);
        }
    }

    private sealed class Attention(T5Config config, int layer, bool causal, Scope scope) : ISourceAttention
    {
        private readonly Linear _query = Project(scope, "q", config, config.InitializerFactor / MathF.Sqrt((float)config.DModel * config.DKv));
        private readonly Linear _key = Project(scope, "k", config, config.InitializerFactor / MathF.Sqrt(config.DModel));
        private readonly Linear _value = Project(scope, "v", config, config.InitializerFactor / MathF.Sqrt(config.DModel));
        private readonly Linear _output = scope.Linear(
            "o", config.NumHeads * config.DKv, config.DModel, bias: false, Init.Normal(config.InitializerFactor / MathF.Sqrt(config.NumHeads * config.DKv)));

        public Tensor AddTo(Tensor residual, Tensor x, Pass pass)
        {
            (Tensor k, Tensor v) = KeysAndValues(x, pass);
            Tensor attended = pass.Attend(layer, Heads(_query, x, pass), k, v, new AttentionOptions(1, causal), dropout: config.DropoutRate, bias: pass.Bias);
            return _output.AddTo(residual, attended, pass, config.DropoutRate);
        }

        public Tensor AddSourceTo(Tensor residual, Tensor x, Pass pass) =>
            _output.AddTo(residual, pass.AttendSource(layer, Heads(_query, x, pass), this, scale: 1, config.DropoutRate), pass, config.DropoutRate);

        public (Tensor Keys, Tensor Values) KeysAndValues(Tensor encoded, Pass pass) => (Heads(_key, encoded, pass), Heads(_value, encoded, pass));

        // (N, H, D)
        private Tensor Heads(Linear projection, Tensor x, Pass pass) => projection.Forward(x, pass).Reshape(x.Shape[0], config.NumHeads, config.DKv);

        private static Linear Project(Scope scope, string name, T5Config config, float deviation) =>
            scope.Linear(name, config.DModel, config.NumHeads * config.DKv, bias: false, Init.Normal(deviation));
    }

    private sealed class FeedForward(T5Config config, Scope scope)
    {
        private readonly Activation _activation = config.Activation;
        private readonly Linear _in = Expand(scope, config.IsGated ? "wi_0" : "wi", config);
        private readonly Linear? _gated = config.IsGated ? Expand(scope, "wi_1", config) : null;
        private readonly Linear _out = scope.Linear("wo", config.DFf, config.DModel, bias: false, Init.Normal(config.InitializerFactor / MathF.Sqrt(config.DFf)));

        public Tensor AddTo(Tensor residual, Tensor x, Pass pass)
        {
            Tensor h = _gated is null
                ? _in.Forward(x, pass, Epilogue.Activate(_activation))
                : _in.Forward(x, pass).Gate(_activation, _gated.Forward(x, pass));
            return _out.AddTo(residual, pass.Dropout(h, config.DropoutRate), pass, config.DropoutRate);
        }

        private static Linear Expand(Scope scope, string name, T5Config config) =>
            scope.Linear(name, config.DModel, config.DFf, bias: false, Init.Normal(config.InitializerFactor / MathF.Sqrt(config.DModel)));
    }

    /// <summary>Biases of the scores by the distance of key and query: half of the buckets for one distance each, the others for ranges that widen.</summary>
    private sealed class RelativeBias(T5Config config, bool bidirectional, Scope scope)
    {
        private readonly Embedding _table = scope.Embedding(
            "relative_attention_bias", config.RelativeAttentionNumBuckets, config.NumHeads, Init.Normal(config.InitializerFactor / MathF.Sqrt(config.DModel)));

        // Of the distances from −Reach to Reach, as far as they have been needed.
        private int[] _buckets = [];

        private int Reach => _buckets.Length / 2;

        /// <summary>(H, 2R − 1) for the distances −(R − 1) to R − 1 of the longest sequence.</summary>
        public Tensor Forward(Pass pass)
        {
            (int queries, int keys) = pass.Layout.Longest;
            // Rounded up, so that the steps of generation have equal shapes for long.
            int reach = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(128, Math.Max(queries, keys)));
            if (Reach < reach)
                _buckets = [.. Enumerable.Range(-reach, (2 * reach) + 1).Select(Bucket)];
            return _table.Forward(pass.Workspace.From(_buckets.AsSpan(Reach - reach + 1, (2 * reach) - 1))).SwapAxes();
        }

        // In single precision throughout, as the published models were trained.
        private int Bucket(int distance)
        {
            int count = config.RelativeAttentionNumBuckets, first = 0;
            if (bidirectional)
            {
                count /= 2;
                first = distance > 0 ? count : 0;
                distance = Math.Abs(distance);
            }
            else
            {
                distance = Math.Max(0, -distance);
            }
            int exact = count / 2;
            if (distance < exact)
                return first + distance;
            float range = (float)Math.Log((double)config.RelativeAttentionMaxDistance / exact);
            return first + Math.Min(count - 1, exact + (int)(MathF.Log(distance / (float)exact) / range * (count - exact)));
        }
    }
}
