using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// An adapter on a model: all the few parameters of one method. While it is attached only they are trained; the model's own
/// parameters stay as they are, but for biases and norms that the configuration has trained along.
/// </summary>
public sealed class ModelAdapter : IDisposable
{
    private readonly Workspace _store;
    private readonly AdapterParts _parts;
    private readonly List<(Linear Layer, Weight Before)> _substituted = [];
    private Action? _restoreVocabulary;

    private ModelAdapter(LanguageModel model, PeftConfig config, Workspace store, AdapterParts parts)
    {
        Model = model;
        Config = config;
        _store = store;
        _parts = parts;
    }

    /// <summary>The model.</summary>
    public LanguageModel Model { get; }

    /// <summary>The configuration, with the layers it has been resolved to.</summary>
    public PeftConfig Config { get; }

    /// <summary>Whether the adapter is at work; false after <see cref="Detach"/> and <see cref="Merge()"/>.</summary>
    public bool IsAttached { get; private set; }

    /// <summary>Whether <see cref="Merge()"/> can write it into the model's weights: methods that add layers or tokens cannot.</summary>
    public bool CanMerge => _parts.Prefix is null && _parts.Linears.All(l => l.Adapter.CanMerge) && _parts.Embeddings.All(e => e.Adapter.CanMerge);

    /// <summary>What training changes.</summary>
    public IReadOnlyList<Parameter> Parameters =>
        [.. Adapted.Where(p => !p.IsBuffer), .. _parts.Own.Where(o => o.Trained).Select(o => o.Parameter)];

    /// <summary>All values under their names in adapter_model.safetensors.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => Layers.Concat(_parts.Shared)
        .Select(p => (p.Name, p.Value))
        .Concat(_parts.Own.Select(o => (o.FileName, o.Parameter.Value)))
        .Concat((_parts.Prefix as IStoredPrompt)?.Stored(_store).Select(s => (s.Key, s.Value)) ?? [])
        .ToDictionary(StringComparer.Ordinal);

