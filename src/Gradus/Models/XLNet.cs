using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// XLNet (Yang et al., "XLNet: Generalized Autoregressive Pretraining for Language Understanding", 2019): a language model over any
/// order of the tokens. A content stream reads them, a query stream predicts some of them without seeing them; positions and segments
/// are relative, and the hidden states of the last segment are a memory (Dai et al., "Transformer-XL", 2019). Tensor names of Hugging
/// Face's classes. Left out: batches of which one half is read backwards (bi_data), answers by beam search.
/// </summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="DModel">Width C.</param>
/// <param name="NLayer">Blocks.</param>
/// <param name="NHead">Attention heads H; divides the width.</param>
/// <param name="DInner">Width of the feed-forward layer.</param>
/// <param name="FfActivation">Its activation.</param>
/// <param name="AttnType">"bi": every token sees every other; "uni": only those before it.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
/// <param name="LayerNormEps">ε of the norms.</param>
/// <param name="Dropout">Dropout of embeddings, positions, probabilities and of what is added to the residual stream, in [0, 1).</param>
/// <param name="MemLen">Longest memory, in tokens; null or 0 for no limit.</param>
/// <param name="ReuseLen">Tokens from the beginning of a segment that go into the memory; null or 0 for all.</param>
/// <param name="BiData">Whether one half of a batch is read backwards; not supported.</param>
/// <param name="ClampLen">Distances beyond this count as this; 0 or less for no limit.</param>
/// <param name="SameLength">With "uni": every token sees as many tokens as the first one has memory.</param>
/// <param name="SummaryType">Which hidden state a sequence classifier reads: "last", "first" or "mean".</param>
/// <param name="SummaryUseProj">Whether it has a layer of its own.</param>
/// <param name="SummaryActivation">That layer's activation: "tanh", or null for none.</param>
/// <param name="SummaryLastDropout">Dropout after it, in [0, 1).</param>
/// <param name="TieWordEmbeddings">Whether the language-model head uses the token table.</param>
/// <param name="PadTokenId">Token that fills up batches elsewhere; kept for other programs.</param>
/// <param name="BosTokenId">Token that begins a text.</param>
/// <param name="EosTokenId">Token that ends a text.</param>
[FormerName("vocab_size", "n_token")]
[FormerName("d_model", "hidden_size")]
[FormerName("n_layer", "num_hidden_layers")]
[FormerName("n_head", "num_attention_heads")]
[OnlyUsual("untie_r", "true")]
public sealed record XLNetConfig(
    int VocabSize = 32000,
    int DModel = 1024,
    int NLayer = 24,
    int NHead = 16,
    int DInner = 4096,
    string FfActivation = "gelu",
    string AttnType = "bi",
    float InitializerRange = 0.02f,
    float LayerNormEps = 1e-12f,
    float Dropout = 0.1f,
    int? MemLen = 512,
    int? ReuseLen = null,
    bool BiData = false,
    int ClampLen = -1,
    bool SameLength = false,
    string SummaryType = "last",
    bool SummaryUseProj = true,
    string? SummaryActivation = "tanh",
    float SummaryLastDropout = 0.1f,
    bool TieWordEmbeddings = true,
    int? PadTokenId = 5,
    int? BosTokenId = 1,
    int? EosTokenId = 2) : EncoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <summary>Positions are relative, so there is no longest sequence; this much is more than anybody has memory for.</summary>
    [JsonIgnore]
    public override int ContextLength => 1 << 20;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "XLNetLMHeadModel";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyCollection<string> ArchitectureClasses => XLNet.Classes.Keys;

    internal int HeadWidth => DModel / NHead;

    internal bool IsCausal => AttnType == "uni";

    internal Init Init => Init.Normal(InitializerRange);

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => new[]
    {
        AtLeast(nameof(VocabSize), VocabSize, 1),
        AtLeast(nameof(DModel), DModel, 1),
        CountOf(nameof(NLayer), NLayer, 0),
        CountOf(nameof(NHead), NHead, 1),
        AtLeast(nameof(DInner), DInner, 1),
        AtLeast(nameof(MemLen), MemLen ?? 0, 0),
        AtLeast(nameof(ReuseLen), ReuseLen ?? 0, 0),
        Knows(nameof(FfActivation), FfActivation),
        SummaryActivation is null ? null : Knows(nameof(SummaryActivation), SummaryActivation),
        Probability(nameof(Dropout), Dropout),
        Probability(nameof(SummaryLastDropout), SummaryLastDropout),
        Divides(nameof(NHead), NHead, DModel, "d_model"),
        DModel % 2 == 0 ? null : new ValidationResult($"sines and cosines of positions take half the width each, but {DModel} is odd", [nameof(DModel)]),
        AttnType is "bi" or "uni" ? null : new ValidationResult($"\"{AttnType}\" is not known; it is \"bi\" or \"uni\"", [nameof(AttnType)]),
        SummaryType is "last" or "first" or "mean"
            ? null
            : new ValidationResult($"\"{SummaryType}\" is not supported; it is \"last\", \"first\" or \"mean\"", [nameof(SummaryType)]),
        BiData ? new ValidationResult("batches of which one half is read backwards are not supported", [nameof(BiData)]) : null,
    }.OfType<ValidationResult>();

    internal override LanguageModel Build(Scope scope) => XLNet.Classes[Architecture](this, scope);
}

