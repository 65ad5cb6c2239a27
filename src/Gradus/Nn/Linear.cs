using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// y = x·Wᵀ + b: the seam at which models are quantized and adapted. Quantizing replaces <see cref="Weight"/>, fine-tuning with few
/// parameters sets <see cref="Adapter"/>; the model around it stays the same.
/// </summary>
public sealed class Linear
{
    internal Linear(string path, Weight weight, Parameter? bias)
    {
        Path = path;
        Weight = weight;
        Bias = bias;
    }

    /// <summary>The dotted path of the layer: <c>model.layers.0.self_attn.q_proj</c>.</summary>
    public string Path { get; }

    /// <summary>The last part of the path: <c>q_proj</c>.</summary>
    public string Name => Path[(Path.LastIndexOf('.') + 1)..];

    /// <summary>The matrix.</summary>
    public Weight Weight { get; set; }

    /// <summary>(out), or null.</summary>
    public Parameter? Bias { get; }

    /// <summary>What is added to or wrapped around the product, or null.</summary>
    public Adapter? Adapter { get; set; }

    /// <summary>(…, in) → (…, out). The pass's observer sees the input first (<see cref="Observer.LinearInput"/>).</summary>
    public Tensor Forward(Tensor x, Pass pass) => Forward(x, pass, default);

    /// <summary>The layer, then what the epilogue says: in one product, unless an adapter comes between.</summary>
    /// <param name="x">(…, in).</param>
    /// <param name="pass">The forward pass.</param>
    /// <param name="epilogue">A residual of the result's shape, which is added, or an activation.</param>
    public Tensor Forward(Tensor x, Pass pass, Epilogue epilogue)
    {
        ArgumentNullException.ThrowIfNull(pass);
        pass.Observer?.LinearInput(this, x);
        return Adapter is { } adapter ? adapter.Forward(this, x, pass, epilogue) : Weight.Multiply(x, Bias?.Value, epilogue);
    }

    /// <summary>residual + dropout(the layer of x), in one product where nothing is dropped.</summary>
    /// <param name="residual">(…, out).</param>
    /// <param name="x">(…, in).</param>
    /// <param name="pass">The forward pass.</param>
    /// <param name="dropout">Dropout in training, in [0, 1).</param>
    public Tensor AddTo(Tensor residual, Tensor x, Pass pass, float dropout = 0)
    {
        ArgumentNullException.ThrowIfNull(residual);
        ArgumentNullException.ThrowIfNull(pass);
        if (Adapter is { } adapter)
        {
            pass.Observer?.LinearInput(this, x);
            return adapter.AddTo(this, residual, x, pass, dropout);
        }
        return pass.Noise.Drops(dropout) ? residual.Add(pass.Dropout(Forward(x, pass), dropout)) : Forward(x, pass, Epilogue.Residual(residual));
    }

    /// <summary>The layer without its adapter.</summary>
    public Tensor Base(Tensor x) => Weight.Multiply(x, Bias?.Value);
}

/// <summary>The matrix of a linear layer, in whatever form it is kept.</summary>
public abstract class Weight
{
    /// <summary>Columns in.</summary>
    public abstract int Inputs { get; }

    /// <summary>Columns out.</summary>
    public abstract int Outputs { get; }

    /// <summary>x·Wᵀ + b, then the epilogue.</summary>
    public abstract Tensor Multiply(Tensor x, Tensor? bias, Epilogue epilogue = default);

    /// <summary>The matrix as F32 (out, in), in the given workspace.</summary>
    public abstract Tensor Dense(Workspace workspace);
}

/// <summary>No matrix: in a head that the model was built without.</summary>
internal sealed class AbsentWeight(string path, int inputs, int outputs) : Weight
{
    /// <inheritdoc/>
    public override int Inputs => inputs;

    /// <inheritdoc/>
    public override int Outputs => outputs;

    /// <inheritdoc/>
    public override Tensor Multiply(Tensor x, Tensor? bias, Epilogue epilogue = default) => throw Missing();

    /// <inheritdoc/>
    public override Tensor Dense(Workspace workspace) => throw Missing();

    private InvalidOperationException Missing() =>
        new($"{path}: this model was built without its language-model head; it scores something else than the next token.");
}

/// <summary>A matrix of floating-point numbers, as checkpoints store it; one side may be stored as several axes, as (heads, head size).</summary>
public sealed class DenseWeight(Parameter parameter, WeightLayout layout) : Weight
{
    /// <summary>The stored matrix.</summary>
    public Parameter Parameter { get; } = parameter;

    /// <summary>How it lies: (out, in) or (in, out).</summary>
    public WeightLayout Layout { get; } = layout;

    /// <inheritdoc/>
    public override int Inputs => Layout == WeightLayout.OutIn ? Rest : Parameter.Shape[0];

    /// <inheritdoc/>
    public override int Outputs => Layout == WeightLayout.OutIn ? Parameter.Shape[0] : Rest;

    // All axes but the first, taken together.
    private int Rest => Parameter.Shape.Rank == 2 ? Parameter.Shape[1] : checked((int)(Parameter.Shape.Count / Math.Max(1, Parameter.Shape[0])));

    /// <inheritdoc/>
    public override Tensor Multiply(Tensor x, Tensor? bias, Epilogue epilogue = default)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x.Linear(Parameter.Shape.Rank == 2 ? Parameter.Value : Matrix(x.Workspace), bias, Layout, epilogue);
    }

    /// <inheritdoc/>
    public override Tensor Dense(Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        Tensor value = Matrix(workspace).ToF32();
        return Layout == WeightLayout.OutIn ? value : value.SwapAxes();
    }

    private Tensor Matrix(Workspace workspace)
    {
        Tensor value = workspace.Adopt(Parameter.Value);
        return value.Shape.Rank == 2 ? value : value.Reshape(value.Shape[0], Rest);
    }
}
