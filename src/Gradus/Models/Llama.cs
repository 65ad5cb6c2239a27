using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Llama (Touvron et al., 2023; Grattafiori et al., "The Llama 3 Herd of Models", 2024): pre-norm blocks with RMS norm, rotary
/// positions, grouped-query attention and a SwiGLU feed-forward layer. Tensor names of Hugging Face's LlamaForCausalLM.
/// </summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="HiddenSize">Width C.</param>
/// <param name="IntermediateSize">Width of the feed-forward layer.</param>
/// <param name="NumHiddenLayers">Blocks.</param>
/// <param name="NumAttentionHeads">Query heads H.</param>
/// <param name="NumKeyValueHeads">Key/value heads, dividing H; H where null.</param>
/// <param name="HeadDim">Values per head D; C/H where null.</param>
/// <param name="HiddenAct">Activation of the feed-forward gate.</param>
/// <param name="MaxPositionEmbeddings">Longest sequence, in tokens.</param>
/// <param name="RmsNormEps">ε of the norms.</param>
/// <param name="RopeTheta">Base of the rotary frequencies.</param>
/// <param name="RopeScaling">Change of the rotary frequencies for long contexts, or null.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
/// <param name="MlpBias">Whether the feed-forward projections have biases.</param>
/// <param name="TieWordEmbeddings">Whether the head uses the token table.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
/// <param name="BosTokenId">Token that begins a text.</param>
/// <param name="EosTokenId">Token that ends a text, or several.</param>
public sealed record LlamaConfig(
    int VocabSize = 32000,
    int HiddenSize = 4096,
    int IntermediateSize = 11008,
    int NumHiddenLayers = 32,
    int NumAttentionHeads = 32,
    int? NumKeyValueHeads = null,
    int? HeadDim = null,
    string HiddenAct = "silu",
    int MaxPositionEmbeddings = 2048,
    float RmsNormEps = 1e-6f,
    double RopeTheta = 10000,
    RopeScaling? RopeScaling = null,
    bool AttentionBias = false,
    bool MlpBias = false,
    bool TieWordEmbeddings = false,
    float InitializerRange = 0.02f,
    int? BosTokenId = null,
    TokenIds? EosTokenId = null) : ModelConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => MaxPositionEmbeddings;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "LlamaForCausalLM";

    internal int KeyValueHeads => NumKeyValueHeads ?? NumAttentionHeads;

    internal int HeadWidth => HeadDim ?? HiddenSize / NumAttentionHeads;

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => new[]
    {
        AtLeast(nameof(VocabSize), VocabSize, 1),
        AtLeast(nameof(HiddenSize), HiddenSize, 1),
        AtLeast(nameof(IntermediateSize), IntermediateSize, 1),
        AtLeast(nameof(NumHiddenLayers), NumHiddenLayers, 0),
        AtLeast(nameof(NumAttentionHeads), NumAttentionHeads, 1),
        AtLeast(nameof(NumKeyValueHeads), NumKeyValueHeads ?? 1, 1),
        AtLeast(nameof(HeadDim), HeadDim ?? 1, 1),
        AtLeast(nameof(MaxPositionEmbeddings), MaxPositionEmbeddings, 1),
        Divides(nameof(NumKeyValueHeads), NumKeyValueHeads ?? 1, NumAttentionHeads, "num_attention_heads"),
        HeadDim is null ? Divides(nameof(NumAttentionHeads), NumAttentionHeads, HiddenSize, "hidden_size") : null,
        NumAttentionHeads > 0 && HeadWidth % 2 != 0 ? new ValidationResult($"rotary positions turn pairs, but a head has {HeadWidth} values", [nameof(HeadDim)]) : null,
    }.OfType<ValidationResult>();
}

