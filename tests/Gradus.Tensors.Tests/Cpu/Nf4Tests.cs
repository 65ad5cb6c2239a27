using Gradus.Tensors.Packed;
using Gradus.Testing;

namespace Gradus.Tensors.Cpu.Tests;

public sealed class Nf4Tests
{
    [SharedFact("golden", "quantization", "bitsandbytes")]
    public void GoldenWeightsArePackedAndRead()
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
            Assert.Equal(golden.Floats($"{input}.nf4.bs64.dequant"), Unpack(imported)[..x.Length]);
            cases++;
        }
        Assert.True(cases > 0);
    }

    [Fact]
    public void LengthsThatDoNotFitAreAnError() =>
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
}
