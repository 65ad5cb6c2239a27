// Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024): the momentum of every matrix is replaced by the
// nearest matrix with orthonormal rows or columns, found by a Newton–Schulz iteration of products alone. On request with NorMuon's
// normalization of neurons (Li et al., 2025) and cautious decay. Left out: splitting of fused query, key and value projections.

using System.ComponentModel.DataAnnotations;
using Gradus.Tensors;

namespace Gradus.Training.Optimizers;

/// <summary>Muon for the matrices within the model, AdamW for embeddings, the output layer, biases and norms.</summary>
/// <param name="LearningRate">The learning rate of matrices, &gt; 0.</param>
/// <param name="Momentum">Decay of the running mean of gradients, in [0, 1).</param>
/// <param name="Nesterov">Nesterov's momentum.</param>
/// <param name="WeightDecay">λ ≥ 0 of matrices, decoupled.</param>
/// <param name="Iterations">Newton–Schulz iterations.</param>
/// <param name="NeuronBeta">Decay of each neuron's mean square, by whose root its row of the update is divided (NorMuon); 0 for none, .95 is usual.</param>
/// <param name="CautiousDecay">Decay only weights that the update moves towards zero.</param>
/// <param name="Scale">How the update of a matrix depends on its sides.</param>
public sealed record Muon(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double LearningRate = 0.02,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Momentum = 0.95f,
    bool Nesterov = true,
    [Range(0.0, double.PositiveInfinity)] float WeightDecay = 0.1f,
    [Range(1, 20)] int Iterations = 5,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float NeuronBeta = 0,
    bool CautiousDecay = false,
    MuonScale Scale = MuonScale.Spectral)
    : OptimizerOptions(LearningRate)
{
    /// <summary>The optimizer of everything that is no matrix within the model.</summary>
    public AdamW Others { get; init; } = new(3e-3, 0.9f, 0.95f);

    /// <inheritdoc/>
    public override double RateOf(ParameterUse use) => IsMatrix(use) ? LearningRate : Others.LearningRate;

    /// <inheritdoc/>
    public override IReadOnlyList<UpdateRule> Rules(ParameterUse use = ParameterUse.Matrix)
    {
        if (!IsMatrix(use))
            return Others.Rules(use);
        List<UpdateRule> rules = [new MeanGradient(Momentum, Nesterov), new Orthogonalize(Iterations, use == ParameterUse.TransposedMatrix, Scale)];
        if (NeuronBeta > 0)
            rules.Add(new NormalizeNeurons(NeuronBeta, use == ParameterUse.TransposedMatrix));
        return [.. rules, new AddDecayedWeights(WeightDecay, cautious: CautiousDecay), new ScaleByLearningRate()];
    }

    private static bool IsMatrix(ParameterUse use) => use is ParameterUse.Matrix or ParameterUse.TransposedMatrix;
}

/// <summary>How the size of Muon's update depends on the matrix.</summary>
public enum MuonScale
{
    /// <summary>√max(1, out/in): the update's spectral norm fits any width (Jordan et al., 2024).</summary>
    Spectral,

    /// <summary>.2 · √max(out, in): the update has the root mean square of AdamW's, so that AdamW's rates can be kept (Liu et al., "Muon is Scalable for LLM Training", 2025).</summary>
    MatchAdamw,
}

/// <summary>m = βm + (1 − β)u, then m or, looking ahead, βm + (1 − β)u.</summary>
internal sealed class MeanGradient(float beta, bool nesterov) : ElementwiseRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("momentum", shape)];

    /// <inheritdoc/>
    public override UpdatePart Part(in UpdateContext context) =>
        UpdatePart.Trace(context.State[0], beta, 1 - beta, nesterov ? beta : 1, nesterov ? 1 - beta : 0);
}

