// Element-wise functions of one to three inputs. A function is a struct, so that the JIT makes one loop of it for every width.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Gradus.Tensors.Cpu;

/// <summary>An element-wise function; inputs that a caller has not got are zero.</summary>
internal interface IMap<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>f(a, b, c).</summary>
    T Apply(T a, T b, T c);
}

internal sealed unsafe partial class CpuDevice<T>
{
    private struct MapJob<TMap>
        where TMap : unmanaged, IMap<T>
    {
        public float* A;
        public float* B;
        public float* C;
        public float* Y;
        public long Count;
        public TMap Map;
    }

    private void Map<TMap>(TMap map, long count, float* y, float* a, float* b = null, float* c = null)
        where TMap : unmanaged, IMap<T>
    {
        MapJob<TMap> job = new() { A = a, B = b, C = c, Y = y, Count = count, Map = map };
        Split(count, Grain, &job, &MapPiece<TMap>);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MapPiece<TMap>(void* context, int item, int worker)
        where TMap : unmanaged, IMap<T>
    {
        MapJob<TMap>* job = (MapJob<TMap>*)context;
        long start = item * Grain;
        int count = (int)Math.Min(Grain, job->Count - start);
        MapRun(job->Map, count, job->Y + start, Offset(job->A, start), Offset(job->B, start), Offset(job->C, start));
    }

    private static float* Offset(float* p, long start) => p == null ? null : p + start;

    /// <summary>y[i] = f(a[i], b[i], c[i]); a missing input reads as zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MapRun<TMap>(TMap map, int count, float* y, float* a, float* b, float* c)
        where TMap : unmanaged, IMap<T>
    {
        int i = 0;
        for (; i <= count - T.Width; i += T.Width)
        {
            T va = T.Load(a + i);
            T vb = b == null ? T.Zero : T.Load(b + i);
            T vc = c == null ? T.Zero : T.Load(c + i);
            T.Store(y + i, map.Apply(va, vb, vc));
        }
        if (i < count)
        {
            int rest = count - i;
            T va = T.LoadTail(a + i, rest);
            T vb = b == null ? T.Zero : T.LoadTail(b + i, rest);
            T vc = c == null ? T.Zero : T.LoadTail(c + i, rest);
            T.StoreTail(y + i, rest, map.Apply(va, vb, vc));
        }
    }

    public override void Clear(Tensor y) => NativeMemory.Clear((void*)y.Address, (nuint)(y.Count * y.DType.Size()));

    public override void Fill(Tensor y, float value) => Map(new Constant(value), y.Count, y.Floats, y.Floats);

    public override void Scale(Tensor x, float alpha, Tensor y)
    {
        if (alpha != 1f)
            Map(new Times(alpha), x.Count, y.Floats, x.Floats);
        else if (x.Address != y.Address)
            Map(default(Same), x.Count, y.Floats, x.Floats);
    }

    public override void Axpy(float alpha, Tensor x, Tensor y) => Map(new AddTimes(alpha), x.Count, y.Floats, x.Floats, y.Floats);

    public override void Binary(BinaryOp op, Tensor a, Tensor b, Tensor y)
    {
        switch (op)
        {
            case BinaryOp.Add:
                Combine(default(Plus), a, b, y);
                break;
            case BinaryOp.Subtract:
                Combine(default(Minus), a, b, y);
                break;
            case BinaryOp.Multiply:
                Combine(default(Product), a, b, y);
                break;
            case BinaryOp.Divide:
                Combine(default(Quotient), a, b, y);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(op), op, null);
        }
    }

    private void Combine<TMap>(TMap map, Tensor a, Tensor b, Tensor y)
        where TMap : unmanaged, IMap<T>
    {
        if (a.Count == b.Count)
        {
            Map(map, a.Count, y.Floats, a.Floats, b.Floats);
        }
        else if (b.Count == 1)
        {
            Map(new WithScalar<TMap>(map, b.Floats[0]), a.Count, y.Floats, a.Floats);
        }
        else
        {
            RowMapJob<TMap> job = new() { A = a.Floats, Row = b.Floats, Y = y.Floats, Rows = a.Count / b.Count, Columns = (int)b.Count, Map = map };
            Split(job.Rows, RowsPerPiece(job.Columns), &job, &RowMapPiece<TMap>);
        }
    }

    private struct RowMapJob<TMap>
        where TMap : unmanaged, IMap<T>
    {
        public float* A;
        public float* Row;
        public float* Y;
        public long Rows;
        public int Columns;
        public TMap Map;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RowMapPiece<TMap>(void* context, int item, int worker)
        where TMap : unmanaged, IMap<T>
    {
        RowMapJob<TMap>* job = (RowMapJob<TMap>*)context;
        long piece = RowsPerPiece(job->Columns), end = Math.Min(job->Rows, (item + 1) * piece);
        for (long r = item * piece; r < end; r++)
            MapRun(job->Map, job->Columns, job->Y + (r * job->Columns), job->A + (r * job->Columns), job->Row, null);
    }

    private readonly struct Constant(float value) : IMap<T>
    {
        public T Apply(T a, T b, T c) => T.Broadcast(value);
    }

    private readonly struct Same : IMap<T>
    {
        public T Apply(T a, T b, T c) => a;
    }

    private readonly struct Times(float alpha) : IMap<T>
    {
        public T Apply(T a, T b, T c) => a * T.Broadcast(alpha);
    }

    private readonly struct AddTimes(float alpha) : IMap<T>
    {
        public T Apply(T a, T b, T c) => T.Fma(T.Broadcast(alpha), a, b);
    }

    private readonly struct Plus : IMap<T>
    {
        public T Apply(T a, T b, T c) => a + b;
    }

    private readonly struct Minus : IMap<T>
    {
        public T Apply(T a, T b, T c) => a - b;
    }

    private readonly struct Product : IMap<T>
    {
        public T Apply(T a, T b, T c) => a * b;
    }

    private readonly struct Quotient : IMap<T>
    {
        public T Apply(T a, T b, T c) => a / b;
    }

    private readonly struct WithScalar<TMap>(TMap map, float scalar) : IMap<T>
        where TMap : unmanaged, IMap<T>
    {
        public T Apply(T a, T b, T c) => map.Apply(a, T.Broadcast(scalar), c);
    }
}
