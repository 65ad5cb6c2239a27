// Moves, gathers and reductions over rows and columns.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    /// <summary>Columns that one piece of a column-wise reduction covers: whole cache lines, so that threads share none.</summary>
    private const int ColumnPiece = 64;

    /// <summary>Numbers that one partial sum covers; the sum's order depends on the count alone.</summary>
    private const long SumPiece = 64 * 1024;

    private struct MoveJob
    {
        public Tensor X;
        public Tensor Y;
        public Tensor? Index;
        public int XStart;
        public int YStart;
        public int A;
        public int B;
        public int C;
        public bool Accumulate;
        public double* Partial;
    }

    public override void Convert(Tensor x, Tensor y)
    {
        MoveJob job = new() { X = x, Y = y };
        Split(x.Count, Grain, Unsafe.AsPointer(ref job), &ConvertPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ConvertPiece(void* context, int item, int worker)
    {
        ref MoveJob job = ref Unsafe.AsRef<MoveJob>(context);
        long start = item * Grain;
        int count = (int)Math.Min(Grain, job.X.Count - start);
        byte* from = (byte*)job.X.Address + (start * job.X.DType.Size()), to = (byte*)job.Y.Address + (start * job.Y.DType.Size());
        for (int i = 0; i < count; i += T.Width)
        {
            int n = Math.Min(T.Width, count - i);
            StoreAs(job.Y.DType, to, i, n, LoadAs(job.X.DType, from, i, n));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T LoadAs(DType type, void* from, long i, int n) => type switch
    {
        DType.F32 => T.LoadTail((float*)from + i, n),
        DType.BF16 => T.ShiftLeft(LaneFormats<T>.LoadBits16Tail((ushort*)from + i, n), 16),
        DType.F16 => LaneFormats<T>.FromF16Bits(LaneFormats<T>.LoadBits16Tail((ushort*)from + i, n)),
        _ => throw new NotSupportedException($"{type} is not a floating-point type to compute with."),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreAs(DType type, void* to, long i, int n, T value)
    {
        switch (type)
        {
            case DType.F32:
                T.StoreTail((float*)to + i, n, value);
                break;
            case DType.BF16:
                LaneFormats<T>.StoreBits16Tail((ushort*)to + i, n, T.ShiftRight(LaneFormats<T>.RoundToBf16(value), 16));
                break;
            case DType.F16:
                LaneFormats<T>.StoreBits16Tail((ushort*)to + i, n, LaneFormats<T>.ToF16Bits(value));
                break;
            default:
                throw new NotSupportedException($"{type} is not a floating-point type to compute with.");
        }
    }

    public override void CopyColumns(Tensor x, int xStart, Tensor y, int yStart, int columns, bool accumulate)
    {
        MoveJob job = new() { X = x, Y = y, XStart = xStart, YStart = yStart, C = columns, Accumulate = accumulate };
        Split(x.Shape.Rows, RowsPerPiece(columns), Unsafe.AsPointer(ref job), &CopyColumnsPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyColumnsPiece(void* context, int item, int worker)
    {
        ref MoveJob job = ref Unsafe.AsRef<MoveJob>(context);
        int xWidth = job.X.Shape.Columns, yWidth = job.Y.Shape.Columns;
        long piece = RowsPerPiece(job.C), end = Math.Min(job.X.Shape.Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
        {
            float* from = job.X.Floats + (r * xWidth) + job.XStart, to = job.Y.Floats + (r * yWidth) + job.YStart;
            if (job.Accumulate)
                MapRun(default(Plus), job.C, to, to, from, null);
            else
                MapRun(default(Same), job.C, to, from, null, null);
        }
    }

    public override void SwapAxes(Tensor x, Tensor y, int a, int b, int c)
    {
        MoveJob job = new() { X = x, Y = y, A = a, B = b, C = c };
        Split(b, RowsPerPiece(a * c), Unsafe.AsPointer(ref job), &SwapAxesPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SwapAxesPiece(void* context, int item, int worker)
    {
        ref MoveJob job = ref Unsafe.AsRef<MoveJob>(context);
        long piece = RowsPerPiece(job.A * job.C), end = Math.Min(job.B, (item + 1) * piece);
        for (long j = item * piece; j < end; j++)
        {
            for (long i = 0; i < job.A; i++)
            {
                float* from = job.X.Floats + (((i * job.B) + j) * job.C), to = job.Y.Floats + (((j * job.A) + i) * job.C);
                if (job.C == 1)
                    *to = *from;
                else
                    MapRun(default(Same), job.C, to, from, null, null);
            }
        }
    }

    public override void Gather(Tensor table, Tensor ids, Tensor y)
    {
        MoveJob job = new() { X = table, Y = y, Index = ids };
        Split(ids.Count, RowsPerPiece(table.Shape.Columns), Unsafe.AsPointer(ref job), &GatherPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GatherPiece(void* context, int item, int worker)
    {
        ref MoveJob job = ref Unsafe.AsRef<MoveJob>(context);
        int columns = job.X.Shape.Columns;
        long piece = RowsPerPiece(columns), end = Math.Min(job.Index!.Count, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
        {
            byte* from = (byte*)job.X.Address + ((long)job.Index.Ints[r] * columns * job.X.DType.Size());
            for (int c = 0; c < columns; c += T.Width)
            {
                int n = Math.Min(T.Width, columns - c);
                T.StoreTail(job.Y.Floats + (r * columns) + c, n, LoadAs(job.X.DType, from, c, n));
            }
        }
    }

    public override void ScatterAdd(Tensor dy, Tensor ids, Tensor table)
    {
        // Every piece adds a range of columns for all ids in turn, so each sum has the order of the ids.
        MoveJob job = new() { X = dy, Y = table, Index = ids };
        Split(table.Shape.Columns, ColumnPiece, Unsafe.AsPointer(ref job), &ScatterAddPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScatterAddPiece(void* context, int item, int worker)
    {
        ref MoveJob job = ref Unsafe.AsRef<MoveJob>(context);
        int columns = job.Y.Shape.Columns, start = item * ColumnPiece, count = Math.Min(ColumnPiece, columns - start);
        for (long r = 0; r < job.Index!.Count; r++)
        {
            if (job.Index.Ints[r] < 0)
                continue;
            float* to = job.Y.Floats + ((long)job.Index.Ints[r] * columns) + start;
            MapRun(default(Plus), count, to, to, job.X.Floats + (r * columns) + start, null);
        }
    }

    public override void PutRows(Tensor x, Tensor rows, Tensor table)
    {
        MoveJob job = new() { X = x, Y = table, Index = rows, C = checked((int)(x.Count / Math.Max(1, rows.Count))) };
        Split(rows.Count, RowsPerPiece(job.C), Unsafe.AsPointer(ref job), &PutRowsPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutRowsPiece(void* context, int item, int worker)
    {
        ref MoveJob job = ref Unsafe.AsRef<MoveJob>(context);
        long piece = RowsPerPiece(job.C), end = Math.Min(job.Index!.Count, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
            MapRun(default(Same), job.C, job.Y.Floats + ((long)job.Index.Ints[r] * job.C), job.X.Floats + (r * job.C), null, null);
    }

    public override double Sum(Tensor x)
    {
        int pieces = Pieces(x);
        double* partial = (double*)Scratch.Get(Scratch.Slot.Kernel, (nuint)(pieces + 1) * sizeof(double));
        MoveJob job = new() { X = x, Y = x, Partial = partial };
        Split(x.Count, SumPiece, Unsafe.AsPointer(ref job), &SumPieceOf);
        return Total(partial, pieces);
    }

    public override double SumOfSquares(params ReadOnlySpan<Tensor> tensors)
    {
        int pieces = 0;
        foreach (Tensor x in tensors)
            pieces += Pieces(x);
        double* partial = (double*)Scratch.Get(Scratch.Slot.Kernel, (nuint)(pieces + 1) * (nuint)(sizeof(double) + sizeof(SquaresRun)));
        SquaresRun* runs = (SquaresRun*)(partial + pieces);
        SquaresJob job = new() { Runs = runs, Partial = partial };
        foreach (Tensor x in tensors)
        {
            for (long start = 0; start < x.Count; start += SumPiece)
                *runs++ = new SquaresRun { X = x.Floats + start, Count = (int)Math.Min(SumPiece, x.Count - start) };
        }
        Workers.For(pieces, &job, &SquaresPieceOf);
        return Total(partial, pieces);
    }

    private struct SquaresJob
    {
        public SquaresRun* Runs;
        public double* Partial;
    }

    private struct SquaresRun
    {
        public float* X;
        public int Count;
    }

    private static int Pieces(Tensor x) => checked((int)((x.Count + SumPiece - 1) / SumPiece));

    private static double Total(double* partial, int pieces)
    {
        double sum = 0;
        for (int i = 0; i < pieces; i++)
            sum += partial[i];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumPieceOf(void* context, int item, int worker)
    {
        ref MoveJob job = ref Unsafe.AsRef<MoveJob>(context);
        long end = Math.Min(job.X.Count, (item + 1) * SumPiece);
        double sum = 0;
        for (long i = item * SumPiece; i < end; i++)
            sum += job.X.Floats[i];
        job.Partial[item] = sum;
    }

    // Squares are summed in float over runs of 64 registers in four chains, and in double beyond: exact enough, and as fast as memory.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SquaresPieceOf(void* context, int item, int worker)
    {
        SquaresJob* job = (SquaresJob*)context;
        float* x = job->Runs[item].X, end = x + job->Runs[item].Count;
        double sum = 0;
        while (end - x >= 4 * T.Width)
        {
            T a = T.Zero, b = T.Zero, c = T.Zero, d = T.Zero;
            for (int k = 0; k < 16 && end - x >= 4 * T.Width; k++, x += 4 * T.Width)
            {
                T first = T.Load(x), second = T.Load(x + T.Width), third = T.Load(x + 2 * T.Width), fourth = T.Load(x + 3 * T.Width);
                T.MultiplyAdd(ref a, first, first);
                T.MultiplyAdd(ref b, second, second);
                T.MultiplyAdd(ref c, third, third);
                T.MultiplyAdd(ref d, fourth, fourth);
            }
            sum += T.Sum(a + b + (c + d));
        }
        for (; x < end; x++)
            sum += (double)*x * *x;
        job->Partial[item] = sum;
    }

    public override void RowDots(Tensor a, Tensor b, Tensor y)
    {
        MoveJob job = new() { X = a, Index = b, Y = y };
        Split(a.Shape.Rows, RowsPerPiece(a.Shape.Columns), Unsafe.AsPointer(ref job), &RowDotsPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RowDotsPiece(void* context, int item, int worker)
    {
        ref MoveJob job = ref Unsafe.AsRef<MoveJob>(context);
        int columns = job.X.Shape.Columns;
        long piece = RowsPerPiece(columns), end = Math.Min(job.X.Shape.Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
            job.Y.Floats[r] = Dot(job.X.Floats + (r * columns), job.Index!.Floats + (r * columns), columns);
    }

    /// <summary>Σ a·b over a row, lane by lane, then over the lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Dot(float* a, float* b, int count)
    {
        T sum = T.Zero;
        int i = 0;
        for (; i <= count - T.Width; i += T.Width)
            sum = T.Fma(T.Load(a + i), T.Load(b + i), sum);
        if (i < count)
            sum = T.Fma(T.LoadTail(a + i, count - i), T.LoadTail(b + i, count - i), sum);
        return T.Sum(sum);
    }

    public override void ScaleRows(Tensor x, Tensor factors, Tensor y)
    {
        MoveJob job = new() { X = x, Index = factors, Y = y };
        Split(x.Shape.Rows, RowsPerPiece(x.Shape.Columns), Unsafe.AsPointer(ref job), &ScaleRowsPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleRowsPiece(void* context, int item, int worker)
    {
        ref MoveJob job = ref Unsafe.AsRef<MoveJob>(context);
        int columns = job.X.Shape.Columns;
        long piece = RowsPerPiece(columns), end = Math.Min(job.X.Shape.Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
        {
            float* x = job.X.Floats + (r * columns), y = job.Y.Floats + (r * columns);
            T factor = T.Broadcast(job.Index!.Floats[r]);
            for (int c = 0; c < columns; c += T.Width)
            {
                int n = Math.Min(T.Width, columns - c);
                T.StoreTail(y + c, n, factor * T.LoadTail(x + c, n));
            }
        }
    }

    public override void Rotate(in RotaryTask task)
    {
        RotaryJob job = new() { Task = task };
        Split(task.X.Shape[0], RowsPerPiece(task.X.Shape[1] * task.X.Shape[2]), Unsafe.AsPointer(ref job), &RotatePiece);
    }

    private struct RotaryJob
    {
        public RotaryTask Task;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RotatePiece(void* context, int item, int worker)
    {
        ref RotaryTask task = ref Unsafe.AsRef<RotaryJob>(context).Task;
        int heads = task.X.Shape[1], width = task.X.Shape[2], half = task.Cos.Shape.Columns;
        float sign = task.Inverse ? -1f : 1f;
        long piece = RowsPerPiece(heads * width), end = Math.Min(task.X.Shape[0], (item + 1) * piece);
        for (long n = item * piece; n < end; n++)
        {
            float* cos = task.Cos.Floats + ((long)task.Positions.Ints[n] * half), sin = task.Sin.Floats + ((long)task.Positions.Ints[n] * half);
            for (long h = n * heads; h < (n + 1) * heads; h++)
            {
                float* x = task.X.Floats + (h * width), y = task.Y.Floats + (h * width);
                if (task.Interleaved)
                    RotateNeighbours(x, y, cos, sin, sign, half);
                else
                    RotateHalves(x, y, cos, sin, sign, half);
                for (int i = 2 * half; i < width; i++)
                    y[i] = x[i];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RotateHalves(float* x, float* y, float* cos, float* sin, float sign, int half)
    {
        for (int i = 0; i < half; i += T.Width)
        {
            int n = Math.Min(T.Width, half - i);
            T a = T.LoadTail(x + i, n), b = T.LoadTail(x + half + i, n);
            T c = T.LoadTail(cos + i, n), s = T.LoadTail(sin + i, n) * T.Broadcast(sign);
            T.StoreTail(y + i, n, (a * c) - (b * s));
            T.StoreTail(y + half + i, n, (b * c) + (a * s));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RotateNeighbours(float* x, float* y, float* cos, float* sin, float sign, int half)
    {
        for (int i = 0; i < half; i++)
        {
            float a = x[2 * i], b = x[(2 * i) + 1], c = cos[i], s = sin[i] * sign;
            y[2 * i] = (a * c) - (b * s);
            y[(2 * i) + 1] = (b * c) + (a * s);
        }
    }
}
