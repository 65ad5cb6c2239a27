using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// OPT (Zhang et al., "OPT: Open Pre-trained Transformer Language Models", 2022): GPT-3's blocks with learned positions; the 350M model
/// has its norms behind the sums and narrower embeddings. Tensor names of Hugging Face's OPTForCausalLM.
/// </summary>
/// <param name="HiddenSize">Width C.</param>
/// <param name="NumHiddenLayers">Blocks.</param>
/// <param name="FfnDim">Width of the feed-forward layer.</param>
/// <param name="NumAttentionHeads">Attention heads H; divides the width.</param>
/// <param name="ActivationFunction">Activation of the feed-forward layer.</param>
/// <param name="MaxPositionEmbeddings">Longest sequence, in tokens.</param>
/// <param name="DoLayerNormBefore">Whether norms come before attention and feed-forward layer, rather than behind their sums.</param>
/// <param name="RemoveFinalLayerNorm">Whether there is no norm before the head.</param>
/// <param name="WordEmbedProjDim">Width of the token table and of the head's input; C where null.</param>
/// <param name="Dropout">Dropout of what is added to the residual stream, in [0, 1).</param>
/// <param name="AttentionDropout">Dropout of attention probabilities, in [0, 1).</param>
/// <param name="Layerdrop">Probability with which training leaves a block out, in [0, 1) (Fan et al., "LayerDrop", 2019).</param>
/// <param name="EnableBias">Whether the linear layers have biases.</param>
/// <param name="LayerNormElementwiseAffine">Whether the norms have weights and biases.</param>
/// <param name="InitStd">Standard deviation of new weights.</param>
public sealed record OptConfig(
    int VocabSize = 50272,
    int HiddenSize = 768,
    int NumHiddenLayers = 12,
    int FfnDim = 3072,
    int NumAttentionHeads = 12,
    string ActivationFunction = "relu",
    int MaxPositionEmbeddings = 2048,
    bool DoLayerNormBefore = true,
    [property: JsonPropertyName("_remove_final_layer_norm")] bool RemoveFinalLayerNorm = false,
    int? WordEmbedProjDim = null,
    float Dropout = 0.1f,
    float AttentionDropout = 0,
    float Layerdrop = 0,
    bool EnableBias = true,
    bool LayerNormElementwiseAffine = true,
    float InitStd = 0.02f,
    bool TieWordEmbeddings = true,
    int? BosTokenId = 2,
    TokenIds? EosTokenId = null) : DecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => MaxPositionEmbeddings;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "OPTForCausalLM";

    internal Init Init => Init.Normal(InitStd);

    internal int EmbeddingWidth => WordEmbedProjDim ?? HiddenSize;

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. Measures((nameof(HiddenSize), HiddenSize), (nameof(NumHiddenLayers), NumHiddenLayers), (nameof(NumAttentionHeads), NumAttentionHeads), (nameof(MaxPositionEmbeddings), MaxPositionEmbeddings)),
        .. new[]
        {
            AtLeast(nameof(FfnDim), FfnDim, 1),
            AtLeast(nameof(WordEmbedProjDim), WordEmbedProjDim ?? 1, 1),
            Divides(nameof(NumAttentionHeads), NumAttentionHeads, HiddenSize, "hidden_size"),
            Knows(nameof(ActivationFunction), ActivationFunction),
            Probability(nameof(Dropout), Dropout),
            Probability(nameof(AttentionDropout), AttentionDropout),
            Probability(nameof(Layerdrop), Layerdrop),
        }.OfType<ValidationResult>(),
    ];

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["q_proj", "k_proj", "fc2"]);

    internal override LanguageModel Build(Scope scope) => new Opt(this, scope);
}

/// <inheritdoc cref="OptConfig"/>
public sealed class Opt : DecoderModel
{
    // The position table of fairseq, where OPT comes from, begins with two rows that are not used.
    private const int FirstPosition = 2;

