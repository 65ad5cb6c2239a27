using System.Globalization;
using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// A place in a model's tree of names, from which its layers get their parameters. A model's constructor walks down the scopes
/// with the names that checkpoints use; what it made along the way is listed in <see cref="ModelParts"/>.
/// </summary>
public sealed class Scope
{
    private readonly ModelParts _parts;
    private readonly ParameterSource _source;
    private readonly Workspace _store;
    private readonly bool _ofHead;

    /// <summary>The root of a model.</summary>
    /// <param name="source">Where parameters come from.</param>
    /// <param name="store">The workspace that lives as long as the model.</param>
    public Scope(ParameterSource source, Workspace store)
        : this(new ModelParts(store), source, store, "")
    {
    }

    private Scope(ModelParts parts, ParameterSource source, Workspace store, string path, bool ofHead = false)
    {
        _ofHead = ofHead;
        _parts = parts;
        _source = source;
        _store = store;
        Path = path;
    }

    /// <summary>The dotted path of this place; empty at the root.</summary>
    public string Path { get; }

    /// <summary>Everything made under the same root so far.</summary>
    public ModelParts Parts => _parts;

    /// <summary>The place below this one of a name, which may itself be dotted.</summary>
    public Scope this[string name] => new(_parts, _source, _store, Join(name), ofHead: _ofHead);

    /// <summary>The place below this one of a number, as in <c>layers.3</c>.</summary>
    public Scope this[int index] => this[index.ToString(CultureInfo.InvariantCulture)];

    /// <summary>This place for a task's head, which a checkpoint of another task does not have and which may then be drawn anew.</summary>
    public Scope ForHead() => new(_parts, _source, _store, Path, ofHead: true);

    /// <summary>Whether a parameter of this place can be had: checkpoints may lack optional ones.</summary>
    public bool Has(string name) => _source.Has(Join(name));

    /// <summary>Says that checkpoints may hold tensors of this name, or below it, that the model has no use for: another task's head, buffers.</summary>
    public void Leave(string name) => _source.Leave(Join(name));

    /// <summary>A parameter of this place.</summary>
    public Parameter Parameter(string name, Shape shape, Init init)
    {
        string path = Join(name);
        if (_source.Shared(path, shape) is { } shared)
        {
            _parts.Add(shared);
            return shared;
        }
        Parameter parameter = new(path, _ofHead ? _source.GetOfHead(path, shape, init, _store) : _source.Get(path, shape, init, _store));
        _parts.Add(parameter);
        return parameter;
    }

    /// <summary>A constant of this place that checkpoints may store; it starts as given where they do not.</summary>
    public Parameter Buffer(string name, Shape shape, Init init)
    {
        string path = Join(name);
        Parameter buffer = new(path, (_source.Has(path) ? _source : ParameterSource.Random(0)).Get(path, shape, init, _store), buffer: true);
        _parts.Add(buffer);
        return buffer;
    }

    /// <summary>Other names, seen from this place, under which checkpoints may store a parameter; to be called before it is made.</summary>
    public void Alias(string name, params string[] others) => _source.Alias(Join(name), [.. others.Select(Join)]);

    /// <summary>A linear layer: parameters <c>weight</c> and, if asked for, <c>bias</c>.</summary>
    /// <param name="name">The layer's name below this place.</param>
    /// <param name="inputs">Columns in.</param>
    /// <param name="outputs">Columns out.</param>
    /// <param name="bias">Whether it has a bias (zeros at first).</param>
    /// <param name="init">How the weight starts out.</param>
    /// <param name="layout">How the weight is stored.</param>
    public Linear Linear(string name, int inputs, int outputs, bool bias, Init init, WeightLayout layout = WeightLayout.OutIn)
    {
        Scope place = this[name];
        Shape shape = layout == WeightLayout.OutIn ? new Shape(outputs, inputs) : new Shape(inputs, outputs);
        Weight weight = layout == WeightLayout.OutIn && _source.GetPacked(place.Join("weight"), shape, _store) is { } packed
            ? new PackedWeight(packed)
            : new DenseWeight(place.Parameter("weight", shape, init), layout);
        Linear linear = new(place.Path, weight, bias ? place.Parameter("bias", new Shape(outputs), Init.Zeros) : null);
        _parts.Add(linear);
        return linear;
    }

