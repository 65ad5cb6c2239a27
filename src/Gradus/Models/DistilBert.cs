using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// DistilBERT (Sanh et al., "DistilBERT, a distilled version of BERT", 2019): half of BERT's blocks, without sentence types and pooler.
/// Tensor names of Hugging Face's classes. Left out: multiple choice.
/// </summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="MaxPositionEmbeddings">Longest sequence, in tokens.</param>
/// <param name="SinusoidalPosEmbds">Whether positions are sines, which training leaves alone, rather than learned.</param>
/// <param name="NLayers">Blocks.</param>
/// <param name="NHeads">Attention heads H; divides the width.</param>
/// <param name="Dim">Width C.</param>
/// <param name="HiddenDim">Width of the feed-forward layer.</param>
/// <param name="Dropout">Dropout of the embeddings and of the feed-forward layer, in [0, 1).</param>
/// <param name="AttentionDropout">Dropout of attention probabilities, in [0, 1).</param>
/// <param name="Activation">Activation of the feed-forward layer and of the masked-language head.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
/// <param name="QaDropout">Dropout before the question-answering head, in [0, 1).</param>
/// <param name="SeqClassifDropout">Dropout before the sequence classifier, in [0, 1).</param>
/// <param name="PadTokenId">Token that fills up batches elsewhere; kept for other programs.</param>
/// <param name="TieWordEmbeddings">Whether the masked-language head uses the token table.</param>
[FormerName("dim", "hidden_size")]
[FormerName("n_layers", "num_hidden_layers")]
[FormerName("n_heads", "num_attention_heads")]
public sealed record DistilBertConfig(
    int VocabSize = 30522,
    int MaxPositionEmbeddings = 512,
    bool SinusoidalPosEmbds = false,
    int NLayers = 6,
    int NHeads = 12,
    int Dim = 768,
    int HiddenDim = 3072,
    float Dropout = 0.1f,
    float AttentionDropout = 0.1f,
    string Activation = "gelu",
    float InitializerRange = 0.02f,
    float QaDropout = 0.1f,
    float SeqClassifDropout = 0.2f,
    int? PadTokenId = 0,
    bool TieWordEmbeddings = true) : EncoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => MaxPositionEmbeddings;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "DistilBertForMaskedLM";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyCollection<string> ArchitectureClasses => DistilBert.Classes.Keys;

    internal Init Init => Init.Normal(InitializerRange);

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => new[]
    {
        AtLeast(nameof(VocabSize), VocabSize, 1),
        AtLeast(nameof(MaxPositionEmbeddings), MaxPositionEmbeddings, 1),
        CountOf(nameof(NLayers), NLayers, 0),
        CountOf(nameof(NHeads), NHeads, 1),
        AtLeast(nameof(Dim), Dim, 1),
        AtLeast(nameof(HiddenDim), HiddenDim, 1),
        Knows(nameof(Activation), Activation),
        Probability(nameof(Dropout), Dropout),
        Probability(nameof(AttentionDropout), AttentionDropout),
        Probability(nameof(QaDropout), QaDropout),
        Probability(nameof(SeqClassifDropout), SeqClassifDropout),
        Divides(nameof(NHeads), NHeads, Dim, "dim"),
    }.OfType<ValidationResult>();

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_lin", "v_lin"], ["k_lin", "v_lin", "lin2"])
    {
        Residuals =
        [
            new ResidualSite("attention.out_lin", "attention_adapters", BlockPart.Attention, "sa_layer_norm"),
            new ResidualSite("ffn.lin2", "output_adapters", BlockPart.FeedForward, "output_layer_norm"),
        ],
    };

    internal override LanguageModel Build(Scope scope) => DistilBert.Classes[Architecture](this, scope);
}

/// <inheritdoc cref="DistilBertConfig"/>
public sealed class DistilBert : EncoderModel
{
    // The family fixes it; the configuration has no key for it.
    private const float Epsilon = 1e-12f;

    internal static readonly Dictionary<string, Func<DistilBertConfig, Scope, LanguageModel>> Classes = new(StringComparer.Ordinal)
    {
        ["DistilBertForMaskedLM"] = (c, s) => WithHead(c, s, (b, h) => MaskedLanguage(c, h, b)),
        ["DistilBertForQuestionAnswering"] = (c, s) => WithHead(c, s, (_, h) => Answers(c, h)),
        ["DistilBertForSequenceClassification"] = (c, s) => WithHead(c, s, (_, h) => Classifier(c, h)),
        ["DistilBertForTokenClassification"] = (c, s) => WithHead(c, s, (_, h) => Tagger(c, h)),
        ["DistilBertModel"] = (c, s) => new DistilBert(c, s),
    };

    private readonly Embedding _words;
    private readonly Embedding _positions;
    private readonly LayerNorm _norm;
    private readonly float _dropout;

