using Gradus.Models;
using Gradus.Nn;

namespace Gradus.Adapters;

/// <summary>
/// Several adapters beside each other on one model, of which every sequence names one, or none (<see cref="Generation.GenerationRequest.Adapter"/>).
/// They come and go while the model is in use; one that was unloaded is freed when the last sequence that runs with it has ended. A sequence has the bits
/// that it has alone on a model with that adapter attached. Source: Sheng et al., "S-LoRA", 2023.
/// Left out, and refused by name: what is no matter of one sequence's linear layers, that is virtual tokens and prefixes, trained biases and norms,
/// embedding tables, another vocabulary.
/// </summary>
/// <remarks>All members may be used by many threads at once, beside whoever runs the model. While there is an adapter the model can have no other attached, nor be trained.</remarks>
public sealed class AdapterSet : IDisposable
{
    private readonly GenerativeModel _model;
    private readonly Dictionary<SequenceAdapter, ModelAdapter> _loaded = [];

    /// <summary>Begins with none; the model must outlive this.</summary>
    /// <param name="model">A decoder or a model with an encoder, with no adapter attached.</param>
    /// <exception cref="NotSupportedException">It is a recurrent network, which reads its sequences interleaved.</exception>
    /// <exception cref="InvalidOperationException">It has an adapter already.</exception>
    public AdapterSet(GenerativeModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model is RnnLm)
            throw new NotSupportedException($"A {model.Config.ArchitectureClass} reads its sequences interleaved, so they cannot have adapters of their own; attach one for all.");
        _model = model;
        CheckNoneAttached();
    }

    /// <summary>The names that requests can give, sorted.</summary>
    public IReadOnlyList<string> Names => [.. _model.NamedAdapters.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The adapter of a name, for a pass (<see cref="Pass.Adapters"/>); null where there is none. Requests need only its name.</summary>
    public SequenceAdapter? Find(string name) => _model.NamedAdapters.GetValueOrDefault(name);

    /// <summary>Loads the adapter of a folder in the layout of PEFT.</summary>
    /// <param name="name">What requests are to call it; free.</param>
    /// <param name="folder">The folder.</param>
    /// <exception cref="ArgumentException">The name is empty or taken.</exception>
    /// <exception cref="InvalidDataException">A file is missing or broken, or the adapter does not fit the model, or is of a kind that cannot stand beside others; nothing is loaded.</exception>
    public SequenceAdapter Load(string name, string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        CheckFree(name);
        return Add(name, PeftFolder.Load(folder, (config, file) => Make(config, file, file)));
    }

    /// <summary>Adds a new adapter.</summary>
    /// <param name="name">What requests are to call it; free.</param>
    /// <param name="config">The method.</param>
    /// <param name="seed">Draws its parameters.</param>
    /// <exception cref="ArgumentException">The name is empty or taken.</exception>
    /// <exception cref="InvalidDataException">The configuration does not fit the model, or is of a kind that cannot stand beside others; nothing is added.</exception>
    public SequenceAdapter Add(string name, PeftConfig config, ulong seed)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        CheckFree(name);
        return Add(name, Make(config, ParameterSource.Random(seed), null));
    }

    /// <summary>Takes an adapter away: no new sequence can name it, those that run with it go on to their end.</summary>
    /// <returns>Whether there was one of the name.</returns>
    public bool Unload(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        SequenceAdapter? adapter;
        lock (_model.AdapterGate)
        {
            Dictionary<string, SequenceAdapter> named = new(_model.NamedAdapters);
            if (!named.Remove(name, out adapter))
                return false;
            _model.NamedAdapters = named;
        }
        adapter.Release();
        return true;
    }

    /// <summary>Takes all adapters away.</summary>
    public void Dispose()
    {
        foreach (string name in Names)
            Unload(name);
    }

    private void CheckNoneAttached()
    {
        if (_model.Prefix is not null || _model.Parts.Embeddings.Any(e => e.Adapter is not null) || _model.Parts.Linears.Any(l => l.Adapter is not null and not LayerAdapters))
            throw new InvalidOperationException("The model has an adapter attached already; merge or detach that one, or load it beside the others by a name.");
    }

    private ModelAdapter Make(PeftConfig config, ParameterSource source, AdapterFile? file)
    {
        // Before anything is made: a table of another size would change the model.
        if (file?.VocabularyFor(_model) is { } vocabulary)
            throw Alone($"has a vocabulary of {vocabulary} tokens, where the model's is {_model.Config.Vocabulary}");
        ModelAdapter adapter = ModelAdapter.Make(_model, config, source, file);
        if (Obstacle(adapter.Parts, config) is not { } obstacle)
            return adapter;
        adapter.Dispose();
        throw Alone(obstacle);
    }

    private static string? Obstacle(AdapterParts parts, PeftConfig config)
    {
        if (parts.Prefix is not null)
            return $"is a {config.PeftType}, which puts tokens before every sequence";
        if (parts.Embeddings.Count > 0)
            return $"changes the embedding table {parts.Embeddings[0].Layer.Path}";
        if (parts.Own.Count > 0)
            return $"changes the model's own {parts.Own[0].Parameter.Name}";
        return parts.Substitutes.Count > 0 ? $"brings a weight of its own for {parts.Substitutes[0].Layer.Path}" : null;
    }

    private static InvalidDataException Alone(string obstacle) =>
        new($"the adapter {obstacle}, so it cannot run beside others on one model; open it alone, as a model of its own, or merge it.");

    private SequenceAdapter Add(string name, ModelAdapter adapter)
    {
        SequenceAdapter named = new(name, Free);
        lock (_model.AdapterGate)
        {
            try
            {
                CheckNoneAttached();
                CheckFree(name);
            }
            catch
            {
                adapter.Dispose();
                throw;
            }
            _loaded.Add(named, adapter);
            foreach ((Linear layer, Adapter own) in adapter.Parts.Linears)
            {
                LayerAdapters beside = layer.Adapter as LayerAdapters ?? new LayerAdapters();
                beside.Add(named, own);
                layer.Adapter = beside;
            }
            _model.NamedAdapters = new Dictionary<string, SequenceAdapter>(_model.NamedAdapters, StringComparer.Ordinal) { [name] = named };
        }
        return named;
    }

    // Nobody runs with it any more, and nobody can name it.
    private void Free(SequenceAdapter adapter)
    {
        lock (_model.AdapterGate)
        {
            _loaded.Remove(adapter, out ModelAdapter? loaded);
            foreach ((Linear layer, _) in loaded!.Parts.Linears)
            {
                LayerAdapters beside = (LayerAdapters)layer.Adapter!;
                beside.Remove(adapter);
                if (beside.IsEmpty)
                    layer.Adapter = null;
            }
            loaded.Dispose();
        }
    }

    private void CheckFree(string name)
    {
        if (Find(name) is not null)
            throw new ArgumentException($"There is an adapter \"{name}\" already; unload it first, or give another name.", nameof(name));
    }
}
