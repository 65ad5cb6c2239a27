using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// The language model before transformers (Mikolov et al., 2010; Zaremba et al., "Recurrent Neural Network Regularization", 2014):
/// embeddings, stacked LSTM or GRU layers, and a head. A format of this project's own; tensors are named as torch.nn.LSTM and GRU name
/// theirs. Left out: projections, both directions, and truncated back-propagation (a block is a whole text to training).
/// </summary>
/// <param name="VocabSize">Token ids; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="EmbeddingSize">Width of the embeddings.</param>
/// <param name="HiddenSize">Units per layer H.</param>
/// <param name="NumLayers">Layers.</param>
/// <param name="Rnn">The cell: <c>lstm</c> or <c>gru</c>.</param>
/// <param name="TieWordEmbeddings">Whether the head uses the token table (Press and Wolf, 2017); both sizes are equal then.</param>
/// <param name="HeadBias">Whether the head has a bias.</param>
/// <param name="Dropout">Dropout between layers and before the head, in [0, 1).</param>
/// <param name="BosTokenId">Token that begins a text.</param>
/// <param name="EosTokenId">Token that ends a text.</param>
/// <param name="PadTokenId">Token that other programs pad with.</param>
public sealed record RnnLmConfig(
    int VocabSize = 256,
    int EmbeddingSize = 128,
    int HiddenSize = 128,
    int NumLayers = 2,
    string Rnn = "lstm",
    bool TieWordEmbeddings = false,
    bool HeadBias = true,
    float Dropout = 0,
    int? BosTokenId = null,
    TokenIds? EosTokenId = null,
    int? PadTokenId = null) : ModelConfig
{
    // The state forgets no position; but what is read at once is held at once.
    private const int LongestBlock = 1 << 16;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Vocabulary => VocabSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ContextLength => LongestBlock;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "RnnLm";

    internal RecurrentCell Cell => Rnn == "gru" ? RecurrentCell.Gru : RecurrentCell.Lstm;

    /// <inheritdoc/>
    public override ModelConfig WithVocabulary(int vocabulary) => this with { VocabSize = vocabulary };

    /// <inheritdoc/>
    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => new[]
    {
        AtLeast(nameof(VocabSize), VocabSize, 1),
        AtLeast(nameof(EmbeddingSize), EmbeddingSize, 1),
        AtLeast(nameof(HiddenSize), HiddenSize, 1),
        CountOf(nameof(NumLayers), NumLayers, 1),
        Probability(nameof(Dropout), Dropout),
        Rnn is "lstm" or "gru" ? null : new ValidationResult($"is \"{Rnn}\"; known are lstm and gru", [nameof(Rnn)]),
        TieWordEmbeddings && EmbeddingSize != HiddenSize
            ? new ValidationResult($"is {EmbeddingSize}, but a tied head needs the {HiddenSize} of hidden_size", [nameof(EmbeddingSize)]) : null,
    }.OfType<ValidationResult>();

    internal override LanguageModel Build(Scope scope) => new RnnLm(this, scope);
}

/// <inheritdoc cref="RnnLmConfig"/>
public sealed class RnnLm : GenerativeModel
{
    private readonly RnnLmConfig _config;
    private readonly Embedding _tokens;
    private readonly Layer[] _layers;
    private int[] _ids = [];

    /// <summary>Builds the model from the parameters of a scope.</summary>
    public RnnLm(RnnLmConfig config, Scope scope)
        : base(config, scope)
    {
        _config = config;
        _tokens = scope.Embedding("embedding", config.VocabSize, config.EmbeddingSize, Init.Normal(1f / MathF.Sqrt(config.EmbeddingSize)));
        _layers = [.. Enumerable.Range(0, config.NumLayers).Select(i => new Layer(config, i, scope["rnn"]))];
        Init init = Init.Uniform(1f / MathF.Sqrt(config.HiddenSize));
        Head = scope.Linear(
            "head",
            config.TieWordEmbeddings ? _tokens.Table : scope.Parameter("head.weight", new Shape(config.VocabSize, config.HiddenSize), init),
            config.HeadBias ? scope.Parameter("head.bias", new Shape(config.VocabSize), Init.Zeros) : null);
    }

    /// <inheritdoc/>
    public override SequenceCache NewCache() => new RecurrentCache(Device, _config.NumLayers, _config.HiddenSize, _config.Cell);

    /// <inheritdoc/>
    public override Tensor Hidden(Pass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        CheckLength(pass);
        Tensor x = _tokens.Forward(TimeMajorIds(pass)), places = pass.Workspace.From(pass.Inputs.TimeMajor.Places);
        for (int i = 0; i < _layers.Length; i++)
        {
            pass.Observer?.Hidden(x.Gather(places));
            x = pass.Dropout(pass.Run(_layers[i], x), _config.Dropout);
        }
        x = x.Gather(places);
        pass.Observer?.Hidden(x);
        return x;
    }

    private Tensor TimeMajorIds(Pass pass)
    {
        ReadOnlySpan<int> ids = pass.Ids.Span<int>(), order = pass.Inputs.TimeMajor.Order;
        if (_ids.Length < ids.Length)
            _ids = new int[ids.Length];
        for (int i = 0; i < order.Length; i++)
            _ids[i] = ids[order[i]];
        return pass.Workspace.From(_ids.AsSpan(0, order.Length));
    }

    // The hidden weights belong to the recurrence, which needs them as they are: they are no Linear, so adapters and quantization leave them alone.
    private sealed class Layer : IBlock
    {
        private readonly int _index;
        private readonly RecurrentCell _cell;
        private readonly Linear _input;
        private readonly Parameter _weight;
        private readonly Parameter _bias;

        public Layer(RnnLmConfig config, int index, Scope scope)
        {
            _index = index;
            _cell = config.Cell;
            int width = _cell.Gates() * config.HiddenSize;
            Init init = Init.Uniform(1f / MathF.Sqrt(config.HiddenSize));
            _input = scope.Linear(
                $"ih_l{index}",
                scope.Parameter($"weight_ih_l{index}", new Shape(width, index == 0 ? config.EmbeddingSize : config.HiddenSize), init),
                scope.Parameter($"bias_ih_l{index}", new Shape(width), init));
            _weight = scope.Parameter($"weight_hh_l{index}", new Shape(width, config.HiddenSize), init);
            _bias = scope.Parameter($"bias_hh_l{index}", new Shape(width), init);
        }

        public Tensor Forward(Tensor x, Pass pass)
        {
            (Tensor? hidden, Tensor? memory) = pass.Memory?.First(_index, x.Workspace) ?? default;
            Tensor y = _input.Forward(x, pass).Recur(_cell, pass.Inputs.TimeMajor, _weight.Value, _bias.Value, hidden, memory, out Tensor? last);
            pass.Memory?.Keep(_index, pass.Inputs.TimeMajor, y, last);
            return y;
        }
    }
}
