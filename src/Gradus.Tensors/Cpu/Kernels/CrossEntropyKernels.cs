// Cross-entropy over rows that may come a block of columns at a time: the log-sum-exp goes along with the largest value and the sum so far
// (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018), a stretch of columns at a time that stays in the L1 cache.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    private struct CrossEntropyJob
    {
        public float* X;
        public int* Targets;
        public float* Losses;
        public float* LogSumExp;
        public float* State;
        public float* Y;
        public long Rows;
        public int Columns;
        public int FirstColumn;
        public bool Last;
    }

    public override void CrossEntropy(in CrossEntropyTask task)
    {
        CrossEntropyJob job = new()
        {
            X = task.Logits.Floats,
            Targets = task.Targets.Ints,
            Losses = task.Losses.Floats,
            LogSumExp = task.LogSumExp.Floats,
            State = task.State is { } state ? state.Floats : null,
            Rows = task.Logits.Shape.Rows,
            Columns = task.Logits.Shape.Columns,
            FirstColumn = task.FirstColumn,
            Last = task.Last,
        };
        Split(job.Rows, RowsPerPiece(job.Columns), &job, &CrossEntropyPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CrossEntropyPiece(void* context, int item, int worker)
    {
        CrossEntropyJob* job = (CrossEntropyJob*)context;
        long piece = RowsPerPiece(job->Columns), end = Math.Min(job->Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
        {
            float* x = job->X + (r * job->Columns);
            bool first = job->FirstColumn == 0;
            float largest = first ? float.NegativeInfinity : job->State[2 * r], sum = first ? 0 : job->State[(2 * r) + 1];
            for (int c = 0; c < job->Columns; c += CrossEntropyTask.BlockColumns)
                AddExponentials(x + c, Math.Min(CrossEntropyTask.BlockColumns, job->Columns - c), ref largest, ref sum);
            float loss = first ? 0 : job->Losses[r];
            int target = job->Targets[r];
            if (target >= job->FirstColumn && target < job->FirstColumn + job->Columns)
                loss -= x[target - job->FirstColumn];
            if (job->State != null)
                (job->State[2 * r], job->State[(2 * r) + 1]) = (largest, sum);
            if (job->Last)
            {
                job->LogSumExp[r] = float.IsNegativeInfinity(largest) ? largest : largest + MathF.Log(sum);
                loss += job->LogSumExp[r];
            }
            job->Losses[r] = target < 0 ? 0f : loss;
        }
    }

    /// <summary>Takes a stretch into (x, Σ exp(value − x)), x the largest value.</summary>
    private static void AddExponentials(float* x, int count, ref float largest, ref float sum)
    {
        float max = MathF.Max(largest, RowMax(x, count));
        if (float.IsNegativeInfinity(max))
            return;
        if (max != largest)
            sum *= MathF.Exp(largest - max);
        largest = max;
        T shift = T.Broadcast(max), a = T.Zero, b = T.Zero;
        int i = 0;
        for (; i <= count - (2 * T.Width); i += 2 * T.Width)
        {
            a += LaneMath<T>.Exp(T.Load(x + i) - shift);
            b += LaneMath<T>.Exp(T.Load(x + i + T.Width) - shift);
        }
        sum += T.Sum(a + b);
        // A lane beyond the end would count as exp(0).
        float* tail = stackalloc float[16];
        for (; i < count; i += T.Width)
        {
            T.Store(tail, LaneMath<T>.Exp(T.LoadTail(x + i, Math.Min(T.Width, count - i)) - shift));
            for (int k = 0; k < Math.Min(T.Width, count - i); k++)
                sum += tail[k];
        }
    }

    public override void CrossEntropyGradient(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dLosses, Tensor dLogits, int firstColumn)
    {
        CrossEntropyJob job = new()
        {
            X = logits.Floats,
            Targets = targets.Ints,
            Losses = dLosses.Floats,
            LogSumExp = logSumExp.Floats,
            Y = dLogits.Floats,
            Rows = logits.Shape.Rows,
            Columns = logits.Shape.Columns,
            FirstColumn = firstColumn,
        };
        Split(job.Rows, RowsPerPiece(job.Columns), &job, &CrossEntropyGradientPiece);
    }

    // dlogits = (softmax − onehot)·dloss
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CrossEntropyGradientPiece(void* context, int item, int worker)
    {
        CrossEntropyJob* job = (CrossEntropyJob*)context;
        int columns = job->Columns;
        long piece = RowsPerPiece(columns), end = Math.Min(job->Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
        {
            float* x = job->X + (r * columns), dx = job->Y + (r * columns);
            int target = job->Targets[r];
            if (target < 0)
            {
                new Span<float>(dx, columns).Clear();
                continue;
            }
            ScaledSoftmax(x, job->LogSumExp[r], job->Losses[r], columns, dx);
            if (target >= job->FirstColumn && target < job->FirstColumn + columns)
                dx[target - job->FirstColumn] -= job->Losses[r];
        }
    }
}