/// <inheritdoc cref="XLNetConfig"/>
public sealed class XLNet : LanguageModel
{
    internal static readonly Dictionary<string, Func<XLNetConfig, Scope, LanguageModel>> Classes = new(StringComparer.Ordinal)
    {
        ["XLNetForQuestionAnsweringSimple"] = (c, s) => WithHead(c, s, (_, h) => new SpanHead(h.Linear("qa_outputs", c.DModel, 2, bias: true, c.Init).Forward)),
        ["XLNetForSequenceClassification"] = (c, s) => WithHead(c, s, (_, h) => Classifier(c, h)),
        ["XLNetForTokenClassification"] = (c, s) => WithHead(c, s, (_, h) => new TokenHead(h.Linear("classifier", c.DModel, c.Labels.Count, bias: true, c.Init).Forward)),
        ["XLNetLMHeadModel"] = (c, s) => WithHead(c, s, (b, h) => Language(c, h, b)),
        ["XLNetModel"] = (c, s) => new XLNet(c, s),
    };

    private readonly XLNetConfig _config;
    private readonly Embedding _words;
    private readonly Parameter _unseen;
    private readonly Block[] _blocks;

    private XLNet(XLNetConfig config, Scope scope)
        : base(config, scope)
    {
        _config = config;
        _unseen = scope.Parameter("mask_emb", new Shape(1, 1, config.DModel), config.Init);
        _words = scope.Embedding("word_embedding", config.VocabSize, config.DModel, config.Init);
        _blocks = [.. Enumerable.Range(0, config.NLayer).Select(i => new Block(config, i, scope["layer"][i]))];
    }

    /// <summary>The content stream of a segment by itself, in its natural order: (N, C).</summary>
    public override Tensor Hidden(Pass pass) => Hidden(pass, null);

    /// <summary>The hidden states of a segment, in any order of reading and after any memory.</summary>
    /// <param name="pass">The pass over the segment's tokens.</param>
    /// <param name="order">What is hidden from which token, and which tokens are predicted; null to read all.</param>
    /// <param name="memory">Hidden states of the segments before, which this one replaces; null to remember nothing.</param>
    /// <returns>(N, C), or for the predicted tokens, in their order, (P, C).</returns>
    /// <exception cref="ArgumentException">The order or the memory does not fit the sequences.</exception>
    public Tensor Hidden(Pass pass, ReadingOrder? order, SegmentMemory? memory = null)
    {
        ArgumentNullException.ThrowIfNull(pass);
        XLNetSegment segment = new(_config, pass, order, memory);
        memory?.Begin();
        Tensor x = _words.Forward(pass.Ids);
        if (segment.Predicted > 0)
            x = Stack(x, pass.Workspace.Adopt(_unseen.Value).Reshape(1, _config.DModel).Gather(pass.Workspace.Zeros(new Shape(segment.Predicted), DType.I32)));
        x = pass.Dropout(x, _config.Dropout);
        foreach (Block block in _blocks)
        {
            Observe(x, segment, pass);
            memory?.Remember(x.Rows(0, segment.Tokens), pass.Layout, _config);
            x = pass.Run(new Step(block, segment), x);
        }
        Observe(x, segment, pass);
        memory?.Advance();
        return pass.Dropout(segment.Predicted > 0 ? x.Rows(segment.Tokens, segment.Predicted) : x, _config.Dropout);
    }

