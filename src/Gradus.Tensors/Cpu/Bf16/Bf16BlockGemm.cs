// Matrix products in bf16 with fp32 sums on AMX tiles or AVX512-BF16 pairs. Both operands are packed first, all workers together, then blocks
// of C are shared out; packed weights are unpacked into the panels of such a block only, which stay in the L2 cache while all rows pass. A
// row's sums run over ascending k in pairs, whatever the blocking, the other rows and the number of threads; so its bits are the same alone
// or in a batch. TDPBF16PS rounds to nearest even and takes subnormals as zero, whatever the control register says.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Matrix products with <see cref="Bf16Kernels"/>.</summary>
internal static unsafe partial class Bf16BlockGemm
{
    // A panel of A over 512 k, 32 KB, stays in the L1 cache while panels of B pass; two of them and their sums stay in L2 beside 512 columns
    // of B over 1,024 k.
    private const int BlockSteps = 16;
    private const int OuterSteps = 32;
    private const int RowGroup = 2 * Bf16Pack.Lines;
    private const int BlockColumnPanels = 16;
    private const int PackLines = 4 * Bf16Pack.Lines;
    private const int PackElements = 1 << 15;
    private const long SmallestItem = 1 << 22;
    private const int BlockSpace = Bf16Pack.Lines * Bf16Pack.Lines + 16;

    /// <summary>Elements of all panels of an operand.</summary>
    public static long PanelElements(int lines, int k) =>
        (long)((lines + Bf16Pack.Lines - 1) / Bf16Pack.Lines) * Bf16Pack.Steps(k) * Bf16Pack.StepElements;

    /// <summary>Packs a whole operand.</summary>
    public static void Pack(Workers workers, in Operand operand, bool alongLines, bool pairsFirst, int lines, int k, ushort* to)
    {
        PackJob job = new() { Operand = operand, AlongLines = alongLines, PairsFirst = pairsFirst, Lines = lines, K = k, To = to };
        if (alongLines && operand.Format == BlockFormat.None)
            workers.For((Bf16Pack.Steps(k) + job.Steps - 1) / job.Steps, &job, &PackSteps);
        else
            workers.For((lines + PackLines - 1) / PackLines, &job, &PackPanels);
    }

    /// <summary>Computes a product, or a batch of them, with operands rounded to bf16.</summary>
    /// <param name="kernels">On what.</param>
    /// <param name="workers">Who computes.</param>
    /// <param name="problem">The product.</param>
    /// <param name="panels">B's panels, which stand for problem.B; null packs B now.</param>
    public static void Multiply(Bf16Kernels kernels, Workers workers, in GemmProblem problem, Bf16Panels? panels = null)
    {
        if (problem.M <= 0 || problem.N <= 0 || problem.Batch <= 0)
            return;
        if (problem.K == 0)
        {
            Gemm.Multiply(Isa.Avx512, workers, problem);
            return;
        }
        if (panels is not null && (panels.N != problem.N || panels.K != problem.K || problem.Batch != 1))
            throw new ArgumentException($"The panels are of a ({panels.K}, {panels.N}) operand, the product needs ({problem.K}, {problem.N}), once.", nameof(panels));
        if (panels is null && problem.M > Bf16Pack.Lines && problem.B.Format == BlockFormat.None && (problem.Batch == 1 || problem.B.BatchStride != 0))
        {
            for (int entry = 0; entry < problem.Batch; entry++)
                Stream(kernels, workers, problem.OfBatch(entry));
            return;
        }
        ushort* a = (ushort*)Scratch.Get(Scratch.Slot.ProductA, (nuint)PanelElements(problem.M, problem.K) * sizeof(ushort));
        if (panels is null && problem.M <= Bf16Pack.Lines)
        {
            Thin(kernels, workers, problem, a);
            return;
        }
        if (panels is null && problem.B.Format != BlockFormat.None)
        {
            Pack(workers, problem.A, problem.A.Transposed, pairsFirst: false, problem.M, problem.K, a);
            MultiplyPacked(kernels, workers, problem, a, null);
            return;
        }
        ushort* b = panels is not null ? panels.Data : (ushort*)Scratch.Get(Scratch.Slot.ProductB, (nuint)PanelElements(problem.N, problem.K) * sizeof(ushort));
        for (int entry = 0; entry < problem.Batch; entry++)
        {
            GemmProblem one = problem.OfBatch(entry);
            Pack(workers, one.A, one.A.Transposed, pairsFirst: false, one.M, one.K, a);
            if (panels is null && entry == 0)
                Pack(workers, one.B, !one.B.Transposed, pairsFirst: true, one.N, one.K, b);
            MultiplyPacked(kernels, workers, one, a, b);
        }
    }

