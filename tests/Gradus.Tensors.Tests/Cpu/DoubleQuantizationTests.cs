using Gradus.Tensors.Packed;
using Gradus.Testing;

namespace Gradus.Tensors.Cpu.Tests;

/// <summary>NF4 with double quantization: bitsandbytes' values, and the bits of the same matrix with its scales in F32.</summary>
public sealed unsafe class DoubleQuantizationTests
{
    public static TheoryData<string> Sets => [.. CpuFeatures.Available.Select(isa => isa.ToString())];

    [SharedFact("golden", "quantization", "bitsandbytes")]
    public void GoldenMatricesHaveTheVeryValues()
    {
        GoldenTensors golden = new("quantization", "bitsandbytes", "tensors.safetensors");
        int cases = 0;
        foreach (string name in golden.Names.Where(name => name.EndsWith(".nf4.double_quant.absmax_q", StringComparison.Ordinal)))
        {
            string prefix = name[..^".absmax_q".Length];
            byte[] codes = golden.Bytes(name), nibbles = golden.Bytes($"{prefix}.packed");
            float[] expected = golden.Floats($"{prefix}.dequant");
            Assert.Equal(golden.Floats($"{prefix}.nested_code"), DoubleQuantizedScales.Map.ToArray());
            DoubleQuantizedScales scales = new(golden.Floats($"{prefix}.offset")[0], golden.Floats($"{prefix}.nested_absmax"));
            float[] floats = [.. codes.Select((code, block) => scales.Decode(block, code))];
            Assert.Equal(codes.Length, floats.Select((scale, block) => scales.Decode(block, scales.Encode(block, scale)) == scale).Count(same => same));
            Array.Resize(ref nibbles, codes.Length * NF4.Block / 2);
            byte[] blocks = new byte[codes.Length * 36];
            NF4.Import(nibbles, floats, blocks);
            foreach (Device device in Devices())
            {
                using Workspace w = new(device) { PoisonNewTensors = true };
                // Blocks run over the whole tensor, whatever its rows are.
                PackedMatrix matrix = new(w, codes.Length, NF4.Block, scales);
                matrix.PutRows(0, blocks);
                Assert.Equal(expected, matrix.Dense(w).ToArray()[..expected.Length]);
            }
            cases++;
        }
        Assert.True(cases > 0);
    }

