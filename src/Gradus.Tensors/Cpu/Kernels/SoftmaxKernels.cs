// Softmax over rows.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    private struct SoftmaxJob
    {
        public float* X;
        public float* Y;
        public float* Dy;
        public float* LogSumExp;
        public long Rows;
        public int Columns;
        public bool Log;
    }

    public override void Softmax(Tensor x, Tensor y, bool log)
    {
        SoftmaxJob job = new() { X = x.Floats, Y = y.Floats, Rows = x.Shape.Rows, Columns = x.Shape.Columns, Log = log };
        Split(job.Rows, RowsPerPiece(job.Columns), &job, &SoftmaxPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxPiece(void* context, int item, int worker)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        int columns = job->Columns;
        long piece = RowsPerPiece(columns), end = Math.Min(job->Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
        {
            float* x = job->X + (r * columns), y = job->Y + (r * columns);
            if (job->Log)
                MapRun(new MinusScalar(RowLogSumExp(x, columns)), columns, y, x, null, null);
            else
                SoftmaxRow(x, columns, y);
        }
    }

    // y = exp(x − max), then y/Σ y.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxRow(float* x, int columns, float* y)
    {
        float max = RowMax(x, columns);
        T shift = T.Broadcast(max), sum = T.Zero;
        int c = 0;
        for (; c <= columns - T.Width; c += T.Width)
        {
            T p = LaneMath<T>.Exp(T.Load(x + c) - shift);
            sum += p;
            T.Store(y + c, p);
        }
        if (c < columns)
        {
            // Read again, the lanes behind the row are zeros: they change no bit of the sum, as masked columns behind a shorter row do not.
            T.StoreTail(y + c, columns - c, LaneMath<T>.Exp(T.LoadTail(x + c, columns - c) - shift));
            sum += T.LoadTail(y + c, columns - c);
        }
        MapRun(new Times(1f / T.Sum(sum)), columns, y, y, null, null);
    }

    private readonly struct MinusScalar(float value) : IMap<T>
    {
        public T Apply(T a, T b, T c) => a - T.Broadcast(value);
    }

    public override void SoftmaxGradient(Tensor y, Tensor dy, Tensor dx, bool log)
    {
        SoftmaxJob job = new() { X = y.Floats, Dy = dy.Floats, Y = dx.Floats, Rows = y.Shape.Rows, Columns = y.Shape.Columns, Log = log };
        Split(job.Rows, RowsPerPiece(job.Columns), &job, &SoftmaxGradientPiece);
    }

    // dx = y·(dy − Σ y·dy); of the logarithm: dx = dy − exp(y)·Σ dy.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxGradientPiece(void* context, int item, int worker)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        int columns = job->Columns;
        long piece = RowsPerPiece(columns), end = Math.Min(job->Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
        {
            float* y = job->X + (r * columns), dy = job->Dy + (r * columns), dx = job->Y + (r * columns);
            T sum = T.Broadcast(job->Log ? RowSum(dy, columns) : Dot(y, dy, columns));
            for (int c = 0; c < columns; c += T.Width)
            {
                int n = Math.Min(T.Width, columns - c);
                T p = T.LoadTail(y + c, n), d = T.LoadTail(dy + c, n);
                T.StoreTail(dx + c, n, job->Log ? d - (LaneMath<T>.Exp(p) * sum) : p * (d - sum));
            }
        }
    }

    public override void LogSumExp(Tensor x, Tensor y)
    {
        SoftmaxJob job = new() { X = x.Floats, LogSumExp = y.Floats, Rows = x.Shape.Rows, Columns = x.Shape.Columns };
        Split(job.Rows, RowsPerPiece(job.Columns), &job, &LogSumExpPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LogSumExpPiece(void* context, int item, int worker)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        long piece = RowsPerPiece(job->Columns), end = Math.Min(job->Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
            job->LogSumExp[r] = RowLogSumExp(job->X + (r * job->Columns), job->Columns);
    }

    public override void LogSumExpGradient(Tensor x, Tensor y, Tensor dy, Tensor dx)
    {
        SoftmaxJob job = new() { X = x.Floats, LogSumExp = y.Floats, Dy = dy.Floats, Y = dx.Floats, Rows = x.Shape.Rows, Columns = x.Shape.Columns };
        Split(job.Rows, RowsPerPiece(job.Columns), &job, &LogSumExpGradientPiece);
    }

    // dx = exp(x − y)·dy
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LogSumExpGradientPiece(void* context, int item, int worker)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        long piece = RowsPerPiece(job->Columns), end = Math.Min(job->Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
            ScaledSoftmax(job->X + (r * job->Columns), job->LogSumExp[r], job->Dy[r], job->Columns, job->Y + (r * job->Columns));
    }

    // y = exp(x − lse)·scale
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaledSoftmax(float* x, float logSumExp, float scale, int columns, float* y)
    {
        T shift = T.Broadcast(logSumExp), factor = T.Broadcast(scale);
        for (int c = 0; c < columns; c += T.Width)
        {
            int n = Math.Min(T.Width, columns - c);
            T.StoreTail(y + c, n, LaneMath<T>.Exp(T.LoadTail(x + c, n) - shift) * factor);
        }
    }

    /// <summary>log Σ exp(x), through the largest value so that nothing overflows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float RowLogSumExp(float* x, int count)
    {
        float max = RowMax(x, count);
        if (float.IsNegativeInfinity(max))
            return max;
        T shift = T.Broadcast(max), sum = T.Zero;
        int i = 0;
        for (; i <= count - T.Width; i += T.Width)
            sum += LaneMath<T>.Exp(T.Load(x + i) - shift);
        float total = T.Sum(sum);
        if (i < count)
        {
            T last = LaneMath<T>.Exp(T.LoadTail(x + i, count - i) - shift);
            float* tail = stackalloc float[16];
            T.Store(tail, last);
            for (int k = 0; k < count - i; k++)
                total += tail[k];
        }
        return max + MathF.Log(total);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float RowMax(float* x, int count)
    {
        T max = T.Broadcast(float.NegativeInfinity), other = max;
        int i = 0;
        for (; i <= count - (2 * T.Width); i += 2 * T.Width)
        {
            max = T.Max(max, T.Load(x + i));
            other = T.Max(other, T.Load(x + i + T.Width));
        }
        for (; i <= count - T.Width; i += T.Width)
            max = T.Max(max, T.Load(x + i));
        max = T.Max(max, other);
        float largest = T.LargestLane(max);
        for (; i < count; i++)
            largest = MathF.Max(largest, x[i]);
        return largest;
    }
}
