using Gradus.Tensors.Packed;

namespace Gradus.Tensors;

/// <summary>
/// Where tensors live and are computed. A device implements some tens of operations on tensors whose shapes the caller has
/// checked; <see cref="ReferenceDevice"/> is their specification, slow and obvious, and the oracle of every kernel test.
/// </summary>
/// <remarks>
/// Conventions: outputs are given and written whole; with <c>accumulate</c> the result is added to what is there.
/// Sums run in an order fixed by the shapes alone. Rows are all axes but the last, columns the last.
/// </remarks>
public abstract partial class Device
{
    /// <summary>A name for messages: <c>cpu (avx512)</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Whether tensors lie in memory that the host can read.</summary>
    public abstract bool IsHost { get; }

    /// <summary>How it multiplies matrices fastest; never <see cref="Precision.Auto"/>.</summary>
    public virtual Precision FastPrecision => Precision.F32;

    /// <summary>Takes memory, aligned to at least 64 bytes.</summary>
    protected internal abstract nint Allocate(long bytes);

    /// <summary>Gives memory back.</summary>
    protected internal abstract void Free(nint address, long bytes);

    /// <summary>Fills memory with NaN bits, for tests.</summary>
    protected internal abstract void Poison(nint address, long bytes);

    // Moves

    /// <summary>All bytes zero.</summary>
    public abstract void Clear(Tensor y);

    /// <summary>y = value everywhere.</summary>
    public abstract void Fill(Tensor y, float value);

    /// <summary>Converts between F32, BF16 and F16; rounds to nearest even.</summary>
    public abstract void Convert(Tensor x, Tensor y);

    /// <summary>Copies (or adds) a block of columns: y[r, yStart + c] = x[r, xStart + c] for all rows and c &lt; columns.</summary>
    public abstract void CopyColumns(Tensor x, int xStart, Tensor y, int yStart, int columns, bool accumulate);

    /// <summary>y = x with axes 0 and 1 swapped: (A, B, C) → (B, A, C).</summary>
    public abstract void SwapAxes(Tensor x, Tensor y, int a, int b, int c);

    // Element-wise

    /// <summary>y = a ∘ b; b has a's shape, or one row (or one element) that is repeated.</summary>
    public abstract void Binary(BinaryOp op, Tensor a, Tensor b, Tensor y);

    /// <summary>y = αx.</summary>
    public abstract void Scale(Tensor x, float alpha, Tensor y);

    /// <summary>y[r, c] = s[r] · x[r, c].</summary>
    public abstract void ScaleRows(Tensor x, Tensor factors, Tensor y);

    /// <summary>y += αx.</summary>
    public abstract void Axpy(float alpha, Tensor x, Tensor y);

    /// <summary>y = f(x).</summary>
    public abstract void Activate(Activation f, Tensor x, Tensor y);

    /// <summary>dx = dy · f′(x).</summary>
    public abstract void ActivateGradient(Activation f, Tensor x, Tensor dy, Tensor dx);

    /// <summary>y = f(gate) · up.</summary>
    public abstract void Gate(Activation f, Tensor gate, Tensor up, Tensor y);

    /// <summary>dgate = dy · up · f′(gate), dup = dy · f(gate).</summary>
    public abstract void GateGradient(Activation f, Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp);

    /// <summary>Zeroes elements with the given probability and scales the others by 1/(1 − p); which ones depends on the key and the index alone.</summary>
    public abstract void Dropout(Tensor x, float probability, ulong key, Tensor y);

    // Reductions

    /// <summary>y[c] = Σ_r x[r, c].</summary>
    public abstract void SumRows(Tensor x, Tensor y, bool accumulate);

    /// <summary>Σ x, in double precision.</summary>
    public abstract double Sum(Tensor x);

    /// <summary>Σ x² over all given tensors, in double precision.</summary>
    public abstract double SumOfSquares(params ReadOnlySpan<Tensor> tensors);

    /// <summary>y[r] = Σ_c a[r, c] · b[r, c].</summary>
    public abstract void RowDots(Tensor a, Tensor b, Tensor y);

    // Matrix products

    /// <summary>C = op(A) · op(B) (+ bias row) (+ C), then the task's epilogue.</summary>
    public abstract void MatMul(in MatMulTask task);

    /// <summary>The shape, in bytes, of the memory in which this device keeps a packed matrix.</summary>
    public abstract Shape PackedShape(PackedMatrix matrix);

    /// <summary>Whether this device keeps the blocks of a format as files have them, row after row.</summary>
    public abstract bool KeepsPackedRows(PackedFormat format);

