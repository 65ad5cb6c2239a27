// What this machine can do at most, found by loops that do nothing else: fused multiply-adds in registers, the block product in bf16 on
// operands in the L1 cache, and reading memory. Kernels are compared with these.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Loops that reach a ceiling of the machine.</summary>
internal static unsafe class Ceilings
{
    private const int Piece = 1 << 20;
    private const int FmaChains = 12;
    private const int BlockSteps = 8;
    private const int BlockCalls = 400;
    private const double FlopsPerStep = 2.0 * 32 * 32 * 32;

    private static float s_kept;

    /// <summary>fp32 fused multiply-adds of every worker's registers.</summary>
    /// <param name="isa">The instruction set.</param>
    /// <param name="workers">Who computes.</param>
    /// <param name="steps">Multiply-adds of each chain; a piece has 12 chains, a worker four pieces.</param>
    /// <returns>Floating-point operations done.</returns>
    public static double MultiplyAdds(Isa isa, Workers workers, int steps = 200_000)
    {
        int pieces = 4 * workers.Count;
        int width = isa switch { Isa.Scalar => Lanes1.Width, Isa.Vector128 => Lanes4.Width, Isa.Avx2 => Lanes8.Width, _ => Lanes16.Width };
        delegate*<void*, int, int, void> body = isa switch
        {
            Isa.Scalar => &Chains<Lanes1>,
            Isa.Vector128 => &Chains<Lanes4>,
            Isa.Avx2 => &Chains<Lanes8>,
            _ => &Chains<Lanes16>,
        };
        workers.For(pieces, &steps, body);
        return 2.0 * FmaChains * width * steps * pieces;
    }

    /// <summary>Products in bf16 of blocks that stay in the L1 cache; for instruction sets with kernels for them.</summary>
    /// <returns>Floating-point operations done.</returns>
    public static double Bf16Blocks(Isa isa, Workers workers)
    {
        int pieces = 4 * workers.Count;
        Bf16Kernels kernels = Bf16Kernels.Of(isa);
        workers.For(pieces, &kernels, &Blocks);
        return pieces * BlockCalls * BlockSteps * FlopsPerStep;
    }

    /// <summary>Reads memory from one end to the other.</summary>
    /// <param name="isa">The instruction set.</param>
    /// <param name="workers">Who reads.</param>
    /// <param name="from">The memory.</param>
    /// <param name="bytes">Its length, a multiple of a mebibyte.</param>
    /// <returns>Bytes read.</returns>
    public static double Read(Isa isa, Workers workers, float* from, long bytes)
    {
        delegate*<void*, int, int, void> body = isa switch
        {
            < Isa.Avx2 => &ReadPiece<Lanes4>,
            Isa.Avx2 => &ReadPiece<Lanes8>,
            _ => &ReadPiece<Lanes16>,
        };
        workers.For((int)(bytes / Piece), from, body);
        return bytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ReadPiece<T>(void* context, int item, int worker)
        where T : unmanaged, ILanes<T>
    {
        float* from = (float*)context + ((long)item * (Piece / sizeof(float)));
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
        for (float* end = from + (Piece / sizeof(float)); from < end; from += 4 * T.Width)
        {
            s0 |= T.Load(from);
            s1 |= T.Load(from + T.Width);
            s2 |= T.Load(from + (2 * T.Width));
            s3 |= T.Load(from + (3 * T.Width));
        }
        Keep(T.Sum(s0 | s1 | s2 | s3));
    }

    // Twelve chains: more than latency times ports.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Chains<T>(void* context, int item, int worker)
        where T : unmanaged, ILanes<T>
    {
        T x = T.Broadcast(0.999f), y = T.Broadcast(item * 1e-3f);
        T c0 = y, c1 = y, c2 = y, c3 = y, c4 = y, c5 = y, c6 = y, c7 = y, c8 = y, c9 = y, cA = y, cB = y;
        for (int i = *(int*)context; i > 0; i--)
        {
            c0 = T.Fma(c0, x, y);
            c1 = T.Fma(c1, x, y);
            c2 = T.Fma(c2, x, y);
            c3 = T.Fma(c3, x, y);
            c4 = T.Fma(c4, x, y);
            c5 = T.Fma(c5, x, y);
            c6 = T.Fma(c6, x, y);
            c7 = T.Fma(c7, x, y);
            c8 = T.Fma(c8, x, y);
            c9 = T.Fma(c9, x, y);
            cA = T.Fma(cA, x, y);
            cB = T.Fma(cB, x, y);
        }
        Keep(T.Sum(c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + cA + cB));
    }

    private static void Blocks(void* context, int item, int worker)
    {
        const int Elements = 2 * BlockSteps * Bf16Pack.StepElements;
        Bf16Kernels kernels = *(Bf16Kernels*)context;
        ushort* panels = (ushort*)Scratch.Get(Scratch.Slot.Kernel, (Elements * sizeof(ushort)) + (Bf16Pack.Lines * Bf16Pack.Lines * sizeof(float)));
        new Span<ushort>(panels, Elements).Fill(0x3F80);
        kernels.Configure();
        for (int i = 0; i < BlockCalls; i++)
            kernels.Multiply(true, panels, panels + (Elements / 2), (float*)(panels + Elements), Bf16Pack.Lines, BlockSteps, load: false);
        kernels.Release();
    }

    // Without a reader of the result there would be nothing to compute.
    private static void Keep(float value)
    {
        if (value == 1.2345e-30f)
            Volatile.Write(ref s_kept, value);
    }
}
