using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// RoBERTa (Liu et al., "RoBERTa: A Robustly Optimized BERT Pretraining Approach", 2019): BERT's blocks without sentence types and next
/// sentences; positions count from behind the padding id. Tensor names of Hugging Face's classes. Left out: its use as a decoder,
/// relative positions, multiple choice.
/// </summary>
/// <param name="MaxPositionEmbeddings">Rows of the position table: the longest sequence, and those up to the padding id.</param>
/// <param name="PadTokenId">Padding id; the first token's position is the next number.</param>
/// <param name="BosTokenId">Token that begins a text.</param>
/// <param name="EosTokenId">Token that ends a text.</param>
public sealed record RobertaConfig(
    int VocabSize = 50265,
    int HiddenSize = 768,
    int NumHiddenLayers = 12,
    int NumAttentionHeads = 12,
    int IntermediateSize = 3072,
    string HiddenAct = "gelu",
    float HiddenDropoutProb = 0.1f,
    float AttentionProbsDropoutProb = 0.1f,
    int MaxPositionEmbeddings = 512,
    int TypeVocabSize = 2,
    float InitializerRange = 0.02f,
    float LayerNormEps = 1e-12f,
    int PadTokenId = 1,
    int? BosTokenId = 0,
    int? EosTokenId = 2,
    float? ClassifierDropout = null,
    bool TieWordEmbeddings = true) : BertStyleConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => MaxPositionEmbeddings - PadTokenId - 1;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "RobertaForMaskedLM";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyCollection<string> ArchitectureClasses => Roberta.Classes.Keys;

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. base.Validate(validationContext),
        .. new[]
        {
            AtLeast(nameof(PadTokenId), PadTokenId, 0),
            AtLeast(nameof(MaxPositionEmbeddings), MaxPositionEmbeddings, PadTokenId + 2L),
        }.OfType<ValidationResult>(),
    ];

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["query", "value"], ["key", "value", "output.dense"])
    {
        Residuals =
        [
            new ResidualSite("attention.output.dense", "attention.output", BlockPart.Attention, "attention.output.LayerNorm"),
            new ResidualSite("output.dense", "output", BlockPart.FeedForward, "output.LayerNorm"),
        ],
    };

    internal override LanguageModel Build(Scope scope) => Roberta.Classes[Architecture](this, scope);
}

/// <inheritdoc cref="RobertaConfig"/>
public sealed class Roberta : EncoderModel
{
    internal static readonly Dictionary<string, Func<RobertaConfig, Scope, LanguageModel>> Classes = new(StringComparer.Ordinal)
    {
        ["RobertaForMaskedLM"] = (c, s) => WithHead(c, s, (b, h) => MaskedLanguage(c, h, b)),
        ["RobertaForQuestionAnswering"] = (c, s) => WithHead(c, s, (_, h) => BertHeads.Answers(c, h)),
        ["RobertaForSequenceClassification"] = (c, s) => WithHead(c, s, (_, h) => BertHeads.Classifier(c, h, Activation.Tanh)),
        ["RobertaForTokenClassification"] = (c, s) => WithHead(c, s, (_, h) => BertHeads.Tagger(c, h)),
        ["RobertaModel"] = (c, s) => new Roberta(c, s, bare: true),
    };

    private readonly BertEmbeddings _embeddings;
    private readonly int _padding;

    private Roberta(RobertaConfig config, Scope scope, bool bare)
        : base(config, scope)
    {
        _embeddings = new BertEmbeddings(config, config.HiddenSize, config.PadTokenId, scope["embeddings"]);
        _padding = config.PadTokenId;
        Blocks = BertBlock.Stack(config, scope["encoder.layer"]);
        // Only the bare body has one, and it may be stored without.
        if (bare && scope.Has("pooler.dense.weight"))
            Pooler = scope.ForHead().Linear("pooler.dense", config.HiddenSize, config.HiddenSize, bias: true, config.Init);
        else
            scope.Leave("pooler");
    }

    /// <inheritdoc/>
    public override Linear? Pooler { get; }

    /// <inheritdoc/>
    protected override IReadOnlyList<IBlock> Blocks { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Pass pass) => _embeddings.Forward(pass, pass.Workspace.From(Rows(pass)));

    // A padding token in the midst of a text has the padding's position, and those behind it do not count it.
    private int[] Rows(Pass pass)
    {
        ReadOnlySpan<int> ids = pass.Ids.Span<int>(), positions = pass.Positions.Span<int>();
        int[] rows = new int[ids.Length];
        for (int s = 0; s < pass.Layout.Sequences; s++)
        {
            int padding = 0, start = pass.Layout.QueryStart(s);
            for (int i = start; i < start + pass.Layout.QueryCount(s); i++)
            {
                bool isPadding = ids[i] == _padding;
                padding += isPadding ? 1 : 0;
                rows[i] = isPadding ? _padding : _padding + 1 + positions[i] - padding;
            }
        }
        return rows;
    }

    private static TaskModel WithHead(RobertaConfig config, Scope scope, Func<Roberta, Scope, TaskHead> head)
    {
        Roberta body = new(config, scope["roberta"], bare: false);
        // Pre-training leaves its head in a checkpoint.
        scope.Leave("lm_head");
        return new TaskModel(body, scope, head(body, scope.ForHead()));
    }

    // decoder(norm(gelu(dense(x)))).
    private static TokenHead MaskedLanguage(RobertaConfig config, Scope scope, Roberta body)
    {
        Scope part = scope["lm_head"];
        Linear dense = part.Linear("dense", config.HiddenSize, config.HiddenSize, bias: true, config.Init);
        LayerNorm norm = part.LayerNorm("layer_norm", config.HiddenSize, config.LayerNormEps);
        Linear decoder = part.OutputLinear(
            "decoder", config.HiddenSize, part.Parameter("bias", new Shape(config.VocabSize), Init.Zeros),
            config.TieWordEmbeddings ? body._embeddings.Words.Table : null, config.Init);
        return new TokenHead((x, pass) => decoder.Forward(norm.Forward(dense.Forward(x, pass, Epilogue.Activate(Activation.Gelu))), pass));
    }
}
