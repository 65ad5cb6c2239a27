using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// ELECTRA (Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators", 2020): BERT's blocks over
/// embeddings of a width of their own. A small generator fills masks (ElectraForMaskedLM), a discriminator finds the tokens that were
/// replaced (ElectraForPreTraining). Tensor names of Hugging Face's classes. Left out: relative positions, multiple choice.
/// </summary>
/// <param name="EmbeddingSize">Width of the embeddings.</param>
/// <param name="PadTokenId">Token that fills up batches elsewhere; kept for other programs.</param>
public sealed record ElectraConfig(
    int VocabSize = 30522,
    int EmbeddingSize = 128,
    int HiddenSize = 256,
    int NumHiddenLayers = 12,
    int NumAttentionHeads = 4,
    int IntermediateSize = 1024,
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
    public override string ArchitectureClass => "ElectraForPreTraining";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyCollection<string> ArchitectureClasses => Electra.Classes.Keys;

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        [.. base.Validate(validationContext), .. new[] { AtLeast(nameof(EmbeddingSize), EmbeddingSize, 1) }.OfType<ValidationResult>()];

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

    internal override LanguageModel Build(Scope scope) => Electra.Classes[Architecture](this, scope);
}

/// <inheritdoc cref="ElectraConfig"/>
public sealed class Electra : EncoderModel
{
    internal static readonly Dictionary<string, Func<ElectraConfig, Scope, LanguageModel>> Classes = new(StringComparer.Ordinal)
    {
        ["ElectraForMaskedLM"] = (c, s) => WithHead(c, s, (b, h) => Generator(c, h, b)),
        ["ElectraForPreTraining"] = (c, s) => WithHead(c, s, (_, h) => Discriminator(c, h)),
        ["ElectraForQuestionAnswering"] = (c, s) => WithHead(c, s, (_, h) => BertHeads.Answers(c, h)),
        ["ElectraForSequenceClassification"] = (c, s) => WithHead(c, s, (_, h) => BertHeads.Classifier(c, h, Activation.Gelu)),
        ["ElectraForTokenClassification"] = (c, s) => WithHead(c, s, (_, h) => BertHeads.Tagger(c, h)),
        ["ElectraModel"] = (c, s) => new Electra(c, s),
    };

    private readonly BertEmbeddings _embeddings;
    private readonly Linear? _project;

    private Electra(ElectraConfig config, Scope scope)
        : base(config, scope)
    {
        _embeddings = new BertEmbeddings(config, config.EmbeddingSize, config.PadTokenId, scope["embeddings"]);
        if (config.EmbeddingSize != config.HiddenSize)
            _project = scope.Linear("embeddings_project", config.EmbeddingSize, config.HiddenSize, bias: true, config.Init);
        Blocks = BertBlock.Stack(config, scope["encoder.layer"]);
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<IBlock> Blocks { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Pass pass)
    {
        Tensor x = _embeddings.Forward(pass, pass.Positions);
        return _project?.Forward(x, pass) ?? x;
    }

    private static TaskModel WithHead(ElectraConfig config, Scope scope, Func<Electra, Scope, TaskHead> head)
    {
        Electra body = new(config, scope["electra"]);
        // Pre-training leaves its head in a checkpoint.
        foreach (string other in (string[])["discriminator_predictions", "generator_predictions", "generator_lm_head"])
            scope.Leave(other);
        return new TaskModel(body, scope, head(body, scope.ForHead()));
    }

    // decoder(norm(gelu(dense(x)))), back in the width of the embeddings.
    private static TokenHead Generator(ElectraConfig config, Scope scope, Electra body)
    {
        Scope part = scope["generator_predictions"];
        LayerNorm norm = part.LayerNorm("LayerNorm", config.EmbeddingSize, config.LayerNormEps);
        Linear dense = part.Linear("dense", config.HiddenSize, config.EmbeddingSize, bias: true, config.Init);
        Linear decoder = scope.OutputLinear(
            "generator_lm_head", config.EmbeddingSize, scope["generator_lm_head"].Parameter("bias", new Shape(config.VocabSize), Init.Zeros),
            config.TieWordEmbeddings ? body._embeddings.Words.Table : null, config.Init);
        return new TokenHead((x, pass) => decoder.Forward(norm.Forward(dense.Forward(x, pass, Epilogue.Activate(Activation.Gelu))), pass));
    }

    private static DetectionHead Discriminator(ElectraConfig config, Scope scope)
    {
        Scope part = scope["discriminator_predictions"];
        Activation activation = Activations.Parse(config.HiddenAct);
        Linear dense = part.Linear("dense", config.HiddenSize, config.HiddenSize, bias: true, config.Init);
        Linear prediction = part.Linear("dense_prediction", config.HiddenSize, 1, bias: true, config.Init);
        return new DetectionHead((x, pass) => prediction.Forward(dense.Forward(x, pass, Epilogue.Activate(activation)), pass));
    }
}
