using System.Text.Json.Serialization;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Text;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tuning;

/// <summary>
/// What fine-tuning changes: all of a model, chosen parameters of it, or an adapter on the frozen model. A new method is a record derived from
/// <see cref="AdapterMethod"/> or <see cref="SelectiveMethod"/>, and a line here.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(FullMethod), "full")]
[JsonDerivedType(typeof(BiasMethod), "bitfit")]
[JsonDerivedType(typeof(LastLayersMethod), "last_layers")]
[JsonDerivedType(typeof(ParametersMethod), "parameters")]
[JsonDerivedType(typeof(LoraMethod), "lora")]
[JsonDerivedType(typeof(AdaLoraMethod), "adalora")]
[JsonDerivedType(typeof(LohaMethod), "loha")]
[JsonDerivedType(typeof(LokrMethod), "lokr")]
[JsonDerivedType(typeof(VeraMethod), "vera")]
[JsonDerivedType(typeof(MissMethod), "miss")]
[JsonDerivedType(typeof(OftMethod), "oft")]
[JsonDerivedType(typeof(Ia3Method), "ia3")]
[JsonDerivedType(typeof(LnTuningMethod), "ln_tuning")]
[JsonDerivedType(typeof(TrainableTokensMethod), "trainable_tokens")]
[JsonDerivedType(typeof(BottleneckMethod), "bottleneck")]
[JsonDerivedType(typeof(PromptTuningMethod), "prompt_tuning")]
[JsonDerivedType(typeof(PTuningMethod), "p_tuning")]
[JsonDerivedType(typeof(MultitaskPromptTuningMethod), "multitask_prompt_tuning")]
[JsonDerivedType(typeof(PrefixTuningMethod), "prefix_tuning")]
public abstract record TuningMethod
{
    /// <summary>Whether the model itself stays as it is, so that it may be quantized or kept as it is stored.</summary>
    [JsonIgnore]
    public abstract bool FreezesModel { get; }

    /// <summary>Parameters that the method trains with other rates than the rest.</summary>
    [JsonIgnore]
    public virtual IReadOnlyList<ParameterGroup> Groups => [];

    /// <summary>Sets on a model what is trained.</summary>
    /// <param name="target">The model and what the method may ask about it.</param>
    /// <param name="seed">Draws new parameters.</param>
    /// <exception cref="InvalidDataException">The method does not fit the model; the message names the key.</exception>
    public abstract Tuning Apply(TuningTarget target, ulong seed);
}

/// <summary>A model that is to be tuned, and what methods ask about it.</summary>
/// <param name="Model">The model.</param>
/// <param name="Tokenizer">Its tokenizer, for methods that name tokens or start from a text.</param>
/// <param name="BasePath">The folder or file that an adapter names as its base.</param>
/// <param name="TaskType">PEFT's word for what the model is for: <c>CAUSAL_LM</c>, <c>SEQ_CLS</c> and so on.</param>
/// <param name="Updates">Updates of the parameters in the whole training.</param>
public sealed record TuningTarget(LanguageModel Model, Tokenizer Tokenizer, string BasePath, string TaskType, int Updates)
{
    /// <summary>Ends of the paths of new heads, which are trained as a whole by every method.</summary>
    public IReadOnlyList<string> Heads { get; init; } = [];

    /// <summary>Batches of the training data, for methods that start from what layers read.</summary>
    public IEnumerable<TokenBatch> Batches { get; init; } = [];
}

/// <summary>A model as a method has prepared it for training.</summary>
public sealed class Tuning : IDisposable
{
    private readonly LanguageModel _model;
    private readonly AdaLoraAllocator? _allocator;

    internal Tuning(LanguageModel model, ModelAdapter? adapter = null, AdaLoraAllocator? allocator = null)
    {
        (_model, Adapter, _allocator) = (model, adapter, allocator);
    }

    /// <summary>The adapter on the model; null where the model's own parameters are trained.</summary>
    public ModelAdapter? Adapter { get; }

    /// <summary>The objective as the method trains for it: AdaLoRA adds a penalty and gives up ranks.</summary>
    public Objective For(Objective objective) => _allocator is null ? objective : new AdaLoraObjective(objective, _allocator);

    /// <summary>Writes what was trained into a checkpoint: the adapter in its library's layout, or the whole model.</summary>
    /// <param name="folder">The checkpoint that is being written.</param>
    public void Write(AtomicFolder folder)
    {
        if (Adapter is null)
            Checkpoint.Write(folder, _model);
        else
            PeftFolder.Write(folder, Adapter);
    }

    /// <summary>Takes the adapter off and frees it; not the model.</summary>
    public void Dispose()
    {
        _allocator?.Dispose();
        Adapter?.Dispose();
    }
}
