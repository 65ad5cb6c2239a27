// Sums over rows. Blocks of rows are read as they lie in memory, each into a partial sum of its own; then the partial sums are added in their
// order. Where the blocks begin depends on the shape alone, and so does the order of every sum.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    private const long MostRowBlocks = 64;
    private const int LeastBlockRows = 64;

    /// <summary>Columns that are summed together: partial sums stay in the first cache.</summary>
    private const int SumColumns = 2048;

    /// <summary>Rows of a partial sum.</summary>
    private static long BlockRows(long rows, int columns) =>
        Math.Max(Math.Max(LeastBlockRows, RowsPerPiece(columns)), (rows + MostRowBlocks - 1) / MostRowBlocks);

    private struct SumJob
    {
        public float* X;
        public float* Y;
        public float* Partial;
        public long Rows;
        public int Columns;
        public bool Accumulate;

        public readonly int ColumnParts => (Columns + SumColumns - 1) / SumColumns;
    }

    public override void SumRows(Tensor x, Tensor y, bool accumulate)
    {
        SumJob job = new() { X = x.Floats, Y = y.Floats, Rows = x.Shape.Rows, Columns = x.Shape.Columns, Accumulate = accumulate };
        long blocks = (job.Rows + BlockRows(job.Rows, job.Columns) - 1) / BlockRows(job.Rows, job.Columns);
        if (blocks > 1)
        {
            job.Partial = (float*)Scratch.Get(Scratch.Slot.Kernel, (nuint)(blocks * job.Columns) * sizeof(float));
            Workers.For(checked((int)(blocks * job.ColumnParts)), &job, &PartialSumPiece);
            job = job with { X = job.Partial, Rows = blocks };
        }
        Workers.For(job.ColumnParts, &job, &SumRowsPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PartialSumPiece(void* context, int item, int worker)
    {
        SumJob* job = (SumJob*)context;
        long block = item / job->ColumnParts, piece = BlockRows(job->Rows, job->Columns), rows = Math.Min(piece, job->Rows - (block * piece));
        int start = item % job->ColumnParts * SumColumns, count = Math.Min(SumColumns, job->Columns - start);
        float* sum = job->Partial + (block * job->Columns) + start;
        new Span<float>(sum, count).Clear();
        AddRows(job->X + (block * piece * job->Columns) + start, job->Columns, rows, count, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumRowsPiece(void* context, int item, int worker)
    {
        SumJob* job = (SumJob*)context;
        int start = item * SumColumns, count = Math.Min(SumColumns, job->Columns - start);
        if (!job->Accumulate)
            new Span<float>(job->Y + start, count).Clear();
        AddRows(job->X + start, job->Columns, job->Rows, count, job->Y + start);
    }

    /// <summary>sum[c] += Σ x[r, c], each a chain over ascending r.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddRows(float* x, nint stride, long rows, int columns, float* sum)
    {
        long r = 0;
        for (; r <= rows - 8; r += 8, x += 8 * stride)
        {
            int c = 0;
            for (; c <= columns - T.Width; c += T.Width)
                AddEight<WholeLanes<T>>(x + c, stride, sum + c, T.Width);
            if (c < columns)
                AddEight<FirstLanes<T>>(x + c, stride, sum + c, columns - c);
        }
        for (; r < rows; r++, x += stride)
            MapRun(default(Plus), columns, sum, sum, x, null);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddEight<TAccess>(float* x, nint stride, float* sum, int count)
        where TAccess : ILaneAccess<T>
    {
        float* x4 = x + (4 * stride);
        T total = TAccess.Load(sum, count) + TAccess.Load(x, count) + TAccess.Load(x + stride, count);
        total = total + TAccess.Load(x + (2 * stride), count) + TAccess.Load(x + (3 * stride), count);
        total = total + TAccess.Load(x4, count) + TAccess.Load(x4 + stride, count);
        total = total + TAccess.Load(x4 + (2 * stride), count) + TAccess.Load(x4 + (3 * stride), count);
        TAccess.Store(sum, count, total);
    }
}