    /// <summary>A layer that the model does without, because another head replaces it: it has no parameters and cannot be run. Checkpoints may hold it.</summary>
    /// <param name="name">The layer's name below this place.</param>
    /// <param name="inputs">Columns in.</param>
    /// <param name="outputs">Columns out.</param>
    public Linear AbsentLinear(string name, int inputs, int outputs)
    {
        Leave(name);
        string path = Join(name);
        return new Linear(path, new AbsentWeight(path, inputs, outputs), bias: null);
    }

    /// <summary>A linear layer whose parameters have names of their own, not <c>weight</c> and <c>bias</c> below its name.</summary>
    /// <param name="name">The layer's name below this place.</param>
    /// <param name="weight">(out, in).</param>
    /// <param name="bias">(out), or null.</param>
    public Linear Linear(string name, Parameter weight, Parameter? bias)
    {
        Linear linear = new(Join(name), new DenseWeight(weight, WeightLayout.OutIn), bias);
        _parts.Add(linear);
        return linear;
    }

    /// <summary>A linear layer that uses another layer's (V, C) table as its weight: the tied output head.</summary>
    /// <param name="name">The layer's name below this place. Checkpoints may hold the table a second time under it.</param>
    /// <param name="table">(V, C).</param>
    /// <param name="bias">(V), or null.</param>
    public Linear TiedLinear(string name, Parameter table, Parameter? bias) => TiedLinear(name, table, () => bias);

    /// <inheritdoc cref="TiedLinear(string, Parameter, Parameter)"/>
    /// <param name="name">The layer's name below this place.</param>
    /// <param name="table">(V, C).</param>
    /// <param name="bias">Whether it has a bias of its own, (V).</param>
    public Linear TiedLinear(string name, Parameter table, bool bias = false) =>
        TiedLinear(name, table, () => bias ? this[name].Parameter("bias", new Shape(table.Shape[0]), Init.Zeros) : null);

    /// <inheritdoc cref="TiedLinear(string, Parameter, Parameter)"/>
    /// <param name="name">The layer's name below this place.</param>
    /// <param name="tokens">The layer of the table, which may be kept in blocks.</param>
    /// <param name="bias">Whether it has a bias of its own, (V).</param>
    public Linear TiedLinear(string name, Embedding tokens, bool bias = false)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        return tokens.Packed is { } packed
            ? TiedLinear(name, new PackedWeight(packed), () => bias ? this[name].Parameter("bias", new Shape(packed.Rows), Init.Zeros) : null)
            : TiedLinear(name, tokens.Table, bias);
    }

    private Linear TiedLinear(string name, Parameter table, Func<Parameter?> bias)
    {
        ArgumentNullException.ThrowIfNull(table);
        return TiedLinear(name, new DenseWeight(table, WeightLayout.OutIn), bias);
    }

    private Linear TiedLinear(string name, Weight table, Func<Parameter?> bias)
    {
        Scope place = this[name];
        place.Leave("weight");
        Linear linear = new(place.Path, table, bias());
        _parts.Add(linear);
        return linear;
    }

    /// <summary>A linear layer without a bias whose weight is stored under the layer's own name, one side of it as several axes: (width, heads, head size).</summary>
    /// <param name="name">The weight's name.</param>
    /// <param name="shape">Its axes.</param>
    /// <param name="init">How it starts out.</param>
    /// <param name="layout">Whether the first axis or the others are the outputs.</param>
    public Linear Projection(string name, Shape shape, Init init, WeightLayout layout)
    {
        Linear linear = new(Join(name), new DenseWeight(Parameter(name, shape, init), layout), bias: null);
        _parts.Add(linear);
        return linear;
    }

    /// <summary>The output layer over a vocabulary, with a bias that may be stored under another name: another layer's table, or a weight of its own.</summary>
    /// <param name="name">The layer's name below this place.</param>
    /// <param name="inputs">Columns in.</param>
    /// <param name="bias">(V).</param>
    /// <param name="table">(V, C) to be used as the weight, or null.</param>
    /// <param name="init">How a weight of its own starts out.</param>
    public Linear OutputLinear(string name, int inputs, Parameter bias, Parameter? table, Init init)
    {
        ArgumentNullException.ThrowIfNull(bias);
        if (table is not null)
            return TiedLinear(name, table, bias);
        Scope place = this[name];
        Linear linear = new(place.Path, new DenseWeight(place.Parameter("weight", new Shape(bias.Shape[0], inputs), init), WeightLayout.OutIn), bias);
        _parts.Add(linear);
        return linear;
    }

    /// <summary>An embedding table: parameter <c>weight</c> (count, width), or blocks where it is stored in blocks that are to be kept.</summary>
    /// <param name="name">The layer's name below this place.</param>
    /// <param name="count">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="init">How the table starts out.</param>
    /// <param name="padding">The padding token: its row starts out as zeros and lookups give it no gradient. A negative one counts from the end; null for none.</param>
    public Embedding Embedding(string name, int count, int width, Init init, int? padding = null)
    {
        Scope place = this[name];
        Shape shape = new(count, width);
        int? row = padding < 0 ? count + padding : padding;
        if (row < 0 || row >= count)
            row = null;
        Embedding embedding = _source.GetPacked(place.Join("weight"), shape, _store) is { } packed
            ? new Embedding(place.Path, packed)
            : new Embedding(place.Path, place.Parameter("weight", shape, row is null ? init : Init.WithZeros(init, row.Value * width, width)), row);
        _parts.Add(embedding);
        return embedding;
    }

    /// <summary>An embedding table that is not trained: buffer <c>weight</c> (count, width).</summary>
    public Embedding FixedEmbedding(string name, int count, int width, Init init)
    {
        Scope place = this[name];
        Embedding embedding = new(place.Path, place.Buffer("weight", new Shape(count, width), init));
        _parts.Add(embedding);
        return embedding;
    }

    /// <summary>A layer norm: parameters <c>weight</c> and <c>bias</c>, or none where it is not <paramref name="affine"/>.</summary>
    public LayerNorm LayerNorm(string name, int width, float epsilon, bool affine = true)
    {
        Scope place = this[name];
        LayerNorm norm = affine
            ? new LayerNorm(width, place.Parameter("weight", new Shape(width), Init.Ones), place.Parameter("bias", new Shape(width), Init.Zeros), epsilon)
            : new LayerNorm(width, null, null, epsilon);
        _parts.Add(place.Path, norm);
        return norm;
    }

    /// <summary>A root-mean-square norm: parameter <c>weight</c>, to which an offset of 0 or 1 is added.</summary>
    public RmsNorm RmsNorm(string name, int width, float epsilon, float offset = 0) =>
        new(this[name].Parameter("weight", new Shape(width), offset == 0 ? Init.Ones : Init.Zeros), epsilon, offset);

    private string Join(string name) => Path.Length == 0 ? name : $"{Path}.{name}";
}

