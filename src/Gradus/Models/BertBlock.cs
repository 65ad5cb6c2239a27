// What BERT and its descendants RoBERTa and ELECTRA share, tensor names included: embeddings, blocks, and the heads that differ in nothing.
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>Sizes of a stack of BERT's blocks.</summary>
/// <param name="Width">C.</param>
/// <param name="Layers">Blocks.</param>
/// <param name="Heads">Attention heads H; divides the width.</param>
/// <param name="Inner">Width of the feed-forward layer.</param>
/// <param name="Activation">Its activation.</param>
/// <param name="Dropout">Of what is added to the residual stream.</param>
/// <param name="AttentionDropout">Of attention probabilities.</param>
/// <param name="Epsilon">ε of the norms.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
internal sealed record BertSizes(int Width, int Layers, int Heads, int Inner, string Activation, float Dropout, float AttentionDropout, float Epsilon, float InitializerRange)
{
    public Init Init => Init.Normal(InitializerRange);

    /// <summary>A class for every token: <c>classifier</c>.</summary>
    public TokenHead Tagger(Scope scope, LabelSet labels, float? dropout)
    {
        Linear classifier = scope.Linear("classifier", Width, labels.Count, bias: true, Init);
        return new TokenHead((x, pass) => classifier.Forward(pass.Dropout(x, dropout ?? Dropout), pass));
    }

    /// <summary>Start and end of an answer: <c>qa_outputs</c>.</summary>
    public SpanHead Answers(Scope scope)
    {
        Linear outputs = scope.Linear("qa_outputs", Width, 2, bias: true, Init);
        return new SpanHead(outputs.Forward);
    }

    /// <summary>
    /// The classifier that has a layer of its own instead of the body's pooler: <c>classifier.dense</c>, an activation,
    /// <c>classifier.out_proj</c>, on the first token.
    /// </summary>
    public SequenceHead Classifier(Scope scope, LabelSet labels, Activation activation, float? dropout)
    {
        Linear dense = scope.Linear("classifier.dense", Width, Width, bias: true, Init);
        Linear output = scope.Linear("classifier.out_proj", Width, labels.Count, bias: true, Init);
        float rate = dropout ?? Dropout;
        return new SequenceHead(Score, labels.Problem);

        Tensor Score(Tensor x, Pass pass)
        {
            x = pass.Dropout(x.Pool(pass, Pooling.First), rate);
            return output.Forward(pass.Dropout(dense.Forward(x, pass, Epilogue.Activate(activation)), rate), pass);
        }
    }
}

/// <summary>norm(word + position + type).</summary>
internal sealed class BertEmbeddings
{
    private readonly Embedding _positions;
    private readonly Embedding _types;
    private readonly LayerNorm _norm;
    private readonly float _dropout;

    public BertEmbeddings(int words, int positions, int types, int width, int? padding, BertSizes sizes, Scope scope)
    {
        Words = scope.Embedding("word_embeddings", words, width, sizes.Init, padding);
        _positions = scope.Embedding("position_embeddings", positions, width, sizes.Init);
        _types = scope.Embedding("token_type_embeddings", types, width, sizes.Init);
        _norm = scope.LayerNorm("LayerNorm", width, sizes.Epsilon);
        _dropout = sizes.Dropout;
        // A buffer that counts from 0, which older versions of transformers stored.
        scope.Leave("position_ids");
    }

    /// <summary>The token table.</summary>
    public Embedding Words { get; }

    public Tensor Forward(Pass pass, Tensor positions)
    {
        Tensor x = Words.Forward(pass.Ids).Add(_types.Forward(pass.TokenTypes)).Add(_positions.Forward(positions));
        return pass.Dropout(_norm.Forward(x), _dropout);
    }
}

/// <summary>norm(x + attention(x)), then norm(x + mlp(x)).</summary>
internal sealed class BertBlock(BertSizes sizes, int layer, Scope scope) : IBlock
{
    private readonly Linear _query = Project(scope["attention.self"], "query", sizes);
    private readonly Linear _key = Project(scope["attention.self"], "key", sizes);
    private readonly Linear _value = Project(scope["attention.self"], "value", sizes);
    private readonly Linear _output = Project(scope["attention.output"], "dense", sizes);
    private readonly LayerNorm _attentionNorm = scope["attention.output"].LayerNorm("LayerNorm", sizes.Width, sizes.Epsilon);
    private readonly Linear _expand = scope.Linear("intermediate.dense", sizes.Width, sizes.Inner, bias: true, sizes.Init);
    private readonly Linear _contract = scope.Linear("output.dense", sizes.Inner, sizes.Width, bias: true, sizes.Init);
    private readonly LayerNorm _norm = scope["output"].LayerNorm("LayerNorm", sizes.Width, sizes.Epsilon);
    private readonly Activation _activation = Activations.Parse(sizes.Activation);
    private readonly AttentionOptions _options = new(1f / MathF.Sqrt(sizes.Width / sizes.Heads), Causal: false);

    public static IBlock[] Stack(BertSizes sizes, Scope scope) =>
        [.. Enumerable.Range(0, sizes.Layers).Select(i => new BertBlock(sizes, i, scope[i]))];

    public Tensor Forward(Tensor x, Pass pass)
    {
        int n = x.Shape[0], d = sizes.Width / sizes.Heads;
        Tensor q = _query.Forward(x, pass).Reshape(n, sizes.Heads, d);      // (N, H, D)
        Tensor k = _key.Forward(x, pass).Reshape(n, sizes.Heads, d);
        Tensor v = _value.Forward(x, pass).Reshape(n, sizes.Heads, d);
        Tensor attended = pass.Attend(layer, q, k, v, _options, dropout: sizes.AttentionDropout);
        x = _attentionNorm.Forward(_output.AddTo(x, attended, pass, sizes.Dropout));
        Tensor inner = _expand.Forward(x, pass, Epilogue.Activate(_activation));
        return _norm.Forward(_contract.AddTo(x, inner, pass, sizes.Dropout));
    }

    private static Linear Project(Scope scope, string name, BertSizes sizes) =>
        scope.Linear(name, sizes.Width, sizes.Width, bias: true, sizes.Init);
}