    /// <summary>Stores rows of blocks, as files have them, from a row on.</summary>
    public abstract void PutPackedRows(ReadOnlySpan<byte> blocks, PackedMatrix matrix, int row);

    /// <summary>The inverse of <see cref="PutPackedRows"/>.</summary>
    public abstract void GetPackedRows(PackedMatrix matrix, int row, Span<byte> blocks);

    /// <summary>y = the weights of a packed matrix.</summary>
    public abstract void Unpack(PackedMatrix matrix, Tensor y);

    /// <summary>C = A · op(B) (+ bias row) (+ C) with packed B, then the task's epilogue.</summary>
    public abstract void MatMulPacked(in PackedMatMulTask task);

    // Rows

    /// <summary>y[i] = table[ids[i]], rows of C values; the table may be F32, BF16 or F16.</summary>
    public abstract void Gather(Tensor table, Tensor ids, Tensor y);

    /// <summary>table[ids[i]] += dy[i]. Rows of negative ids are left out.</summary>
    public abstract void ScatterAdd(Tensor dy, Tensor ids, Tensor table);

    /// <summary>table[rows[i]] = x[i], for rows of equal length along axis 0 of x; no two rows are the same.</summary>
    public abstract void PutRows(Tensor x, Tensor rows, Tensor table);

    /// <summary>Softmax (or its logarithm) of every row.</summary>
    public abstract void Softmax(Tensor x, Tensor y, bool log);

    /// <summary>From y = softmax(x) (or its logarithm): dx.</summary>
    public abstract void SoftmaxGradient(Tensor y, Tensor dy, Tensor dx, bool log);

    /// <summary>y[r] = log Σ_c exp(x[r, c]); −∞ for a row of nothing but −∞.</summary>
    public abstract void LogSumExp(Tensor x, Tensor y);

    /// <summary>From y = logsumexp(x): dx[r, c] = exp(x[r, c] − y[r]) · dy[r].</summary>
    public abstract void LogSumExpGradient(Tensor x, Tensor y, Tensor dy, Tensor dx);

    /// <summary>y = (x − mean)/√(var + ε) · w + b, keeping mean and 1/√(var + ε) of every row.</summary>
    public abstract void LayerNorm(Tensor x, Tensor? weight, Tensor? bias, float epsilon, Tensor y, Tensor mean, Tensor rstd);

    /// <summary>dx of <see cref="LayerNorm"/>, and dw, db (added to where asked).</summary>
    public abstract void LayerNormGradient(in NormGradientTask task);

    /// <summary>y = x/√(mean(x²) + ε) · (w + offset), keeping 1/√(mean(x²) + ε) of every row.</summary>
    public abstract void RmsNorm(Tensor x, Tensor? weight, float offset, float epsilon, Tensor y, Tensor rstd);

    /// <summary>dx of <see cref="RmsNorm"/>, and dw.</summary>
    public abstract void RmsNormGradient(in NormGradientTask task);

    /// <summary>Losses and log-sum-exps of rows of logits: loss[r] = lse[r] − logits[r, target[r]], 0 where the target is negative.</summary>
    public abstract void CrossEntropy(in CrossEntropyTask task);

    /// <summary>dlogits = (softmax(logits) − onehot(target)) · dloss[r], from a column of the whole row on; may be the memory of the logits.</summary>
    public abstract void CrossEntropyGradient(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dLosses, Tensor dLogits, int firstColumn);

    // Attention

    /// <summary>Rotary position embedding: turns pairs of the first values of every head by the angle of the row's position.</summary>
    public abstract void Rotate(in RotaryTask task);

    /// <summary>Softmax(scale · QKᵀ + masks) · V for ragged sequences, and the log-sum-exp of every query and head.</summary>
    public abstract void Attention(in AttentionTask task);

    /// <summary>dQ, dK, dV of <see cref="Attention"/>.</summary>
    public abstract void AttentionGradient(in AttentionGradientTask task);

    // Recurrence

    /// <summary>One step of a recurrent layer, for rows that are each at their own step.</summary>
    public abstract void RecurrentCell(in RecurrentCellTask task);

    /// <summary>From the gradient of the new hidden states: those of the gates' sums and of what the step began with.</summary>
    public abstract void RecurrentCellGradient(in RecurrentCellGradientTask task);

    // Optimizer

    /// <summary>One optimizer step of all given tensors, each of them and of what its parts remember read and written once.</summary>
    public abstract void Update(ReadOnlySpan<UpdateTask> tasks);
}