    private static void Observe(Tensor x, XLNetSegment segment, Pass pass)
    {
        if (pass.Observer is not { } observer)
            return;
        observer.Hidden(x.Rows(0, segment.Tokens));
        if (segment.Predicted > 0)
            observer.Hidden(x.Rows(segment.Tokens, segment.Predicted));
    }

    // (N, C) above (P, C).
    private static Tensor Stack(Tensor above, Tensor below) => above.SwapAxes().Append(below.SwapAxes()).SwapAxes();

    private static TaskModel WithHead(XLNetConfig config, Scope scope, Func<XLNet, Scope, TaskHead> head)
    {
        XLNet body = new(config, scope["transformer"]);
        // Pre-training leaves its head in a checkpoint.
        scope.Leave("lm_loss");
        return new TaskModel(body, scope, head(body, scope.ForHead()));
    }

    private static TokenHead Language(XLNetConfig config, Scope scope, XLNet body)
    {
        Parameter bias = scope["lm_loss"].Parameter("bias", new Shape(config.VocabSize), Init.Zeros);
        return new TokenHead(scope.OutputLinear("lm_loss", config.DModel, bias, config.TieWordEmbeddings ? body._words.Table : null, config.Init).Forward);
    }

    private static SequenceHead Classifier(XLNetConfig config, Scope scope)
    {
        Pooling pooling = config.SummaryType switch
        {
            "first" => Pooling.First,
            "mean" => Pooling.Mean,
            _ => Pooling.Last,
        };
        Activation activation = config.SummaryActivation is { } name ? Activations.Parse(name) : Activation.Identity;
        Linear? summary = config.SummaryUseProj ? scope.Linear("sequence_summary.summary", config.DModel, config.DModel, bias: true, config.Init) : null;
        Linear scores = scope.Linear("logits_proj", config.DModel, config.Labels.Count, bias: true, config.Init);
        return new SequenceHead(Score, config.Labels.Problem);

        Tensor Score(Tensor x, Pass pass)
        {
            x = x.Pool(pass, pooling);
            x = (summary?.Forward(x, pass) ?? x).Activate(activation);
            return scores.Forward(pass.Dropout(x, config.SummaryLastDropout), pass);
        }
    }

    // A block together with what it looks at in this pass.
    private sealed class Step(Block block, XLNetSegment segment) : IBlock
    {
        public Tensor Forward(Tensor x, Pass pass) => block.Forward(x, segment, pass);
    }

    // norm(x + attention(x)), then norm(x + ff(x)), for both streams.
    private sealed class Block(XLNetConfig config, int layer, Scope scope)
    {
        private readonly XLNetAttention _attention = new(config, layer, scope["rel_attn"]);
        private readonly LayerNorm _attentionNorm = scope["rel_attn"].LayerNorm("layer_norm", config.DModel, config.LayerNormEps);
        private readonly Linear _expand = scope.Linear("ff.layer_1", config.DModel, config.DInner, bias: true, config.Init);
        private readonly Linear _contract = scope.Linear("ff.layer_2", config.DInner, config.DModel, bias: true, config.Init);
        private readonly LayerNorm _norm = scope["ff"].LayerNorm("layer_norm", config.DModel, config.LayerNormEps);
        private readonly Activation _activation = Activations.Parse(config.FfActivation);

        public Tensor Forward(Tensor x, XLNetSegment segment, Pass pass)
        {
            x = _attentionNorm.Forward(x.Add(pass.Dropout(_attention.Forward(x, segment, pass), config.Dropout)));
            Tensor inner = pass.Dropout(_expand.Forward(x, pass, Epilogue.Activate(_activation)), config.Dropout);
            return _norm.Forward(_contract.AddTo(x, inner, pass, config.Dropout));
        }
    }
}
