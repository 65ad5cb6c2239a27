using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu.Tests;

/// <summary>Panels hold what the blocks held, and every width of lanes reads the specification's values from them.</summary>
public sealed unsafe class PanelLayoutTests
{
    public static TheoryData<string> Formats => [.. Enum.GetValues<BlockFormat>().Where(f => f.HasPanels()).Select(f => f.ToString())];

    public static TheoryData<string, string> FormatsOnLanes
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string format in PackedFormats.All.Select(f => f.Name))
            {
                foreach (Isa isa in CpuFeatures.Available.Where(i => i <= Isa.Avx512))
                    cases.Add(format, isa.ToString());
            }
            return cases;
        }
    }

    [Fact]
    public void EveryFormatHasANumber()
    {
        foreach (PackedFormat format in PackedFormats.All)
        {
            BlockFormat number = BlockFormats.Of(format);
            Assert.Equal(format, number.Specification());
            Assert.Equal((format.BlockSize, format.BytesPerBlock), (number.Weights(), number.Bytes()));
        }
        // None, and NF4's second way of keeping scales.
        Assert.Equal(Enum.GetValues<BlockFormat>().Length - 2, PackedFormats.All.Count);
        Assert.Equal(33, BlockFormat.NF4Double.Bytes());
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void RowsTogetherGoWhereRowsAloneGo(string name)
    {
        BlockFormat format = Enum.Parse<BlockFormat>(name);
        const int Units = 3;
        int rowBytes = Units * format.Bytes(), unitBytes = PanelLayout.UnitBytes(format);
        foreach ((int first, int rows) in new[] { (0, 16), (0, 1), (0, 5), (3, 4), (5, 11), (15, 1) })
        {
            using GuardedBuffer blocks = new(rows * rowBytes), together = new(Units * unitBytes), alone = new(Units * unitBytes);
            new Random(first + rows).NextBytes(new Span<byte>(blocks.Start, rows * rowBytes));
            new Span<byte>(together.Start, Units * unitBytes).Fill(7);
            new Span<byte>(alone.Start, Units * unitBytes).Fill(7);
            PanelLayout.PutRows(format, blocks.Start, rowBytes, together.Start, first, rows);
            for (int i = 0; i < rows * Units; i++)
                PanelLayout.Put(format, blocks.Start + i * format.Bytes(), alone.Start + i % Units * unitBytes, first + i / Units);
            Assert.True(new Span<byte>(alone.Start, Units * unitBytes).SequenceEqual(new Span<byte>(together.Start, Units * unitBytes)), $"{name}: {rows} rows from {first} on");
            together.AssertIntact();
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void BlocksComeBackFromAPanelAsTheyWere(string name)
    {
        BlockFormat format = Enum.Parse<BlockFormat>(name);
        int unitBytes = PanelLayout.UnitBytes(format);
        Assert.Equal(unitBytes, PanelLayout.HeadBytes(format) + format.Weights() / PanelLayout.PartColumns * PanelLayout.PartBytes(format));
        using GuardedBuffer unit = new(unitBytes), block = new(format.Bytes());
        byte[] blocks = new byte[unitBytes];
        new Random(3).NextBytes(blocks);
        for (int row = 0; row < PanelLayout.Rows; row++)
        {
            blocks.AsSpan(row * format.Bytes(), format.Bytes()).CopyTo(new Span<byte>(block.Start, format.Bytes()));
            PanelLayout.Put(format, block.Start, unit.Start, row);
        }
        for (int row = 0; row < PanelLayout.Rows; row++)
        {
            block.Poison();
            PanelLayout.Get(format, unit.Start, row, block.Start);
            Assert.Equal(blocks.AsSpan(row * format.Bytes(), format.Bytes()), new Span<byte>(block.Start, format.Bytes()));
        }
        unit.AssertIntact();
        block.AssertIntact();
    }

    [Theory]
    [MemberData(nameof(FormatsOnLanes))]
    public void AMatrixHasTheValuesOfItsBlocks(string name, string isa)
    {
        PackedFormat format = PackedFormats.Get(name);
        using Workers workers = new(2);
        foreach ((int rows, int blocks) in ((int, int)[])[(1, 1), (15, 2), (16, 1), (17, 3), (40, 2), (0, 1), (3, 0)])
        {
            int columns = blocks * format.BlockSize;
            (byte[] packed, float[] expected) = Random(format, rows * columns, seed: rows);
            using Workspace w = new(CpuDevice.Create(Enum.Parse<Isa>(isa), workers)) { PoisonNewTensors = true };
            PackedMatrix matrix = new(w, format, rows, columns);
            matrix.PutRows(0, packed);
            Assert.Equal(expected, matrix.Dense(w).ToArray());
            byte[] back = new byte[packed.Length];
            matrix.GetRows(0, back);
            Assert.Equal(packed, back);
            if (rows > 1 && columns > 0)
            {
                matrix.PutRows(rows - 1, packed.AsSpan(0, matrix.RowBytes));
                Assert.Equal(expected[..columns], matrix.Dense(w).ToArray()[^columns..]);
            }
        }
    }

    [Fact]
    public void AMatrixSaysWhatDoesNotFit()
    {
        using Workspace w = new(CpuDevice.Default);
        PackedFormat format = PackedFormats.Get("Q4_K");
        Assert.Contains("300", Assert.Throws<ArgumentException>(() => new PackedMatrix(w, format, 2, 300)).Message, StringComparison.Ordinal);
        PackedMatrix matrix = new(w, format, 2, 512);
        Assert.Contains("Q4_K (2, 512)", Assert.Throws<ArgumentException>(() => matrix.PutRows(1, new byte[2 * matrix.RowBytes])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => matrix.PutRows(0, new byte[matrix.RowBytes - 1]));
        Assert.Throws<ArgumentException>(() => matrix.PutRows(-1, new byte[matrix.RowBytes]));
        Assert.Throws<ArgumentException>(() => matrix.Pack(new float[1023]));
    }

    /// <summary>Random weights as blocks, and the values that the blocks have.</summary>
    internal static (byte[] Blocks, float[] Values) Random(PackedFormat format, int count, int seed)
    {
        Random random = new(seed);
        float[] values = [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() - 0.5))];
        byte[] blocks = new byte[format.ByteLength(count)];
        format.Pack(values, blocks);
        format.Unpack(blocks, values);
        return (blocks, values);
    }
}
