using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// An adapter on a model: all the few parameters of one method, on the layers that its configuration names. While it is attached
/// only they are trained; the model's own parameters stay as they are, but for biases and norms that the configuration has trained
/// along. Left out: several adapters at once.
/// </summary>
public sealed class ModelAdapter : IDisposable
{
    private const string Prefix = "base_model.model";
    private readonly Workspace _store;
    private readonly List<(Linear Layer, Adapter Adapter)> _linears = [];
    private readonly List<(Embedding Layer, EmbeddingAdapter Adapter)> _embeddings = [];
    private readonly List<OwnParameter> _own = [];

    private ModelAdapter(LanguageModel model, PeftConfig config)
    {
        Model = model;
        Config = config;
        _store = new Workspace(model.Device);
    }

    /// <summary>The model.</summary>
    public LanguageModel Model { get; }

    /// <summary>The configuration, with the layers it has been resolved to.</summary>
    public PeftConfig Config { get; }

    /// <summary>Whether the adapter is at work; false after <see cref="Detach"/> and <see cref="Merge"/>.</summary>
    public bool IsAttached { get; private set; }

    /// <summary>What training changes.</summary>
    public IReadOnlyList<Parameter> Parameters =>
        [.. _embeddings.SelectMany(e => e.Adapter.Parameters), .. _linears.SelectMany(l => l.Adapter.Parameters), .. _own.Select(o => o.Parameter)];

    /// <summary>The same values under their names in adapter_model.safetensors.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => _embeddings.SelectMany(e => e.Adapter.Parameters)
        .Concat(_linears.SelectMany(l => l.Adapter.Parameters))
        .Select(p => (p.Name, p.Value))
        .Concat(_own.Select(o => (o.FileName, o.Parameter.Value)))
        .ToDictionary(StringComparer.Ordinal);

    /// <summary>The number of values that training changes.</summary>
    public long ParameterCount => Parameters.Sum(p => p.Shape.Count);

    /// <summary>Attaches a new adapter.</summary>
    /// <param name="model">The model; all of its own parameters are frozen.</param>
    /// <param name="config">The method.</param>
    /// <param name="seed">Draws the new parameters.</param>
    /// <exception cref="InvalidDataException">The configuration does not fit the model; nothing is attached.</exception>
    /// <exception cref="InvalidOperationException">The model has an adapter already.</exception>
    public static ModelAdapter Attach(LanguageModel model, PeftConfig config, ulong seed) =>
        Attach(model, config, ParameterSource.Random(seed));

    /// <summary>Attaches an adapter whose parameters come from a source.</summary>
    /// <inheritdoc cref="Attach(LanguageModel, PeftConfig, ulong)"/>
    internal static ModelAdapter Attach(LanguageModel model, PeftConfig config, ParameterSource source, Action? check = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(config);
        if (model.Parts.Linears.Any(l => l.Adapter is not null) || model.Parts.Embeddings.Any(e => e.Adapter is not null))
            throw new InvalidOperationException("The model has an adapter already; merge or detach that one first.");
        if (config.Problems().FirstOrDefault() is { } problem)
            throw new InvalidDataException($"adapter.{problem}");
        config = config.Resolve(model);
        Linear[] targets = [.. model.Parts.Linears.Where(l => config.Targets(l.Path))];
        ModelAdapter adapter = new(model, config.WithLayout(targets.Any(l => l.Weight is DenseWeight { Layout: WeightLayout.InOut })));
        try
        {
            adapter.Make(targets, source);
            check?.Invoke();
        }
        catch
        {
            adapter._store.Dispose();
            throw;
        }
        adapter.Install();
        return adapter;
    }

    /// <summary>Takes the adapter off: the model computes what it did before. The adapter's values stay.</summary>
    public void Detach()
    {
        if (!IsAttached)
            return;
        Uninstall();
        foreach (OwnParameter own in _own)
            own.Restore();
    }

    /// <summary>
    /// Writes what the adapter does into the model's weights and takes it off: the model computes the same, faster. Weights keep
    /// their stored type.
    /// </summary>
    /// <exception cref="InvalidDataException">A weight is quantized, or shared with another layer; nothing is changed.</exception>
    /// <exception cref="InvalidOperationException">The adapter is not attached.</exception>
    public void Merge()
    {
        if (!IsAttached)
            throw new InvalidOperationException("The adapter is not attached to the model, so it cannot be merged.");
        foreach ((Linear layer, _) in _linears)
            CheckMergeable(layer.Path, layer.Weight is DenseWeight dense ? dense.Parameter : null);
        foreach ((Embedding layer, _) in _embeddings)
            CheckMergeable(layer.Path, layer.Packed is null ? layer.Table : null);
        using Workspace scratch = new(Model.Device);
        foreach ((Embedding layer, EmbeddingAdapter adapter) in _embeddings)
        {
            Store(adapter.Merge(layer, scratch), layer.Table);
            scratch.Reset();
        }
        foreach ((Linear layer, Adapter adapter) in _linears)
        {
            DenseWeight dense = (DenseWeight)layer.Weight;
            Tensor merged = adapter.Merge(layer, scratch);
            Tensor? bias = adapter.MergeBias(layer, scratch);
            Store(dense.Layout == WeightLayout.OutIn ? merged : merged.SwapAxes(), dense.Parameter);
            if (bias is not null)
                Store(bias, layer.Bias!);
            scratch.Reset();
        }
        Uninstall();
    }

    /// <summary>Takes the adapter off and frees its values.</summary>
    public void Dispose()
    {
        Detach();
        _store.Dispose();
    }