    // Few rows: a panel of B is used once, right after it was packed, and never leaves the cache.
    private static void Thin(in Bf16Kernels kernels, Workers workers, in GemmProblem problem, ushort* a)
    {
        for (int entry = 0; entry < problem.Batch; entry++)
        {
            Job job = new() { Kernels = kernels, Problem = problem.OfBatch(entry), A = a };
            Pack(workers, job.Problem.A, job.Problem.A.Transposed, pairsFirst: false, problem.M, problem.K, a);
            workers.For((problem.N + Bf16Pack.Lines - 1) / Bf16Pack.Lines, &job, &ThinPanel);
        }
    }

    private static void ThinPanel(void* context, int item, int worker)
    {
        Job* job = (Job*)context;
        GemmProblem problem = job->Problem;
        int column = item * Bf16Pack.Lines, columns = Math.Min(Bf16Pack.Lines, problem.N - column);
        ushort* b = (ushort*)Scratch.Get(Scratch.Slot.ProductB, (nuint)PanelElements(Bf16Pack.Lines, problem.K) * sizeof(ushort));
        Bf16Pack.Panels(problem.B, !problem.B.Transposed, pairsFirst: true, column, column + columns, problem.K, b);
        job->Kernels.Configure();
        LastBlock(job->Kernels, problem, job->A, b, 0, column, problem.M, columns, Bf16Pack.Steps(problem.K), problem.Accumulate);
        job->Kernels.Release();
    }

    private static void MultiplyPacked(in Bf16Kernels kernels, Workers workers, in GemmProblem problem, ushort* a, ushort* b)
    {
        Job job = new() { Kernels = kernels, Problem = problem, A = a, B = b, RowItems = 1 };
        int rowPanels = (problem.M + Bf16Pack.Lines - 1) / Bf16Pack.Lines, columnPanels = (problem.N + Bf16Pack.Lines - 1) / Bf16Pack.Lines;
        job.ColumnItems = (columnPanels + BlockColumnPanels - 1) / BlockColumnPanels;
        long work = (long)problem.M * problem.N * problem.K;
        long wanted = workers.Count == 1 ? 1 : Math.Min(4L * workers.Count, work / SmallestItem);
        while ((long)job.RowItems * job.ColumnItems < wanted && (job.RowItems < rowPanels || job.ColumnItems < columnPanels))
        {
            // Without panels every item unpacks its columns, so those are cut first.
            if (job.RowItems < rowPanels && (job.ColumnItems == columnPanels || (b != null && problem.M / job.RowItems > problem.N / job.ColumnItems)))
                job.RowItems++;
            else
                job.ColumnItems++;
        }
        workers.For(job.RowItems * job.ColumnItems, &job, &Item);
    }

    private static void PackPanels(void* context, int item, int worker)
    {
        PackJob* job = (PackJob*)context;
        int line = item * PackLines;
        ushort* to = job->To + (nint)(line / Bf16Pack.Lines) * Bf16Pack.Steps(job->K) * Bf16Pack.StepElements;
        Bf16Pack.Panels(job->Operand, job->AlongLines, job->PairsFirst, line, Math.Min(line + PackLines, job->Lines), job->K, to);
    }

