using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Nn;

/// <summary>A matrix of block-quantized numbers, (out, in). It is never trained, but gradients flow through it to the layer's input (QLoRA).</summary>
/// <param name="matrix">The matrix.</param>
/// <param name="copyOf">The parameter that it was made from, where other layers still use that; else null.</param>
public sealed class PackedWeight(PackedMatrix matrix, Parameter? copyOf = null) : Weight
{
    /// <summary>The blocks.</summary>
    public PackedMatrix Matrix { get; } = matrix;

    /// <summary>The parameter of which this is a copy, or null: an output head that is tied to the embedding table.</summary>
    public Parameter? CopyOf { get; } = copyOf;

    /// <summary>Whether these are the blocks of an embedding table, or a copy of it.</summary>
    internal bool IsOf(Embedding layer) => layer.Packed == Matrix || (CopyOf is { } parameter && layer.Uses(parameter));

    /// <inheritdoc/>
    public override int Inputs => Matrix.Columns;

    /// <inheritdoc/>
    public override int Outputs => Matrix.Rows;

    /// <inheritdoc/>
    public override Tensor Multiply(Tensor x, Tensor? bias, Epilogue epilogue = default)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x.Linear(Matrix, bias, epilogue);
    }

    /// <inheritdoc/>
    public override Tensor Dense(Workspace workspace) => Matrix.Dense(workspace);
}
