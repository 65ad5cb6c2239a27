using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>What an adapter adds to a model, while it is being made: nothing of the model changes yet.</summary>
internal sealed class AdapterParts
{
    private const string Names = "base_model.model";
    private readonly HashSet<string> _saved;
    private readonly ParameterSource _source;

    /// <summary>Begins with nothing.</summary>
    /// <param name="model">The model.</param>
    /// <param name="source">Where parameters come from.</param>
    /// <param name="store">Where they are to live.</param>
    /// <param name="isNew">Whether they are drawn rather than read.</param>
    /// <param name="saved">Paths of the modules that are trained as a whole.</param>
    public AdapterParts(LanguageModel model, ParameterSource source, Workspace store, bool isNew, HashSet<string> saved)
    {
        (Model, _source, Store, IsNew, _saved) = (model, source, store, isNew, saved);
        File = new Scope(source, store);
        Root = File["base_model"];
    }

    /// <summary>The model.</summary>
    public LanguageModel Model { get; }

    /// <summary>Where values that live as long as the adapter are kept.</summary>
    public Workspace Store { get; }

    /// <summary>Whether parameters are drawn rather than read from a file.</summary>
    public bool IsNew { get; }

    /// <summary>The top of the adapter's file.</summary>
    public Scope File { get; }

    /// <summary>The path in the file of what all layers share.</summary>
    public Scope Root { get; }

    /// <summary>Adapters of linear layers.</summary>
    public List<(Linear Layer, Adapter Adapter)> Linears { get; } = [];

    /// <summary>Adapters of tables.</summary>
    public List<(Embedding Layer, EmbeddingAdapter Adapter)> Embeddings { get; } = [];

    /// <summary>Parameters of the model that are trained along or have another value.</summary>
    public List<OwnParameter> Own { get; } = [];

    /// <summary>Parameters that layers share: stored, never trained.</summary>
    public List<Parameter> Shared { get; } = [];

    /// <summary>Weights that take the layers' own place.</summary>
    public List<(Linear Layer, Weight Weight)> Substitutes { get; } = [];

    /// <summary>What stands before every sequence, or null.</summary>
    public Prefix? Prefix { get; set; }

    /// <summary>Whether parameters from which a network makes a prefix are there, rather than what it made.</summary>
    public bool CanTrainPrompt => IsNew || _source is AdapterFile { HasTraining: true };

    /// <summary>The path of a module in the adapter's file.</summary>
    public Scope At(string path) => Root["model"][path];

    /// <summary>Whether a module is trained as a whole, or part of one that is.</summary>
    public bool IsSaved(string path) => Under(_saved, path);

    public void Add(Linear layer, Adapter adapter) => Linears.Add((layer, adapter));

    public void Add(Embedding layer, EmbeddingAdapter adapter) => Embeddings.Add((layer, adapter));

    public void Share(params Parameter[] parameters) => Shared.AddRange(parameters);

    /// <summary>Has another weight take a layer's place while the adapter is attached.</summary>
    public void Substitute(Linear layer, Weight weight) => Substitutes.Add((layer, weight));

    /// <summary>Trains a parameter of the model itself.</summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="key">The key of the configuration that asks for it, for messages.</param>
    /// <param name="name">Its name in the adapter's file, below the model's.</param>
    /// <exception cref="InvalidDataException">It is not stored in F32.</exception>
    public void Train(Parameter parameter, string key, string name)
    {
        if (parameter.Value.DType != DType.F32)
            throw new InvalidDataException($"{key}: {parameter.Name} is stored as {parameter.Value.DType} and cannot be trained; load the model in F32.");
        Own.Add(new OwnParameter(parameter, $"{Names}.{name}", _source, Store, trained: true));
    }

    /// <summary>Gives a parameter of the model the value that the adapter's file has for it.</summary>
    public void Overwrite(Parameter parameter, string name) =>
        Own.Add(new OwnParameter(parameter, $"{Names}.{name}", _source, Store, trained: false));

    /// <summary>Trains what the configuration's modules_to_save names.</summary>
    public void AddSaved()
    {
        foreach (Embedding layer in Model.Parts.Embeddings.Where(e => IsSaved(e.Path)))
            Add(layer, new SavedEmbedding(layer, At(layer.Path)));
        foreach (Linear layer in Model.Parts.Linears.Where(l => IsSaved(l.Path)))
            Add(layer, new SavedLinear(layer, At(layer.Path)));
        HashSet<string> layers = [.. Model.Parts.Linears.Select(l => l.Path), .. Model.Parts.Embeddings.Select(e => e.Path)];
        foreach (Parameter parameter in Model.Parameters.Where(p => !p.IsBuffer))
        {
            string path = parameter.Name[..Math.Max(0, parameter.Name.LastIndexOf('.'))];
            if (IsSaved(path) && !layers.Contains(path))
                Train(parameter, "modules_to_save", parameter.Name);
        }
    }

    /// <summary>The paths of the modules that end as given.</summary>
    /// <exception cref="InvalidDataException">The model has none.</exception>
    public static HashSet<string> Modules(LanguageModel model, IReadOnlyList<string>? ends)
    {
        HashSet<string> modules = new(StringComparer.Ordinal);
        if (ends is not { Count: > 0 })
            return modules;
        IEnumerable<string> packed = model.Parts.Linears.Select(l => l.Path).Concat(model.Parts.Embeddings.Select(e => e.Path)).Select(p => $"{p}.weight");
        foreach (string path in model.Parameters.Select(p => p.Name).Concat(packed))
        {
            for (int dot = path.LastIndexOf('.'); dot > 0; dot = path.LastIndexOf('.', dot - 1))
            {
                if (ends.Any(e => path.AsSpan(0, dot).EndsWith(e, StringComparison.Ordinal)))
                    modules.Add(path[..dot]);
            }
        }
        return modules.Count > 0 ? modules : throw new InvalidDataException($"modules_to_save: the model has no module {string.Join(" or ", ends)}.");
    }

    private static bool Under(HashSet<string> modules, string path) =>
        modules.Count > 0 && modules.Any(m => path == m || path.StartsWith($"{m}.", StringComparison.Ordinal));
}

/// <summary>A parameter of the model itself that an adapter trains or gives another value, with what it was before.</summary>
internal sealed class OwnParameter(Parameter parameter, string fileName, ParameterSource source, Workspace store, bool trained)
{
    private readonly Tensor _before = Copy(parameter, store);
    private readonly Tensor _first = source.Get(fileName, parameter.Shape, new CopyInit(parameter.Value), store);

    public Parameter Parameter => parameter;

    public string FileName => fileName;

    /// <summary>Whether training changes it.</summary>
    public bool Trained => trained;

    public void Install() => Store(_first, parameter);

    public void Restore() => Store(_before, parameter);

    /// <summary>Writes values into a parameter in its own type.</summary>
    public static void Store(Tensor value, Parameter parameter)
    {
        parameter.Value.MakeWritable();
        parameter.Value.Device.Convert(value, parameter.Value);
        parameter.MarkChanged();
    }

    private static Tensor Copy(Parameter parameter, Workspace store)
    {
        Tensor copy = store.Empty(parameter.Shape);
        parameter.Value.Device.Convert(parameter.Value, copy);
        return copy;
    }
}