    private DistilBert(DistilBertConfig config, Scope scope)
        : base(config, scope)
    {
        Scope embeddings = scope["embeddings"];
        _words = embeddings.Embedding("word_embeddings", config.VocabSize, config.Dim, config.Init, config.PadTokenId);
        _positions = config.SinusoidalPosEmbds
            ? embeddings.FixedEmbedding("position_embeddings", config.MaxPositionEmbeddings, config.Dim, Init.Sines(config.Dim))
            : embeddings.Embedding("position_embeddings", config.MaxPositionEmbeddings, config.Dim, config.Init);
        _norm = embeddings.LayerNorm("LayerNorm", config.Dim, Epsilon);
        embeddings.Leave("position_ids");
        _dropout = config.Dropout;
        Blocks = [.. Enumerable.Range(0, config.NLayers).Select(i => new Block(config, i, scope["transformer.layer"][i]))];
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<IBlock> Blocks { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Pass pass) =>
        pass.Dropout(_norm.Forward(_words.Forward(pass.Ids).Add(_positions.Forward(pass.Positions))), _dropout);

    private static TaskModel WithHead(DistilBertConfig config, Scope scope, Func<DistilBert, Scope, TaskHead> head)
    {
        DistilBert body = new(config, scope["distilbert"]);
        // Pre-training leaves its head in a checkpoint.
        scope.Leave("vocab_transform");
        scope.Leave("vocab_layer_norm");
        scope.Leave("vocab_projector");
        return new TaskModel(body, scope, head(body, scope.ForHead()));
    }

    // projector(norm(act(transform(x)))).
    private static TokenHead MaskedLanguage(DistilBertConfig config, Scope scope, DistilBert body)
    {
        Activation activation = Activations.Parse(config.Activation);
        Linear transform = scope.Linear("vocab_transform", config.Dim, config.Dim, bias: true, config.Init);
        LayerNorm norm = scope.LayerNorm("vocab_layer_norm", config.Dim, Epsilon);
        Linear projector = scope.OutputLinear(
            "vocab_projector", config.Dim, scope["vocab_projector"].Parameter("bias", new Shape(config.VocabSize), Init.Zeros),
            config.TieWordEmbeddings ? body._words.Table : null, config.Init);
        return new TokenHead((x, pass) => projector.Forward(norm.Forward(transform.Forward(x, pass, Epilogue.Activate(activation))), pass));
    }

    private static SequenceHead Classifier(DistilBertConfig config, Scope scope)
    {
        Linear first = scope.Linear("pre_classifier", config.Dim, config.Dim, bias: true, config.Init);
        Linear classifier = scope.Linear("classifier", config.Dim, config.Labels.Count, bias: true, config.Init);
        return new SequenceHead(Score, config.Labels.Problem);

        Tensor Score(Tensor x, Pass pass)
        {
            x = first.Forward(x.Pool(pass, Pooling.First), pass, Epilogue.Activate(Activation.Relu));
            return classifier.Forward(pass.Dropout(x, config.SeqClassifDropout), pass);
        }
    }

    private static TokenHead Tagger(DistilBertConfig config, Scope scope)
    {
        Linear classifier = scope.Linear("classifier", config.Dim, config.Labels.Count, bias: true, config.Init);
        return new TokenHead((x, pass) => classifier.Forward(pass.Dropout(x, config.Dropout), pass));
    }

    private static SpanHead Answers(DistilBertConfig config, Scope scope)
    {
        Linear outputs = scope.Linear("qa_outputs", config.Dim, 2, bias: true, config.Init);
        return new SpanHead((x, pass) => outputs.Forward(pass.Dropout(x, config.QaDropout), pass));
    }

    // norm(x + attention(x)), then norm(x + ffn(x)).
    private sealed class Block(DistilBertConfig config, int layer, Scope scope) : IBlock
    {
        private readonly Linear _query = Project(scope["attention"], "q_lin", config);
        private readonly Linear _key = Project(scope["attention"], "k_lin", config);
        private readonly Linear _value = Project(scope["attention"], "v_lin", config);
        private readonly Linear _output = Project(scope["attention"], "out_lin", config);
        private readonly LayerNorm _attentionNorm = scope.LayerNorm("sa_layer_norm", config.Dim, Epsilon);
        private readonly Linear _expand = scope.Linear("ffn.lin1", config.Dim, config.HiddenDim, bias: true, config.Init);
        private readonly Linear _contract = scope.Linear("ffn.lin2", config.HiddenDim, config.Dim, bias: true, config.Init);
        private readonly LayerNorm _norm = scope.LayerNorm("output_layer_norm", config.Dim, Epsilon);
        private readonly Activation _activation = Activations.Parse(config.Activation);
        private readonly AttentionOptions _options = new(1f / MathF.Sqrt(config.Dim / config.NHeads), Causal: false);

        public Tensor Forward(Tensor x, Pass pass)
        {
            int n = x.Shape[0], d = config.Dim / config.NHeads;
            Tensor q = _query.Forward(x, pass).Reshape(n, config.NHeads, d);        // (N, H, D)
            Tensor k = _key.Forward(x, pass).Reshape(n, config.NHeads, d);
            Tensor v = _value.Forward(x, pass).Reshape(n, config.NHeads, d);
            x = _attentionNorm.Forward(_output.AddTo(x, pass.Attend(layer, q, k, v, _options, dropout: config.AttentionDropout), pass));
            Tensor inner = _expand.Forward(x, pass, Epilogue.Activate(_activation));
            return _norm.Forward(_contract.AddTo(x, inner, pass, config.Dropout));
        }

        private static Linear Project(Scope scope, string name, DistilBertConfig config) =>
            scope.Linear(name, config.Dim, config.Dim, bias: true, config.Init);
    }
}
