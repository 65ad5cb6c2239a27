// The innermost loop of matrix products: one tile of C, Rows × 2 registers, kept in registers over k. The height is a type, so the JIT
// drops the rows that a tile does not have. Long because each accumulator must be a local of its own to stay in a register.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>The number of rows of a tile, 1 to 14.</summary>
internal interface ITileHeight
{
    static abstract int Rows { get; }
}

/// <summary>The tile kernel for one register width and one height.</summary>
internal static unsafe class GemmTile<T, THeight>
    where T : unmanaged, ILanes<T>
    where THeight : ITileHeight
{
    /// <summary>
    /// C[r, n] = Σₖ a[k, r]·b[k, n], one fused multiply-add after the other in ascending k, starting from zero or from C; then + bias[n].
    /// </summary>
    /// <param name="k">The number of steps.</param>
    /// <param name="a">Packed rows: (k, Rows).</param>
    /// <param name="b">Packed columns: (k, 2 · Width).</param>
    /// <param name="c">(Rows, 2 · Width), all of which is written.</param>
    /// <param name="ldc">The distance of C's rows, in floats.</param>
    /// <param name="load">Start from C, not from zero.</param>
    /// <param name="bias">2 · Width values, or null.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(int k, float* a, float* b, float* c, nint ldc, bool load, float* bias)
    {
        T c00 = T.Zero, c01 = T.Zero;
        T c10 = T.Zero, c11 = T.Zero;
        T c20 = T.Zero, c21 = T.Zero;
        T c30 = T.Zero, c31 = T.Zero;
        T c40 = T.Zero, c41 = T.Zero;
        T c50 = T.Zero, c51 = T.Zero;
        T c60 = T.Zero, c61 = T.Zero;
        T c70 = T.Zero, c71 = T.Zero;
        T c80 = T.Zero, c81 = T.Zero;
        T c90 = T.Zero, c91 = T.Zero;
        T cA0 = T.Zero, cA1 = T.Zero;
        T cB0 = T.Zero, cB1 = T.Zero;
        T cC0 = T.Zero, cC1 = T.Zero;
        T cD0 = T.Zero, cD1 = T.Zero;
        if (load)
        {
            c00 = T.Load(c);
            c01 = T.Load(c + T.Width);
            if (THeight.Rows > 1)
            {
                c10 = T.Load(c + ldc);
                c11 = T.Load(c + ldc + T.Width);
            }
            if (THeight.Rows > 2)
            {
                c20 = T.Load(c + 2 * ldc);
                c21 = T.Load(c + 2 * ldc + T.Width);
            }
            if (THeight.Rows > 3)
            {
                c30 = T.Load(c + 3 * ldc);
                c31 = T.Load(c + 3 * ldc + T.Width);
            }
            if (THeight.Rows > 4)
            {
                c40 = T.Load(c + 4 * ldc);
                c41 = T.Load(c + 4 * ldc + T.Width);
            }
            if (THeight.Rows > 5)
            {
                c50 = T.Load(c + 5 * ldc);
                c51 = T.Load(c + 5 * ldc + T.Width);
            }
            if (THeight.Rows > 6)
            {
                c60 = T.Load(c + 6 * ldc);
                c61 = T.Load(c + 6 * ldc + T.Width);
            }
            if (THeight.Rows > 7)
            {
                c70 = T.Load(c + 7 * ldc);
                c71 = T.Load(c + 7 * ldc + T.Width);
            }
            if (THeight.Rows > 8)
            {
                c80 = T.Load(c + 8 * ldc);
                c81 = T.Load(c + 8 * ldc + T.Width);
            }
            if (THeight.Rows > 9)
            {
                c90 = T.Load(c + 9 * ldc);
                c91 = T.Load(c + 9 * ldc + T.Width);
            }
            if (THeight.Rows > 10)
            {
                cA0 = T.Load(c + 10 * ldc);
                cA1 = T.Load(c + 10 * ldc + T.Width);
            }
            if (THeight.Rows > 11)
            {
                cB0 = T.Load(c + 11 * ldc);
                cB1 = T.Load(c + 11 * ldc + T.Width);
            }
            if (THeight.Rows > 12)
            {
                cC0 = T.Load(c + 12 * ldc);
                cC1 = T.Load(c + 12 * ldc + T.Width);
            }
            if (THeight.Rows > 13)
            {
                cD0 = T.Load(c + 13 * ldc);
                cD1 = T.Load(c + 13 * ldc + T.Width);
            }
        }
        for (; k > 0; k--)
        {
            T b0 = T.Load(b), b1 = T.Load(b + T.Width), x = T.Broadcast(a[0]);
            T.MultiplyAdd(ref c00, x, b0);
            T.MultiplyAdd(ref c01, x, b1);
            if (THeight.Rows > 1)
            {
                x = T.Broadcast(a[1]);
                T.MultiplyAdd(ref c10, x, b0);
                T.MultiplyAdd(ref c11, x, b1);
            }
            if (THeight.Rows > 2)
            {
                x = T.Broadcast(a[2]);
                T.MultiplyAdd(ref c20, x, b0);
                T.MultiplyAdd(ref c21, x, b1);
            }
            if (THeight.Rows > 3)
            {
                x = T.Broadcast(a[3]);
                T.MultiplyAdd(ref c30, x, b0);
                T.MultiplyAdd(ref c31, x, b1);
            }
            if (THeight.Rows > 4)
            {
                x = T.Broadcast(a[4]);
                T.MultiplyAdd(ref c40, x, b0);
                T.MultiplyAdd(ref c41, x, b1);
            }
            if (THeight.Rows > 5)
            {
                x = T.Broadcast(a[5]);
                T.MultiplyAdd(ref c50, x, b0);
                T.MultiplyAdd(ref c51, x, b1);
            }
            if (THeight.Rows > 6)
            {
                x = T.Broadcast(a[6]);
                T.MultiplyAdd(ref c60, x, b0);
                T.MultiplyAdd(ref c61, x, b1);
            }
            if (THeight.Rows > 7)
            {
                x = T.Broadcast(a[7]);
                T.MultiplyAdd(ref c70, x, b0);
                T.MultiplyAdd(ref c71, x, b1);
            }
            if (THeight.Rows > 8)
            {
                x = T.Broadcast(a[8]);
                T.MultiplyAdd(ref c80, x, b0);
                T.MultiplyAdd(ref c81, x, b1);
            }
            if (THeight.Rows > 9)
            {
                x = T.Broadcast(a[9]);
                T.MultiplyAdd(ref c90, x, b0);
                T.MultiplyAdd(ref c91, x, b1);
            }
            if (THeight.Rows > 10)
            {
                x = T.Broadcast(a[10]);
                T.MultiplyAdd(ref cA0, x, b0);
                T.MultiplyAdd(ref cA1, x, b1);
            }
            if (THeight.Rows > 11)
            {
                x = T.Broadcast(a[11]);
                T.MultiplyAdd(ref cB0, x, b0);
                T.MultiplyAdd(ref cB1, x, b1);
            }
            if (THeight.Rows > 12)
            {
                x = T.Broadcast(a[12]);
                T.MultiplyAdd(ref cC0, x, b0);
                T.MultiplyAdd(ref cC1, x, b1);
            }
            if (THeight.Rows > 13)
            {
                x = T.Broadcast(a[13]);
                T.MultiplyAdd(ref cD0, x, b0);
                T.MultiplyAdd(ref cD1, x, b1);
            }
            a += THeight.Rows;
            b += 2 * T.Width;
        }
        if (bias != null)
        {
            T b0 = T.Load(bias), b1 = T.Load(bias + T.Width);
            c00 += b0;
            c01 += b1;
            if (THeight.Rows > 1)
            {
                c10 += b0;
                c11 += b1;
            }
            if (THeight.Rows > 2)
            {
                c20 += b0;
                c21 += b1;
            }
            if (THeight.Rows > 3)
            {
                c30 += b0;
                c31 += b1;
            }
            if (THeight.Rows > 4)
            {
                c40 += b0;
                c41 += b1;
            }
            if (THeight.Rows > 5)
            {
                c50 += b0;
                c51 += b1;
            }
            if (THeight.Rows > 6)
            {
                c60 += b0;
                c61 += b1;
            }
            if (THeight.Rows > 7)
            {
                c70 += b0;
                c71 += b1;
            }
            if (THeight.Rows > 8)
            {
                c80 += b0;
                c81 += b1;
            }
            if (THeight.Rows > 9)
            {
                c90 += b0;
                c91 += b1;
            }
            if (THeight.Rows > 10)
            {
                cA0 += b0;
                cA1 += b1;
            }
            if (THeight.Rows > 11)
            {
                cB0 += b0;
                cB1 += b1;
            }
            if (THeight.Rows > 12)
            {
                cC0 += b0;
                cC1 += b1;
            }
            if (THeight.Rows > 13)
            {
                cD0 += b0;
                cD1 += b1;
            }
        }
        T.Store(c, c00);
        T.Store(c + T.Width, c01);
        if (THeight.Rows > 1)
        {
            T.Store(c + ldc, c10);
            T.Store(c + ldc + T.Width, c11);
        }
        if (THeight.Rows > 2)
        {
            T.Store(c + 2 * ldc, c20);
            T.Store(c + 2 * ldc + T.Width, c21);
        }
        if (THeight.Rows > 3)
        {
            T.Store(c + 3 * ldc, c30);
            T.Store(c + 3 * ldc + T.Width, c31);
        }
        if (THeight.Rows > 4)
        {
            T.Store(c + 4 * ldc, c40);
            T.Store(c + 4 * ldc + T.Width, c41);
        }
        if (THeight.Rows > 5)
        {
            T.Store(c + 5 * ldc, c50);
            T.Store(c + 5 * ldc + T.Width, c51);
        }
        if (THeight.Rows > 6)
        {
            T.Store(c + 6 * ldc, c60);
            T.Store(c + 6 * ldc + T.Width, c61);
        }
        if (THeight.Rows > 7)
        {
            T.Store(c + 7 * ldc, c70);
            T.Store(c + 7 * ldc + T.Width, c71);
        }
        if (THeight.Rows > 8)
        {
            T.Store(c + 8 * ldc, c80);
            T.Store(c + 8 * ldc + T.Width, c81);
        }
        if (THeight.Rows > 9)
        {
            T.Store(c + 9 * ldc, c90);
            T.Store(c + 9 * ldc + T.Width, c91);
        }
        if (THeight.Rows > 10)
        {
            T.Store(c + 10 * ldc, cA0);
            T.Store(c + 10 * ldc + T.Width, cA1);
        }
        if (THeight.Rows > 11)
        {
            T.Store(c + 11 * ldc, cB0);
            T.Store(c + 11 * ldc + T.Width, cB1);
        }
        if (THeight.Rows > 12)
        {
            T.Store(c + 12 * ldc, cC0);
            T.Store(c + 12 * ldc + T.Width, cC1);
        }
        if (THeight.Rows > 13)
        {
            T.Store(c + 13 * ldc, cD0);
            T.Store(c + 13 * ldc + T.Width, cD1);
        }
    }
}

/// <summary>1 row.</summary>
internal readonly struct Height1 : ITileHeight
{
    public static int Rows => 1;
}

/// <summary>2 rows.</summary>
internal readonly struct Height2 : ITileHeight
{
    public static int Rows => 2;
}

/// <summary>4 rows.</summary>
internal readonly struct Height4 : ITileHeight
{
    public static int Rows => 4;
}

/// <summary>6 rows.</summary>
internal readonly struct Height6 : ITileHeight
{
    public static int Rows => 6;
}

/// <summary>8 rows.</summary>
internal readonly struct Height8 : ITileHeight
{
    public static int Rows => 8;
}

/// <summary>14 rows.</summary>
internal readonly struct Height14 : ITileHeight
{
    public static int Rows => 14;
}
