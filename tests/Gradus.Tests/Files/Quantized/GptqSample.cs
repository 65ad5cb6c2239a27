using System.Runtime.InteropServices;
using Gradus.Tensors;

namespace Gradus.Tests.Files.Quantized;

/// <summary>Writes weights as GPTQ stores them, a bit at a time; the model keeps what the integers stand for.</summary>
internal sealed class GptqSample(int bits, int groupSize, bool zerosLessOne, bool actOrder)
{
    public List<(string Name, DType Type, Shape Shape, byte[] Data)> Quantize(string stem, Tensor weight)
    {
        int outputs = weight.Shape[0], inputs = weight.Shape[1], groups = inputs / groupSize, most = (1 << bits) - 1;
        Span<float> w = weight.Span();
        // Groups as an order by activation leaves them: scattered.
        int[] groupOf = [.. Enumerable.Range(0, inputs).Select(i => actOrder ? (i * 7 + 3) % inputs / groupSize : i / groupSize)];
        float[] scales = new float[groups * outputs];
        byte[] q = new byte[inputs * outputs], zeros = new byte[groups * outputs];
        for (int o = 0; o < outputs; o++)
        {
            for (int g = 0; g < groups; g++)
            {
                int[] members = [.. Enumerable.Range(0, inputs).Where(i => groupOf[i] == g)];
                float low = 0, high = 0;
                foreach (int i in members)
                    (low, high) = (Math.Min(low, w[(o * inputs) + i]), Math.Max(high, w[(o * inputs) + i]));
                float scale = scales[(g * outputs) + o] = Math.Max((high - low) / most, 1e-6f);
                int zero = zeros[(g * outputs) + o] = (byte)Math.Clamp((int)Math.Round(-low / scale), zerosLessOne ? 1 : 0, most);
                foreach (int i in members)
                {
                    int value = q[(i * outputs) + o] = (byte)Math.Clamp((int)Math.Round(w[(o * inputs) + i] / scale) + zero, 0, most);
                    w[(o * inputs) + i] = scale * (value - zero);
                }
            }
        }
        uint[] qweight = new uint[inputs * bits / 32 * outputs], qzeros = new uint[groups * (((outputs * bits) + 31) / 32)];
        for (int i = 0; i < inputs; i++)
        {
            for (int o = 0; o < outputs; o++)
                Put(qweight, i, q[(i * outputs) + o], word => (word * outputs) + o);
        }
        int zeroWords = qzeros.Length / groups;
        for (int g = 0; g < groups; g++)
        {
            for (int o = 0; o < outputs; o++)
                Put(qzeros, o, zeros[(g * outputs) + o] - (zerosLessOne ? 1 : 0), word => (g * zeroWords) + word);
        }
        List<(string Name, DType Type, Shape Shape, byte[] Data)> stored = [];
        stored.Add(($"{stem}.qweight", DType.I32, new Shape(inputs * bits / 32, outputs), MemoryMarshal.AsBytes<uint>(qweight).ToArray()));
        stored.Add(($"{stem}.qzeros", DType.I32, new Shape(groups, zeroWords), MemoryMarshal.AsBytes<uint>(qzeros).ToArray()));
        stored.Add(($"{stem}.scales", DType.F32, new Shape(groups, outputs), MemoryMarshal.AsBytes<float>(scales).ToArray()));
        if (actOrder)
            stored.Add(($"{stem}.g_idx", DType.I32, new Shape(inputs), MemoryMarshal.AsBytes<int>(groupOf).ToArray()));
        return stored;
    }

    private void Put(uint[] words, int index, int value, Func<int, int> place)
    {
        for (int bit = 0; bit < bits; bit++)
        {
            int at = (index * bits) + bit;
            if ((value >> bit & 1) != 0)
                words[place(at / 32)] |= 1u << (at % 32);
        }
    }
}
