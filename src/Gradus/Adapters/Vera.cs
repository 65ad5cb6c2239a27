using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// VeRA (Kopiczko et al., "VeRA: Vector-based Random Matrix Adaptation", 2024): all layers share one pair of random matrices that are
/// never trained; each layer trains two vectors that scale their rows.
/// </summary>
/// <param name="R">Rank r of the shared matrices, ≥ 1.</param>
/// <param name="ProjectionPrngKey">Draws the shared matrices, with PyTorch's numbers.</param>
/// <param name="SaveProjection">Whether the file holds the shared matrices; else they are drawn again.</param>
/// <param name="VeraDropout">Dropout of the adapter's input in training, in [0, 1).</param>
/// <param name="DInitial">What the inner vector starts out with.</param>
/// <param name="InitWeights">Whether the outer vector starts out as zeros, and the model as the base model, rather than as ones.</param>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="Bias">Which biases of the base model are trained along.</param>
/// <param name="LayersToTransform">The numbers of the blocks whose layers get an adapter; all where null.</param>
/// <param name="LayersPattern">Names of the lists that those numbers count in; any where null.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="FanInFanOut">Whether the targets store their weights as (in, out); here the model itself knows, and files are written right.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public sealed record VeraConfig(
    int R = 256,
    long ProjectionPrngKey = 0,
    bool SaveProjection = true,
    float VeraDropout = 0,
    float DInitial = 0.1f,
    bool InitWeights = true,
    ModuleNames? TargetModules = null,
    string Bias = "none",
    LayerNumbers? LayersToTransform = null,
    ModuleNames? LayersPattern = null,
    ModuleNames? ExcludeModules = null,
    IReadOnlyList<string>? ModulesToSave = null,
    bool FanInFanOut = false,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : BlockTunerConfig(TargetModules, LayersToTransform, LayersPattern, ExcludeModules, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => base.Problems().Concat(new[]
    {
        AtLeastOne("r", R),
        Probability("vera_dropout", VeraDropout),
        BiasProblem(Bias, "vera_only"),
    }.OfType<string>());

    /// <inheritdoc/>
    public override bool TrainsBias(bool adapted) => TrainsBias(Bias, "vera_only", adapted);

    /// <inheritdoc/>
    public override Adapter Adapt(Linear layer, Scope place) =>
        throw new InvalidOperationException("The layers of VeRA share matrices, which the whole model's size decides; attach it to a model.");

    internal override PeftConfig WithLayout(bool inOut) => this with { FanInFanOut = inOut };

    internal override void Build(AdapterParts parts)
    {
        Linear[] targets = [.. parts.Model.Parts.Linears.Where(l => Targets(l.Path) && !parts.IsSaved(l.Path))];
        if (targets.Length == 0)
        {
            base.Build(parts);
            return;
        }
        int inputs = targets.Max(l => l.Weight.Inputs), outputs = targets.Max(l => l.Weight.Outputs);
        VeraMatrices shared = new(this, inputs, outputs, parts);
        BuildWith(parts, (layer, place) => new VeraAdapter(layer, this, shared, place));
    }
}

/// <summary>The matrices that all layers of VeRA share: each uses the corner of its own size.</summary>
internal sealed class VeraMatrices
{
    public VeraMatrices(VeraConfig config, int inputs, int outputs, AdapterParts parts)
    {
        // One stream of numbers for both, A first, each even in ±√(6/columns).
        TorchUniform numbers = new((ulong)config.ProjectionPrngKey);
        float[] a = numbers.Next(config.R * inputs, MathF.Sqrt(6f / inputs)), b = numbers.Next(outputs * config.R, MathF.Sqrt(6f / config.R));
        A = parts.Root.Buffer("vera_A", new Shape(config.R, inputs), new GivenInit(a));
        B = parts.Root.Buffer("vera_B", new Shape(outputs, config.R), new GivenInit(b));
        if (config.SaveProjection)
            parts.Share(A, B);
    }

    public Parameter A { get; }

    public Parameter B { get; }
}

/// <summary>y = W·x + b + λ_b ∘ B·(λ_d ∘ A·drop(x)), with the shared A (r, in) and B (out, r).</summary>
public sealed class VeraAdapter : AddingAdapter
{
    private readonly VeraMatrices _shared;
    private readonly Parameter _outer;
    private readonly Parameter _inner;
    private readonly int _inputs;
    private readonly int _outputs;
    private readonly float _dropout;

    internal VeraAdapter(Linear layer, VeraConfig config, VeraMatrices shared, Scope place)
    {
        (_shared, _inputs, _outputs, _dropout) = (shared, layer.Weight.Inputs, layer.Weight.Outputs, config.VeraDropout);
        _outer = place.Parameter("vera_lambda_b", new Shape(_outputs), config.InitWeights ? Init.Zeros : Init.Ones);
        _inner = place.Parameter("vera_lambda_d", new Shape(config.R), config.InitWeights ? Init.Constant(config.DInitial) : Init.Normal(1));
        Parameters = [_outer, _inner];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Change(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        Tensor low = pass.Dropout(x, _dropout).Linear(A(x.Workspace)).Multiply(_inner.Value);      // (…, r)
        return low.Linear(B(x.Workspace)).Multiply(_outer.Value);                                  // (…, out)
    }

    /// <inheritdoc/>
    public override Tensor Merge(Linear layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        Tensor b = B(workspace).ScaleRows(workspace.Adopt(_outer.Value)), a = A(workspace).ScaleRows(workspace.Adopt(_inner.Value));
        return layer.Weight.Dense(workspace).Add(b.MatMul(a));
    }

    private Tensor A(Workspace step) => _shared.A.Corner(step, _shared.A.Shape[0], _inputs);

    private Tensor B(Workspace step) => _shared.B.Corner(step, _outputs, _shared.B.Shape[1]);
}

/// <summary>
/// The numbers that PyTorch's <c>uniform_</c> draws on the CPU: 24 bits of each number of a Mersenne Twister (Matsumoto and Nishimura,
/// "Mersenne Twister", 1998), so that matrices that PEFT does not store can be drawn again.
/// </summary>
internal sealed class TorchUniform
{
    private const int Length = 624;
    private readonly uint[] _state = new uint[Length];
    private int _next = Length;

    public TorchUniform(ulong seed)
    {
        _state[0] = (uint)seed;
        for (int i = 1; i < Length; i++)
            _state[i] = (1812433253u * (_state[i - 1] ^ (_state[i - 1] >> 30))) + (uint)i;
    }

    /// <summary>Even numbers in [−bound, bound).</summary>
    public float[] Next(int count, float bound)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = ((Next() & 0xFFFFFF) * (1f / 16777216) * (bound - -bound)) - bound;
        return values;
    }

    private uint Next()
    {
        if (_next == Length)
            Refill();
        uint y = _state[_next++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C5680u;
        y ^= (y << 15) & 0xEFC60000u;
        return y ^ (y >> 18);
    }

    private void Refill()
    {
        for (int i = 0; i < Length; i++)
        {
            uint bits = (_state[i] & 0x80000000u) | (_state[(i + 1) % Length] & 0x7FFFFFFFu);
            _state[i] = _state[(i + 397) % Length] ^ (bits >> 1) ^ ((bits & 1) * 0x9908B0DFu);
        }
        _next = 0;
    }
}
