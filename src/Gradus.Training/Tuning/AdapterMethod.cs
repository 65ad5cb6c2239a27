using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Adapters;
using Gradus.Text;

namespace Gradus.Training.Tuning;

/// <summary>Trains an adapter on a frozen model, by a method of <see cref="PeftConfig"/>.</summary>
public abstract record AdapterMethod : TuningMethod
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override bool FreezesModel => true;

    /// <inheritdoc/>
    public override Tuning Apply(TuningTarget target, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(target);
        target.Model.SetTrainable(false);
        PeftConfig config = Configure(target);
        if (config.Problems().FirstOrDefault() is { } problem)
            throw new InvalidDataException($"method.{problem}");
        ModelAdapter adapter = ModelAdapter.Attach(target.Model, config, seed);
        return new Tuning(target.Model, adapter, config is AdaLoraConfig ? new AdaLoraAllocator(adapter) : null);
    }

    /// <summary>The method's configuration for a model.</summary>
    /// <exception cref="InvalidDataException">The method does not fit the model; the message names the key.</exception>
    internal abstract PeftConfig Configure(TuningTarget target);

    /// <summary>Layers by names, by one regular expression between slashes, or all linear ones; null for the architecture's usual ones.</summary>
    private protected static ModuleNames? ModulesOf(string[] names) => names switch
    {
        [] => null,
        [var word] when string.Equals(word, ModuleNames.AllLinearWord, StringComparison.OrdinalIgnoreCase) => ModuleNames.AllLinear,
        [['/', .. var pattern, '/']] => new ModuleNames([pattern], IsPattern: true),
        _ => new ModuleNames(names),
    };

    /// <summary>The number of a token, which is given as its text.</summary>
    private protected static int IdOf(string token, Tokenizer tokenizer, string key) => tokenizer.TokenToId(token)
        ?? throw new InvalidDataException($"{key}: \"{token}\" is no token of the model; gradus tokenizer inspect lists them.");
}

/// <summary>Changes what chosen layers compute.</summary>
public abstract record LayerMethod : AdapterMethod
{
    /// <summary>Names of the layers to adapt, one regular expression between slashes, or "all-linear": all but the output head. Empty for those that are usual for the architecture.</summary>
    public string[] TargetModules { get; init; } = [];

    /// <summary>Layers that get no adapter though they are targets.</summary>
    public string[] ExcludeModules { get; init; } = [];

    /// <summary>Ends of the paths of modules that are trained as a whole beside the adapter: tables, heads.</summary>
    public string[] ModulesToSave { get; init; } = [];

    private protected ModuleNames? Targets => ModulesOf(TargetModules);

    private protected ModuleNames? Excluded => ModulesOf(ExcludeModules);

    /// <summary>Modules that are trained as a whole, heads among them.</summary>
    private protected string[]? SavedWith(TuningTarget target) => ModulesToSave.Length + target.Heads.Count == 0 ? null : [.. ModulesToSave.Union(target.Heads)];

    /// <summary>The method's own part of the configuration.</summary>
    private protected abstract TunerConfig Own(TuningTarget target);

    internal override PeftConfig Configure(TuningTarget target)
    {
        TunerConfig own = Own(target);
        return own with
        {
            TargetModules = own.TargetModules ?? Targets,
            ExcludeModules = Excluded,
            ModulesToSave = SavedWith(target),
            TaskType = target.TaskType,
            BaseModelNameOrPath = target.BasePath,
        };
    }
}

/// <summary>Changes layers of chosen blocks.</summary>
public abstract record BlockMethod : LayerMethod
{
    /// <summary>The numbers, from 0, of the blocks whose layers get an adapter; empty for all.</summary>
    public int[] LayersToTransform { get; init; } = [];

    internal override PeftConfig Configure(TuningTarget target)
    {
        PeftConfig config = base.Configure(target);
        return config is BlockTunerConfig blocks && LayersToTransform.Length > 0 ? blocks with { LayersToTransform = new LayerNumbers(LayersToTransform) } : config;
    }
}

/// <summary>Puts trained vectors, or keys and values, before every sequence. Cannot be merged.</summary>
/// <param name="VirtualTokens">Positions before every sequence.</param>
public abstract record PromptMethod([Range(1, 100_000)] int VirtualTokens) : AdapterMethod
{
    internal sealed override PeftConfig Configure(TuningTarget target)
    {
        if (target.Heads.Count > 0)
            throw new InvalidDataException("method.kind: virtual tokens have no new head beside them; train a head with a method that changes layers, such as lora.");
        return Own(target) with { TaskType = target.TaskType, BaseModelNameOrPath = target.BasePath };
    }

    private protected abstract PromptConfig Own(TuningTarget target);

    private protected static int[]? StartOf(PromptStart start, string? text, TuningTarget target)
    {
        if (start != PromptStart.Text)
            return null;
        return string.IsNullOrEmpty(text)
            ? throw new InvalidDataException("method.text: is missing; virtual tokens that start from a text need one.")
            : target.Tokenizer.Encode(text, addSpecialTokens: true);
    }
}

/// <summary>How virtual tokens start out.</summary>
public enum PromptStart
{
    /// <summary>Normal numbers.</summary>
    Random,

    /// <summary>As tokens of a text.</summary>
    Text,

    /// <summary>As tokens of the vocabulary, chosen at random.</summary>
    Vocabulary,
}
