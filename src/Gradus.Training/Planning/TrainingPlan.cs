using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Counting;
using Gradus.Tensors.Packed;
using Gradus.Training.Objectives;
using TunedModel = Gradus.Training.Tuning.Tuning;

namespace Gradus.Training.Planning;

/// <summary>How the weights of a planned model lie in memory.</summary>
/// <param name="Type">The type of those that are not in blocks; F32 where the model itself is trained.</param>
/// <param name="Blocks">The format of the linear layers but for the head (QLoRA); null for none.</param>
/// <param name="DenseWhileLoading">Whether all weights were in memory as F32 before they were brought into blocks; that memory stays taken.</param>
/// <param name="DoubleQuantization">Whether the scales of NF4's blocks are quantized too.</param>
public sealed record WeightStorage(DType Type = DType.F32, PackedFormat? Blocks = null, bool DenseWhileLoading = false, bool DoubleQuantization = false);

/// <summary>Bytes that a training takes, by what they are for.</summary>
/// <param name="Weights">The model's weights, those of an adapter and of other models that the objective needs.</param>
/// <param name="Gradients">Gradients of what is trained.</param>
/// <param name="Optimizer">What the optimizer remembers.</param>
/// <param name="Activations">What forward and backward pass hold at most.</param>
/// <param name="Panels">Copies of weights in the order that kernels read.</param>
public sealed record MemoryPlan(long Weights, long Gradients, long Optimizer, long Activations, long Panels)
{
    /// <summary>All of them.</summary>
    public long Total => Weights + Gradients + Optimizer + Activations + Panels;
}

/// <summary>
/// What a training will take, counted from a step of the trainer itself on a device that computes nothing (<see cref="CountingDevice"/>): the
/// memory of every tensor as it is rented, and every operation with its shapes. How long the step lasts is measured operation by operation.
/// </summary>
public sealed class TrainingPlan
{
    private const double SparseVariation = 0.05;

    private TrainingPlan(ModelConfig model, StepShape shape, long parameters, long trained, MemoryPlan memory, IReadOnlyCollection<CountedOperation> operations)
    {
        (Model, Shape, Parameters, TrainedParameters, Memory, Operations) = (model, shape, parameters, trained, memory, operations);
    }

    /// <summary>The model.</summary>
    public ModelConfig Model { get; }

    /// <summary>The shape of a step.</summary>
    public StepShape Shape { get; }

    /// <summary>The model's parameters, those of an adapter included.</summary>
    public long Parameters { get; }

    /// <summary>Parameters that are trained.</summary>
    public long TrainedParameters { get; }

    /// <summary>The peak of the memory.</summary>
    public MemoryPlan Memory { get; }

    /// <summary>The operations of a step.</summary>
    public IReadOnlyCollection<CountedOperation> Operations { get; }

    /// <summary>Floating-point operations of a step: those of its products and of attention, as they are computed (what is computed again counts again).</summary>
    public double FlopsPerStep => Operations.Sum(o => o.Flops * o.Count);

    /// <summary>Counts a step of a training.</summary>
    /// <param name="model">The model.</param>
    /// <param name="shape">The shape of a step. Sequences longer than the model's context are cut to it.</param>
    /// <param name="options">How it is trained.</param>
    /// <param name="like">The device that would train it.</param>
    /// <param name="tune">Sets what is trained; null for the whole model.</param>
    /// <param name="storage">How frozen weights lie in memory; null for F32.</param>
    /// <param name="objective">What for; null for what the model usually learns.</param>
    /// <exception cref="InvalidDataException">The configuration is not valid, or the method does not fit the model.</exception>
    public static TrainingPlan Of(
        ModelConfig model,
        StepShape shape,
        TrainingOptions options,
        Device like,
        Func<LanguageModel, TunedModel>? tune = null,
        WeightStorage? storage = null,
        Func<LanguageModel, Objective>? objective = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(options);
        Architectures.Check(model, "model");
        shape = shape with { Length = Math.Min(Math.Min(shape.Length, shape.Tokens), model.ContextLength) };
        CountingDevice device = new(like);
        using LanguageModel planned = Build(model, storage ?? new WeightStorage(), device);
        if (tune is null)
            planned.SetTrainable(true);
        using TunedModel? tuning = tune?.Invoke(planned);
        Objective made = objective?.Invoke(planned) ?? shape.ObjectiveFor(planned);
        using IDisposable? owned = made as IDisposable;
        long weights = device.Bytes;
        Objective trained = tuning?.For(made) ?? made;
        using Trainer trainer = new(planned, trained, options.On(device));
        long optimizer = device.Bytes - weights;
        // Experts that no token met in one step meet some in another.
        foreach (Parameter parameter in trainer.Parameters)
            _ = parameter.OverwriteGradient();
        long gradients = device.Bytes - weights - optimizer;
        trainer.Step();
        device.ForgetOperations();
        trainer.Step();
        long activations = device.PeakBytes - weights - optimizer - gradients;
        // Other tokens are shared out otherwise among experts.
        if (planned is GenerativeModel { LoadBalancing: not null })
            activations += (long)(activations * SparseVariation);
        MemoryPlan memory = new(weights, gradients, optimizer, activations, device.PanelBytes);
        long adapter = trainer.Parameters.Sum(p => p.Shape.Count);
        return new TrainingPlan(model, shape, planned.ParameterCount + (tuning?.Adapter is null ? 0 : adapter), adapter, memory, [.. device.Operations]);
    }

    /// <summary>Measures every kind of operation of the step, and so how long the step will last.</summary>
    /// <param name="device">The device that would train.</param>
    /// <param name="progress">Told how many of how many operations are measured.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>Seconds by kind of operation, the longest first.</returns>
    public IReadOnlyList<(string Name, double Seconds)> Measure(Device device, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        Dictionary<string, double> seconds = new(StringComparer.Ordinal);
        int done = 0;
        foreach (CountedOperation operation in Operations)
        {
            cancellation.ThrowIfCancellationRequested();
            seconds[operation.Name] = seconds.GetValueOrDefault(operation.Name) + (operation.Count * operation.Measure(device));
            progress?.Invoke(++done, Operations.Count);
        }
        return [.. seconds.OrderByDescending(s => s.Value).Select(s => (s.Key, s.Value))];
    }

    private static LanguageModel Build(ModelConfig config, WeightStorage storage, CountingDevice device)
    {
        HashSet<string> packed = [];
        if (storage.Blocks is not null)
        {
            using LanguageModel dense = Architectures.Build(config, new Scope(new UnsetParameters(storage.Type), new Workspace(new CountingDevice(device))));
            Linear? head = (dense as GenerativeModel)?.Head;
            packed = [.. dense.Parts.Linears.Where(l => l != head).Select(l => l.Path + ".weight")];
        }
        Workspace store = new(device);
        if (storage.DenseWhileLoading)
        {
            using LanguageModel dense = Architectures.Build(config, new Scope(new UnsetParameters(DType.F32), store.OpenChild()));
        }
        return Architectures.Build(config, new Scope(new UnsetParameters(storage.Type, storage.Blocks, packed, storage.DoubleQuantization), store));
    }
}
