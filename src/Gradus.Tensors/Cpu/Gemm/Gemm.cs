// Matrix products in fp32: C = op(A)·op(B) (+ C) (+ bias), then an element-wise epilogue. The scheme is BLIS's (Van Zee & van de Geijn,
// "BLIS: A Framework for Rapidly Instantiating BLAS Functionality", 2015): operands are packed so that the innermost loop reads them in
// order, a tile of C stays in registers over a block of k, blocks are sized by the caches.
//
// Every element of C is one chain of fused multiply-adds over ascending k, whatever the blocking, the tile's height, the number of
// threads or the rest of the batch; a second block of k goes on from what the first left in C. So a row has the same bits alone, in a
// batch, and on any number of threads, on all instruction sets of this file. Bias is added after the chain;
// the epilogue follows a panel of rows at a time, when its last block of k is done and C still in the cache.

namespace Gradus.Tensors.Cpu;

/// <summary>A matrix product to compute.</summary>
internal unsafe readonly struct GemmProblem
{
    /// <summary>Rows of op(A) and C.</summary>
    public int M { get; init; }

    /// <summary>Columns of op(B) and C.</summary>
    public int N { get; init; }

    /// <summary>Columns of op(A), rows of op(B). At 0 the product is zero.</summary>
    public int K { get; init; }

    /// <summary>The number of products.</summary>
    public int Batch { get; init; }

    /// <summary>op(A): (M, K).</summary>
    public Operand A { get; init; }

    /// <summary>op(B): (K, N).</summary>
    public Operand B { get; init; }

    /// <summary>C: (M, N), apart from A and B in memory.</summary>
    public float* C { get; init; }

    /// <summary>The distance of C's rows, in floats.</summary>
    public nint StrideC { get; init; }

    /// <summary>The distance of the Cs of a batch, in floats.</summary>
    public nint BatchStrideC { get; init; }

    /// <summary>N values added to every row, or null.</summary>
    public float* Bias { get; init; }

    /// <summary>Add to what C holds instead of replacing it.</summary>
    public bool Accumulate { get; init; }

    /// <summary>What is done to every element of C when its sum and bias are whole; its tensors lie as C does.</summary>
    public TileStep Epilogue { get; init; }

    /// <summary>The product of one entry of the batch.</summary>
    public GemmProblem OfBatch(int entry) =>
        this with { A = A.OfBatch(entry), B = B.OfBatch(entry), C = C + entry * BatchStrideC, Epilogue = Epilogue.From(entry * BatchStrideC) };

    /// <summary>The product of some columns of op(B), which lie elsewhere, into their place in C.</summary>
    public GemmProblem OfColumns(int first, int columns, in Operand b) => this with
    {
        N = columns,
        B = b,
        C = C + first,
        Bias = Bias == null ? null : Bias + first,
        Epilogue = Epilogue.From(first),
    };

    /// <summary>Runs the epilogue, if there is one, on a part of C that holds its sums.</summary>
    public void Finish(int row, int column, int rows, int columns)
    {
        nint first = row * StrideC + column;
        if (!Epilogue.IsNone)
            Epilogue.Run(C + first, StrideC, first, StrideC, rows, columns);
    }
}

/// <summary>Matrix products in fp32.</summary>
internal static unsafe class Gemm
{
    /// <summary>Computes a product, or a batch of them, on the workers. Allocates no managed memory.</summary>
    public static void Multiply(Isa isa, Workers workers, in GemmProblem problem)
    {
        if (problem.M <= 0 || problem.N <= 0 || problem.Batch <= 0)
            return;
        switch (isa)
        {
            case Isa.Scalar:
                GemmBlocks<Lanes1>.Run(workers, problem, new(4, 512));
                break;
            case Isa.Vector128:
                GemmBlocks<Lanes4>.Run(workers, problem, new(6, 512));
                break;
            case Isa.Avx2:
                GemmBlocks<Lanes8>.Run(workers, problem, new(6, 512));
                break;
            case >= Isa.Avx512 when FewRows.Fits(problem):
                FewRows.Multiply(workers, problem);
                break;
            default:
                GemmBlocks<Lanes16>.Run(workers, problem, new(14, 512));
                break;
        }
    }
}
