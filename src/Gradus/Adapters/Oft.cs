using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// OFT (Qiu et al., "Controlling Text-to-Image Diffusion by Orthogonal Finetuning", 2023; "Orthogonal Finetuning Made Scalable", 2025):
/// a layer's inputs are turned, block by block, by orthogonal matrices R = (I − Q)·(I + Q)⁻¹ of skew-symmetric Q (Cayley), or by
/// the first terms of the series of (I + Q)·(I − Q)⁻¹. Left out: the constrained variant (coft).
/// </summary>
/// <param name="R">Blocks for each layer; 0 where <paramref name="OftBlockSize"/> says how many.</param>
/// <param name="OftBlockSize">Inputs of a block; 0 where <paramref name="R"/> says how many.</param>
/// <param name="ModuleDropout">Share of blocks that training leaves unturned, in [0, 1).</param>
/// <param name="InitWeights">Whether nothing is turned at first, rather than at random.</param>
/// <param name="BlockShare">Whether all blocks of a layer share one matrix.</param>
/// <param name="UseCayleyNeumann">Whether the series is used instead of the inverse.</param>
/// <param name="NumCayleyNeumannTerms">Terms of the series, ≥ 1.</param>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="Bias">Which biases of the base model are trained along.</param>
/// <param name="LayersToTransform">The numbers of the blocks whose layers get an adapter; all where null.</param>
/// <param name="LayersPattern">Names of the lists that those numbers count in; any where null.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="FanInFanOut">Whether the targets store their weights as (in, out); here the model itself knows, and files are written right.</param>
/// <param name="PeftVersion">The version of PEFT that wrote the file: the last term of the series counts once since 0.18 and twice before.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public sealed record OftConfig(
    int R = 0,
    int OftBlockSize = 32,
    float ModuleDropout = 0,
    bool InitWeights = true,
    bool BlockShare = false,
    bool UseCayleyNeumann = true,
    int NumCayleyNeumannTerms = 5,
    ModuleNames? TargetModules = null,
    string Bias = "none",
    LayerNumbers? LayersToTransform = null,
    ModuleNames? LayersPattern = null,
    ModuleNames? ExcludeModules = null,
    IReadOnlyList<string>? ModulesToSave = null,
    bool FanInFanOut = false,
    string? PeftVersion = "0.18.0",
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : BlockTunerConfig(TargetModules, LayersToTransform, LayersPattern, ExcludeModules, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => base.Problems().Concat(new[]
    {
        (R > 0) != (OftBlockSize > 0) ? null : $"oft_block_size: exactly one of r and oft_block_size must be above 0, but they are {R} and {OftBlockSize}.",
        Probability("module_dropout", ModuleDropout),
        AtLeastOne("num_cayley_neumann_terms", NumCayleyNeumannTerms),
        UseCayleyNeumann && IsOld(PeftVersion) ? $"use_cayley_neumann: the file was written by PEFT {PeftVersion ?? "before 0.18"}, whose series is another one; train it anew." : null,
        BiasProblem(Bias, "oft_only"),
    }.OfType<string>());

    /// <inheritdoc/>
    public override bool TrainsBias(bool adapted) => TrainsBias(Bias, "oft_only", adapted);

    /// <inheritdoc/>
    public override Adapter Adapt(Linear layer, Scope place) => new OftAdapter(layer, this, place);

    internal override PeftConfig WithLayout(bool inOut) => this with { FanInFanOut = inOut };

    private static bool IsOld(string? version)
    {
        string[] numbers = (version ?? "").Split('@')[0].Split('.');
        return numbers.Length < 2 || !int.TryParse(numbers[0], out int major) || !int.TryParse(numbers[1], out int minor) || (major, minor).CompareTo((0, 18)) < 0;
    }
}

/// <summary>y = W·(x turned block by block) + b.</summary>
public sealed class OftAdapter : Adapter
{
    private readonly Parameter _angles;
    private readonly int _size;
    private readonly int _blocks;
    private readonly OftConfig _config;
    private readonly int[] _places;

