using System.Text.Json;
using Gradus.Files;
using Gradus.Tensors;
using Gradus.Tensors.Packed;
using Gradus.Testing;

namespace Gradus.Tests.Files;

public sealed class PackedFormatTests
{
    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string folder in SharedFolder.GoldenCases("quantization").Where(f => f.StartsWith("gguf_blocks", StringComparison.Ordinal)))
            {
                using TensorFile file = TensorFile.Open(SharedFolder.Find("golden", "quantization", folder, "blocks.safetensors")!);
                foreach (string name in file.Entries.Select(e => e.Name).Where(n => n.EndsWith(".raw", StringComparison.Ordinal) && n != "BF16.raw").Order(StringComparer.Ordinal))
                    cases.Add(folder, name[..^4]);
            }
            return cases;
        }
    }

    public static TheoryData<string> Names => [.. PackedFormats.All.Select(f => f.Name)];

    [SharedTheory]
    [MemberData(nameof(Cases))]
    public void DecodesGoldenBlocks(string folder, string name)
    {
        using TensorFile file = Blocks(folder);
        PackedFormat format = PackedFormats.Get(name);
        AssertClose(Values(file, $"{name}.dequant"), Unpack(format, file.Bytes(file[$"{name}.raw"]).Span));
        if (file.TryGet($"{name}.random_raw", out TensorEntry? random))
            AssertClose(Values(file, $"{name}.random_dequant"), Unpack(format, file.Bytes(random).Span));
    }

    [SharedTheory]
    [MemberData(nameof(Cases))]
    public void EncodesAsWellAsTheReference(string folder, string name)
    {
        using TensorFile file = Blocks(folder);
        PackedFormat format = PackedFormats.Get(name);
        float[] x = Values(file, "x");
        ReadOnlySpan<byte> raw = file.Bytes(file[$"{name}.raw"]).Span;
        byte[] packed = new byte[raw.Length];
        format.Pack(x, packed);
        using JsonDocument meta = JsonDocument.Parse(File.ReadAllText(SharedFolder.Find("golden", "quantization", folder, "meta.json")!));
        JsonElement about = meta.RootElement.GetProperty(name);
        if (about.GetProperty("quantize_python").GetBoolean())
            Assert.Equal(raw, packed);
        double allowed = 1.02 * about.GetProperty("rms_error").GetDouble();
        Assert.InRange(RmsError(x, Unpack(format, packed)), 0, allowed);
        Assert.Equal(about.GetProperty("rms_error").GetDouble(), RmsError(x, Unpack(format, raw)), 1e-5);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void KeepsZerosAndRefusesPartsOfBlocks(string name)
    {
        PackedFormat format = PackedFormats.Get(name);
        byte[] packed = new byte[2 * format.BytesPerBlock];
        float[] weights = new float[2 * format.BlockSize];
        format.Pack(weights, packed);
        Array.Fill(weights, 1f);
        format.Unpack(packed, weights);
        Assert.All(weights, w => Assert.Equal(0f, w));
        Assert.Throws<ArgumentException>(() => format.Unpack(packed, weights.AsSpan(1)));
        Assert.Throws<ArgumentException>(() => format.Unpack(packed.AsSpan(1), weights));
        Assert.Throws<ArgumentException>(() => format.Pack(weights, packed.AsSpan(format.BytesPerBlock)));
        Assert.Throws<ArgumentException>(() => format.ByteLength(format.BlockSize + 1));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void PacksWhatItUnpackedWithoutFurtherLoss(string name)
    {
        PackedFormat format = PackedFormats.Get(name);
        Random random = new(7);
        float[] x = [.. Enumerable.Range(0, 8 * format.BlockSize).Select(_ => (float)(random.NextDouble() - 0.3) * 3)];
        byte[] packed = new byte[format.ByteLength(x.Length)];
        format.Pack(x, packed);
        float[] once = Unpack(format, packed);
        format.Pack(once, packed);
        double first = RmsError(x, once), second = RmsError(once, Unpack(format, packed));
        Assert.True(second <= first * 0.5, $"{name}: error {first} when packed, {second} when packed again");
    }

    // d = 1: the weights are the integers before rounding. 0.49999997 + 0.5 rounds to 1, so a sum and a truncation would not do.
    [Theory]
    [InlineData(0.5f, 1)]
    [InlineData(-0.5f, -1)]
    [InlineData(1.5f, 2)]
    [InlineData(-2.5f, -3)]
    [InlineData(0.49999997f, 0)]
    [InlineData(-126.5f, -127)]
    public void Q80RoundsHalvesAwayFromZero(float weight, int expected)
    {
        float[] weights = new float[32];
        (weights[3], weights[17]) = (127, weight);
        byte[] block = new byte[34];
        PackedFormats.Get("Q8_0").Pack(weights, block);
        Assert.Equal(expected, (sbyte)block[2 + 17]);
    }

    // A file's writer encodes long pieces on several threads.
    [Theory]
    [InlineData("Q4_K")]
    [InlineData("Q8_0")]
    [InlineData("BF16")]
    public void LongTensorsAreWrittenAsShortOnes(string type)
    {
        const int Columns = 256, Rows = 9001;
        Shape shape = new(Rows, Columns);
        TensorEntry entry = type == "BF16" ? new TensorEntry("w", DType.BF16, shape) : new TensorEntry("w", PackedFormats.Get(type), shape);
        Random random = new(5);
        float[] values = [.. Enumerable.Range(0, Rows * Columns).Select(_ => (float)(random.NextDouble() - 0.5))];
        using MemoryStream atOnce = new(), byRows = new();
        using (GgufWriter writer = new(atOnce, new GgufMetadata(), [entry], leaveOpen: true))
        {
            writer.Write("w", values);
            writer.Complete();
        }
        using (GgufWriter writer = new(byRows, new GgufMetadata(), [entry], leaveOpen: true))
        {
            for (int row = 0; row < Rows; row++)
                writer.Write("w", values.AsSpan(row * Columns, Columns));
            writer.Complete();
        }
        Assert.True(atOnce.GetBuffer().AsSpan(0, (int)atOnce.Length).SequenceEqual(byRows.GetBuffer().AsSpan(0, (int)byRows.Length)));
    }

    [Fact]
    public void LongIntegerTensorsAreRefusedInOneLine()
    {
        using GgufWriter writer = new(new MemoryStream(), new GgufMetadata(), [new TensorEntry("w", DType.I32, new Shape(1 << 18))]);
        Assert.Contains("not as I32", Assert.Throws<ArgumentException>(() => writer.Write("w", new float[1 << 18])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NamesTheFormatsWhenOneIsUnknown()
    {
        Assert.Contains("Q4_K", Assert.Throws<ArgumentException>(() => PackedFormats.Get("Q9_Z")).Message, StringComparison.Ordinal);
        Assert.Equal("Q4_K", PackedFormats.Get("q4_k").Name);
    }

    private static TensorFile Blocks(string folder) => TensorFile.Open(SharedFolder.Find("golden", "quantization", folder, "blocks.safetensors")!);

    private static float[] Values(TensorFile file, string name)
    {
        float[] values = new float[file[name].Shape.Count];
        file.Read(file[name], values);
        return values;
    }

    private static float[] Unpack(PackedFormat format, ReadOnlySpan<byte> raw)
    {
        float[] values = new float[raw.Length / format.BytesPerBlock * format.BlockSize];
        format.Unpack(raw, values);
        return values;
    }

    private static double RmsError(float[] x, float[] y) => Math.Sqrt(x.Zip(y, (a, b) => ((double)a - b) * ((double)a - b)).Average());

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= 1e-6 * Math.Abs(expected[i]), $"at {i}: {actual[i]} instead of {expected[i]}");
    }
}