/// <summary>U·Vᵀ of the update's singular value decomposition U·S·Vᵀ, nearly: the singular values end between about .7 and 1.2.</summary>
internal sealed class Orthogonalize(int iterations, bool transposed, MuonScale scale) : TensorRule
{
    /// <inheritdoc/>
    public override Tensor Apply(Tensor update, in UpdateContext context, Workspace workspace)
    {
        Tensor x = AsMatrix(update, workspace);
        (int rows, int columns) = (x.Shape[0], x.Shape[1]);
        (int outputs, int inputs) = transposed ? (columns, rows) : (rows, columns);
        Tensor result = Iterate(x, iterations, workspace);
        double factor = scale == MuonScale.Spectral ? Math.Sqrt(Math.Max(1, (double)outputs / inputs)) : 0.2 * Math.Sqrt(Math.Max(outputs, inputs));
        workspace.Device.Scale(result, (float)factor, result);
        return workspace.View(result, update.Shape, 0);
    }

    /// <summary>A parameter as a matrix: its first axis, and the others taken together.</summary>
    internal static Tensor AsMatrix(Tensor x, Workspace workspace) =>
        x.Shape.Rank == 2 ? x : workspace.View(x, new Shape(x.Shape[0], checked((int)(x.Count / Math.Max(1, x.Shape[0])))), 0);

    // X ← aX + (bA + cA²)X with A = X·Xᵀ on the shorter side; the coefficients are those of the reference implementation.
    private static Tensor Iterate(Tensor x, int iterations, Workspace w)
    {
        const float a = 3.4445f, b = -4.7750f, c = 2.0315f;
        Device device = w.Device;
        (int rows, int columns) = (x.Shape[0], x.Shape[1]);
        bool wide = rows <= columns;
        int side = Math.Min(rows, columns);
        Tensor current = w.Empty(x.Shape), next = w.Empty(x.Shape);
        device.Scale(x, (float)(1 / (Math.Sqrt(device.SumOfSquares(x)) + 1e-7)), current);
        Tensor gram = w.Empty(new Shape(side, side)), square = w.Empty(gram.Shape);
        for (int i = 0; i < iterations; i++)
        {
            device.MatMul(new MatMulTask(current, current, gram, side, side, Math.Max(rows, columns)) { TransposeA = !wide, TransposeB = wide, Precision = w.Precision });
            device.MatMul(new MatMulTask(gram, gram, square, side, side, side) { Precision = w.Precision });
            device.Scale(square, c, square);
            device.Axpy(b, gram, square);
            device.Scale(current, a, next);
            device.MatMul((wide ? new MatMulTask(square, current, next, rows, columns, side) : new MatMulTask(current, square, next, rows, columns, side)) with
            {
                Accumulate = true,
                Precision = w.Precision,
            });
            (current, next) = (next, current);
        }
        return current;
    }
}

/// <summary>Divides every neuron's row of the update by its running root mean square, then gives the whole its norm back.</summary>
internal sealed class NormalizeNeurons(float beta, bool transposed) : TensorRule
{
    private const float Epsilon = 1e-10f;

    /// <inheritdoc/>
    public override IReadOnlyList<StateTensor> State(Shape shape) => [new("neurons", new Shape(transposed ? checked((int)(shape.Count / Math.Max(1, shape[0]))) : shape[0]))];

    /// <inheritdoc/>
    public override Tensor Apply(Tensor update, in UpdateContext context, Workspace workspace)
    {
        Device device = workspace.Device;
        Tensor x = Orthogonalize.AsMatrix(update, workspace), neurons = context.State[0], squares = workspace.Empty(neurons.Shape);
        double norm = Math.Sqrt(device.SumOfSquares(x));
        if (transposed)
        {
            Tensor all = workspace.Empty(x.Shape);
            device.Binary(BinaryOp.Multiply, x, x, all);
            device.SumRows(all, squares, accumulate: false);
        }
        else
        {
            device.RowDots(x, x, squares);
        }
        float each = (1 - beta) / (x.Count / Math.Max(1, neurons.Count));
        device.Scale(neurons, beta, neurons);
        device.Axpy(each, squares, neurons);
        Tensor factors = workspace.Empty(neurons.Shape);
        Span<float> mean = neurons.Span(), factor = factors.Span();
        for (int i = 0; i < mean.Length; i++)
            factor[i] = 1 / (MathF.Sqrt(mean[i]) + Epsilon);
        if (transposed)
            device.Binary(BinaryOp.Multiply, x, factors, x);
        else
            device.ScaleRows(x, factors, x);
        double now = Math.Sqrt(device.SumOfSquares(x));
        device.Scale(x, now > 0 ? (float)(norm / now) : 0, x);
        return update;
    }
}
