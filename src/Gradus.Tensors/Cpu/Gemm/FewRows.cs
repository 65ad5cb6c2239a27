// Products with few rows of A, as in decoding: B is read once, along its rows, and nothing of it is packed. The sums are
// those of the other kernels, one chain over ascending k, so it does not matter for the bits which of them runs.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Matrix products with one to eight rows, for AVX-512.</summary>
internal static unsafe class FewRows
{
    private const nint PieceBytes = 256 * 1024;
    private const long SmallestParallel = 1 << 18;

    private const int Widths = 16;

    private static readonly nint[] Kernels = new nint[2 * (FewRowsCode.MaxRows + 1) * (Widths + 1)];
    private static readonly Lock Making = new();

    /// <summary>Whether a product can be computed here.</summary>
    public static bool Fits(in GemmProblem problem) =>
        problem.M <= FewRowsCode.MaxRows && problem.Batch == 1 && problem.N >= FewRowsCode.Columns
        && problem.K >= FewRowsCode.StepK(problem.B.IsBf16) && problem.B.Format == BlockFormat.None && (problem.B.IsBf16 || !problem.B.RoundToBf16) && !problem.A.IsBf16
        && CpuFeatures.WhyNot(Isa.Avx512) is null && ExecutableMemory.WhyNot is null;

    /// <summary>Computes a product that <see cref="Fits"/>.</summary>
    public static void Multiply(Workers workers, in GemmProblem problem)
    {
        float* x = (float*)Scratch.Get(Scratch.Slot.ProductA, (nuint)problem.M * (nuint)problem.K * sizeof(float));
        PackRows(problem, x);
        // Width 0 stands for the kernel that transposes.
        int width = problem.B.Transposed ? 0 : Math.Min(FewRowsCode.WidthFor(problem.M), problem.N / FewRowsCode.Columns);
        Job job = new() { Problem = problem, X = x, Kernel = Kernel(problem.M, width, problem.B.IsBf16), Columns = FewRowsCode.Columns * Math.Max(1, width) };
        job.GroupsPerItem = (int)Math.Max(1, PieceBytes / ((nint)job.Columns * problem.K * problem.B.ElementBytes));
        int groups = (problem.N + job.Columns - 1) / job.Columns, items = (groups + job.GroupsPerItem - 1) / job.GroupsPerItem;
        if ((long)problem.M * problem.N * problem.K >= SmallestParallel)
        {
            workers.For(items, &job, &Item);
            return;
        }
        // Waking a worker would take longer.
        for (int item = 0; item < items; item++)
            Item(&job, item, 0);
    }

    // (k, rows).
    private static void PackRows(in GemmProblem problem, float* to)
    {
        Operand a = problem.A;
        nint nextK = a.Transposed ? a.RowBytes : sizeof(float), nextRow = a.Transposed ? sizeof(float) : a.RowBytes;
        for (int m = 0; m < problem.M; m++)
        {
            byte* from = a.Data + m * nextRow;
            for (int k = 0; k < problem.K; k++)
            {
                Lanes1 value = Lanes1.Load((float*)(from + k * nextK));
                Lanes1.Store(to + (nint)k * problem.M + m, a.RoundToBf16 ? LaneFormats<Lanes1>.RoundToBf16(value) : value);
            }
        }
    }

    [SkipLocalsInit]
    private static void Item(void* context, int item, int worker)
    {
        Job* job = (Job*)context;
        GemmProblem problem = job->Problem;
        float* sums = stackalloc float[FewRowsCode.MaxRows * FewRowsCode.Columns * Widths];
        int stepK = problem.B.Transposed ? FewRowsCode.StepK(problem.B.IsBf16) : 1, steps = problem.K / stepK, columns = job->Columns;
        int first = item * job->GroupsPerItem * columns, end = Math.Min(first + job->GroupsPerItem * columns, problem.N);
        for (int column = first; column < end; column += columns)
        {
            // The last group begins early enough to be whole; what the one before has computed is not stored again.
            int start = Math.Min(column, problem.N - columns), skip = column - start;
            byte* b = problem.B.Data + start * (problem.B.Transposed ? problem.B.RowBytes : problem.B.ElementBytes);
            for (int m = 0; m < problem.M; m++)
            {
                for (int n = 0; n < columns; n += Lanes16.Width)
                    Lanes16.Store(sums + m * columns + n, problem.Accumulate ? Lanes16.Load(problem.C + m * problem.StrideC + start + n) : Lanes16.Zero);
            }
            ((delegate* unmanaged[SuppressGCTransition]<byte*, float*, nint, nint, float*, void>)job->Kernel)(b, job->X, steps, problem.B.RowBytes, sums);
            if (steps * stepK < problem.K)
                Rest(problem, b, job->X, steps * stepK, sums);
            for (int m = 0; m < problem.M; m++)
            {
                float* c = problem.C + m * problem.StrideC + start, from = sums + m * columns;
                for (int n = skip; n < columns; n++)
                    c[n] = problem.Bias == null ? from[n] : from[n] + problem.Bias[start + n];
            }
            problem.Finish(0, start + skip, problem.M, columns - skip);
        }
    }

    // The chains' last links, where K is no whole number of steps.
    private static void Rest(in GemmProblem problem, byte* b, float* x, int k, float* sums)
    {
        for (; k < problem.K; k++)
        {
            for (int n = 0; n < FewRowsCode.Columns; n++)
            {
                byte* row = b + n * problem.B.RowBytes;
                float weight = problem.B.IsBf16 ? BitConverter.Int32BitsToSingle(((ushort*)row)[k] << 16) : ((float*)row)[k];
                for (int m = 0; m < problem.M; m++)
                    sums[m * FewRowsCode.Columns + n] = MathF.FusedMultiplyAdd(x[(nint)k * problem.M + m], weight, sums[m * FewRowsCode.Columns + n]);
            }
        }
    }

    private static nint Kernel(int rows, int width, bool bf16)
    {
        ref nint kernel = ref Kernels[(rows * (Widths + 1) + width) * 2 + (bf16 ? 1 : 0)];
        if (Volatile.Read(ref kernel) == 0)
        {
            lock (Making)
            {
                if (kernel == 0)
                    Volatile.Write(ref kernel, (nint)ExecutableMemory.Load(width == 0 ? FewRowsCode.Multiply(rows, bf16) : FewRowsCode.MultiplyRows(rows, width, bf16)));
            }
        }
        return kernel;
    }

    private struct Job
    {
        public GemmProblem Problem;
        public float* X;
        public nint Kernel;
        public int Columns;
        public int GroupsPerItem;
    }
}
