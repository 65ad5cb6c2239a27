using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// LoKr (Edalati et al., "KronA: Parameter Efficient Tuning with Kronecker Adapter", 2022; LyCORIS): the change of a weight is the
/// Kronecker product of a small matrix and a larger one, each whole or of low rank.
/// </summary>
/// <param name="R">Rank r of the factors that are of low rank, ≥ 1.</param>
/// <param name="Alpha">α: the change is scaled by α/r.</param>
/// <param name="RankDropout">Probability with which training leaves a row of the change out, in [0, 1).</param>
/// <param name="ModuleDropout">Probability with which training leaves a layer's change out, in [0, 1).</param>
/// <param name="DecomposeBoth">Whether the small matrix is of low rank too, where that saves anything.</param>
/// <param name="DecomposeFactor">The small matrix's sides, as far as they divide the weight's; −1 for the divisors next to the square root.</param>
/// <param name="RankDropoutScale">Whether the rows that are left grow, as with dropout.</param>
/// <param name="InitWeights">How the factors start out.</param>
/// <param name="TargetModules">The layers that get an adapter; where null, those that are usual for the architecture.</param>
/// <param name="RankPattern">Other ranks: a regular expression for the end of a path → its rank; the first match counts.</param>
/// <param name="AlphaPattern">Other alphas, named alike.</param>
/// <param name="LayersToTransform">The numbers of the blocks whose layers get an adapter; all where null.</param>
/// <param name="LayersPattern">Names of the lists that those numbers count in; any where null.</param>
/// <param name="ExcludeModules">Layers that get none though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the adapters.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public sealed record LokrConfig(
    int R = 8,
    double Alpha = 8,
    float RankDropout = 0,
    float ModuleDropout = 0,
    bool DecomposeBoth = false,
    int DecomposeFactor = -1,
    bool RankDropoutScale = false,
    LokrInit? InitWeights = null,
    ModuleNames? TargetModules = null,
    IReadOnlyDictionary<string, int>? RankPattern = null,
    IReadOnlyDictionary<string, double>? AlphaPattern = null,
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
        Probability("rank_dropout", RankDropout),
        Probability("module_dropout", ModuleDropout),
        DecomposeFactor is -1 or > 0 ? null : $"decompose_factor: must be -1 or at least 1, but is {DecomposeFactor}.",
        RankProblem("rank_pattern", RankPattern),
    }.OfType<string>());

    /// <inheritdoc/>
    public override Adapter Adapt(Linear layer, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        int rank = Pattern("rank_pattern", RankPattern, layer.Path, R);
        return new LokrAdapter(layer, rank, (float)(Pattern("alpha_pattern", AlphaPattern, layer.Path, Alpha) / rank), this, place);
    }

    /// <inheritdoc/>
    public override JsonObject ToJson()
    {
        JsonObject json = WithPatterns(base.ToJson());
        json["init_weights"] ??= true;
        return json;
    }
}

/// <summary>How the factors of LoKr start out; in files true, false or "lycoris".</summary>
[JsonConverter(typeof(FlagOrWordConverter<LokrInit>))]
public sealed record LokrInit : IFlagOrWord<LokrInit>
{
    private LokrInit(string name)
    {
        Name = name;
    }

    /// <summary>The small matrix is zero: nothing changes yet.</summary>
    public static LokrInit Default { get; } = new("true");

    /// <summary>All random.</summary>
    public static LokrInit Random { get; } = new("false");

    /// <summary>The large matrix is zero, as in LyCORIS.</summary>
    public static LokrInit Lycoris { get; } = new("lycoris");

    /// <summary>What files call it.</summary>
    public string Name { get; }

    /// <summary>The start of a name.</summary>
    /// <exception cref="JsonException">There is none of this name.</exception>
    public static LokrInit Parse(string name) => IFlagOrWord<LokrInit>.Among([Default, Random, Lycoris], name);
}

/// <summary>ΔW = s · C ⊗ D: C (a, b) the small matrix, D (c, d) the large one; out = a·c, in = b·d.</summary>
public sealed class LokrAdapter : DeltaAdapter
{
    private readonly Factor _small;
    private readonly Factor _large;
    private readonly float _scale;
    private readonly LokrConfig _config;

