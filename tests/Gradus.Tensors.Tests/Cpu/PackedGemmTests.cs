namespace Gradus.Tensors.Cpu.Tests;

/// <summary>Products with weights in blocks are products with the unpacked weights, to the bit.</summary>
public sealed unsafe class PackedGemmTests
{
    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (Isa isa in CpuFeatures.Available)
            {
                foreach (BlockFormat format in Enum.GetValues<BlockFormat>().Where(f => f != BlockFormat.None))
                    cases.Add(isa.ToString(), format.ToString());
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward(string isa, string format)
    {
        foreach ((int m, int n, int k) in ((int, int, int)[])[(1, 40, 512), (5, 33, 768), (37, 65, 1024)])
            Check(Enum.Parse<Isa>(isa), Enum.Parse<BlockFormat>(format), m, rows: n, columns: k, transposed: true);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradient_of_the_input(string isa, string format)
    {
        foreach ((int m, int n, int k) in ((int, int, int)[])[(1, 512, 40), (40, 768, 70)])
            Check(Enum.Parse<Isa>(isa), Enum.Parse<BlockFormat>(format), m, rows: k, columns: n, transposed: false);
    }

    private static void Check(Isa isa, BlockFormat format, int m, int rows, int columns, bool transposed)
    {
        Random random = new(m);
        (int n, int k) = transposed ? (rows, columns) : (columns, rows);
        float[] x = [.. Enumerable.Range(0, m * k).Select(_ => (float)(random.NextDouble() - 0.5))];
        float[] weights = [.. Enumerable.Range(0, rows * columns).Select(_ => (float)(random.NextDouble() - 0.5))];
        byte[] packed = BlockFormatTests.Pack(format, weights);
        float[] unpacked = BlockFormatTests.Unpack(format, packed, weights.Length);
        using GuardedBuffer blocks = new(packed.Length), result = new((long)m * n * sizeof(float));
        packed.CopyTo(new Span<byte>(blocks.Start, packed.Length));
        using Workers workers = new(2);
        float[] expected = new float[m * n], rounded = new float[m * n];
        fixed (float* a = x, b = unpacked, c = expected, inBf16 = rounded)
        {
            GemmProblem dense = new() { M = m, N = n, K = k, Batch = 1, A = new Operand(a, k), B = new Operand(b, columns, transposed), C = c, StrideC = n };
            GemmProblem sparse = dense with { B = new Operand(blocks.Start, format.RowBytes(columns), format, transposed), C = result.Floats };
            Gemm.Multiply(isa, workers, dense);
            Gemm.Multiply(isa, workers, sparse);
            Assert.Equal(expected, result.AsFloats.ToArray());

            result.Poison();
            Bf16Gemm.Multiply(isa, workers, dense with { C = inBf16 });
            Bf16Gemm.Multiply(isa, workers, sparse);
            Assert.Equal(rounded, result.AsFloats.ToArray());
        }
        result.AssertIntact();
    }
}
