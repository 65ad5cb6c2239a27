namespace Gradus.Tensors;

/// <summary>The cells of recurrent networks, with torch's order of gates.</summary>
public enum RecurrentCell
{
    /// <summary>
    /// Long short-term memory (Hochreiter and Schmidhuber, 1997; Gers et al., 2000): i, f, o = σ, g = tanh of the sums of the products with
    /// input and hidden state; c′ = f·c + i·g, h′ = o·tanh(c′).
    /// </summary>
    Lstm,

    /// <summary>
    /// Gated recurrent unit (Cho et al., 2014), the reset gate behind the product: r, z = σ of the sums, n = tanh(xₙ + r·rₙ),
    /// h′ = (1 − z)·n + z·h.
    /// </summary>
    Gru,
}

/// <summary>What cells have in number.</summary>
public static class RecurrentCells
{
    /// <summary>Gates per unit: i, f, g, o or r, z, n.</summary>
    public static int Gates(this RecurrentCell cell) => cell == RecurrentCell.Lstm ? 4 : 3;
}

/// <summary>One step of a recurrent layer of H units with G gates for B rows.</summary>
/// <param name="Cell">The cell.</param>
/// <param name="X">(B, G·H): the input's products, gate after gate.</param>
/// <param name="R">(B, G·H): the hidden state's products.</param>
/// <param name="State">(B, H): LSTM: c; GRU: h.</param>
/// <param name="Hidden">(B, H): h′.</param>
/// <param name="Memory">(B, H): LSTM: c′; else null.</param>
/// <param name="Kept">(B, 4·H), for the derivative: LSTM: i, f, g, o; GRU: r, z, n, rₙ.</param>
public readonly record struct RecurrentCellTask(RecurrentCell Cell, Tensor X, Tensor R, Tensor State, Tensor Hidden, Tensor? Memory, Tensor Kept);

/// <summary>The backward pass of a step.</summary>
/// <param name="Cell">The cell.</param>
/// <param name="State">(B, H): as the step was given it.</param>
/// <param name="Memory">(B, H): LSTM: c′; else null.</param>
/// <param name="Kept">(B, 4·H): what the step kept.</param>
/// <param name="DHidden">(B, H): the gradient of h′.</param>
/// <param name="DState">(B, H): LSTM: the gradient of c′, which becomes that of c; GRU: becomes the gradient of h, but for R's share.</param>
/// <param name="DX">(B, G·H).</param>
/// <param name="DR">(B, G·H); for the LSTM the same memory as <paramref name="DX"/>.</param>
public readonly record struct RecurrentCellGradientTask(
    RecurrentCell Cell, Tensor State, Tensor? Memory, Tensor Kept, Tensor DHidden, Tensor DState, Tensor DX, Tensor DR);
