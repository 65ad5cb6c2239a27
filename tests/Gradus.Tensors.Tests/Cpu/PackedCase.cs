using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu.Tests;

/// <summary>A fact that needs AVX512-VNNI; skipped with the reason where this machine cannot use it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class VnniFactAttribute : FactAttribute
{
    public VnniFactAttribute() => Skip = VnniKernels.WhyNot;
}

/// <summary>A product with packed weights whose memory ends where unmapped memory begins.</summary>
internal sealed unsafe class PackedCase : IDisposable
{
    private readonly GuardedBuffer _a;
    private readonly GuardedBuffer _b;
    private readonly GuardedBuffer _c;
    private readonly GuardedBuffer _bias;
    private readonly bool _transposed;
    private readonly bool _hasBias;
    private readonly bool _accumulate;

    public PackedCase(PackedFormat format, int m, int rows, int blocks, int seed, bool bias = false, bool accumulate = false, bool transposed = true)
    {
        (M, Columns, _transposed, _hasBias, _accumulate) = (m, blocks * format.BlockSize, transposed, bias, accumulate);
        (N, K) = transposed ? (rows, Columns) : (Columns, rows);
        Format = BlockFormats.Of(format);
        (byte[] packed, Weights) = PanelLayoutTests.Random(format, rows * Columns, seed + 1000);
        int stored = Format.HasPanels() ? (rows + 15) / 16 * 16 : rows;
        _b = new GuardedBuffer((long)stored * Format.RowBytes(Columns));
        Fill(rows, packed);
        _a = new GuardedBuffer((long)m * K * sizeof(float));
        _c = new GuardedBuffer((long)m * N * sizeof(float));
        _bias = new GuardedBuffer((long)N * sizeof(float));
        Random random = new(seed);
        foreach (ref float value in _a.AsFloats)
            value = (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-2, 3)));
        foreach (ref float value in _bias.AsFloats)
            value = (float)random.NextDouble();
        Reset();
    }

    public BlockFormat Format { get; }

    public int M { get; }

    public int N { get; }

    public int K { get; }

    /// <summary>Columns of the weights as stored.</summary>
    public int Columns { get; }

    /// <summary>The unpacked weights.</summary>
    public float[] Weights { get; }

    public Span<float> Result => _c.AsFloats;

    public GemmProblem Problem => new()
    {
        M = M,
        N = N,
        K = K,
        Batch = 1,
        A = new Operand(_a.Floats, K),
        B = new Operand(_b.Start, Columns, Format, _transposed),
        C = _c.Floats,
        StrideC = N,
        Bias = _hasBias ? _bias.Floats : null,
        Accumulate = _accumulate,
    };

    /// <summary>What element (m, n) starts from: C as it was, and the bias.</summary>
    public (float C, float Bias) Start(int m, int n) => (_accumulate ? Before(m, n) : 0, _hasBias ? _bias.Floats[n] : 0);

    /// <summary>Makes the result what it was before.</summary>
    public void Reset()
    {
        for (int i = 0; i < M * N; i++)
            _c.Floats[i] = _accumulate ? Before(i / N, i % N) : float.NaN;
    }

    public void AssertIs(float[] expected)
    {
        AssertIntact();
        Assert.Equal(expected, Result.ToArray());
    }

    /// <summary>
    /// Compares with sums in double. Each activation may be off by 1/65,278 of the largest in its block of 32, each NF4 level by as much of the
    /// largest weight in its block of 64, and sums of floats by the usual 1e-6 of Σ|w||x|.
    /// </summary>
    public void AssertClose()
    {
        AssertIntact();
        for (int m = 0; m < M; m++)
        {
            float* x = (float*)(Problem.A.Data + m * Problem.A.RowBytes);
            for (int n = 0; n < N; n++)
            {
                (double sum, double allowed) = (0, 1e-35);
                for (int k = 0; k < K; k++)
                {
                    double w = Weights[n * Columns + k], largest = 0;
                    for (int i = k / 32 * 32; i < k / 32 * 32 + 32; i++)
                        largest = Math.Max(largest, Math.Abs(x[i]));
                    sum += w * x[k];
                    if (Format == BlockFormat.NF4)
                        allowed += Math.Abs(x[k]) / 65_000 * Weights.AsSpan(n * Columns + k / 64 * 64, 64).ToArray().Max(Math.Abs);
                    allowed += Math.Abs(w) * (largest / 65_000 + 1e-6 * Math.Abs(x[k]) + (largest < 1e-30 ? largest : 0));
                }
                (float c, float bias) = Start(m, n);
                double error = Math.Abs(Result[m * N + n] - (sum + c + bias));
                Assert.True(error <= allowed + 1e-6 * (Math.Abs(c) + Math.Abs(bias)), $"{Format}: [{m}, {n}] is off by {error}, allowed {allowed}");
            }
        }
    }

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
        _c.Dispose();
        _bias.Dispose();
    }

    private static float Before(int m, int n) => (m * 7 + n * 3) % 11 - 5;

    private void AssertIntact()
    {
        _a.AssertIntact();
        _b.AssertIntact();
        _c.AssertIntact();
    }

    private void Fill(int rows, byte[] packed)
    {
        new Span<byte>(_b.Start, (int)(_b.End - _b.Start)).Clear();
        if (!Format.HasPanels())
        {
            packed.CopyTo(new Span<byte>(_b.Start, packed.Length));
            return;
        }
        int units = Columns / Format.Weights();
        fixed (byte* from = packed)
        {
            for (int i = 0; i < rows * units; i++)
            {
                byte* panel = _b.Start + i / units / 16 * PanelLayout.PanelBytes(Format, Columns);
                PanelLayout.Put(Format, from + i * Format.Bytes(), panel + i % units * PanelLayout.UnitBytes(Format), i / units % 16);
            }
        }
    }
}
