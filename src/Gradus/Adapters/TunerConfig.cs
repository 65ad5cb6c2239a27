using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>A method that changes what chosen layers compute.</summary>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="TaskType">What the model is for: <c>CAUSAL_LM</c> and so on; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen; always true in files.</param>
public abstract record TunerConfig(
    ModuleNames? TargetModules,
    ModuleNames? ExcludeModules,
    IReadOnlyList<string>? ModulesToSave,
    string? TaskType,
    string? BaseModelNameOrPath,
    bool InferenceMode)
    : PeftConfig(ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <summary>The layers among an architecture's usual ones that get an adapter of this method; null where there are none.</summary>
    private protected virtual IReadOnlyList<string>? UsualOf(UsualTargets usual) => usual.Attention;

    /// <inheritdoc/>
    public override IEnumerable<string> Problems() =>
        TargetModules is { IsPattern: false, Values.Count: 0 } ? ["target_modules: names no layer."] : [];

    /// <summary>The adapter of a linear layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="place">The path of the layer in the adapter's file, from which its parameters come.</param>
    public abstract Adapter Adapt(Linear layer, Scope place);

    /// <summary>The adapter of an embedding table.</summary>
    /// <param name="layer">The table.</param>
    /// <param name="place">The path of the table in the adapter's file, from which its parameters come.</param>
    /// <exception cref="InvalidDataException">The method has none.</exception>
    public virtual EmbeddingAdapter Adapt(Embedding layer, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        throw new InvalidDataException($"target_modules: {layer.Path} is an embedding, which this method does not adapt; take it out, or name it in modules_to_save.");
    }

    /// <summary>Whether a layer gets an adapter, by PEFT's rules.</summary>
    public virtual bool Targets(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (ExcludeModules is { } excluded && Names("exclude_modules", excluded, path))
            return false;
        if (ModulesToSave?.Any(m => ModulePattern.Contains("modules_to_save", m, path)) == true)
            return false;
        return TargetModules is { } targets && Names("target_modules", targets, path);
    }

    /// <summary>Whether training also changes a layer's bias.</summary>
    /// <param name="adapted">Whether the layer has an adapter.</param>
    public virtual bool TrainsBias(bool adapted) => false;

    /// <summary>Whether names or an expression name a path.</summary>
    private protected static bool Names(string key, ModuleNames names, string path) => names.IsPattern
        ? ModulePattern.MatchesAll(key, names.Values[0], path)
        : names.Values.Any(n => Names(n, path));

    private static bool Names(string name, string path) => path == name || path.EndsWith($".{name}", StringComparison.Ordinal);

    /// <summary>This configuration with its target layers named: the architecture's usual ones, or all linear ones.</summary>
    /// <exception cref="InvalidDataException">The architecture has no usual ones.</exception>
    internal override PeftConfig Resolve(LanguageModel model)
    {
        if (TargetModules is null)
        {
            return model.Config.UsualTargets is { } targets && UsualOf(targets) is { } usual
                ? this with { TargetModules = new ModuleNames(usual) }
                : throw new InvalidDataException($"target_modules: models of the type {(string)Architectures.ToJson(model.Config)["model_type"]!} have no usual targets; name the layers, or write \"{ModuleNames.AllLinearWord}\".");
        }
        if (!TargetModules.HasAllLinear)
            return this;
        Linear? head = model is GenerativeModel decoder ? decoder.Head : null;
        IEnumerable<string> others = TargetModules.Values.Where(v => !ModuleNames.MeansAllLinear(v));
        return this with { TargetModules = new ModuleNames([.. model.Parts.Linears.Where(l => l != head).Select(l => l.Path).Order(StringComparer.Ordinal), .. others]) };
    }

    /// <summary>This configuration with what it says about the storage of the targets' weights set right.</summary>
    /// <param name="inOut">Whether they are stored as (in, out).</param>
    internal virtual PeftConfig WithLayout(bool inOut) => this;

    /// <inheritdoc/>
    internal override PeftConfig For(LanguageModel model)
    {
        TunerConfig resolved = (TunerConfig)Resolve(model);
        return resolved.WithLayout(model.Parts.Linears.Any(l => resolved.Targets(l.Path) && l.Weight is DenseWeight { Layout: WeightLayout.InOut }));
    }

    internal override void Build(AdapterParts parts) => BuildWith(parts, Adapt);

    /// <summary>Makes the adapters of all target layers.</summary>
    private protected void BuildWith(AdapterParts parts, Func<Linear, Scope, Adapter> adapt)
    {
        LanguageModel model = parts.Model;
        HashSet<string> adapted = new(StringComparer.Ordinal);
        foreach (Embedding layer in model.Parts.Embeddings.Where(e => !parts.IsSaved(e.Path) && Targets(e.Path)))
        {
            parts.Add(layer, Adapt(layer, parts.At(layer.Path)));
            adapted.Add(layer.Path);
        }
        foreach (Linear layer in model.Parts.Linears.Where(l => !parts.IsSaved(l.Path) && Targets(l.Path)))
        {
            parts.Add(layer, adapt(layer, parts.At(layer.Path)));
            adapted.Add(layer.Path);
        }
        if (adapted.Count == 0)
            throw new InvalidDataException($"target_modules: \"{TargetModules}\" names no layer of the model; its linear layers are {LinearNames(model)}.");
        if (parts.IsNew)
            CheckNames(model);
        foreach (Parameter bias in model.Parameters.Where(p => !p.IsBuffer && p.Name.EndsWith(".bias", StringComparison.Ordinal)))
        {
            string path = bias.Name[..^".bias".Length];
            // PEFT knows the bias of an adapted layer as that of the layer inside the adapter.
            if (!parts.IsSaved(path) && TrainsBias(adapted.Contains(path)))
                parts.Train(bias, "bias", adapted.Contains(path) ? $"{path}.base_layer.bias" : bias.Name);
        }
    }

    // PEFT ignores a name that no layer has, as long as another one has some: a typing error then trains less than was asked for.
    private void CheckNames(LanguageModel model)
    {
        if (TargetModules is not { IsPattern: false } targets)
            return;
        IEnumerable<string> paths = model.Parts.Linears.Select(l => l.Path).Concat(model.Parts.Embeddings.Select(e => e.Path));
        foreach (string name in targets.Values)
        {
            if (!paths.Any(p => Names(name, p)))
                throw new InvalidDataException($"target_modules: no layer of the model is called {name}; its linear layers are {LinearNames(model)}.");
        }
    }

    private protected static bool TrainsBias(string bias, string adaptedOnly, bool adapted) => bias == "all" || (adapted && bias == adaptedOnly);

    private protected static string? BiasProblem(string bias, string adaptedOnly) =>
        bias == "none" || bias == "all" || bias == adaptedOnly ? null : $"bias: must be none, all or {adaptedOnly}, but is {bias}.";

    private static string LinearNames(LanguageModel model) => string.Join(", ", model.Parts.Linears.Select(l => l.Name).Distinct());
}