    /// <summary>Makes the adapter of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="rank">r.</param>
    /// <param name="scale">s.</param>
    /// <param name="config">The method.</param>
    /// <param name="place">Where the parameters come from.</param>
    public LokrAdapter(Linear layer, int rank, float scale, LokrConfig config, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(place);
        (_scale, _config) = (scale, config);
        (int b, int d) = Divide(layer.Weight.Inputs, config.DecomposeFactor);
        (int a, int c) = Divide(layer.Weight.Outputs, config.DecomposeFactor);
        LokrInit init = config.InitWeights ?? LokrInit.Default;
        bool smallWhole = !config.DecomposeBoth || 2 * rank >= Math.Max(a, b), largeWhole = 2 * rank >= Math.Max(c, d);
        _small = new Factor(place, "lokr_w1", a, b, rank, smallWhole, init == LokrInit.Default, zeroFirst: true);
        _large = new Factor(place, "lokr_w2", c, d, rank, largeWhole, init == LokrInit.Lycoris, zeroFirst: false);
        Parameters = [.. _small.Parameters, .. _large.Parameters];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Delta(Workspace step)
    {
        Tensor c = _small.In(step), d = _large.In(step);
        int rows = c.Shape[0], columns = c.Shape[1], height = d.Shape[0], width = d.Shape[1];
        // An outer product of all values, (a·b, c·d), with its axes brought into order: (a, b, c, d) → (a, c, b, d).
        Tensor all = c.Reshape(rows * columns, 1).MatMul(d.Reshape(1, height * width)).Reshape(rows, columns, height, width);
        return Reorder(all, rows, columns, height, width).Reshape(rows * height, columns * width).Scale(_scale);
    }

    private protected override Tensor? TrainedDelta(Workspace step, Pass pass) =>
        Drop(Delta(step), pass, _config.RankDropout, _config.ModuleDropout, _config.RankDropoutScale);

    // As rows of d values: row (i·b + j)·c + k goes to (i·c + k)·b + j.
    private static Tensor Reorder(Tensor all, int a, int b, int c, int d)
    {
        int[] from = new int[a * b * c];
        for (int i = 0; i < a; i++)
        {
            for (int k = 0; k < c; k++)
            {
                for (int j = 0; j < b; j++)
                    from[(((i * c) + k) * b) + j] = (((i * b) + j) * c) + k;
            }
        }
        return all.Reshape(a * b * c, d).Gather(all.Workspace.From(from));
    }

    // Two divisors of a number, the smaller first: the given factor where it divides it, else the two next to each other whose smaller is at most the factor.
    internal static (int Small, int Large) Divide(int number, int factor)
    {
        if (factor > 0 && number % factor == 0)
            return (factor, number / factor);
        int limit = factor == -1 ? number : factor, small = 1;
        for (int m = 2; m <= limit && (long)m * m <= number; m++)
            small = number % m == 0 ? m : small;
        return (small, number / small);
    }

    /// <summary>A matrix, whole or the product of two thin ones.</summary>
    private sealed class Factor
    {
        private readonly Parameter _first;
        private readonly Parameter? _second;

        public Factor(Scope place, string name, int rows, int columns, int rank, bool whole, bool zero, bool zeroFirst)
        {
            if (whole)
            {
                _first = place.Parameter(name, new Shape(rows, columns), zero ? Init.Zeros : Init.Uniform(1f / MathF.Sqrt(columns)));
                return;
            }
            _first = place.Parameter($"{name}_a", new Shape(rows, rank), zero && zeroFirst ? Init.Zeros : Init.Uniform(1f / MathF.Sqrt(rank)));
            _second = place.Parameter($"{name}_b", new Shape(rank, columns), zero && !zeroFirst ? Init.Zeros : Init.Uniform(1f / MathF.Sqrt(columns)));
        }

        public IEnumerable<Parameter> Parameters => _second is null ? [_first] : [_first, _second];

        public Tensor In(Workspace step) => _second is null ? _first.In(step) : _first.In(step).MatMul(_second.In(step));
    }
}