/// <inheritdoc cref="LlamaConfig"/>
public sealed class Llama : DecoderModel
{
    private readonly Embedding _tokens;
    private readonly Block[] _blocks;
    private readonly RmsNorm _norm;

    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Llama(LlamaConfig config, Scope scope)
        : base(config, scope)
    {
        Init init = Init.Normal(config.InitializerRange);
        Scope body = scope["model"];
        RotaryEmbedding rotary = RopeScaling.Rotary(
            scope.Parts.Store, config.HeadWidth, config.RopeTheta, config.MaxPositionEmbeddings, config.RopeScaling);
        _tokens = body.Embedding("embed_tokens", config.VocabSize, config.HiddenSize, init);
        _blocks = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(i => new Block(config, i, rotary, body["layers"][i]))];
        _norm = body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps);
        Head = config.TieWordEmbeddings
            ? scope.TiedLinear("lm_head", _tokens.Table)
            : scope.Linear("lm_head", config.HiddenSize, config.VocabSize, bias: false, init);
        CacheHeads = config.KeyValueHeads;
        CacheWidth = config.HeadWidth;
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
    protected override Tensor Embed(Pass pass) => _tokens.Forward(pass.Ids);

    /// <inheritdoc/>
    protected override Tensor Normalize(Tensor x) => _norm.Forward(x);

    // x + attention(norm(x)), then x + mlp(norm(x)).
    private sealed class Block(LlamaConfig config, int layer, RotaryEmbedding rotary, Scope scope) : IBlock
    {
        private readonly RmsNorm _inputNorm = scope.RmsNorm("input_layernorm", config.HiddenSize, config.RmsNormEps);
        private readonly Attention _attention = new(config, layer, rotary, scope["self_attn"]);
        private readonly RmsNorm _postNorm = scope.RmsNorm("post_attention_layernorm", config.HiddenSize, config.RmsNormEps);
        private readonly Mlp _mlp = new(config, scope["mlp"]);

        public Tensor Forward(Tensor x, Pass pass)
        {
            x = x.Add(_attention.Forward(_inputNorm.Forward(x), pass));
            return x.Add(_mlp.Forward(_postNorm.Forward(x), pass));
        }
    }

    private sealed class Attention(LlamaConfig config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        private readonly Linear _query = Project(scope, "q_proj", config, config.NumAttentionHeads);
        private readonly Linear _key = Project(scope, "k_proj", config, config.KeyValueHeads);
        private readonly Linear _value = Project(scope, "v_proj", config, config.KeyValueHeads);
        private readonly Linear _output = scope.Linear(
            "o_proj", config.NumAttentionHeads * config.HeadWidth, config.HiddenSize, config.AttentionBias, Init.Normal(config.InitializerRange));

        private readonly AttentionOptions _options = new(1f / MathF.Sqrt(config.HeadWidth), Causal: true);

        public Tensor Forward(Tensor x, Pass pass)
        {
            int n = x.Shape[0], d = config.HeadWidth;
            Tensor q = _query.Forward(x, pass).Reshape(n, config.NumAttentionHeads, d);     // (N, H, D)
            Tensor k = _key.Forward(x, pass).Reshape(n, config.KeyValueHeads, d);           // (N, Hkv, D)
            Tensor v = _value.Forward(x, pass).Reshape(n, config.KeyValueHeads, d);
            q = rotary.Forward(q, pass);
            k = rotary.Forward(k, pass);
            return _output.Forward(pass.Attend(layer, q, k, v, _options), pass);
        }

        private static Linear Project(Scope scope, string name, LlamaConfig config, int heads) =>
            scope.Linear(name, config.HiddenSize, heads * config.HeadWidth, config.AttentionBias, Init.Normal(config.InitializerRange));
    }

    private sealed class Mlp(LlamaConfig config, Scope scope)
    {
        private readonly Activation _activation = Activations.Parse(config.HiddenAct);
        private readonly Linear _gate = Project(scope, "gate_proj", config, config.HiddenSize, config.IntermediateSize);
        private readonly Linear _up = Project(scope, "up_proj", config, config.HiddenSize, config.IntermediateSize);
        private readonly Linear _down = Project(scope, "down_proj", config, config.IntermediateSize, config.HiddenSize);

        public Tensor Forward(Tensor x, Pass pass) =>
            _down.Forward(_gate.Forward(x, pass).Gate(_activation, _up.Forward(x, pass)), pass);

        private static Linear Project(Scope scope, string name, LlamaConfig config, int inputs, int outputs) =>
            scope.Linear(name, inputs, outputs, config.MlpBias, Init.Normal(config.InitializerRange));
    }
}