    private readonly Embedding _positions;
    private readonly Linear? _projectIn;
    private readonly Linear? _projectOut;
    private int[] _rows = [];

    /// <summary>Builds the model from the parameters of a scope.</summary>
    public Opt(OptConfig config, Scope scope)
        : base(config, scope, config.NumAttentionHeads, config.HiddenSize / config.NumAttentionHeads)
    {
        Scope body = scope["model.decoder"];
        int c = config.HiddenSize, narrow = config.EmbeddingWidth;
        Tokens = body.Embedding("embed_tokens", config.VocabSize, narrow, config.Init, config.PadTokenId);
        Blocks = Repeat(config.NumHiddenLayers, body["layers"], (i, layer) => Block(config, i, layer));
        BlockDropout = config.Layerdrop;
        Norm = config.DoLayerNormBefore && !config.RemoveFinalLayerNorm ? MakeNorm(config, body, "final_layer_norm") : null;
        Head = MakeHead(scope, "lm_head", narrow, config.Init);
        _positions = body.Embedding("embed_positions", config.MaxPositionEmbeddings + FirstPosition, c, config.Init);
        _projectIn = narrow == c ? null : body.Linear("project_in", narrow, c, bias: false, config.Init);
        _projectOut = narrow == c ? null : body.Linear("project_out", c, narrow, bias: false, config.Init);
    }

    /// <inheritdoc/>
    protected override Tensor Embed(Pass pass)
    {
        Tensor x = base.Embed(pass);
        return (_projectIn?.Forward(x, pass) ?? x).Add(_positions.Forward(Rows(pass)));
    }

    /// <inheritdoc/>
    protected override Tensor Finish(Tensor x, Pass pass)
    {
        x = base.Finish(x, pass);
        return _projectOut?.Forward(x, pass) ?? x;
    }

    private Tensor Rows(Pass pass)
    {
        ReadOnlySpan<int> positions = pass.Positions.Span<int>();
        if (_rows.Length < positions.Length)
            _rows = new int[Math.Max(positions.Length, 2 * _rows.Length)];
        for (int i = 0; i < positions.Length; i++)
            _rows[i] = positions[i] + FirstPosition;
        return pass.Workspace.From(_rows.AsSpan(0, positions.Length));
    }

    private static IBlock Block(OptConfig config, int layer, Scope scope)
    {
        LayerNorm norm1 = MakeNorm(config, scope, "self_attn_layer_norm"), norm2 = MakeNorm(config, scope, "final_layer_norm");
        SelfAttention attention = Attention(config, layer, scope["self_attn"]);
        Mlp mlp = new(
            scope.Linear("fc1", config.HiddenSize, config.FfnDim, config.EnableBias, config.Init),
            scope.Linear("fc2", config.FfnDim, config.HiddenSize, config.EnableBias, config.Init),
            Activations.Parse(config.ActivationFunction));
        return config.DoLayerNormBefore
            ? new PreNormBlock(norm1, attention, norm2, mlp, config.Dropout)
            : new PostNormBlock(attention, norm1, mlp, norm2, config.Dropout);
    }

    private static SelfAttention Attention(OptConfig config, int layer, Scope scope)
    {
        int c = config.HiddenSize, heads = config.NumAttentionHeads, d = c / heads;
        return new SelfAttention(
            layer,
            new SeparateProjections(scope, c, heads, heads, d, config.EnableBias, config.Init),
            scope.Linear("out_proj", c, c, config.EnableBias, config.Init),
            new AttentionOptions(1f / MathF.Sqrt(d), Causal: true))
        {
            Dropout = config.AttentionDropout,
        };
    }

    private static LayerNorm MakeNorm(OptConfig config, Scope scope, string name) =>
        scope.LayerNorm(name, config.HiddenSize, epsilon: 1e-5f, config.LayerNormElementwiseAffine);
}
