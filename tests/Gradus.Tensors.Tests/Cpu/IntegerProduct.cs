namespace Gradus.Tensors.Cpu.Tests;

/// <summary>
/// The definition of products on integers, in plain loops: activations as s·q per block of 32, integer sums over blocks (half blocks for
/// Q6_K), and one chain of fused multiply-adds over the blocks.
/// </summary>
internal static unsafe class IntegerProduct
{
    public static float[] Of(BlockFormat format, PackedCase c)
    {
        float[] result = new float[c.M * c.N];
        for (int m = 0; m < c.M; m++)
        {
            for (int n = 0; n < c.N; n++)
            {
                (float before, float bias) = c.Start(m, n);
                float sum = Chain(format, c, (float*)(c.Problem.A.Data + m * c.Problem.A.RowBytes), n) + before;
                result[m * c.N + n] = sum + bias;
            }
        }
        return result;
    }

    private static float Chain(BlockFormat format, PackedCase c, float* x, int n)
    {
        int units = c.K / format.Weights(), step = format == BlockFormat.Q6_K ? 16 : 32;
        byte* block = stackalloc byte[format.Bytes()];
        byte* codes = stackalloc byte[256];
        float sum = 0;
        for (int unit = 0; unit < units; unit++)
        {
            byte* panel = c.Problem.B.Data + n / 16 * PanelLayout.PanelBytes(format, c.K);
            PanelLayout.Get(format, panel + unit * PanelLayout.UnitBytes(format), n % 16, block);
            BlockCodes.Read(format, block, codes);
            for (int k = 0; k < format.Weights(); k += step)
            {
                int blockOfX = (unit * format.Weights() + k) / 32 * 32;
                (int[] q, float scale) = Quantize(x + blockOfX);
                if (format == BlockFormat.NF4)
                {
                    sum = TwoBytes(*(float*)block, codes + k, q, scale, sum);
                    continue;
                }
                int integers = 0, from = (unit * format.Weights() + k) - blockOfX;
                for (int i = 0; i < step; i++)
                    integers += Code(format, codes[k + i]) * q[from + i];
                (float d, float offset) = Scales(format, block, k);
                sum = MathF.FusedMultiplyAdd(integers, d * scale, sum);
                if (HasOffset(format))
                    sum = MathF.FusedMultiplyAdd(offset, scale * q.Sum(), sum);
            }
        }
        return sum;
    }

    // NF4's levels as integers of 16 bits: the upper bytes' products, then the lower ones'.
    private static float TwoBytes(float largest, byte* codes, int[] q, float scale, float sum)
    {
        (int upper, int lower) = (0, 0);
        for (int i = 0; i < 32; i++)
        {
            int level = (int)MathF.Round(Packed.NF4.Levels[codes[i]] * 32639);
            (upper, lower) = (upper + (level >> 8) * q[i], lower + (level & 255) * q[i]);
        }
        sum = MathF.FusedMultiplyAdd(upper, largest * (256f / 32639) * scale, sum);
        return MathF.FusedMultiplyAdd(lower, largest * (1f / 32639) * scale, sum);
    }

    private static (int[] Q, float Scale) Quantize(float* x)
    {
        float largest = 0;
        for (int i = 0; i < 32; i++)
            largest = MathF.Max(largest, MathF.Abs(x[i]));
        int[] q = new int[32];
        for (int i = 0; i < 32; i++)
            q[i] = largest < 1e-30f ? 0 : (int)MathF.Round(x[i] * (32639 / largest));
        return (q, largest < 1e-30f ? 0 : largest / 32639);
    }

    private static bool HasOffset(BlockFormat format) => format is BlockFormat.Q4_1 or BlockFormat.Q5_1 or BlockFormat.Q4_K or BlockFormat.Q5_K;

    private static int Code(BlockFormat format, int code) => format switch
    {
        BlockFormat.Q8_0 => code - 128,
        BlockFormat.Q4_0 => code - 8,
        BlockFormat.Q5_0 => code - 16,
        BlockFormat.Q6_K => code - 32,
        BlockFormat.IQ4_NL => Packed.NonLinear4.Levels[code],
        _ => code,
    };

    private static (float Scale, float Offset) Scales(BlockFormat format, byte* block, int k)
    {
        float d = (float)*(Half*)block, second = (float)*(Half*)(block + 2);
        switch (format)
        {
            case BlockFormat.Q6_K:
                return ((float)*(Half*)(block + 208) * (sbyte)block[192 + k / 16], 0);
            case BlockFormat.Q4_K or BlockFormat.Q5_K:
                (int scale, int min) = Packed.KScales.Read(new ReadOnlySpan<byte>(block + 4, 12), k / 32);
                return (d * scale, -(second * min));
            default:
                return (d, second);
        }
    }
}