/// <summary>What a model consists of, in the order in which it was made.</summary>
public sealed class ModelParts
{
    private readonly List<Parameter> _parameters = [];
    private readonly Dictionary<string, Parameter> _byName = new(StringComparer.Ordinal);
    private readonly List<Linear> _linears = [];
    private readonly List<Embedding> _embeddings = [];
    private readonly Dictionary<string, INorm> _norms = new(StringComparer.Ordinal);

    internal ModelParts(Workspace store)
    {
        Store = store;
    }

    /// <summary>The workspace in which the parameters live.</summary>
    public Workspace Store { get; }

    /// <summary>All parameters; tied ones once.</summary>
    public IReadOnlyList<Parameter> Parameters => _parameters;

    /// <summary>All linear layers: what quantization replaces the weights of, and adapters attach to.</summary>
    public IReadOnlyList<Linear> Linears => _linears;

    /// <summary>All embedding tables; adapters attach to them too.</summary>
    public IReadOnlyList<Embedding> Embeddings => _embeddings;

    /// <summary>The parameter of a name, or null.</summary>
    public Parameter? Find(string name) => _byName.GetValueOrDefault(name);

    internal void Add(Parameter parameter)
    {
        if (!_byName.TryAdd(parameter.Name, parameter))
            throw new InvalidOperationException($"The model has two parameters of the name {parameter.Name}.");
        _parameters.Add(parameter);
    }

    /// <summary>Puts another parameter of the same name in the place of one.</summary>
    internal void Replace(Parameter old, Parameter other)
    {
        _parameters[_parameters.IndexOf(old)] = other;
        _byName[other.Name] = other;
    }

    /// <summary>Takes a parameter out that nothing uses any more, and frees its memory.</summary>
    internal void Remove(Parameter parameter)
    {
        _byName.Remove(parameter.Name);
        _parameters.Remove(parameter);
        parameter.Value.Free();
    }

    internal void Add(Linear linear) => _linears.Add(linear);

    internal void Add(Embedding embedding) => _embeddings.Add(embedding);

    internal void Add(string path, INorm norm) => _norms[path] = norm;

    /// <summary>The layer norm of a path, or null.</summary>
    internal INorm? FindNorm(string path) => _norms.GetValueOrDefault(path);
}
