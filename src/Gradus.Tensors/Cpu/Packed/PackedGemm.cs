// Products with packed weights: y = x·Wᵀ and its gradient x = y·W. Which way is taken depends on the instruction set, the format and the
// precision, never on the number of rows, so that a row keeps its bits:
//
//   F32, y = x·Wᵀ    integers times integers, exact but for the rounding of x to 16 bits per block of 32 (ActivationBlocks): the same bits on
//                    every instruction set. Formats without panels as below.
//   else F32         weights to floats, piece by piece, into the fp32 product
//   BF16             weights to bf16, piece by piece, into the AMX product; without AMX as floats
//
// A decode step reads every weight once, so it runs at the speed of the memory: panels are read from front to back, in pieces that keep
// each core on a stream of its own. With more rows a few panels stay in the L2 cache while all rows pass over them.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Products with packed weights.</summary>
internal static unsafe class PackedGemm
{
    private const int MaxRows = VnniCode.MaxRows;
    private const nint PieceBytes = 128 * 1024;
    private const int RowsPerPiece = 64;
    private const long SmallestParallel = 1 << 17;

    /// <summary>Whether a product runs on integers.</summary>
    public static bool UsesIntegers(in Operand weights) => weights.Transposed && !weights.RoundToBf16 && weights.Format.HasPanels();

    /// <summary>Computes a product whose B is packed.</summary>
    /// <param name="isa">The instruction set.</param>
    /// <param name="workers">Who computes.</param>
    /// <param name="problem">The product; one, not a batch.</param>
    /// <param name="exact">Take the activations as floats, not rounded to 16 bits per block.</param>
    public static void Multiply(Isa isa, Workers workers, in GemmProblem problem, bool exact = false)
    {
        if (problem.B.RoundToBf16)
            Bf16Gemm.Multiply(isa, workers, problem);
        else if (!exact && problem.K > 0 && UsesIntegers(problem.B))
            OnIntegers(IntegerKernels.Of(isa), workers, problem);
        else
            Gemm.Multiply(isa, workers, problem);
    }

    /// <summary>Computes a product on integers, at least one of them.</summary>
    public static void OnIntegers(IntegerKernel kernel, Workers workers, in GemmProblem problem)
    {
        if (problem.M <= 0 || problem.N <= 0)
            return;
        switch (kernel)
        {
            case IntegerKernel.Scalar:
                OnIntegers<Lanes1>(kernel, workers, problem);
                break;
            case IntegerKernel.Vector128 or IntegerKernel.ArmDot:
                OnIntegers<Lanes4>(kernel, workers, problem);
                break;
            case IntegerKernel.Avx2 or IntegerKernel.AvxVnni:
                OnIntegers<Lanes8>(kernel, workers, problem);
                break;
            default:
                OnIntegers<Lanes16>(kernel, workers, problem);
                break;
        }
    }

    private static void OnIntegers<T>(IntegerKernel kernel, Workers workers, in GemmProblem problem)
        where T : unmanaged, ILanes<T>
    {
        int parts = problem.K / ActivationBlocks.Values;
        nuint bytes = (nuint)problem.M * (nuint)parts * ActivationBlocks.Bytes;
        Job job = new()
        {
            Kernel = kernel,
            Problem = problem,
            Activations = (byte*)Scratch.Get(Scratch.Slot.ProductA, bytes),
            Panels = (problem.N + PanelLayout.Rows - 1) / PanelLayout.Rows,
            PanelsPerItem = (int)Math.Max(1, PieceBytes / problem.B.RowBytes),
        };
        Run(workers, (problem.M + RowsPerPiece - 1) / RowsPerPiece, (long)problem.M * problem.K, &job, &PackRows<T>);
        Run(workers, (job.Panels + job.PanelsPerItem - 1) / job.PanelsPerItem, (long)problem.M * problem.N * problem.K, &job, &Item<T>);
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
    private static void PackRows<T>(void* context, int item, int worker)
        where T : unmanaged, ILanes<T>
    {
        Job* job = (Job*)context;
        GemmProblem problem = job->Problem;
        ActivationForm form = IntegerKernels.Form(job->Kernel, problem.B.Format);
        for (int m = item * RowsPerPiece; m < Math.Min((item + 1) * RowsPerPiece, problem.M); m++)
        {
            int first = m / MaxRows * MaxRows, rows = Math.Min(MaxRows, problem.M - first);
            byte* to = job->Group(first) + (m - first) * ActivationBlocks.Bytes;
            ActivationBlocks<T>.Pack(problem.B.Format, form, (float*)(problem.A.Data + m * problem.A.RowBytes), problem.K, to, rows * ActivationBlocks.Bytes);
        }
    }

    [SkipLocalsInit]
    private static void Item<T>(void* context, int item, int worker)
        where T : unmanaged, ILanes<T>
    {
        Job* job = (Job*)context;
        GemmProblem problem = job->Problem;
        byte* space = stackalloc byte[ProductScratch.Bytes + MaxRows * PanelLayout.Rows * sizeof(float) + 64];
        byte* scratch = (byte*)(((nint)space + 63) & ~63);
        float* sums = (float*)(scratch + ProductScratch.Bytes);
        BlockFormat format = problem.B.Format;
        nint units = problem.K / format.Weights();
        ProductScratch.Prepare(format, scratch);
        int firstPanel = item * job->PanelsPerItem, endPanel = Math.Min(firstPanel + job->PanelsPerItem, job->Panels);
        for (int m = 0; m < problem.M; m += MaxRows)
        {
            int rows = Math.Min(MaxRows, problem.M - m);
            for (int panel = firstPanel; panel < endPanel; panel++)
            {
                if (format == BlockFormat.NF4Double)
                {
                    float* scales = (float*)Scratch.Get(Scratch.Slot.ProductWindow, (nuint)(units * PanelLayout.Rows * sizeof(float)));
                    PanelDoubleScales.Panel(problem.B, panel, units, scales);
                    *(float**)(scratch + ProductScratch.ScalesOffset) = scales;
                }
                byte* weights = problem.B.Data + panel * problem.B.RowBytes;
                IntegerKernels.Multiply(job->Kernel, format, weights, job->Group(m), rows, sums, units, scratch);
                int column = panel * PanelLayout.Rows, columns = Math.Min(PanelLayout.Rows, problem.N - column);
                for (int r = 0; r < rows; r++)
                    Store<T>(problem, m + r, column, columns, sums + r * PanelLayout.Rows);
                problem.Finish(m, column, rows, columns);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<T>(in GemmProblem problem, int row, int column, int columns, float* sums)
        where T : unmanaged, ILanes<T>
    {
        float* c = problem.C + row * problem.StrideC + column;
        for (int i = 0; i < columns; i += T.Width)
        {
            T value = T.Load(sums + i);
            if (problem.Accumulate)
                value = T.LoadTail(c + i, columns - i) + value;
            if (problem.Bias != null)
                value += T.LoadTail(problem.Bias + column + i, columns - i);
            T.StoreTail(c + i, columns - i, value);
        }
    }

    private struct Job
    {
        public IntegerKernel Kernel;
        public GemmProblem Problem;
        public byte* Activations;
        public int Panels;
        public int PanelsPerItem;

        public readonly byte* Group(int row) => Activations + (nint)row * (Problem.K / ActivationBlocks.Values) * ActivationBlocks.Bytes;
    }
}