/// <summary>Element-wise operations of two tensors.</summary>
public enum BinaryOp
{
    /// <summary>a + b.</summary>
    Add,

    /// <summary>a − b.</summary>
    Subtract,

    /// <summary>a · b.</summary>
    Multiply,

    /// <summary>a / b.</summary>
    Divide,
}

/// <summary>A (batched) matrix product: C(b, M, N) = op(A) · op(B) + bias (+ C).</summary>
/// <param name="A">(M, K), or (K, M) if transposed; may be BF16 or F16.</param>
/// <param name="B">(K, N), or (N, K) if transposed; may be BF16 or F16.</param>
/// <param name="C">(M, N).</param>
/// <param name="M">Rows of C.</param>
/// <param name="N">Columns of C.</param>
/// <param name="K">Length of the sums.</param>
public readonly record struct MatMulTask(Tensor A, Tensor B, Tensor C, int M, int N, int K)
{
    /// <summary>A is stored (K, M).</summary>
    public bool TransposeA { get; init; }

    /// <summary>B is stored (N, K).</summary>
    public bool TransposeB { get; init; }

    /// <summary>Products of equal shape that lie behind each other.</summary>
    public int Batch { get; init; } = 1;

    /// <summary>A row of N values added to every row of C, or null.</summary>
    public Tensor? Bias { get; init; }

    /// <summary>Add to what C holds.</summary>
    public bool Accumulate { get; init; }

    /// <summary>What becomes of the sums.</summary>
    public Epilogue Epilogue { get; init; }

    /// <summary>How A and B are rounded.</summary>
    public Precision Precision { get; init; }
}

/// <summary>A product with packed weights: C(M, N) = A · op(B) + bias (+ C).</summary>
/// <param name="A">(M, K), F32.</param>
/// <param name="B">(K, N), or (N, K) if transposed.</param>
/// <param name="C">(M, N).</param>
/// <param name="M">Rows of A and C.</param>
public readonly record struct PackedMatMulTask(Tensor A, PackedMatrix B, Tensor C, int M)
{
    /// <summary>B is stored (N, K).</summary>
    public bool TransposeB { get; init; }

    /// <summary>A row of N values added to every row of C, or null.</summary>
    public Tensor? Bias { get; init; }

    /// <summary>Add to what C holds.</summary>
    public bool Accumulate { get; init; }

    /// <summary>What becomes of the sums.</summary>
    public Epilogue Epilogue { get; init; }

    /// <summary>How A and the unpacked B are rounded.</summary>
    public Precision Precision { get; init; }
}

/// <summary>The backward pass of a normalization.</summary>
/// <param name="X">The input, (rows, C).</param>
/// <param name="Rstd">1/σ of every row.</param>
/// <param name="Dy">The output's gradient, (rows, C).</param>
/// <param name="Dx">The input's gradient, or null if none is wanted.</param>
public readonly record struct NormGradientTask(Tensor X, Tensor Rstd, Tensor Dy, Tensor? Dx)
{
    /// <summary>The mean of every row (layer norm).</summary>
    public Tensor? Mean { get; init; }

    /// <summary>The scale, (C), or null for ones.</summary>
    public Tensor? Weight { get; init; }

    /// <summary>Added to the scale: 1 in the Gemma family.</summary>
    public float WeightOffset { get; init; }

    /// <summary>The scale's gradient, or null.</summary>
    public Tensor? DWeight { get; init; }

    /// <summary>Add to <see cref="DWeight"/>.</summary>
    public bool AccumulateWeight { get; init; }

    /// <summary>The bias's gradient, or null.</summary>
    public Tensor? DBias { get; init; }

    /// <summary>Add to <see cref="DBias"/>.</summary>
    public bool AccumulateBias { get; init; }
}

/// <summary>Rotary embedding of every head of every row.</summary>
/// <param name="X">(N, H, D).</param>
/// <param name="Cos">(positions, R/2), R ≤ D the number of turned values.</param>
/// <param name="Sin">(positions, R/2).</param>
/// <param name="Positions">(N), I32: the row of the tables for each token.</param>
/// <param name="Y">(N, H, D).</param>
/// <param name="Interleaved">Pairs are (2i, 2i + 1) rather than (i, i + R/2).</param>
/// <param name="Inverse">Turn backwards: the derivative.</param>
public readonly record struct RotaryTask(Tensor X, Tensor Cos, Tensor Sin, Tensor Positions, Tensor Y, bool Interleaved, bool Inverse);

