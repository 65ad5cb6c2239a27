// What BERT and its descendants RoBERTa and ELECTRA share, tensor names included: embeddings, blocks, and the heads that differ in nothing.
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>norm(word + position + type).</summary>
internal sealed class BertEmbeddings
{
    private readonly Embedding _positions;
    private readonly Embedding _types;
    private readonly LayerNorm _norm;
    private readonly float _dropout;

    public BertEmbeddings(BertStyleConfig config, int width, int? padding, Scope scope)
    {
        Words = scope.Embedding("word_embeddings", config.VocabSize, width, config.Init, padding);
        _positions = scope.Embedding("position_embeddings", config.MaxPositionEmbeddings, width, config.Init);
        _types = scope.Embedding("token_type_embeddings", config.TypeVocabSize, width, config.Init);
        _norm = scope.LayerNorm("LayerNorm", width, config.LayerNormEps);
        _dropout = config.HiddenDropoutProb;
        // A buffer that counts from 0, which older versions of transformers stored.
        scope.Leave("position_ids");
    }

    /// <summary>The token table.</summary>
    public Embedding Words { get; }

    public Tensor Forward(Pass pass, Tensor positions)
    {
        Tensor x = Words.Forward(pass.Ids).Add(_types.Forward(pass.Inputs.TokenTypes)).Add(_positions.Forward(positions));
        return pass.Dropout(_norm.Forward(x), _dropout);
    }
}

/// <summary>norm(x + attention(x)), then norm(x + mlp(x)).</summary>
internal sealed class BertBlock(BertStyleConfig config, int layer, Scope scope) : IBlock
{
    private readonly Linear _query = Project(scope["attention.self"], "query", config);
    private readonly Linear _key = Project(scope["attention.self"], "key", config);
    private readonly Linear _value = Project(scope["attention.self"], "value", config);
    private readonly Linear _output = Project(scope["attention.output"], "dense", config);
    private readonly LayerNorm _attentionNorm = scope["attention.output"].LayerNorm("LayerNorm", config.HiddenSize, config.LayerNormEps);
    private readonly Linear _expand = scope.Linear("intermediate.dense", config.HiddenSize, config.IntermediateSize, bias: true, config.Init);
    private readonly Linear _contract = scope.Linear("output.dense", config.IntermediateSize, config.HiddenSize, bias: true, config.Init);
    private readonly LayerNorm _norm = scope["output"].LayerNorm("LayerNorm", config.HiddenSize, config.LayerNormEps);
    private readonly Activation _activation = Activations.Parse(config.HiddenAct);
    private readonly int _heads = config.NumAttentionHeads, _width = config.HiddenSize / config.NumAttentionHeads;

    public static IBlock[] Stack(BertStyleConfig config, Scope scope) =>
        [.. Enumerable.Range(0, config.NumHiddenLayers).Select(i => new BertBlock(config, i, scope[i]))];

    public Tensor Forward(Tensor x, Pass pass)
    {
        int n = x.Shape[0];
        Tensor q = _query.Forward(x, pass).Reshape(n, _heads, _width);      // (N, H, D)
        Tensor k = _key.Forward(x, pass).Reshape(n, _heads, _width);
        Tensor v = _value.Forward(x, pass).Reshape(n, _heads, _width);
        AttentionOptions options = new(1f / MathF.Sqrt(_width), Causal: false);
        Tensor attended = pass.Attend(layer, q, k, v, options, dropout: config.AttentionProbsDropoutProb);
        x = _attentionNorm.Forward(_output.AddTo(x, attended, pass, config.HiddenDropoutProb));
        Tensor inner = _expand.Forward(x, pass, Epilogue.Activate(_activation));
        return _norm.Forward(_contract.AddTo(x, inner, pass, config.HiddenDropoutProb));
    }

    private static Linear Project(Scope scope, string name, BertStyleConfig config) =>
        scope.Linear(name, config.HiddenSize, config.HiddenSize, bias: true, config.Init);
}

/// <summary>The heads under the names that all of the family use.</summary>
internal static class BertHeads
{
    /// <summary>A class for every token: <c>classifier</c>.</summary>
    public static TokenHead Tagger(BertStyleConfig config, Scope scope)
    {
        Linear classifier = scope.Linear("classifier", config.HiddenSize, config.Labels.Count, bias: true, config.Init);
        return new TokenHead((x, pass) => classifier.Forward(pass.Dropout(x, config.ClassifierDropout ?? config.HiddenDropoutProb), pass));
    }

    /// <summary>Start and end of an answer: <c>qa_outputs</c>.</summary>
    public static SpanHead Answers(BertStyleConfig config, Scope scope) =>
        new(scope.Linear("qa_outputs", config.HiddenSize, 2, bias: true, config.Init).Forward);

    /// <summary>
    /// The classifier that has a layer of its own instead of the body's pooler: <c>classifier.dense</c>, an activation,
    /// <c>classifier.out_proj</c>, on the first token.
    /// </summary>
    public static SequenceHead Classifier(BertStyleConfig config, Scope scope, Activation activation)
    {
        Linear dense = scope.Linear("classifier.dense", config.HiddenSize, config.HiddenSize, bias: true, config.Init);
        Linear output = scope.Linear("classifier.out_proj", config.HiddenSize, config.Labels.Count, bias: true, config.Init);
        float rate = config.ClassifierDropout ?? config.HiddenDropoutProb;
        return new SequenceHead(Score, config.Labels.Problem);

        Tensor Score(Tensor x, Pass pass)
        {
            x = pass.Dropout(x.Pool(pass, Pooling.First), rate);
            return output.Forward(pass.Dropout(dense.Forward(x, pass, Epilogue.Activate(activation)), rate), pass);
        }
    }
}
