using System.Text.Json;
using Gradus.Files;
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
