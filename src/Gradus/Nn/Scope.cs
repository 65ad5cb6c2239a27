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

    /// <summary>The root of a model.</summary>
    /// <param name="source">Where parameters come from.</param>
    /// <param name="store">The workspace that lives as long as the model.</param>
    public Scope(ParameterSource source, Workspace store)
        : this(new ModelParts(store), source, store, "")
    {
    }

    private Scope(ModelParts parts, ParameterSource source, Workspace store, string path)
    {
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
    public Scope this[string name] => new(_parts, _source, _store, Join(name));

    /// <summary>The place below this one of a number, as in <c>layers.3</c>.</summary>
    public Scope this[int index] => this[index.ToString(CultureInfo.InvariantCulture)];

    /// <summary>A parameter of this place.</summary>
    public Parameter Parameter(string name, Shape shape, Init init)
    {
        string path = Join(name);
        Parameter parameter = new(path, _source.Get(path, shape, init, _store));
        _parts.Add(parameter);
        return parameter;
    }

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

    /// <summary>A linear layer that uses another layer's (V, C) table as its weight: the tied output head.</summary>
    public Linear TiedLinear(string name, Parameter table)
    {
        Linear linear = new(Join(name), new DenseWeight(table, WeightLayout.OutIn), bias: null);
        _parts.Add(linear);
        return linear;
    }

    /// <summary>An embedding table: parameter <c>weight</c> (count, width).</summary>
    public Embedding Embedding(string name, int count, int width, Init init)
    {
        Scope place = this[name];
        Embedding embedding = new(place.Path, place.Parameter("weight", new Shape(count, width), init));
        _parts.Add(embedding);
        return embedding;
    }

    /// <summary>A layer norm: parameters <c>weight</c> and <c>bias</c>.</summary>
    public LayerNorm LayerNorm(string name, int width, float epsilon)
    {
        Scope place = this[name];
        return new LayerNorm(
            place.Parameter("weight", new Shape(width), Init.Ones), place.Parameter("bias", new Shape(width), Init.Zeros), epsilon);
    }

    /// <summary>A root-mean-square norm: parameter <c>weight</c>.</summary>
    public RmsNorm RmsNorm(string name, int width, float epsilon) =>
        new(this[name].Parameter("weight", new Shape(width), Init.Ones), epsilon);

    private string Join(string name) => Path.Length == 0 ? name : $"{Path}.{name}";
}

/// <summary>What a model consists of, in the order in which it was made.</summary>
public sealed class ModelParts
{
    private readonly List<Parameter> _parameters = [];
    private readonly Dictionary<string, Parameter> _byName = new(StringComparer.Ordinal);
    private readonly List<Linear> _linears = [];
    private readonly List<Embedding> _embeddings = [];

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

    /// <summary>Takes a parameter out that nothing uses any more, and frees its memory.</summary>
    internal void Remove(Parameter parameter)
    {
        _byName.Remove(parameter.Name);
        _parameters.Remove(parameter);
        parameter.Value.Free();
    }

    internal void Add(Linear linear) => _linears.Add(linear);

    internal void Add(Embedding embedding) => _embeddings.Add(embedding);
}