/// <summary>A method that can be kept to some of a model's blocks by their numbers.</summary>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="LayersToTransform">The numbers of the blocks whose layers get an adapter; all where null.</param>
/// <param name="LayersPattern">Names of the lists that those numbers count in; any where null.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public abstract record BlockTunerConfig(
    ModuleNames? TargetModules,
    LayerNumbers? LayersToTransform,
    ModuleNames? LayersPattern,
    ModuleNames? ExcludeModules,
    IReadOnlyList<string>? ModulesToSave,
    string? TaskType,
    string? BaseModelNameOrPath,
    bool InferenceMode)
    : TunerConfig(TargetModules, ExcludeModules, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => base.Problems().Concat(new[]
    {
        TargetModules is { IsPattern: true, IsAllLinear: false } && LayersToTransform is not null
            ? "layers_to_transform: works with a list of target_modules only, not with a regular expression." : null,
        LayersPattern is { Values.Count: > 0 } && LayersToTransform is not { Values.Count: > 0 }
            ? "layers_pattern: needs layers_to_transform beside it." : null,
    }.OfType<string>());

    /// <inheritdoc/>
    public override bool Targets(string path)
    {
        if (!base.Targets(path))
            return false;
        // A path that is written out in full is meant whatever its number.
        bool byNumber = LayersToTransform is { Values.Count: > 0 } && !TargetModules!.Values.Contains(path);
        return !byNumber || (ModulePattern.LayerNumber(LayersPattern?.Values, path) is { } layer && LayersToTransform!.Values.Contains(layer));
    }

    /// <summary>The value of the first pattern that names a path, or another one.</summary>
    private protected static T Pattern<T>(string key, IReadOnlyDictionary<string, T>? patterns, string path, T other)
    {
        foreach ((string pattern, T value) in patterns ?? new Dictionary<string, T>())
        {
            if (ModulePattern.MatchesEnd(key, pattern, path))
                return value;
        }
        return other;
    }

    // PEFT reads no nulls here.
    private protected static JsonObject WithPatterns(JsonObject json)
    {
        json["rank_pattern"] ??= new JsonObject();
        json["alpha_pattern"] ??= new JsonObject();
        return json;
    }

    private protected static string? RankProblem(string key, IReadOnlyDictionary<string, int>? patterns) =>
        patterns?.Where(p => p.Value < 1).Select(p => $"{key}.{p.Key}: must be at least 1, but is {p.Value}.").FirstOrDefault();
}
