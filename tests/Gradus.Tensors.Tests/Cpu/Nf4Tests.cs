using Gradus.Tensors.Packed;
using Gradus.Testing;

namespace Gradus.Tensors.Cpu.Tests;

public sealed class Nf4Tests
{
    [SharedFact("golden", "quantization", "bitsandbytes")]
    public void Golden_weights_are_packed_and_read()
    {
        GoldenTensors golden = new("quantization", "bitsandbytes", "tensors.safetensors");
        Assert.Equal(golden.Floats("code.nf4"), NF4.Levels.ToArray());
        int cases = 0;
        foreach (string name in golden.Names.Where(name => name.EndsWith(".nf4.bs64.packed", StringComparison.Ordinal)))
        {
            string input = name[..name.IndexOf('.', StringComparison.Ordinal)];
            float[] x = golden.Floats($"in.{input}"), scales = golden.Floats($"{input}.nf4.bs64.absmax");
            // A last block that is not whole is packed as if zeros followed; zero has the code 7.
            float[] padded = new float[scales.Length * NF4.Block];
            x.CopyTo(padded, 0);
            byte[] packed = Pack(padded);
            byte[] nibbles = new byte[scales.Length * NF4.Block / 2];
            float[] exported = new float[scales.Length];
            NF4.Export(packed, nibbles, exported);
            Assert.Equal(scales, exported);
            Assert.Equal(golden.Bytes(name), nibbles[..(x.Length / 2)]);

            byte[] imported = new byte[packed.Length];
            NF4.Import(nibbles, scales, imported);
            Assert.Equal(packed, imported);
            AssertClose(golden.Floats($"{input}.nf4.bs64.dequant"), Unpack(imported));
            cases++;
        }
        Assert.True(cases > 0);
    }

    [SharedFact("golden", "quantization", "bitsandbytes")]
    public void Golden_scales_are_quantized_twice()
    {
        GoldenTensors golden = new("quantization", "bitsandbytes", "tensors.safetensors");
        int cases = 0;
        foreach (string name in golden.Names.Where(name => name.EndsWith(".nf4.double_quant.absmax_q", StringComparison.Ordinal)))
        {
            string prefix = name[..^".absmax_q".Length], input = name[..name.IndexOf('.', StringComparison.Ordinal)];
            float[] scales = golden.Floats($"{input}.nf4.bs64.absmax");
            AssertClose(golden.Floats($"{prefix}.nested_code"), NF4.DynamicMap.ToArray());
            byte[] codes = new byte[scales.Length];
            float[] nested = new float[(scales.Length + NF4.NestedBlock - 1) / NF4.NestedBlock];
            float offset = NF4.QuantizeScales(scales, codes, nested);
            Assert.Equal(golden.Floats($"{prefix}.offset")[0], offset, 1e-6 * Math.Abs(offset));
            AssertClose(golden.Floats($"{prefix}.nested_absmax"), nested, 1e-5f);
            Assert.Equal(golden.Bytes(name), codes);

            float[] back = new float[scales.Length];
            NF4.DequantizeScales(golden.Bytes(name), golden.Floats($"{prefix}.nested_code"), golden.Floats($"{prefix}.nested_absmax"), golden.Floats($"{prefix}.offset")[0], back);
            byte[] nibbles = new byte[scales.Length * NF4.Block / 2], imported = new byte[scales.Length * 36];
            golden.Bytes($"{prefix}.packed").CopyTo(nibbles, 0);
            NF4.Import(nibbles, back, imported);
            AssertClose(golden.Floats($"{prefix}.dequant"), Unpack(imported));
            cases++;
        }
        Assert.True(cases > 0);
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_an_error() =>
        Assert.Contains("do not fit", Assert.Throws<ArgumentException>(() => NF4.Import(new byte[31], new float[1], new byte[36])).Message, StringComparison.Ordinal);

    private static byte[] Pack(float[] x)
    {
        byte[] packed = new byte[x.Length / NF4.Block * 36];
        PackedFormats.Get("NF4").Pack(x, packed);
        return packed;
    }

    private static float[] Unpack(byte[] packed)
    {
        float[] x = new float[packed.Length / 36 * NF4.Block];
        PackedFormats.Get("NF4").Unpack(packed, x);
        return x;
    }

    private static void AssertClose(float[] expected, float[] actual, float tolerance = 1e-6f)
    {
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * Math.Abs(expected[i]), $"[{i}] is {actual[i]:R}, not {expected[i]:R}");
    }
}