/// <summary>Attention over ragged sequences.</summary>
/// <param name="Q">(N, H, D).</param>
/// <param name="K">(M, Hkv, D), or pages (P, pageSize, Hkv, D).</param>
/// <param name="V">As K.</param>
/// <param name="Y">(N, H, D).</param>
/// <param name="LogSumExp">(N, H).</param>
/// <param name="Layout">Which rows belong together.</param>
/// <param name="Options">Scale and masks.</param>
public readonly record struct AttentionTask(
    Tensor Q, Tensor K, Tensor V, Tensor Y, Tensor LogSumExp, AttentionLayout Layout, AttentionOptions Options)
{
    /// <summary>Slopes of linear position biases (ALiBi), (H), or null.</summary>
    public Tensor? Slopes { get; init; }

    /// <summary>How the products may round Q, K, V and the probabilities; sums and the softmax are in F32.</summary>
    public Precision Precision { get; init; }

    /// <summary>Values added to the scores: (H, longest queries, longest keys), or (H, 2R − 1) by distance; or null.</summary>
    public Tensor? Bias { get; init; }

    /// <summary>Where <see cref="Q"/>, <see cref="K"/> and <see cref="V"/> are one and the same tensor: what lies where in its rows. Gradients lie likewise.</summary>
    public FusedHeads? Fused { get; init; }

    /// <summary>H.</summary>
    public int Heads => Fused?.Heads ?? Q.Shape[1];

    /// <summary>Hkv.</summary>
    public int KeyValueHeads => Fused?.KeyValueHeads ?? K.Shape[-2];

    /// <summary>Values of a query and of a key, D.</summary>
    public int Width => Fused?.Width ?? Q.Shape[2];

    /// <summary>Values of a value.</summary>
    public int ValueWidth => Fused?.Width ?? V.Shape[-1];

    /// <summary>Where queries lie in <see cref="Q"/> or in its gradient.</summary>
    internal HeadRows QueriesOf(Tensor x) => Fused?.Queries(x) ?? new HeadRows(x);

    /// <summary>Where keys lie in <see cref="K"/> or in its gradient.</summary>
    internal HeadRows KeysOf(Tensor x) => Fused?.Keys(x) ?? new HeadRows(x);

    /// <summary>Where values lie in <see cref="V"/> or in its gradient.</summary>
    internal HeadRows ValuesOf(Tensor x) => Fused?.Values(x) ?? new HeadRows(x);

    /// <summary>Where in <see cref="Bias"/> the values of a query begin: that of key j stands j further.</summary>
    /// <param name="head">The head.</param>
    /// <param name="query">Index of the query within its sequence.</param>
    /// <param name="position">Its position among the keys.</param>
    internal long BiasStart(int head, int query, int position) => Bias!.Shape.Rank == 2
        ? ((long)head * Bias.Shape[1]) + (Bias.Shape[1] / 2) - position
        : (((long)head * Bias.Shape[1]) + query) * Bias.Shape[2];
}

/// <summary>The backward pass of attention.</summary>
/// <param name="Forward">What the forward pass was given and made.</param>
/// <param name="Dy">(N, H, D).</param>
/// <param name="Dq">(N, H, D).</param>
/// <param name="Dk">(M, Hkv, D).</param>
/// <param name="Dv">(M, Hkv, D).</param>
public readonly record struct AttentionGradientTask(AttentionTask Forward, Tensor Dy, Tensor Dq, Tensor Dk, Tensor Dv)
{
    /// <summary>The bias's gradient, or null.</summary>
    public Tensor? DBias { get; init; }
}

/// <summary>The cross-entropy of rows of logits, whole or a block of columns at a time.</summary>
/// <param name="Logits">(N, columns).</param>
/// <param name="Targets">(N), I32: columns of the whole row; negative where the row does not count.</param>
/// <param name="Losses">(N); final after the last block.</param>
/// <param name="LogSumExp">(N); written after the last block.</param>
public readonly record struct CrossEntropyTask(Tensor Logits, Tensor Targets, Tensor Losses, Tensor LogSumExp)
{
    /// <summary>
    /// Sums are taken over this many columns at a time, counted from the beginning of the whole row, so that they do not depend on how it is cut.
    /// </summary>
    public const int BlockColumns = 1024;

    /// <summary>The column of the whole row with which the logits begin, a multiple of <see cref="BlockColumns"/>.</summary>
    public int FirstColumn { get; init; }

    /// <summary>(N, 2), from one block to the next: the largest logit x so far, and Σ exp(logit − x). Null where rows come whole.</summary>
    public Tensor? State { get; init; }

    /// <summary>Whether the rows end with this block.</summary>
    public bool Last { get; init; } = true;
}
