// Products with packed weights: y = x·Wᵀ and its gradient x = y·W. Which way is taken depends on the instruction set, the format and the
// precision, never on the number of rows, so that a row keeps its bits:
//
//   F32, y = x·Wᵀ, AVX512-VNNI   integers times integers, exact but for the rounding of x to 16 bits per block of 32 (ActivationBlocks)
//   else F32                      weights to floats, piece by piece, into the fp32 product
//   BF16                          weights to bf16, piece by piece, into the AMX product; without AMX as floats
//
// A decode step reads every weight once, so it runs at the speed of the memory: panels are read from front to back, in pieces that keep
// each core on a stream of its own. With more rows a few panels stay in the L2 cache while all rows pass over them.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Products with packed weights.</summary>
internal static unsafe class PackedGemm
{
    private const nint PieceBytes = 128 * 1024;
    private const int RowsPerPiece = 64;
    private const long SmallestParallel = 1 << 17;

    /// <summary>Whether a product runs on integers.</summary>
    public static bool UsesIntegers(Isa isa, in Operand weights) =>
        isa >= Isa.Avx512 && weights.Transposed && !weights.RoundToBf16 && VnniCode.Supports(weights.Format) && VnniKernels.WhyNot is null;

    /// <summary>Computes a product whose B is packed.</summary>
    /// <param name="isa">The instruction set.</param>
    /// <param name="workers">Who computes.</param>
    /// <param name="problem">The product; one, not a batch.</param>
    /// <param name="exact">Take the activations as floats, not rounded to 16 bits per block.</param>
    public static void Multiply(Isa isa, Workers workers, in GemmProblem problem, bool exact = false)
    {
        if (problem.B.RoundToBf16)
            Bf16Gemm.Multiply(isa, workers, problem);
        else if (!exact && problem.K > 0 && UsesIntegers(isa, problem.B))
            OnIntegers(workers, problem);
        else
            Gemm.Multiply(isa, workers, problem);
    }

    private static void OnIntegers(Workers workers, in GemmProblem problem)
    {
        if (problem.M <= 0 || problem.N <= 0)
            return;
        int parts = problem.K / ActivationBlocks.Values;
        nuint bytes = (nuint)problem.M * (nuint)parts * ActivationBlocks.Bytes;
        Job job = new()
        {
            Problem = problem,
            Activations = (byte*)Scratch.Get(Scratch.Slot.ProductA, bytes),
            Panels = (problem.N + PanelLayout.Rows - 1) / PanelLayout.Rows,
            PanelsPerItem = (int)Math.Max(1, PieceBytes / problem.B.RowBytes),
        };
        Run(workers, (problem.M + RowsPerPiece - 1) / RowsPerPiece, (long)problem.M * problem.K, &job, &PackRows);
        Run(workers, (job.Panels + job.PanelsPerItem - 1) / job.PanelsPerItem, (long)problem.M * problem.N * problem.K, &job, &Item);
    }

    private static void Run(Workers workers, int items, long work, Job* job, delegate*<void*, int, int, void> body)
    {
        if (work >= SmallestParallel)
        {
            workers.For(items, job, body);
            return;
        }
        // Waking a worker would take longer.
        for (int item = 0; item < items; item++)
            body(job, item, 0);
    }

    // Rows go in groups of eight, the last group is what is left; within a group the rows' blocks of one part lie side by side.
    private static void PackRows(void* context, int item, int worker)
    {
        Job* job = (Job*)context;
        GemmProblem problem = job->Problem;
        for (int m = item * RowsPerPiece; m < Math.Min((item + 1) * RowsPerPiece, problem.M); m++)
        {
            int first = m / VnniCode.MaxRows * VnniCode.MaxRows, rows = Math.Min(VnniCode.MaxRows, problem.M - first);
            byte* to = job->Group(first) + (m - first) * ActivationBlocks.Bytes;
            ActivationBlocks.Pack(problem.B.Format, (float*)(problem.A.Data + m * problem.A.RowBytes), problem.K, to, rows * ActivationBlocks.Bytes);
        }
    }

    [SkipLocalsInit]
    private static void Item(void* context, int item, int worker)
    {
        Job* job = (Job*)context;
        GemmProblem problem = job->Problem;
        BlockFormat format = problem.B.Format;
        byte* space = stackalloc byte[VnniCode.ScratchBytes + VnniCode.MaxRows * PanelLayout.Rows * sizeof(float) + 64];
        byte* scratch = (byte*)(((nint)space + 63) & ~63);
        float* sums = (float*)(scratch + VnniCode.ScratchBytes);
        VnniKernels.Prepare(format, scratch);
        nint units = problem.K / format.Weights();
        int firstPanel = item * job->PanelsPerItem, endPanel = Math.Min(firstPanel + job->PanelsPerItem, job->Panels);
        for (int m = 0; m < problem.M; m += VnniCode.MaxRows)
        {
            int rows = Math.Min(VnniCode.MaxRows, problem.M - m);
            var kernel = VnniKernels.Get(format, rows);
            for (int panel = firstPanel; panel < endPanel; panel++)
            {
                kernel(problem.B.Data + panel * problem.B.RowBytes, job->Group(m), sums, units, scratch);
                int column = panel * PanelLayout.Rows, columns = Math.Min(PanelLayout.Rows, problem.N - column);
                for (int r = 0; r < rows; r++)
                    Store(problem, m + r, column, columns, Lanes16.Load(sums + r * PanelLayout.Rows));
                problem.Finish(m, column, rows, columns);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(in GemmProblem problem, int row, int column, int columns, Lanes16 sums)
    {
        float* c = problem.C + row * problem.StrideC + column;
        if (problem.Accumulate)
            sums = Lanes16.LoadTail(c, columns) + sums;
        if (problem.Bias != null)
            sums += Lanes16.LoadTail(problem.Bias + column, columns);
        Lanes16.StoreTail(c, columns, sums);
    }

    private struct Job
    {
        public GemmProblem Problem;
        public byte* Activations;
        public int Panels;
        public int PanelsPerItem;

        public readonly byte* Group(int row) => Activations + (nint)row * (Problem.K / ActivationBlocks.Values) * ActivationBlocks.Bytes;
    }
}
