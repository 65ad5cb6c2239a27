using System.Text.Json;
using Gradus.Testing;

namespace Gradus.Tensors.Cpu.Tests;

public sealed unsafe class BlockFormatTests
{
    public static TheoryData<string> Isas => OnLanes.Names;

    public static TheoryData<string> Formats => [.. Enum.GetNames<BlockFormat>().Where(name => name != nameof(BlockFormat.None))];

    // The goldens hold more formats than these; those that have no member here are read by other parts of the project or not at all yet.
    [SharedTheory("golden", "quantization", "gguf_blocks")]
    [MemberData(nameof(Isas))]
    public void Golden_blocks_are_read(string isa)
    {
        GoldenTensors golden = new("quantization", "gguf_blocks", "blocks.safetensors");
        int read = 0;
        foreach (BlockFormat format in Enum.GetValues<BlockFormat>().Where(f => f != BlockFormat.None && golden.Has($"{f}.raw")))
        {
            foreach (string prefix in (string[])["", "random_"])
            {
                byte[] raw = golden.Bytes($"{format}.{prefix}raw");
                float[] expected = golden.Floats($"{format}.{prefix}dequant");
                OnLanes.Run(isa, new ReadBlocks(format, raw, expected));
                read++;
            }
        }
        Assert.True(read > 0);
    }

    [SharedFact("golden", "quantization", "gguf_blocks")]
    public void Golden_weights_are_packed_as_well_as_the_reference_does()
    {
        GoldenTensors golden = new("quantization", "gguf_blocks", "blocks.safetensors");
        float[] x = golden.Floats("x");
        using JsonDocument meta = JsonDocument.Parse(File.ReadAllText(SharedFolder.Find("golden", "quantization", "gguf_blocks", "meta.json")!));
        foreach (BlockFormat format in Enum.GetValues<BlockFormat>().Where(f => f != BlockFormat.None && golden.Has($"{f}.raw")))
        {
            byte[] packed = Pack(format, x);
            if (meta.RootElement.GetProperty(format.ToString()).GetProperty("quantize_python").GetBoolean())
                Assert.Equal(golden.Bytes($"{format}.raw"), packed);
            double squares = 0;
            float[] back = Unpack(format, packed, x.Length);
            for (int i = 0; i < x.Length; i++)
                squares += ((double)x[i] - back[i]) * ((double)x[i] - back[i]);
            double reference = meta.RootElement.GetProperty(format.ToString()).GetProperty("rms_error").GetDouble();
            Assert.True(Math.Sqrt(squares / x.Length) <= 1.02 * reference, $"{format}: rms {Math.Sqrt(squares / x.Length)}, the reference has {reference}");
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Zeros_constants_and_values_on_the_grid_survive(string name)
    {
        BlockFormat format = Enum.Parse<BlockFormat>(name);
        float[] zeros = new float[512];
        Assert.Equal(zeros, Unpack(format, Pack(format, zeros), zeros.Length));
        float[] constant = [.. Enumerable.Repeat(-0.75f, 256)];
        Assert.All(Unpack(format, Pack(format, constant), 256), value => Assert.Equal(-0.75f, value, 0.01f));

        // What a format can hold exactly it packs without loss, once its scales are on their own grid.
        Random random = new(3);
        float[] x = [.. Enumerable.Range(0, 512).Select(_ => (float)(random.NextDouble() - 0.5))];
        float[] once = Unpack(format, Pack(format, x), x.Length);
        float[] twice = Unpack(format, Pack(format, once), x.Length);
        double drift = once.Zip(twice, (a, b) => Math.Abs((double)a - b)).Max();
        Assert.True(drift <= 0.005, $"{drift}");
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Nothing_outside_the_blocks_is_touched(string name)
    {
        BlockFormat format = Enum.Parse<BlockFormat>(name);
        int weights = format.Weights();
        using GuardedBuffer floats = new(weights * sizeof(float)), blocks = new(format.Bytes()), back = new(weights * sizeof(float));
        Random random = new(2);
        foreach (ref float value in floats.AsFloats)
            value = (float)(random.NextDouble() - 0.5);
        BlockPack.Row(format, floats.Floats, weights, blocks.Start);
        foreach (Isa isa in CpuFeatures.Available.Where(isa => isa <= Isa.Avx512))
            OnLanes.Run(isa.ToString(), new ReadInto(format, blocks, back));
        blocks.AssertIntact();
        back.AssertIntact();
    }

    [Fact]
    public void A_row_that_is_no_whole_number_of_blocks_is_an_error()
    {
        string message = Assert.Throws<ArgumentException>(() => BlockFormat.Q4_K.RowBytes(300)).Message;
        Assert.Contains("256", message, StringComparison.Ordinal);
        Assert.Contains("300", message, StringComparison.Ordinal);
        Assert.Equal(2 * 34, BlockFormat.Q8_0.RowBytes(64));
    }

    internal static byte[] Pack(BlockFormat format, float[] x)
    {
        byte[] packed = new byte[format.RowBytes(x.Length)];
        fixed (float* from = x)
        fixed (byte* to = packed)
            BlockPack.Row(format, from, x.Length, to);
        return packed;
    }

    internal static float[] Unpack(BlockFormat format, byte[] packed, int weights)
    {
        float[] x = new float[weights];
        fixed (byte* from = packed)
        fixed (float* to = x)
            BlockUnpack<Lanes1>.Row(format, from, weights, to);
        return x;
    }

    private readonly struct ReadBlocks(BlockFormat format, byte[] raw, float[] expected) : ILaneCheck
    {
        public void Run<T>()
            where T : unmanaged, ILanes<T>
        {
            float[] result = new float[expected.Length];
            fixed (byte* from = raw)
            fixed (float* to = result)
                BlockUnpack<T>.Row(format, from, result.Length, to);
            for (int i = 0; i < result.Length; i++)
                Assert.True(Math.Abs(result[i] - expected[i]) <= 1e-6f * Math.Abs(expected[i]), $"{format}[{i}] is {result[i]:R}, not {expected[i]:R}");
        }
    }

    private readonly struct ReadInto(BlockFormat format, GuardedBuffer blocks, GuardedBuffer to) : ILaneCheck
    {
        public void Run<T>()
            where T : unmanaged, ILanes<T>
        {
            to.Poison();
            BlockUnpack<T>.Row(format, blocks.Start, format.Weights(), to.Floats);
            foreach (float value in to.AsFloats)
                Assert.InRange(value, -0.7f, 0.7f);
        }
    }
}
