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
        public float* Partial;
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
            Normalize(job, x, y, T.Broadcast(mean), T.Broadcast(rstd));
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
            Normalize(job, x, y, T.Zero, T.Broadcast(rstd));
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
        long rows = BlockRows(job.Rows, job.Columns);
        int blocks = checked((int)((job.Rows + rows - 1) / rows));
        bool sums = job.DWeight != null || job.DBias != null;
        if (sums)
            job.Partial = (float*)Scratch.Get(Scratch.Slot.Kernel, (nuint)(2L * blocks * job.Columns) * sizeof(float));
        Workers.For(blocks, &job, &NormGradientPiece);
        if (job.DWeight != null)
            AddPartialSums(job.Partial, blocks, job.Columns, job.DWeight, job.AccumulateWeight);
        if (job.DBias != null)
            AddPartialSums(job.Partial + job.Columns, blocks, job.Columns, job.DBias, job.AccumulateBias);
    }

    // Partial sums of weights and biases lie in turn.
    private static void AddPartialSums(float* partial, int blocks, int columns, float* sum, bool accumulate)
    {
        if (!accumulate)
            new Span<float>(sum, columns).Clear();
        AddRows(partial, 2 * columns, blocks, columns, sum);
    }

    // x̂ = (x − μ)/σ, g = dy·w:  dx = (g − mean(g) − x̂·mean(g·x̂))/σ; without a mean the middle term falls away.  dw = Σ_rows dy·x̂,  db = Σ_rows dy.
    // Not at once optimized: without a profile the JIT keeps the sums in memory, and the loop takes a half more.
    private static void NormGradientPiece(void* context, int item, int worker)
    {
        NormJob* job = (NormJob*)context;
        int columns = job->Columns, whole = columns / T.Width * T.Width;
        long piece = BlockRows(job->Rows, columns), end = Math.Min(job->Rows, (item + 1) * piece);
        float* dw = job->Partial == null ? null : job->Partial + (2L * item * columns), db = dw + columns;
        if (dw != null)
            new Span<float>(dw, 2 * columns).Clear();
        for (long r = item * piece; r < end; r++)
        {
            NormRow row = new(job, r);
            T sumG = T.Zero, sumGx = T.Zero;
            for (int c = 0; c < whole; c += T.Width)
                NormSums<WholeLanes<T>>(row, c, T.Width, ref sumG, ref sumGx, dw, db);
            if (whole < columns)
                NormSums<FirstLanes<T>>(row, whole, columns - whole, ref sumG, ref sumGx, dw, db);
            if (job->Dx == null)
                continue;
            T meanG = T.Broadcast(job->Mean == null ? 0f : T.Sum(sumG) / columns), meanGx = T.Broadcast(T.Sum(sumGx) / columns);
            for (int c = 0; c < whole; c += T.Width)
                NormInputGradient<WholeLanes<T>>(row, c, T.Width, meanG, meanGx, job->Dx + (r * columns));
            if (whole < columns)
                NormInputGradient<FirstLanes<T>>(row, whole, columns - whole, meanG, meanGx, job->Dx + (r * columns));
        }
    }

    /// <summary>One row of a norm's backward pass.</summary>
    private readonly struct NormRow(NormJob* job, long r)
    {
        public readonly float* X = job->X + (r * job->Columns);
        public readonly float* Dy = job->Dy + (r * job->Columns);
        public readonly float* Weight = job->Weight;
        public readonly T Offset = T.Broadcast(job->Offset);
        public readonly T Mean = T.Broadcast(job->Mean == null ? 0f : job->Mean[r]);
        public readonly T Rstd = T.Broadcast(job->Rstd[r]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void NormSums<TAccess>(in NormRow row, int c, int n, ref T sumG, ref T sumGx, float* dw, float* db)
        where TAccess : ILaneAccess<T>
    {
        // Lanes beyond the row have dy = 0 and add nothing.
        T dy = TAccess.Load(row.Dy + c, n), normal = (TAccess.Load(row.X + c, n) - row.Mean) * row.Rstd;
        T g = row.Weight == null ? dy : dy * (TAccess.Load(row.Weight + c, n) + row.Offset);
        sumG += g;
        sumGx = T.Fma(g, normal, sumGx);
        if (dw == null)
            return;
        TAccess.Store(dw + c, n, T.Fma(dy, normal, TAccess.Load(dw + c, n)));
        TAccess.Store(db + c, n, dy + TAccess.Load(db + c, n));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void NormInputGradient<TAccess>(in NormRow row, int c, int n, T meanG, T meanGx, float* dx)
        where TAccess : ILaneAccess<T>
    {
        T dy = TAccess.Load(row.Dy + c, n), normal = (TAccess.Load(row.X + c, n) - row.Mean) * row.Rstd;
        T g = row.Weight == null ? dy : dy * (TAccess.Load(row.Weight + c, n) + row.Offset);
        TAccess.Store(dx + c, n, (g - meanG - (normal * meanGx)) * row.Rstd);
    }

    // y = (x − shift)·scale·w + b
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Normalize(NormJob* job, float* x, float* y, T shift, T scale)
    {
        int columns = job->Columns, whole = columns / T.Width * T.Width;
        for (int c = 0; c < whole; c += T.Width)
            Normalize<WholeLanes<T>>(job, x + c, y + c, c, T.Width, shift, scale);
        if (whole < columns)
            Normalize<FirstLanes<T>>(job, x + whole, y + whole, whole, columns - whole, shift, scale);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Normalize<TAccess>(NormJob* job, float* x, float* y, int c, int n, T shift, T scale)
        where TAccess : ILaneAccess<T>
    {
        T v = (TAccess.Load(x, n) - shift) * scale;
        if (job->Weight != null)
            v *= TAccess.Load(job->Weight + c, n) + T.Broadcast(job->Offset);
        TAccess.Store(y, n, job->Bias == null ? v : v + TAccess.Load(job->Bias + c, n));
    }

    // Four sums side by side, so that no addition waits for the one before.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float RowSum(float* x, int count)
    {
        T a = T.Zero, b = T.Zero, c = T.Zero, d = T.Zero;
        int i = 0;
        for (; i <= count - (4 * T.Width); i += 4 * T.Width)
        {
            a += T.Load(x + i);
            b += T.Load(x + i + T.Width);
            c += T.Load(x + i + (2 * T.Width));
            d += T.Load(x + i + (3 * T.Width));
        }
        for (; i < count; i += T.Width)
            a += T.LoadTail(x + i, Math.Min(T.Width, count - i));
        return T.Sum(a + b + (c + d));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float SquaredDistance(float* x, float from, int count)
    {
        T a = T.Zero, b = T.Zero, c = T.Zero, d = T.Zero, center = T.Broadcast(from);
        int i = 0;
        for (; i <= count - (4 * T.Width); i += 4 * T.Width)
        {
            AddSquare(ref a, T.Load(x + i) - center);
            AddSquare(ref b, T.Load(x + i + T.Width) - center);
            AddSquare(ref c, T.Load(x + i + (2 * T.Width)) - center);
            AddSquare(ref d, T.Load(x + i + (3 * T.Width)) - center);
        }
        for (; i <= count - T.Width; i += T.Width)
            AddSquare(ref a, T.Load(x + i) - center);
        float total = T.Sum(a + b + (c + d));
        for (; i < count; i++)
            total += (x[i] - from) * (x[i] - from);
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddSquare(ref T sum, T v) => sum = T.Fma(v, v, sum);
}