    /// <summary>Makes the adapter of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="config">The method.</param>
    /// <param name="place">Where the parameter comes from.</param>
    public OftAdapter(Linear layer, OftConfig config, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(place);
        _config = config;
        int inputs = layer.Weight.Inputs;
        _size = config.OftBlockSize > 0 ? Divisor(inputs, config.OftBlockSize) : inputs / Divisor(inputs, config.R);
        _blocks = inputs / _size;
        int elements = _size * (_size - 1) / 2;
        _angles = place.Parameter("oft_R.weight", new Shape(config.BlockShare ? 1 : _blocks, elements), config.InitWeights ? Init.Zeros : Init.Normal(0.1f));
        Parameters = [_angles];
        // Where each element of Q is found in (0, angles, −angles).
        _places = new int[_size * _size];
        int next = 1;
        for (int i = 0; i < _size; i++)
        {
            for (int j = i + 1; j < _size; j++, next++)
                (_places[(i * _size) + j], _places[(j * _size) + i]) = (next, next + elements);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Forward(Linear layer, Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        Tensor turns = Dropped(Turns(x.Workspace), pass);                                          // (blocks, size, size)
        int rows = checked((int)(x.Count / layer.Weight.Inputs));
        Tensor turned = x.Reshape(rows, _blocks, _size).SwapAxes().MatMul(turns).SwapAxes();
        return layer.Base(turned.Reshape(rows, layer.Weight.Inputs));
    }

    /// <inheritdoc/>
    public override Tensor Merge(Linear layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        int outputs = layer.Weight.Outputs;
        // W·Rᵀ, block by block: a row of W meets the same turn as x.
        return layer.Weight.Dense(workspace).Reshape(outputs, _blocks, _size).SwapAxes().MatMul(Turns(workspace), transposeB: true)
            .SwapAxes().Reshape(outputs, layer.Weight.Inputs);
    }

    // R of every block, (blocks, size, size).
    private Tensor Turns(Workspace step)
    {
        Tensor angles = _angles.In(step);
        int rows = angles.Shape[0];
        Tensor signed = step.Zeros(new Shape(rows, 1)).Append(angles).Append(angles.Scale(-1)).SwapAxes();
        Tensor q = signed.Gather(step.From(_places)).SwapAxes().Reshape(rows, _size, _size);
        Tensor r = _config.UseCayleyNeumann ? Series(q) : Exact(q);
        return rows == _blocks ? r : r.Reshape(1, _size * _size).Gather(step.From(new int[_blocks])).Reshape(_blocks, _size, _size);
    }

    // I + 2Q + 2Q² + … + Qⁿ⁻¹.
    private Tensor Series(Tensor q)
    {
        Tensor sum = Identity(q), power = q;
        for (int n = 1; n < _config.NumCayleyNeumannTerms; n++)
        {
            if (n > 1)
                power = power.MatMul(q);
            sum = sum.Add(n > 2 && n == _config.NumCayleyNeumannTerms - 1 ? power : power.Scale(2));
        }
        return sum;
    }

    // The inverse is found by Newton's iteration (Schulz, 1933), whose steps are products alone, so that gradients flow through them.
    private static Tensor Exact(Tensor q)
    {
        Tensor identity = Identity(q), a = identity.Add(q);
        // No singular value of I + Q is below 1, and none above the largest row sum: so the start lies where the iteration converges.
        double norm = 1;
        ReadOnlySpan<float> values = a.Span();
        int size = q.Shape[2];
        for (int row = 0; row < values.Length / size; row++)
        {
            double sum = 0;
            foreach (float v in values.Slice(row * size, size))
                sum += Math.Abs(v);
            norm = Math.Max(norm, sum);
        }
        Tensor x = identity.Subtract(q).Scale((float)(1 / (norm * norm)));
        int steps = 8 + (int)Math.Ceiling(2 * Math.Log2(norm));
        for (int i = 0; i < steps; i++)
            x = x.Scale(2).Subtract(x.MatMul(a).MatMul(x));
        return identity.Subtract(q).MatMul(x);
    }

    private static Tensor Identity(Tensor like)
    {
        Tensor identity = like.Workspace.Zeros(like.Shape);
        int size = like.Shape[2];
        for (int b = 0; b < like.Shape[0]; b++)
        {
            for (int i = 0; i < size; i++)
                identity.Span()[(((b * size) + i) * size) + i] = 1;
        }
        return identity;
    }

    // Some blocks are left unturned in training.
    private Tensor Dropped(Tensor turns, Pass pass)
    {
        if (!pass.Noise.Drops(_config.ModuleDropout) || _blocks == 1)
            return turns;
        Tensor kept = turns.Workspace.Empty(new Shape(_blocks));
        kept.Span().Fill(1 - _config.ModuleDropout);
        kept = pass.Dropout(kept, _config.ModuleDropout);
        Tensor identity = Identity(turns);
        return identity.Add(turns.Subtract(identity).Reshape(_blocks, _size * _size).ScaleRows(kept).Reshape(_blocks, _size, _size));
    }

    // The divisor next to the one asked for, the smaller of two as far off, as PEFT adjusts it.
    internal static int Divisor(int number, int wanted)
    {
        wanted = Math.Min(wanted, number);
        int above = wanted, below = wanted;
        while (number % above != 0)
            above++;
        while (number % below != 0)
            below--;
        return wanted - below <= above - wanted ? below : above;
    }
}
