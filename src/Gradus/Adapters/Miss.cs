using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// MiSS (Kang and Yin, "MiSS: Revisiting the Trade-off in LoRA with an Efficient Shard-Sharing Structure", 2024; first called Bone):
/// one matrix of r rows is shared by all blocks of r input columns of a weight.
/// </summary>
/// <param name="R">Rows r of the shared matrix, ≥ 1.</param>
/// <param name="MissDropout">Dropout of the adapter's input in training, in [0, 1).</param>
/// <param name="MiniR">Columns of the matrix where it is repeated over the outputs too ("mini"); they divide the outputs.</param>
/// <param name="InitWeights">The variant, and whether the change starts out as zero.</param>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="Bias">Which biases of the base model are trained along.</param>
/// <param name="LayersToTransform">The numbers of the blocks whose layers get an adapter; all where null.</param>
/// <param name="LayersPattern">Names of the lists that those numbers count in; any where null.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public sealed record MissConfig(
    int R = 64,
    float MissDropout = 0,
    int MiniR = 1,
    MissForm? InitWeights = null,
    ModuleNames? TargetModules = null,
    string Bias = "none",
    LayerNumbers? LayersToTransform = null,
    ModuleNames? LayersPattern = null,
    ModuleNames? ExcludeModules = null,
    IReadOnlyList<string>? ModulesToSave = null,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : BlockTunerConfig(TargetModules, LayersToTransform, LayersPattern, ExcludeModules, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => base.Problems().Concat(new[]
    {
        AtLeastOne("r", R),
        AtLeastOne("mini_r", MiniR),
        Probability("miss_dropout", MissDropout),
        BiasProblem(Bias, "MiSS_only"),
    }.OfType<string>());

    /// <inheritdoc/>
    public override bool TrainsBias(bool adapted) => TrainsBias(Bias, "MiSS_only", adapted);

    /// <inheritdoc/>
    public override Adapter Adapt(Linear layer, Scope place) => InitWeights == MissForm.Bat ? new BatAdapter(layer, R, place) : new MissAdapter(layer, this, place);

    /// <inheritdoc/>
    public override JsonObject ToJson()
    {
        JsonObject json = base.ToJson();
        json["init_weights"] ??= true;
        return json;
    }
}

/// <summary>The variants of MiSS, which files say with how the weights start out: true, false, "bat" or "mini".</summary>
[JsonConverter(typeof(FlagOrWordConverter<MissForm>))]
public sealed record MissForm : IFlagOrWord<MissForm>
{
    private MissForm(string name)
    {
        Name = name;
    }

    /// <summary>One matrix (r, out), zero at first.</summary>
    public static MissForm Default { get; } = new("true");

    /// <summary>The same, random at first.</summary>
    public static MissForm Random { get; } = new("false");

    /// <summary>Square blocks that act on the weight itself: W + W·B + B.</summary>
    public static MissForm Bat { get; } = new("bat");

    /// <summary>A matrix of few columns, repeated over the outputs.</summary>
    public static MissForm Mini { get; } = new("mini");

    /// <summary>What files call it.</summary>
    public string Name { get; }

    /// <summary>The variant of a name.</summary>
    /// <exception cref="JsonException">There is none of this name.</exception>
    public static MissForm Parse(string name) => IFlagOrWord<MissForm>.Among([Default, Random, Bat, Mini], name);
}

/// <summary>y = W·x + b + (Σ over the blocks of r values of x)·B, B (r, out); inputs that fill no block count as one with zeros.</summary>
public sealed class MissAdapter : AddingAdapter
{
    private readonly Parameter _block;
    private readonly int _rank;
    private readonly int _inputs;
    private readonly int _outputs;
    private readonly float _dropout;

