using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// LoRA on a linear layer: y = W·x + b + s·B·A·drop(x), A (r, in), B (out, r) (Hu et al., 2021). As DoRA (Liu et al., 2024) the rows
/// of W + s·B·A get trained lengths m: y = (m/n − 1)·W·x + (m/n)·s·B·A·x + W·x + b with n = ‖W + s·B·A‖ per row, through which no
/// gradient flows. As PiSSA or OLoRA the weight gives up what A and B start out with: W − s·B₀·A₀ takes W's place.
/// The weight itself is never written to, so it may be stored in any form.
/// </summary>
public sealed class LoraAdapter : Adapter
{
    private readonly Workspace _store;
    private readonly Tensor? _firstA;
    private readonly Tensor? _firstB;
    private Tensor? _lengths;
    private (long A, long B, Weight? Weight, long Version) _lengthsOf;

    /// <summary>Makes the adapter of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="config">Rank, scale and variant.</param>
    /// <param name="place">Where the parameters come from.</param>
    public LoraAdapter(Linear layer, LoraConfig config, Scope place)
        : this(layer, config, place, null)
    {
    }

    /// <summary>Makes the adapter of a layer, whose factors start out with given ones.</summary>
    internal LoraAdapter(Linear layer, LoraConfig config, Scope place, (Tensor A, Tensor B)? first)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(place);
        int inputs = layer.Weight.Inputs, outputs = layer.Weight.Outputs;
        Rank = config.RankOf(layer.Path);
        Scale = config.ScaleOf(layer.Path);
        Dropout = config.LoraDropout;
        _store = place.Parts.Store;
        LoraInit init = config.InitLoraWeights ?? LoraInit.Default;
        if (init == LoraInit.Pissa)
            (_firstA, _firstB) = LoraStart.Principal(layer, Rank, Scale, _store);
        else if (init == LoraInit.Olora)
            (_firstA, _firstB) = LoraStart.Orthonormal(layer, Rank, Scale, _store);
        (Tensor A, Tensor B)? start = first ?? (_firstA is null ? null : (_firstA, _firstB!));
        Shape a = new(Rank, inputs), b = new(outputs, Rank);
        Init initA = start is null ? InitA(layer, config, init) : new CopyInit(start.Value.A), initB = start is null ? InitB(layer, init) : new CopyInit(start.Value.B);
        A = config.FreezeA ? place.Buffer("lora_A.weight", a, initA) : place.Parameter("lora_A.weight", a, initA);
        B = place.Parameter("lora_B.weight", b, initB);
        if (config.UseDora)
            Magnitude = place.Parameter("lora_magnitude_vector", new Shape(outputs), new RowLengths(this, layer));
        Parameters = Magnitude is null ? [A, B] : [A, B, Magnitude];
    }

    /// <summary>r.</summary>
    public int Rank { get; }

    /// <summary>s.</summary>
    public float Scale { get; }

    /// <summary>Dropout of the adapter's input in training, in [0, 1).</summary>
    public float Dropout { get; }

    /// <summary>(r, in).</summary>
    public Parameter A { get; }

    /// <summary>(out, r).</summary>
    public Parameter B { get; }

    /// <summary>DoRA's lengths m (out), or null.</summary>
    public Parameter? Magnitude { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Forward(Linear layer, Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(pass);
        Tensor dropped = pass.Dropout(x, Dropout);                                        // (…, in)
        Tensor low = dropped.Linear(A.Value).Scale(Scale).Linear(B.Value);                // (…, out): s·B·A·x
        if (Magnitude is null)
            return Frozen(layer, x, layer.Bias?.Value, Epilogue.Residual(low));
        Tensor n = low.Workspace.View(Lengths(layer), Magnitude.Shape, 0);
        Tensor ratio = Magnitude.Value.Divide(n);                                         // (out): m/n
        if (dropped == x)
        {
            Tensor y = Frozen(layer, x, bias: null).Add(low).Multiply(ratio);
            return layer.Bias is null ? y : y.Add(layer.Bias.Value);
        }
        Tensor change = ratio.Subtract(ratio.Workspace.From([1f], new Shape(1)));
        return Frozen(layer, x, layer.Bias?.Value).Add(Frozen(layer, dropped, bias: null).Multiply(change)).Add(low.Multiply(ratio));
    }

    /// <inheritdoc/>
    public override Tensor? Change(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        return Magnitude is null && _firstA is null ? pass.Dropout(x, Dropout).Linear(A.Value).Scale(Scale).Linear(B.Value) : null;
    }

    /// <inheritdoc/>
    public override Tensor Merge(Linear layer, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(workspace);
        Tensor merged = Direction(layer, workspace);                                      // (out, in)
        if (Magnitude is null)
            return merged;
        Tensor ratio = workspace.Adopt(Magnitude.Value).Divide(workspace.Adopt(Lengths(layer)));
        return merged.SwapAxes().Multiply(ratio).SwapAxes();
    }

    // W·x + b, where W has given up its principal part; then the epilogue.
    private Tensor Frozen(Linear layer, Tensor x, Tensor? bias, Epilogue epilogue = default) => _firstA is null
        ? layer.Weight.Multiply(x, bias, epilogue)
        : epilogue.Of(layer.Weight.Multiply(x, bias).Subtract(x.Linear(_firstA).Scale(Scale).Linear(_firstB!)));

    // W + s·B·A, (out, in).
    private Tensor Direction(Linear layer, Workspace w)
    {
        Tensor sum = layer.Weight.Dense(w).Add(w.Adopt(B.Value).Scale(Scale).MatMul(w.Adopt(A.Value)));
        return _firstA is null ? sum : sum.Subtract(w.Adopt(_firstB!).Scale(Scale).MatMul(w.Adopt(_firstA)));
    }

    // n, computed anew when something it depends on has changed: once a step in training, never in generation.
    private Tensor Lengths(Linear layer)
    {
        var now = (A.Version, B.Version, layer.Weight, layer.Weight is DenseWeight dense ? dense.Parameter.Version : 0);
        if (_lengths is null || now != _lengthsOf)
        {
            _lengths ??= _store.Empty(new Shape(layer.Weight.Outputs));
            Fill(layer, _lengths.Span());
            _lengthsOf = now;
        }
        return _lengths;
    }

    private void Fill(Linear layer, Span<float> lengths)
    {
        using Workspace scratch = new(_store.Device);
        Tensor direction = Direction(layer, scratch), squares = scratch.Empty(new Shape(lengths.Length));
        scratch.Device.RowDots(direction, direction, squares);
        Span<float> from = squares.Span();
        for (int i = 0; i < lengths.Length; i++)
            lengths[i] = MathF.Sqrt(from[i]);
    }

    private Init InitA(Linear layer, LoraConfig config, LoraInit init)
    {
        int inputs = layer.Weight.Inputs;
        if (init == LoraInit.Orthogonal)
        {
            return Rank % 2 == 0
                ? new OrthogonalInit(layer.Path, Rank, inputs, 0)
                : throw new InvalidDataException($"init_lora_weights: \"orthogonal\" needs an even r, but that of {layer.Path} is {Rank}.");
        }
        if (init == LoraInit.Eva && config.Start?.Directions.GetValueOrDefault(layer.Path) is { } directions)
            return new GivenInit(directions[..(Rank * inputs)]);
        return init == LoraInit.Gaussian ? Init.Normal(1f / Rank) : Init.Uniform(1f / MathF.Sqrt(inputs));
    }

    private Init InitB(Linear layer, LoraInit init)
    {
        if (init == LoraInit.Orthogonal)
            return new OrthogonalInit(layer.Path, Rank, layer.Weight.Outputs, 1);
        return init == LoraInit.Random ? Init.Uniform(1f / MathF.Sqrt(Rank)) : Init.Zeros;
    }

    // The lengths that the rows have at the start: nothing changes yet.
    private sealed record RowLengths(LoraAdapter Adapter, Linear Layer) : Init
    {
        public override void Fill(Span<float> values, ulong key) => Adapter.Fill(Layer, values);
    }
}
