using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>The tensors of an adapter's file, read by the names of parameters. Every tensor has to find its parameter.</summary>
internal sealed class AdapterFile : ParameterSource
{
    // PEFT stores a prefix without its module's name.
    private static readonly Dictionary<string, string> PromptNames = new()
    {
        ["prompt_encoder.embedding.weight"] = "prompt_embeddings",
        ["prompt_encoder.prefix_task_cols"] = "prefix_task_cols",
        ["prompt_encoder.prefix_task_rows"] = "prefix_task_rows",
    };

    private const string Prefix = "base_model.model.", Weight = ".weight", BaseWeight = ".base_layer.weight";
    private readonly TensorFile _file;
    private readonly TensorFile? _training;
    private readonly PeftConfig _config;
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    /// <summary>Reads a file.</summary>
    /// <param name="file">The tensors.</param>
    /// <param name="config">The configuration beside them.</param>
    /// <param name="training">The parameters of a network that made some of them, or null.</param>
    public AdapterFile(TensorFile file, PeftConfig config, TensorFile? training = null) => (_file, _config, _training) = (file, config, training);

    /// <summary>Whether the parameters of a network that made a prefix are there.</summary>
    public bool HasTraining => _training is not null;

    // What PEFT writes for "lora_only" lacks the biases.
    private bool BiasesMayLack => _config is LoraConfig { Bias: LoraBias.LoraOnly };

    public override bool Has(string name) => Find(name) is not null || _training?.TryGet(name, out _) == true;

    public override Tensor Get(string name, Shape shape, Init init, Workspace store)
    {
        Tensor value = store.Empty(shape);
        if (_training?.TryGet(name, out TensorEntry? raw) == true)
        {
            if (raw.Shape != shape)
                throw new InvalidDataException($"{_training.Path}: tensor \"{name}\" has the shape {raw.Shape}, but {PeftFolder.ConfigFile} makes it {shape}.");
            _training.Read(raw, value.Span());
            _used.UnionWith(_file.Entries.Select(e => e.Name));
            return value;
        }
        if (Find(name) is not { } entry)
        {
            if (!BiasesMayLack || !name.EndsWith(".bias", StringComparison.Ordinal))
                throw new InvalidDataException($"{_file.Path}: tensor \"{name}\" is missing; does {PeftFolder.ConfigFile} belong to it, and is it an adapter of this base model?");
            init.Fill(value.Span(), 0);
            return value;
        }
        if (entry.Shape != shape)
            throw new InvalidDataException($"{_file.Path}: tensor \"{entry.Name}\" has the shape {entry.Shape}, but the base model and {PeftFolder.ConfigFile} make it {shape}; it belongs to another base model, or the rank is wrong.");
        _used.Add(entry.Name);
        _file.Read(entry, value.Span());
        return value;
    }

    /// <summary>The size of the vocabulary that the file's tables have, or null where it is the model's.</summary>
    public int? VocabularyFor(LanguageModel model)
    {
        foreach (Embedding table in model.Parts.Embeddings.Where(e => e.Count == model.Config.Vocabulary))
        {
            foreach (string name in (string[])[Prefix + table.Path + Weight, Prefix + table.Path + BaseWeight])
            {
                if (Find(name) is { Shape.Rank: 2 } entry && entry.Shape[1] == table.Width && entry.Shape[0] != table.Count)
                    return entry.Shape[0];
            }
        }
        return null;
    }

    /// <summary>Layers that the file holds whole though the configuration does not say so: tables and heads that were resized before training.</summary>
    public IEnumerable<string> WholeModules(LanguageModel model)
    {
        IEnumerable<string> paths = model.Parts.Linears.Select(l => l.Path).Concat(model.Parts.Embeddings.Select(e => e.Path));
        return paths.Where(p => _file.TryGet(Prefix + p + Weight, out _) && (_config as TunerConfig)?.Targets(p) != true);
    }

    /// <summary>Weights below adapters that the file holds too: they take the place of the model's.</summary>
    public void AddBaseLayers(AdapterParts parts)
    {
        foreach (Linear layer in parts.Model.Parts.Linears)
        {
            if (!_file.TryGet(Prefix + layer.Path + BaseWeight, out TensorEntry? entry))
                continue;
            if (layer.Weight is DenseWeight dense)
            {
                parts.Overwrite(dense.Parameter, layer.Path + BaseWeight);
                continue;
            }
            Tensor value = Get(entry.Name, new Shape(layer.Weight.Outputs, layer.Weight.Inputs), Init.Zeros, parts.Store);
            parts.Substitute(layer, new DenseWeight(new Parameter(layer.Path + Weight, value), WeightLayout.OutIn));
        }
        foreach (Embedding table in parts.Model.Parts.Embeddings)
        {
            if (_file.TryGet(Prefix + table.Path + BaseWeight, out _))
                parts.Overwrite(table.Table, table.Path + BaseWeight);
        }
    }

    /// <summary>Every tensor has found its parameter.</summary>
    /// <exception cref="InvalidDataException">Some have none.</exception>
    public void CheckAllUsed()
    {
        string[] unused = [.. _file.Entries.Select(e => e.Name).Where(n => !_used.Contains(n))];
        if (unused.Length > 0)
            throw new InvalidDataException($"{_file.Path}: {unused.Length} tensors have no place in this model: {string.Join(", ", unused.Take(5))}{(unused.Length > 5 ? ", …" : "")}; does {PeftFolder.ConfigFile} belong to it, and is it an adapter of this base model?");
    }

    // Other names under which versions of PEFT store the same.
    private TensorEntry? Find(string name)
    {
        if (PromptNames.TryGetValue(name, out string? stored))
            return _file.TryGet(stored, out TensorEntry? prompt) ? prompt : null;
        int last = name.LastIndexOf('.');
        string[] names = [name, name.Replace(".base_layer.", ".", StringComparison.Ordinal), $"{name}.weight", last < 0 ? name : $"{name[..last]}.modules_to_save{name[last..]}"];
        foreach (string candidate in names)
        {
            if (_file.TryGet(candidate, out TensorEntry? entry))
                return entry;
        }
        return null;
    }
}