    /// <summary>Makes the adapter of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="config">The method.</param>
    /// <param name="place">Where the parameter comes from.</param>
    /// <exception cref="InvalidDataException">The matrix does not fit the layer.</exception>
    public MissAdapter(Linear layer, MissConfig config, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(place);
        (_rank, _inputs, _outputs, _dropout) = (config.R, layer.Weight.Inputs, layer.Weight.Outputs, config.MissDropout);
        int columns = config.InitWeights == MissForm.Mini ? config.MiniR : _outputs;
        if (_outputs % columns != 0)
            throw new InvalidDataException($"mini_r: {columns} does not divide the {_outputs} outputs of {layer.Path}.");
        _block = place.Parameter("miss_block", new Shape(_rank, columns), config.InitWeights == MissForm.Random ? Init.Uniform(1f / MathF.Sqrt(columns)) : Init.Zeros);
        Parameters = [_block];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Change(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        // The sum over blocks is a product with ones where the block's place is that of the input: (…, in)·(in, r).
        Workspace step = x.Workspace;
        return pass.Dropout(x, _dropout).Linear(Places(step)).Linear(Wide(step).SwapAxes());
    }

    /// <inheritdoc/>
    public override Tensor Merge(Linear layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        return layer.Weight.Dense(workspace).Add(Wide(workspace).MatMul(Places(workspace), transposeA: true));
    }

    // (r, in): 1 where the input stands at this place of its block.
    private Tensor Places(Workspace step)
    {
        Tensor ones = step.Zeros(new Shape(_rank, _inputs));
        for (int i = 0; i < _inputs; i++)
            ones.Span()[(i % _rank * _inputs) + i] = 1;
        return ones;
    }

    // B (r, out), repeated where it has fewer columns.
    private Tensor Wide(Workspace step)
    {
        Tensor block = _block.In(step);
        int columns = block.Shape[1];
        return columns == _outputs
            ? block
            : block.SwapAxes().Gather(step.From([.. Enumerable.Range(0, _outputs).Select(o => o % columns)])).SwapAxes();
    }
}

/// <summary>W + W·B + B over blocks of (r, r), one matrix B for each row of blocks.</summary>
public sealed class BatAdapter : Adapter
{
    private readonly Parameter _block;
    private readonly int _rank;

    /// <summary>Makes the adapter of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="rank">r, which divides both sides.</param>
    /// <param name="place">Where the parameter comes from.</param>
    /// <exception cref="InvalidDataException">The weight does not fall into blocks of this size.</exception>
    public BatAdapter(Linear layer, int rank, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(place);
        _rank = rank;
        if (layer.Weight.Inputs % rank != 0 || layer.Weight.Outputs % rank != 0)
            throw new InvalidDataException($"r: \"bat\" cuts weights into blocks of (r, r), but {rank} does not divide both sides of {layer.Path}, ({layer.Weight.Outputs}, {layer.Weight.Inputs}).");
        _block = place.Parameter("miss_block", new Shape(layer.Weight.Outputs / rank, rank, rank), Init.Zeros);
        Parameters = [_block];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Forward(Linear layer, Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(x);
        return x.Linear(Merge(layer, x.Workspace), layer.Bias?.Value);
    }

    /// <inheritdoc/>
    public override Tensor Merge(Linear layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        int rows = layer.Weight.Outputs / _rank, columns = layer.Weight.Inputs / _rank, r = _rank;
        Tensor w = layer.Weight.Dense(workspace), b = _block.In(workspace);                     // (out, in), (rows, r, r)
        // (rows, r·columns, r): every block row's r × columns pieces of r values, times the row's matrix.
        Tensor product = w.Reshape(rows, r * columns, r).MatMul(b).Reshape(rows * r, columns * r);
        int[] repeated = [.. Enumerable.Range(0, rows * r * columns).Select(i => (i / (r * columns) * r) + (i / columns % r))];
        Tensor spread = b.Reshape(rows * r, r).Gather(workspace.From(repeated)).Reshape(rows * r, columns * r);
        return w.Add(product).Add(spread);
    }
}
