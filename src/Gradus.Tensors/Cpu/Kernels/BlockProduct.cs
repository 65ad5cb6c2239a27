// Small matrix products inside attention: operands lie in cache, so nothing is packed.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    /// <summary>
    /// C[m, n] += Σ_k A[m, k]·B[k, n], each element a chain over ascending k. A may be read with any strides (a transpose is
    /// <c>aRow = 1</c>); rows of B and C are contiguous. Reads and writes nothing beyond column n.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BlockProduct(int m, int n, int k, float* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow)
    {
        int i = 0;
        for (; i <= m - 4; i += 4)
        {
            int j = 0;
            for (; j <= n - (4 * T.Width); j += 4 * T.Width)
                Tile4x4(k, a + (i * aRow), aRow, aColumn, b + j, bRow, c + (i * cRow) + j, cRow);
            for (; j < n; j += T.Width)
                Tile4x1(Math.Min(T.Width, n - j), k, a + (i * aRow), aRow, aColumn, b + j, bRow, c + (i * cRow) + j, cRow);
        }
        for (; i < m; i++)
        {
            for (int j = 0; j < n; j += T.Width)
                Tile1x1(Math.Min(T.Width, n - j), k, a + (i * aRow), aColumn, b + j, bRow, c + (i * cRow) + j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x4(int k, float* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow)
    {
        int w = T.Width;
        float* c1 = c + cRow, c2 = c1 + cRow, c3 = c2 + cRow;
        T s00 = T.Load(c), s01 = T.Load(c + w), s02 = T.Load(c + (2 * w)), s03 = T.Load(c + (3 * w));
        T s10 = T.Load(c1), s11 = T.Load(c1 + w), s12 = T.Load(c1 + (2 * w)), s13 = T.Load(c1 + (3 * w));
        T s20 = T.Load(c2), s21 = T.Load(c2 + w), s22 = T.Load(c2 + (2 * w)), s23 = T.Load(c2 + (3 * w));
        T s30 = T.Load(c3), s31 = T.Load(c3 + w), s32 = T.Load(c3 + (2 * w)), s33 = T.Load(c3 + (3 * w));
        for (int l = 0; l < k; l++, a += aColumn, b += bRow)
        {
            T b0 = T.Load(b), b1 = T.Load(b + w), b2 = T.Load(b + (2 * w)), b3 = T.Load(b + (3 * w));
            T x = T.Broadcast(a[0]);
            s00 = T.Fma(x, b0, s00);
            s01 = T.Fma(x, b1, s01);
            s02 = T.Fma(x, b2, s02);
            s03 = T.Fma(x, b3, s03);
            x = T.Broadcast(a[aRow]);
            s10 = T.Fma(x, b0, s10);
            s11 = T.Fma(x, b1, s11);
            s12 = T.Fma(x, b2, s12);
            s13 = T.Fma(x, b3, s13);
            x = T.Broadcast(a[2 * aRow]);
            s20 = T.Fma(x, b0, s20);
            s21 = T.Fma(x, b1, s21);
            s22 = T.Fma(x, b2, s22);
            s23 = T.Fma(x, b3, s23);
            x = T.Broadcast(a[3 * aRow]);
            s30 = T.Fma(x, b0, s30);
            s31 = T.Fma(x, b1, s31);
            s32 = T.Fma(x, b2, s32);
            s33 = T.Fma(x, b3, s33);
        }
        Store4(c, s00, s01, s02, s03);
        Store4(c1, s10, s11, s12, s13);
        Store4(c2, s20, s21, s22, s23);
        Store4(c3, s30, s31, s32, s33);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store4(float* c, T s0, T s1, T s2, T s3)
    {
        T.Store(c, s0);
        T.Store(c + T.Width, s1);
        T.Store(c + (2 * T.Width), s2);
        T.Store(c + (3 * T.Width), s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x1(int count, int k, float* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow)
    {
        float* c1 = c + cRow, c2 = c1 + cRow, c3 = c2 + cRow;
        T s0 = T.LoadTail(c, count), s1 = T.LoadTail(c1, count), s2 = T.LoadTail(c2, count), s3 = T.LoadTail(c3, count);
        for (int l = 0; l < k; l++, a += aColumn, b += bRow)
        {
            T v = T.LoadTail(b, count);
            s0 = T.Fma(T.Broadcast(a[0]), v, s0);
            s1 = T.Fma(T.Broadcast(a[aRow]), v, s1);
            s2 = T.Fma(T.Broadcast(a[2 * aRow]), v, s2);
            s3 = T.Fma(T.Broadcast(a[3 * aRow]), v, s3);
        }
        T.StoreTail(c, count, s0);
        T.StoreTail(c1, count, s1);
        T.StoreTail(c2, count, s2);
        T.StoreTail(c3, count, s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1x1(int count, int k, float* a, nint aColumn, float* b, nint bRow, float* c)
    {
        T sum = T.LoadTail(c, count);
        for (int l = 0; l < k; l++, a += aColumn, b += bRow)
            sum = T.Fma(T.Broadcast(a[0]), T.LoadTail(b, count), sum);
        T.StoreTail(c, count, sum);
    }

    /// <summary>to[c, r] = from[r, c]: rows × columns turned into columns × rows, with the given row distances.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeBlock(float* from, nint fromRow, int rows, int columns, float* to, nint toRow)
    {
        byte** lines = stackalloc byte*[T.Width];
        int r = 0, wholeColumns = columns / T.Width * T.Width;
        for (; r <= rows - T.Width; r += T.Width)
        {
            for (int i = 0; i < T.Width; i++)
                lines[i] = (byte*)(from + ((r + i) * fromRow));
            for (int c = 0; c < wholeColumns; c += T.Width)
                T.Transpose(lines, (nint)c * sizeof(float), to + (c * toRow) + r, toRow);
            TransposeElements(from + (r * fromRow), fromRow, T.Width, wholeColumns, columns, to + r, toRow);
        }
        TransposeElements(from + (r * fromRow), fromRow, rows - r, 0, columns, to + r, toRow);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeElements(float* from, nint fromRow, int rows, int column, int columns, float* to, nint toRow)
    {
        for (int c = column; c < columns; c++)
        {
            for (int r = 0; r < rows; r++)
                to[(c * toRow) + r] = from[(r * fromRow) + c];
        }
    }
}