    [SharedFact("golden", "quantization", "bitsandbytes")]
    public void GoldenWeightsAreQuantizedToTheSameCodes()
    {
        GoldenTensors golden = new("quantization", "bitsandbytes", "tensors.safetensors");
        int cases = 0;
        foreach (string name in golden.Names.Where(name => name.EndsWith(".nf4.double_quant.absmax_q", StringComparison.Ordinal)))
        {
            string prefix = name[..^".absmax_q".Length], input = name[..name.IndexOf('.', StringComparison.Ordinal)];
            float[] absmax = golden.Floats($"{input}.nf4.bs64.absmax");
            DoubleQuantizedScales scales = DoubleQuantizedScales.Of(absmax);
            Assert.Equal(golden.Floats($"{prefix}.offset")[0], scales.Offset, 1e-6 * Math.Abs(scales.Offset));
            foreach ((float expected, float actual) in golden.Floats($"{prefix}.nested_absmax").Zip(scales.Largest.ToArray()))
                Assert.Equal(expected, actual, 1e-5 * expected);
            Assert.Equal(golden.Bytes(name), absmax.Select((scale, block) => scales.Encode(block, scale)).ToArray());
            cases++;
        }
        Assert.True(cases > 0);
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void EveryProductHasTheBitsOfTheSameScalesInF32(string isa)
    {
        using Workers workers = new(2);
        foreach ((int m, int rows, int blocks, bool exact, Precision precision) in Cases())
        {
            using Workspace w = new(CpuDevice.Create(Enum.Parse<Isa>(isa), workers), precision) { PoisonNewTensors = true };
            (PackedMatrix twice, PackedMatrix once) = Matrices(w, rows, blocks, seed: m + rows);
            (twice.ExactActivations, once.ExactActivations) = (exact, exact);
            Assert.Equal(once.Dense(w).ToArray(), twice.Dense(w).ToArray());
            Tensor x = Normal(w, m, twice.Columns), dy = Normal(w, m, rows);
            Assert.Equal(x.Linear(once).ToArray(), x.Linear(twice).ToArray());
            Assert.Equal(Back(w, dy, once), Back(w, dy, twice));
        }
    }

    [Theory]
    [MemberData(nameof(RunnableKernels.Names), MemberType = typeof(RunnableKernels))]
    public void EveryKernelHasTheBitsOfTheSameScalesInF32(string kernel)
    {
        using Workers workers = new(2);
        foreach ((int m, int rows, int blocks, _, _) in Cases())
        {
            using Workspace w = new(CpuDevice.Create(CpuFeatures.Best, workers));
            (PackedMatrix twice, PackedMatrix once) = Matrices(w, rows, blocks, seed: m);
            Tensor x = Normal(w, m, twice.Columns), expected = w.Empty(new Shape(m, rows)), actual = w.Empty(new Shape(m, rows));
            foreach ((PackedMatrix matrix, Tensor y) in ((PackedMatrix, Tensor)[])[(once, expected), (twice, actual)])
            {
                PackedGemm.OnIntegers(Enum.Parse<IntegerKernel>(kernel), workers, new GemmProblem
                {
                    M = m,
                    N = rows,
                    K = matrix.Columns,
                    Batch = 1,
                    A = new Operand(x.Floats, matrix.Columns),
                    B = new Operand((byte*)matrix.Data.Address, matrix.Columns, BlockFormats.Of(matrix), true) { DoubleScales = matrix.ScaleTable is { } table ? table.Floats : null },
                    C = y.Floats,
                    StrideC = rows,
                });
            }
            Assert.Equal(expected.ToArray(), actual.ToArray());
        }
    }

    [Fact]
    public void AMatrixTakesLittleMoreThanFourBitsAWeight()
    {
        using Workspace w = new(CpuDevice.Default);
        const int Rows = 256, Columns = 1024;
        PackedMatrix twice = PackedMatrix.Quantize(w, PackedFormats.Get("NF4"), Rows, Columns, new float[Rows * Columns], doubleQuantization: true);
        PackedMatrix once = PackedMatrix.Quantize(w, PackedFormats.Get("NF4"), Rows, Columns, new float[Rows * Columns]);
        Assert.InRange(8.0 * twice.Bytes / (Rows * Columns), 4.125, 4.128);
        Assert.Equal(4.5, 8.0 * once.Bytes / (Rows * Columns));
        Assert.Equal("NF4 with double quantization (256, 1024)", twice.ToString());
    }

    [Fact]
    public void OnlyNf4HasItAndGroupsMustFit()
    {
        using Workspace w = new(CpuDevice.Default);
        Assert.Contains("Q4_0", Assert.Throws<ArgumentException>(() => PackedMatrix.Quantize(w, PackedFormats.Get("Q4_0"), 1, 64, new float[64], doubleQuantization: true)).Message, StringComparison.Ordinal);
        Assert.Contains("2 groups", Assert.Throws<ArgumentException>(() => new PackedMatrix(w, 257, 64, new DoubleQuantizedScales(0, [1]))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => PackedMatrix.Quantize(w, PackedFormats.Get("NF4"), 2, 64, new float[64]));
    }

    // Groups of 256 blocks that end inside rows, between them, and in the rows that fill up a panel.
    private static IEnumerable<(int M, int Rows, int Blocks, bool Exact, Precision Precision)> Cases()
    {
        foreach ((int m, int rows, int blocks) in ((int, int, int)[])[(1, 1, 1), (3, 40, 7), (9, 17, 64), (40, 70, 14), (2, 300, 1), (1, 5, 300)])
        {
            yield return (m, rows, blocks, false, Precision.F32);
            yield return (m, rows, blocks, true, Precision.F32);
            yield return (m, rows, blocks, false, Precision.BF16);
        }
    }

    private static (PackedMatrix Twice, PackedMatrix Once) Matrices(Workspace w, int rows, int blocks, int seed)
    {
        Random random = new(seed);
        float[] values = [.. Enumerable.Range(0, rows * blocks * NF4.Block).Select(i => (float)((random.NextDouble() - 0.5) * (1 + i / NF4.Block % 5)))];
        PackedMatrix twice = PackedMatrix.Quantize(w, PackedFormats.Get("NF4"), rows, blocks * NF4.Block, values, doubleQuantization: true);
        PackedMatrix once = new(w, PackedFormats.Get("NF4"), rows, twice.Columns);
        byte[] bytes = new byte[rows * twice.RowBytes];
        twice.GetRows(0, bytes);
        once.PutRows(0, bytes);
        return (twice, once);
    }

    private static Tensor Normal(Workspace w, int rows, int columns)
    {
        Tensor x = w.Empty(new Shape(rows, columns));
        for (int i = 0; i < x.Count; i++)
            x.Span()[i] = (float)CounterRandom.Normal(7, i);
        return x;
    }

    private static float[] Back(Workspace w, Tensor dy, PackedMatrix matrix)
    {
        Tensor dx = w.Empty(new Shape((int)dy.Shape.Rows, matrix.Columns));
        w.Device.MatMulPacked(new PackedMatMulTask(dy, matrix, dx, (int)dy.Shape.Rows) { Precision = w.Precision });
        return dx.ToArray();
    }

    private static IEnumerable<Device> Devices() => [ReferenceDevice.Instance, .. CpuFeatures.Available.Select(isa => CpuDevice.Create(isa, Workers.Default))];
}
