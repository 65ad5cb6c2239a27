using System.Runtime.InteropServices;

namespace Gradus.Tensors.Cpu.Tests;

/// <summary>One matrix product on guarded memory: operands and result end where unmapped memory begins, rows are further apart than they are long.</summary>
internal sealed unsafe class GemmCase : IDisposable
{
    private const float Gap = 12345;

    private readonly GuardedBuffer _a;
    private readonly GuardedBuffer _b;
    private readonly GuardedBuffer _c;
    private readonly GuardedBuffer _bias;
    private readonly float[] _before;
    private readonly int _gapA;
    private readonly int _gapB;
    private readonly int _gapC;

    public GemmCase(int m, int n, int k, bool transposeA = false, bool transposeB = false, bool accumulate = false, bool bias = false, bool bf16 = false, int batch = 1, int seed = 1)
    {
        (M, N, K, Batch, TransposeA, TransposeB, Accumulate, HasBias, Bf16) = (m, n, k, batch, transposeA, transposeB, accumulate, bias, bf16);
        Random random = new(seed);
        (_gapA, _gapB, _gapC) = (random.Next(4), random.Next(4), random.Next(4));
        _a = new GuardedBuffer(Size(ARows, StrideA, AColumns) * sizeof(float));
        _b = new GuardedBuffer(Size(BRows, StrideB, BColumns) * (bf16 ? sizeof(ushort) : sizeof(float)));
        _c = new GuardedBuffer(Size(m, StrideC, n) * sizeof(float));
        _bias = new GuardedBuffer((long)n * sizeof(float));
        Fill(_a.AsFloats, random);
        Fill(_bias.AsFloats, random);
        if (bf16)
        {
            foreach (ref ushort value in MemoryMarshal.Cast<float, ushort>(_b.AsFloats))
                value = (ushort)(BitConverter.SingleToInt32Bits((float)(random.NextDouble() - 0.5)) >> 16);
            if ((_b.End - _b.Start) % 4 != 0)
                ((ushort*)_b.End)[-1] = 0x3F80;
        }
        else
        {
            Fill(_b.AsFloats, random);
        }
        Span<float> c = _c.AsFloats;
        for (int i = 0; i < c.Length; i++)
        {
            bool inside = i % BatchStrideC % StrideC < n;
            c[i] = !inside ? Gap : accumulate ? (float)(random.NextDouble() - 0.5) : float.NaN;
        }
        _before = c.ToArray();
    }

    public int M { get; }

    public int N { get; }

    public int K { get; }

    public int Batch { get; }

    public bool TransposeA { get; }

    public bool TransposeB { get; }

    public bool Accumulate { get; }

    public bool HasBias { get; }

    public bool Bf16 { get; }

    /// <summary>What Multiply wrote, gaps included.</summary>
    public Span<float> Result => _c.AsFloats;

    public GemmProblem Problem => new()
    {
        M = M,
        N = N,
        K = K,
        Batch = Batch,
        A = new Operand(_a.Floats, StrideA, TransposeA) { BatchStride = (nint)ARows * StrideA },
        B = Bf16
            ? new Operand((ushort*)_b.Start, StrideB, TransposeB) { BatchStride = (nint)BRows * StrideB }
            : new Operand(_b.Floats, StrideB, TransposeB) { BatchStride = (nint)BRows * StrideB },
        C = _c.Floats,
        StrideC = StrideC,
        BatchStrideC = BatchStrideC,
        Bias = HasBias ? _bias.Floats : null,
        Accumulate = Accumulate,
    };

    private int ARows => TransposeA ? K : M;

    private int AColumns => TransposeA ? M : K;

    private int BRows => TransposeB ? N : K;

    private int BColumns => TransposeB ? K : N;

    private int StrideA => AColumns + _gapA;

    private int StrideB => BColumns + _gapB;

    private int StrideC => N + _gapC;

    private int BatchStrideC => Math.Max(M * StrideC, 1);

    /// <summary>Computes on fresh memory and returns the result.</summary>
    public float[] Multiply(Isa isa, Workers workers) => Compute(problem => Gemm.Multiply(isa, workers, problem));

