using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// BERT (Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2019): post-norm blocks in
/// which every token sees every other, learned positions and sentence types; with the heads and the tensor names of Hugging Face's
/// classes. Left out: its use as a decoder, relative positions, multiple choice.
/// </summary>
/// <param name="PadTokenId">Token that fills up batches elsewhere; kept for other programs.</param>
public sealed record BertConfig(
    int VocabSize = 30522,
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
    int? PadTokenId = 0,
    float? ClassifierDropout = null,
    bool TieWordEmbeddings = true) : BertStyleConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "BertForMaskedLM";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyCollection<string> ArchitectureClasses => Bert.Classes.Keys;

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

    internal override LanguageModel Build(Scope scope) => Bert.Classes[Architecture](this, scope);
}

/// <inheritdoc cref="BertConfig"/>
public sealed class Bert : EncoderModel
{
    // "For" and the task: a body under the name that every class gives it, and heads beside it.
    internal static readonly Dictionary<string, Func<BertConfig, Scope, LanguageModel>> Classes = new(StringComparer.Ordinal)
    {
        ["BertForMaskedLM"] = (c, s) => WithHead(c, s, pooler: false, (b, h) => [MaskedLanguage(c, h, b)]),
        ["BertForNextSentencePrediction"] = (c, s) => WithHead(c, s, pooler: true, (b, h) => [NextSentence(c, h, b)]),
        ["BertForPreTraining"] = (c, s) => WithHead(c, s, pooler: true, (b, h) => [MaskedLanguage(c, h, b), NextSentence(c, h, b)]),
        ["BertForQuestionAnswering"] = (c, s) => WithHead(c, s, pooler: false, (_, h) => [BertHeads.Answers(c, h)]),
        ["BertForSequenceClassification"] = (c, s) => WithHead(c, s, pooler: true, (b, h) => [Classifier(c, h, b)]),
        ["BertForTokenClassification"] = (c, s) => WithHead(c, s, pooler: false, (_, h) => [BertHeads.Tagger(c, h)]),
        ["BertModel"] = (c, s) => new Bert(c, s, pooler: true, bare: true),
    };

    private readonly BertEmbeddings _embeddings;

    private Bert(BertConfig config, Scope scope, bool pooler, bool bare = false)
        : base(config, scope)
    {
        _embeddings = new BertEmbeddings(config, config.HiddenSize, config.PadTokenId, scope["embeddings"]);
        Blocks = BertBlock.Stack(config, scope["encoder.layer"]);
        // A bare body may be stored without its pooler. A classifier needs one, which is new if the model had another task.
        if (pooler && (!bare || scope.Has("pooler.dense.weight")))
            Pooler = scope.ForHead().Linear("pooler.dense", config.HiddenSize, config.HiddenSize, bias: true, config.Init);
        else
            scope.Leave("pooler");
    }

    /// <inheritdoc/>
    public override Linear? Pooler { get; }

    /// <inheritdoc/>
    protected override IReadOnlyList<IBlock> Blocks { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Pass pass) => _embeddings.Forward(pass, pass.Positions);

    private static TaskModel WithHead(BertConfig config, Scope scope, bool pooler, Func<Bert, Scope, TaskHead[]> heads)
    {
        Bert body = new(config, scope["bert"], pooler);
        // Pre-training leaves both heads in a checkpoint, also in one that is loaded for one of them.
        scope.Leave("cls");
        return new TaskModel(body, scope, heads(body, scope.ForHead()));
    }

    // decoder(norm(act(dense(x)))).
    private static TokenHead MaskedLanguage(BertConfig config, Scope scope, Bert body)
    {
        Scope part = scope["cls.predictions"];
        Activation activation = Activations.Parse(config.HiddenAct);
        Linear dense = part.Linear("transform.dense", config.HiddenSize, config.HiddenSize, bias: true, config.Init);
        LayerNorm norm = part["transform"].LayerNorm("LayerNorm", config.HiddenSize, config.LayerNormEps);
        Linear decoder = part.OutputLinear(
            "decoder", config.HiddenSize, part.Parameter("bias", new Shape(config.VocabSize), Init.Zeros),
            config.TieWordEmbeddings ? body._embeddings.Words.Table : null, config.Init);
        return new TokenHead((x, pass) => decoder.Forward(norm.Forward(dense.Forward(x, pass, Epilogue.Activate(activation))), pass));
    }

    // Class 0: the second sentence follows the first.
    private static SequenceHead NextSentence(BertConfig config, Scope scope, Bert body)
    {
        Linear relation = scope.Linear("cls.seq_relationship", config.HiddenSize, 2, bias: true, config.Init);
        return new SequenceHead((x, pass) => relation.Forward(body.Pooled(x, pass), pass), ProblemType.SingleLabelClassification);
    }

    private static SequenceHead Classifier(BertConfig config, Scope scope, Bert body)
    {
        float dropout = config.ClassifierDropout ?? config.HiddenDropoutProb;
        Linear classifier = scope.Linear("classifier", config.HiddenSize, config.Labels.Count, bias: true, config.Init);
        return new SequenceHead((x, pass) => classifier.Forward(pass.Dropout(body.Pooled(x, pass), dropout), pass), config.Labels.Problem);
    }
}