    private void Make(Linear[] targets, ParameterSource source)
    {
        Scope root = new Scope(source, _store)[Prefix];
        HashSet<string> saved = SavedModules();
        int adapted = 0;
        foreach (Embedding layer in Model.Parts.Embeddings)
        {
            if (Under(saved, layer.Path))
                _embeddings.Add((layer, new SavedEmbedding(layer, root[layer.Path])));
            else if (Config.Targets(layer.Path) && ++adapted > 0)
                _embeddings.Add((layer, Config.Adapt(layer, root[layer.Path])));
        }
        foreach (Linear layer in Model.Parts.Linears)
        {
            if (Under(saved, layer.Path))
                _linears.Add((layer, new SavedLinear(layer, root[layer.Path])));
            else if (targets.Contains(layer) && ++adapted > 0)
                _linears.Add((layer, Config.Adapt(layer, root[layer.Path])));
        }
        if (adapted == 0)
        {
            string names = string.Join(", ", Model.Parts.Linears.Select(l => l.Name).Distinct());
            throw new InvalidDataException($"target_modules: \"{Config.TargetModules}\" names no layer of the model; its linear layers are {names}.");
        }
        MakeOwn(saved, source);
    }

    // Biases that are trained along, and what modules_to_save names beside layers: norms.
    private void MakeOwn(HashSet<string> saved, ParameterSource source)
    {
        HashSet<string> layers = [.. Model.Parts.Linears.Select(l => l.Path), .. Model.Parts.Embeddings.Select(e => e.Path)];
        HashSet<string> adapted = [.. _linears.Select(l => l.Layer.Path)];
        foreach (Parameter parameter in Model.Parameters.Where(p => !p.IsBuffer))
        {
            int dot = parameter.Name.LastIndexOf('.');
            string path = parameter.Name[..Math.Max(0, dot)], name = parameter.Name[(dot + 1)..];
            bool inSaved = Under(saved, path);
            if (inSaved ? layers.Contains(path) : !(name == "bias" && Config.TrainsBias(adapted.Contains(path))))
                continue;
            if (parameter.Value.DType != DType.F32)
                throw new InvalidDataException($"{(inSaved ? "modules_to_save" : "bias")}: {parameter.Name} is stored as {parameter.Value.DType} and cannot be trained; load the model in F32.");
            // PEFT knows the bias of an adapted layer as that of the layer inside the adapter.
            string file = !inSaved && adapted.Contains(path) ? $"{Prefix}.{path}.base_layer.{name}" : $"{Prefix}.{parameter.Name}";
            _own.Add(new OwnParameter(parameter, file, source, _store));
        }
    }

    private HashSet<string> SavedModules()
    {
        if (Config.ModulesToSave is not { Count: > 0 } ends)
            return [];
        HashSet<string> modules = [];
        IEnumerable<string> packed = Model.Parts.Linears.Select(l => l.Path).Concat(Model.Parts.Embeddings.Select(e => e.Path)).Select(p => $"{p}.weight");
        foreach (string path in Model.Parameters.Select(p => p.Name).Concat(packed))
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

    private void Install()
    {
        Model.SetTrainable(false);
        foreach ((Linear layer, Adapter adapter) in _linears)
            layer.Adapter = adapter;
        foreach ((Embedding layer, EmbeddingAdapter adapter) in _embeddings)
            layer.Adapter = adapter;
        foreach (OwnParameter own in _own)
            own.Install();
        foreach (Parameter parameter in Parameters)
            parameter.Trainable = true;
        IsAttached = true;
    }

    private void Uninstall()
    {
        foreach ((Linear layer, _) in _linears)
            layer.Adapter = null;
        foreach ((Embedding layer, _) in _embeddings)
            layer.Adapter = null;
        foreach (OwnParameter own in _own)
            own.Parameter.Trainable = false;
        IsAttached = false;
    }

    // A table that the head shares would change for both when one of them is merged.
    private void CheckMergeable(string path, Parameter? parameter)
    {
        if (parameter is null)
            throw new InvalidDataException($"{path} is quantized, so the adapter cannot be merged into it; load the model unquantized.");
        int users = Model.Parts.Linears.Count(l => l.Weight is DenseWeight dense && dense.Parameter == parameter)
            + Model.Parts.Embeddings.Count(e => e.Uses(parameter));
        if (users > 1)
            throw new InvalidDataException($"{path} shares its weight {parameter.Name} with another layer, which merging the adapter would change too; keep the adapter, or untie the layers.");
    }

    private static void Store(Tensor value, Parameter parameter)
    {
        parameter.Value.MakeWritable();
        parameter.Value.Device.Convert(value, parameter.Value);
        parameter.MarkChanged();
    }

    /// <summary>A parameter of the model itself that is trained along, with what it was before.</summary>
    private sealed class OwnParameter(Parameter parameter, string fileName, ParameterSource source, Workspace store)
    {
        private readonly Tensor _before = Copy(parameter, store);
        private readonly Tensor _first = source.Get(fileName, parameter.Shape, new CopyInit(parameter.Value), store);

        public Parameter Parameter => parameter;

        public string FileName => fileName;

        public void Install() => Store(_first, parameter);

        public void Restore() => Store(_before, parameter);

        private static Tensor Copy(Parameter parameter, Workspace store)
        {
            Tensor copy = store.Empty(parameter.Shape);
            parameter.Value.Device.Convert(parameter.Value, copy);
            return copy;
        }
    }
}