    private static void PackSteps(void* context, int item, int worker)
    {
        PackJob* job = (PackJob*)context;
        int step = item * job->Steps, end = Math.Min(step + job->Steps, Bf16Pack.Steps(job->K));
        Bf16Pack.StepsAlongLines(job->Operand, job->PairsFirst, 0, job->Lines, job->K, step, end, job->To);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Item(void* context, int item, int worker)
    {
        Job* job = (Job*)context;
        GemmProblem problem = job->Problem;
        (int firstRow, int endRow) = Part(problem.M, item / job->ColumnItems, job->RowItems);
        (int firstColumn, int endColumn) = Part(problem.N, item % job->ColumnItems, job->ColumnItems);
        int steps = Bf16Pack.Steps(problem.K);
        nint panel = (nint)steps * Bf16Pack.StepElements;
        nint unpackedBytes = (nint)((endColumn - firstColumn + Bf16Pack.Lines - 1) / Bf16Pack.Lines) * Math.Min(steps, OuterSteps) * Bf16Pack.StepElements * sizeof(ushort);
        ushort* unpacked = job->B == null ? (ushort*)Scratch.Get(Scratch.Slot.ProductB, (nuint)unpackedBytes) : null;
        job->Kernels.Configure();
        for (int outer = 0; outer < steps; outer += OuterSteps)
        {
            int outerSteps = Math.Min(OuterSteps, steps - outer);
            if (unpacked != null)
                Bf16Pack.Unpack(problem.B, !problem.B.Transposed, pairsFirst: true, firstColumn, endColumn, outer * Bf16Pack.StepK, Math.Min((outer + outerSteps) * Bf16Pack.StepK, problem.K), unpacked);
            ushort* b = unpacked != null ? unpacked : job->B + firstColumn / Bf16Pack.Lines * panel + (nint)outer * Bf16Pack.StepElements;
            for (int rows = firstRow; rows < endRow; rows += RowGroup)
            {
                for (int step = outer; step < Math.Min(outer + OuterSteps, steps); step += BlockSteps)
                {
                    Range range = new()
                    {
                        FirstRow = rows,
                        EndRow = Math.Min(rows + RowGroup, endRow),
                        FirstColumn = firstColumn,
                        EndColumn = endColumn,
                        Step = step,
                        Count = Math.Min(BlockSteps, steps - step),
                        Last = step + BlockSteps >= steps,
                        B = b + (nint)(step - outer) * Bf16Pack.StepElements,
                        PanelB = unpacked != null ? (nint)outerSteps * Bf16Pack.StepElements : panel,
                    };
                    Blocks(job, range, panel);
                }
            }
        }
        job->Kernels.Release();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks(Job* job, Range range, nint panel)
    {
        GemmProblem problem = job->Problem;
        bool load = range.Step > 0 || problem.Accumulate;
        for (int row = range.FirstRow; row < range.EndRow; row += Bf16Pack.Lines)
        {
            int lines = Math.Min(range.EndRow - row, Bf16Pack.Lines);
            ushort* a = job->A + row / Bf16Pack.Lines * panel + (nint)range.Step * Bf16Pack.StepElements;
            ushort* b = range.B;
            for (int column = range.FirstColumn; column < range.EndColumn; column += Bf16Pack.Lines, b += range.PanelB)
            {
                int columns = Math.Min(range.EndColumn - column, Bf16Pack.Lines);
                if (range.Last)
                    LastBlock(job->Kernels, problem, a, b, row, column, lines, columns, range.Count, load);
                else
                    Block(job->Kernels, a, b, problem.C + row * problem.StrideC + column, problem.StrideC, lines, columns, range.Count, load);
            }
        }
    }

    private static (int First, int End) Part(int size, int part, int parts)
    {
        long panels = (size + Bf16Pack.Lines - 1) / Bf16Pack.Lines;
        long first = panels * part / parts * Bf16Pack.Lines, end = panels * (part + 1) / parts * Bf16Pack.Lines;
        return ((int)Math.Min(first, size), (int)Math.Min(end, size));
    }

    private static void Block(in Bf16Kernels kernels, ushort* a, ushort* b, float* c, nint strideC, int lines, int columns, int steps, bool load)
    {
        bool twoRows = lines > 16;
        if (columns == Bf16Pack.Lines && lines is 16 or Bf16Pack.Lines)
            kernels.Multiply(twoRows, a, b, c, strideC, steps, load);
        else
            EdgeBlock(kernels, a, b, c, strideC, lines, columns, steps, load);
    }

    // A block over C's edge is computed beside C.
    [SkipLocalsInit]
    private static void EdgeBlock(in Bf16Kernels kernels, ushort* a, ushort* b, float* c, nint strideC, int lines, int columns, int steps, bool load)
    {
        float* space = stackalloc float[BlockSpace], block = Aligned(space);
        BlockBeside(kernels, a, b, block, c, strideC, lines, columns, steps, load);
        nint bytes = (nint)columns * sizeof(float);
        for (int r = 0; r < lines; r++)
            Buffer.MemoryCopy(block + r * Bf16Pack.Lines, c + r * strideC, bytes, bytes);
    }

    private static void BlockBeside(in Bf16Kernels kernels, ushort* a, ushort* b, float* block, float* c, nint strideC, int lines, int columns, int steps, bool load)
    {
        nint bytes = (nint)columns * sizeof(float);
        for (int r = 0; r < lines && load; r++)
            Buffer.MemoryCopy(c + r * strideC, block + r * Bf16Pack.Lines, bytes, bytes);
        kernels.Multiply(lines > 16, a, b, block, Bf16Pack.Lines, steps, load);
    }

    // The sums are whole with this block. With an epilogue they never are in C: it takes them there.
    [SkipLocalsInit]
    private static void LastBlock(in Bf16Kernels kernels, in GemmProblem problem, ushort* a, ushort* b, int row, int column, int lines, int columns, int steps, bool load)
    {
        nint first = row * problem.StrideC + column;
        float* bias = problem.Bias == null ? null : problem.Bias + column;
        if (problem.Epilogue.IsNone)
        {
            Block(kernels, a, b, problem.C + first, problem.StrideC, lines, columns, steps, load);
            if (bias != null)
                AddBias(problem.C + first, problem.StrideC, bias, lines, columns);
            return;
        }
        float* space = stackalloc float[BlockSpace], block = Aligned(space);
        BlockBeside(kernels, a, b, block, problem.C + first, problem.StrideC, lines, columns, steps, load);
        if (bias != null)
            AddBias(block, Bf16Pack.Lines, bias, lines, columns);
        problem.Epilogue.Run(block, Bf16Pack.Lines, first, problem.StrideC, lines, columns);
    }

    private static float* Aligned(float* space) => (float*)(((nint)space + 63) & ~63);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddBias(float* c, nint strideC, float* bias, int lines, int columns)
    {
        int first = Math.Min(columns, 16), second = columns - first;
        Lanes16 low = Lanes16.LoadTail(bias, first), high = Lanes16.LoadTail(bias + first, second);
        for (int r = 0; r < lines; r++, c += strideC)
        {
            Lanes16.StoreTail(c, first, Lanes16.LoadTail(c, first) + low);
            Lanes16.StoreTail(c + first, second, Lanes16.LoadTail(c + first, second) + high);
        }
    }

    private struct PackJob
    {
        public Operand Operand;
        public bool AlongLines;
        public bool PairsFirst;
        public int Lines;
        public int K;
        public ushort* To;

        /// <summary>Steps of k that make about <see cref="PackElements"/> elements of all lines.</summary>
        public readonly int Steps => Math.Max(1, PackElements / (Bf16Pack.StepK * Math.Max(1, Lines)));
    }

    private struct Range
    {
        public int FirstRow;
        public int EndRow;
        public int FirstColumn;
        public int EndColumn;
        public int Step;
        public int Count;
        public bool Last;
        public ushort* B;
        public nint PanelB;
    }

    private struct Job
    {
        public Bf16Kernels Kernels;
        public GemmProblem Problem;
        public ushort* A;
        public ushort* B;
        public int RowItems;
        public int ColumnItems;
    }
}