    /// <summary>Computes on fresh memory by any means and returns the result.</summary>
    public float[] Compute(Action<GemmProblem> multiply)
    {
        _before.CopyTo(_c.AsFloats);
        multiply(Problem);
        return _c.AsFloats.ToArray();
    }

    /// <summary>Compares the last result with sums in double, to a part of Σ|a||b|, and looks at what must not have been written.</summary>
    /// <param name="tolerance">The part of Σ|a||b| that the result may be off.</param>
    /// <param name="rounded">The sums are of operands rounded to bf16.</param>
    public void AssertClose(double tolerance = 1e-5, bool rounded = false)
    {
        _a.AssertIntact();
        _b.AssertIntact();
        _c.AssertIntact();
        Span<float> c = _c.AsFloats;
        for (int i = 0; i < c.Length; i++)
        {
            int entry = i / BatchStrideC, row = i % BatchStrideC / StrideC, column = i % BatchStrideC % StrideC;
            if (column >= N)
            {
                Assert.Equal(Gap, c[i]);
                continue;
            }
            (double expected, double size) = (Accumulate ? _before[i] : 0, Accumulate ? Math.Abs(_before[i]) : 0);
            for (int k = 0; k < K; k++)
            {
                double product = rounded ? (double)Bf16Of(A(entry, row, k)) * Bf16Of(B(entry, k, column)) : (double)A(entry, row, k) * B(entry, k, column);
                expected += product;
                size += Math.Abs(product);
            }
            if (HasBias)
                (expected, size) = (expected + _bias.Floats[column], size + Math.Abs(_bias.Floats[column]));
            if (!(Math.Abs(c[i] - expected) <= tolerance * size))
                Assert.Fail($"{this}: C[{entry}, {row}, {column}] is {c[i]:R}, not {expected:R}");
        }
    }

    /// <summary>One element by its definition: a chain of fused multiply-adds in ascending k, then the bias.</summary>
    public float Chain(int entry, int row, int column)
    {
        float sum = Accumulate ? _before[entry * BatchStrideC + row * StrideC + column] : 0;
        for (int k = 0; k < K; k++)
            sum = MathF.FusedMultiplyAdd(A(entry, row, k), B(entry, k, column), sum);
        return HasBias ? sum + _bias.Floats[column] : sum;
    }

    /// <summary>The index of an element of C in <see cref="Result"/>.</summary>
    public int IndexOf(int entry, int row, int column) => entry * BatchStrideC + row * StrideC + column;

    public override string ToString() =>
        $"{M}x{K}x{N} batch {Batch}{(TransposeA ? " Aᵀ" : "")}{(TransposeB ? " Bᵀ" : "")}{(Accumulate ? " accumulate" : "")}{(HasBias ? " bias" : "")}{(Bf16 ? " bf16" : "")}";

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
        _c.Dispose();
        _bias.Dispose();
    }

    private static float Bf16Of(float value)
    {
        int bits = BitConverter.SingleToInt32Bits(value);
        return BitConverter.Int32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & unchecked((int)0xFFFF0000));
    }

    private static void Fill(Span<float> values, Random random)
    {
        foreach (ref float value in values)
            value = (float)(random.NextDouble() - 0.5);
    }

    // The last row has no gap behind it.
    private long Size(int rows, int stride, int columns) => rows == 0 || columns == 0 ? 0 : (long)rows * stride * Batch - (stride - columns);

    private float A(int entry, int row, int k)
    {
        float* a = _a.Floats + (long)entry * ARows * StrideA;
        return TransposeA ? a[(long)k * StrideA + row] : a[(long)row * StrideA + k];
    }

    private float B(int entry, int k, int column)
    {
        long at = (long)entry * BRows * StrideB + (TransposeB ? (long)column * StrideB + k : (long)k * StrideB + column);
        return Bf16 ? BitConverter.Int32BitsToSingle(((ushort*)_b.Start)[at] << 16) : _b.Floats[at];
    }
}
