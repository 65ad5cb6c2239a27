// Layer norm and RMS norm, forward and backward. A row's statistics are summed lane by lane, then over the lanes.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    private struct NormJob
    {
        public float* X;
        public float* Weight;
        public float* Bias;
        public float* Y;
        public float* Mean;
        public float* Rstd;
        public float* Dy;
        public float* Dx;
        public float* DWeight;
        public float* DBias;
        public float Offset;
        public float Epsilon;
        public long Rows;
        public int Columns;
        public bool AccumulateWeight;
        public bool AccumulateBias;
    }

    public override void LayerNorm(Tensor x, Tensor? weight, Tensor? bias, float epsilon, Tensor y, Tensor mean, Tensor rstd)
    {
        NormJob job = new()
        {
            X = x.Floats,
            Weight = weight is null ? null : weight.Floats,
            Bias = bias is null ? null : bias.Floats,
            Y = y.Floats,
            Mean = mean.Floats,
            Rstd = rstd.Floats,
            Epsilon = epsilon,
            Rows = x.Shape.Rows,
            Columns = x.Shape.Columns,
        };
        Split(job.Rows, RowsPerPiece(job.Columns), &job, &LayerNormPiece);
    }

    private static void LayerNormPiece(void* context, int item, int worker)
    {
        NormJob* job = (NormJob*)context;
        int columns = job->Columns;
        long piece = RowsPerPiece(columns), end = Math.Min(job->Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
        {
            float* x = job->X + (r * columns), y = job->Y + (r * columns);
            float mean = RowSum(x, columns) / columns;
            float rstd = 1f / MathF.Sqrt((SquaredDistance(x, mean, columns) / columns) + job->Epsilon);
            job->Mean[r] = mean;
            job->Rstd[r] = rstd;
            T scale = T.Broadcast(rstd), shift = T.Broadcast(mean);
            for (int c = 0; c < columns; c += T.Width)
            {
                int n = Math.Min(T.Width, columns - c);
                T v = (T.LoadTail(x + c, n) - shift) * scale * WeightAt(job, c, n);
                T.StoreTail(y + c, n, job->Bias == null ? v : v + T.LoadTail(job->Bias + c, n));
            }
        }
    }

    public override void RmsNorm(Tensor x, Tensor? weight, float offset, float epsilon, Tensor y, Tensor rstd)
    {
        NormJob job = new()
        {
            X = x.Floats,
            Weight = weight is null ? null : weight.Floats,
            Offset = offset,
            Y = y.Floats,
            Rstd = rstd.Floats,
            Epsilon = epsilon,
            Rows = x.Shape.Rows,
            Columns = x.Shape.Columns,
        };
        Split(job.Rows, RowsPerPiece(job.Columns), &job, &RmsNormPiece);
    }

    private static void RmsNormPiece(void* context, int item, int worker)
    {
        NormJob* job = (NormJob*)context;
        int columns = job->Columns;
        long piece = RowsPerPiece(columns), end = Math.Min(job->Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
        {
            float* x = job->X + (r * columns), y = job->Y + (r * columns);
            float rstd = 1f / MathF.Sqrt((Dot(x, x, columns) / columns) + job->Epsilon);
            job->Rstd[r] = rstd;
            T scale = T.Broadcast(rstd);
            for (int c = 0; c < columns; c += T.Width)
            {
                int n = Math.Min(T.Width, columns - c);
                T.StoreTail(y + c, n, T.LoadTail(x + c, n) * scale * WeightAt(job, c, n));
            }
        }
    }

    public override void LayerNormGradient(in NormGradientTask task) => NormGradient(task);

    public override void RmsNormGradient(in NormGradientTask task) => NormGradient(task);

    private void NormGradient(in NormGradientTask task)
    {
        NormJob job = new()
        {
            X = task.X.Floats,
            Weight = task.Weight is null ? null : task.Weight.Floats,
            Offset = task.WeightOffset,
            Mean = task.Mean is null ? null : task.Mean.Floats,
            Rstd = task.Rstd.Floats,
            Dy = task.Dy.Floats,
            Dx = task.Dx is null ? null : task.Dx.Floats,
            DWeight = task.DWeight is null ? null : task.DWeight.Floats,
            DBias = task.DBias is null ? null : task.DBias.Floats,
            AccumulateWeight = task.AccumulateWeight,
            AccumulateBias = task.AccumulateBias,
            Rows = task.X.Shape.Rows,
            Columns = task.X.Shape.Columns,
        };
        if (job.Dx != null)
            Split(job.Rows, RowsPerPiece(job.Columns), &job, &NormInputGradientPiece);
        if (job.DWeight != null || job.DBias != null)
            Split(job.Columns, ColumnPiece, &job, &NormWeightGradientPiece);
    }

    // x̂ = (x − μ)/σ, g = dy·w:  dx = (g − mean(g) − x̂·mean(g·x̂))/σ; without a mean the middle term falls away.
    private static void NormInputGradientPiece(void* context, int item, int worker)
    {
        NormJob* job = (NormJob*)context;
        int columns = job->Columns;
        long piece = RowsPerPiece(columns), end = Math.Min(job->Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
        {
            float* x = job->X + (r * columns), dy = job->Dy + (r * columns), dx = job->Dx + (r * columns);
            T mean = T.Broadcast(job->Mean == null ? 0f : job->Mean[r]), rstd = T.Broadcast(job->Rstd[r]);
            T sumG = T.Zero, sumGx = T.Zero;
            for (int c = 0; c < columns; c += T.Width)
            {
                // Lanes beyond the row have dy = 0 and add nothing.
                int n = Math.Min(T.Width, columns - c);
                T g = T.LoadTail(dy + c, n) * WeightAt(job, c, n), normal = (T.LoadTail(x + c, n) - mean) * rstd;
                sumG += g;
                sumGx = T.Fma(g, normal, sumGx);
            }
            T meanG = T.Broadcast(job->Mean == null ? 0f : T.Sum(sumG) / columns), meanGx = T.Broadcast(T.Sum(sumGx) / columns);
            for (int c = 0; c < columns; c += T.Width)
            {
                int n = Math.Min(T.Width, columns - c);
                T g = T.LoadTail(dy + c, n) * WeightAt(job, c, n), normal = (T.LoadTail(x + c, n) - mean) * rstd;
                T.StoreTail(dx + c, n, (g - meanG - (normal * meanGx)) * rstd);
            }
        }
    }

    // dw = Σ_rows dy·x̂,  db = Σ_rows dy, for a range of columns.
    private static void NormWeightGradientPiece(void* context, int item, int worker)
    {
        NormJob* job = (NormJob*)context;
        int columns = job->Columns, last = Math.Min(columns, (item + 1) * ColumnPiece);
        for (int c = item * ColumnPiece; c < last; c += T.Width)
        {
            int n = Math.Min(T.Width, last - c);
            T dw = job->AccumulateWeight ? T.LoadTail(job->DWeight + c, n) : T.Zero;
            T db = job->AccumulateBias ? T.LoadTail(job->DBias + c, n) : T.Zero;
            for (long r = 0; r < job->Rows; r++)
            {
                T dy = T.LoadTail(job->Dy + (r * columns) + c, n);
                T shift = T.Broadcast(job->Mean == null ? 0f : job->Mean[r]);
                dw = T.Fma(dy, (T.LoadTail(job->X + (r * columns) + c, n) - shift) * T.Broadcast(job->Rstd[r]), dw);
                db += dy;
            }
            if (job->DWeight != null)
                T.StoreTail(job->DWeight + c, n, dw);
            if (job->DBias != null)
                T.StoreTail(job->DBias + c, n, db);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T WeightAt(NormJob* job, int c, int n) =>
        job->Weight == null ? T.Broadcast(1f) : T.LoadTail(job->Weight + c, n) + T.Broadcast(job->Offset);

    private static float RowSum(float* x, int count)
    {
        T sum = T.Zero;
        for (int i = 0; i < count; i += T.Width)
            sum += T.LoadTail(x + i, Math.Min(T.Width, count - i));
        return T.Sum(sum);
    }

    private static float SquaredDistance(float* x, float from, int count)
    {
        T sum = T.Zero, center = T.Broadcast(from);
        int i = 0;
        for (; i <= count - T.Width; i += T.Width)
        {
            T d = T.Load(x + i) - center;
            sum = T.Fma(d, d, sum);
        }
        float total = T.Sum(sum);
        for (; i < count; i++)
            total += (x[i] - from) * (x[i] - from);
        return total;
    }
}