    /// <summary>The parameters of a network that makes a prefix, which the adapter's file does not hold but training goes on from; empty for all others.</summary>
    internal IReadOnlyDictionary<string, Tensor> TrainingTensors =>
        _parts.Prefix is IStoredPrompt { HasNetwork: true } ? _parts.Prefix.Parameters.ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal) : new Dictionary<string, Tensor>();

    /// <summary>What it adds to the model.</summary>
    internal AdapterParts Parts => _parts;

    /// <summary>The number of values that training changes.</summary>
    public long ParameterCount => Parameters.Sum(p => p.Shape.Count);

    private IEnumerable<Parameter> Adapted => Layers.Concat(_parts.Prefix?.Parameters ?? []);

    private IEnumerable<Parameter> Layers =>
        _parts.Embeddings.SelectMany(e => e.Adapter.Parameters).Concat(_parts.Linears.SelectMany(l => l.Adapter.Parameters));

    /// <summary>Attaches a new adapter.</summary>
    /// <param name="model">The model; all of its own parameters are frozen.</param>
    /// <param name="config">The method.</param>
    /// <param name="seed">Draws the new parameters.</param>
    /// <exception cref="InvalidDataException">The configuration does not fit the model; nothing is attached.</exception>
    /// <exception cref="InvalidOperationException">The model has an adapter already.</exception>
    public static ModelAdapter Attach(LanguageModel model, PeftConfig config, ulong seed) =>
        Attach(model, config, ParameterSource.Random(seed), null);

    /// <summary>Attaches the adapter of a file.</summary>
    /// <inheritdoc cref="Attach(LanguageModel, PeftConfig, ulong)"/>
    internal static ModelAdapter Attach(LanguageModel model, PeftConfig config, AdapterFile file) => Attach(model, config, file, file);

    private static ModelAdapter Attach(LanguageModel model, PeftConfig config, ParameterSource source, AdapterFile? file)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Parts.Linears.Any(l => l.Adapter is not null) || model.Parts.Embeddings.Any(e => e.Adapter is not null) || model is GenerativeModel { Prefix: not null })
            throw new InvalidOperationException("The model has an adapter already; merge or detach that one first.");
        ModelAdapter adapter = Make(model, config, source, file);
        adapter.Install();
        return adapter;
    }

    /// <summary>Makes an adapter of which nothing is on the model yet but a vocabulary of the file's size (<see cref="AdapterFile.VocabularyFor"/>).</summary>
    internal static ModelAdapter Make(LanguageModel model, PeftConfig config, ParameterSource source, AdapterFile? file)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (config.Problems().FirstOrDefault() is { } problem)
            throw new InvalidDataException($"adapter.{problem}");
        config = config.For(model);
        Workspace store = new(model.Device);
        Action? restore = null;
        try
        {
            restore = file?.VocabularyFor(model) is { } vocabulary ? SharedWeights.Resize(model, vocabulary) : null;
            HashSet<string> saved = AdapterParts.Modules(model, config.ModulesToSave);
            if (file is not null)
                saved.UnionWith(file.WholeModules(model));
            AdapterParts parts = new(model, source, store, file is null, saved);
            parts.AddSaved();
            config.Build(parts);
            file?.AddBaseLayers(parts);
            file?.CheckAllUsed();
            return new ModelAdapter(model, config, store, parts) { _restoreVocabulary = restore };
        }
        catch
        {
            restore?.Invoke();
            store.Dispose();
            throw;
        }
    }

    /// <summary>Takes the adapter off: the model computes what it did before. The adapter's values stay.</summary>
    public void Detach()
    {
        if (!IsAttached)
            return;
        Uninstall();
        foreach ((Linear layer, Weight before) in _substituted)
            layer.Weight = before;
        foreach (OwnParameter own in _parts.Own)
            own.Restore();
        _restoreVocabulary?.Invoke();
    }

    /// <summary>
    /// Writes what the adapter does into the model's weights and takes it off: the model computes the same, faster. Weights keep
    /// their stored type. A head that shares the token table gets a weight of its own where only one of the two changes, or both differently.
    /// </summary>
    /// <exception cref="InvalidDataException">A weight is quantized, or shared and cannot be untied; nothing is changed.</exception>
    /// <exception cref="NotSupportedException">The method adds layers or tokens, which no weight can hold (<see cref="CanMerge"/>).</exception>
    /// <exception cref="InvalidOperationException">The adapter is not attached.</exception>
    public void Merge()
    {
        if (!IsAttached)
            throw new InvalidOperationException("The adapter is not attached to the model, so it cannot be merged.");
        if (!CanMerge)
            throw new NotSupportedException($"{Config.PeftType} adds layers or tokens to the model, which its weights cannot hold; keep the adapter beside the model.");
        foreach ((Linear layer, Adapter adapter) in _parts.Linears)
            CheckMergeable(layer, adapter);
        foreach ((Embedding layer, _) in _parts.Embeddings)
            CheckMergeable(layer);
        using Workspace scratch = new(Model.Device);
        // Heads first: a table that they share must not have changed yet.
        foreach ((Linear layer, Adapter adapter) in _parts.Linears.Where(l => !l.Adapter.MergesWithTable))
        {
            Merge(layer, adapter, scratch);
            scratch.Reset();
        }
        foreach ((Embedding layer, EmbeddingAdapter adapter) in _parts.Embeddings)
        {
            if (Head(layer.Table) is { } head && !_parts.Linears.Any(l => l.Layer == head && l.Adapter.MergesWithTable))
                SharedWeights.Untie(Model, head);
            OwnParameter.Store(adapter.Merge(layer, scratch), layer.Table);
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

    private void Merge(Linear layer, Adapter adapter, Workspace scratch)
    {
        Tensor merged = adapter.Merge(layer, scratch);
        Tensor? bias = adapter.MergeBias(layer, scratch);
        // What took the weight's place while the adapter was attached gives it back.
        if (_substituted.FirstOrDefault(s => s.Layer == layer) is { Before: { } before })
            layer.Weight = before;
        Parameter parameter = ((DenseWeight)layer.Weight).Parameter;
        if (Model.Parts.Embeddings.Any(e => e.Uses(parameter)))
            merged = merged.Scale(SharedWeights.Untie(Model, layer)!.Value);
        DenseWeight dense = (DenseWeight)layer.Weight;
        OwnParameter.Store(dense.Layout == WeightLayout.OutIn ? merged : merged.SwapAxes(), dense.Parameter);
        if (bias is not null)
            OwnParameter.Store(bias, layer.Bias!);
    }

    private void Install()
    {
        Model.SetTrainable(false);
        foreach ((Linear layer, Weight weight) in _parts.Substitutes)
        {
            _substituted.Add((layer, layer.Weight));
            layer.Weight = weight;
        }
        foreach ((Linear layer, Adapter adapter) in _parts.Linears)
            layer.Adapter = adapter;
        foreach ((Embedding layer, EmbeddingAdapter adapter) in _parts.Embeddings)
            layer.Adapter = adapter;
        foreach (OwnParameter own in _parts.Own)
            own.Install();
        if (_parts.Prefix is { } prefix)
            ((GenerativeModel)Model).Prefix = prefix;
        foreach (Parameter parameter in Parameters)
            parameter.Trainable = true;
        IsAttached = true;
    }

    private void Uninstall()
    {
        foreach ((Linear layer, _) in _parts.Linears)
            layer.Adapter = null;
        foreach ((Embedding layer, _) in _parts.Embeddings)
            layer.Adapter = null;
        if (_parts.Prefix is not null)
            ((GenerativeModel)Model).Prefix = null;
        foreach (OwnParameter own in _parts.Own)
            own.Parameter.Trainable = false;
        IsAttached = false;
    }

    private void CheckMergeable(Linear layer, Adapter adapter)
    {
        Weight weight = _substituted.FirstOrDefault(s => s.Layer == layer).Before ?? layer.Weight;
        if (weight is not DenseWeight dense)
            throw Quantized(layer.Path);
        bool ofTable = Model.Parts.Embeddings.Any(e => e.Uses(dense.Parameter));
        bool ofOthers = Model.Parts.Linears.Count(l => l.Weight is DenseWeight other && other.Parameter == dense.Parameter) > 1;
        if (ofOthers || (ofTable && !adapter.MergesWithTable && (Head(dense.Parameter) != layer || Model.Config.Untie() is null)))
            throw Shared(layer.Path, dense.Parameter);
    }

    private void CheckMergeable(Embedding layer)
    {
        if (layer.Packed is not null)
            throw Quantized(layer.Path);
        int heads = Model.Parts.Linears.Count(l => l.Weight is DenseWeight dense && dense.Parameter == layer.Table);
        bool follows = _parts.Linears.Any(l => l.Adapter.MergesWithTable && SharedWeights.IsTied(l.Layer, layer));
        if (Model.Parts.Embeddings.Count(e => e.Uses(layer.Table)) > 1 || (heads > 0 && !follows && (Head(layer.Table) is null || Model.Config.Untie() is null)))
            throw Shared(layer.Path, layer.Table);
    }

    // The output head of the model, where it alone of all linear layers uses a parameter.
    private Linear? Head(Parameter table)
    {
        Linear[] users = [.. Model.Parts.Linears.Where(l => l.Weight is DenseWeight dense && dense.Parameter == table)];
        return users.Length == 1 && Model is GenerativeModel writer && writer.Head == users[0] ? users[0] : null;
    }

    private static InvalidDataException Quantized(string path) =>
        new($"{path} is quantized, so the adapter cannot be merged into it; load the model unquantized.");

    private static InvalidDataException Shared(string path, Parameter parameter) =>
        new($"{path} shares its weight {parameter.Name} with another layer, which merging the adapter would change too, and this architecture cannot untie them; keep the adapter.");
}
