using Gradus.Testing;

namespace Gradus.Tensors.Tests;

/// <summary>A head whose vocabulary is cut into blocks gives what the whole one gives, however it is cut and whatever is kept.</summary>
public sealed class LinearCrossEntropyTests
{
    private const int Rows = 5, Width = 33, Vocabulary = (3 * CrossEntropyTask.BlockColumns) + 7;

    public static TheoryData<string> Devices => [.. TestDevices.Names];

    // The reference sums each block in double precision.
    public static TheoryData<string> Kernels => [.. TestDevices.CpuNames];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void BlocksDoNotChangeABit(string device)
    {
        foreach (Precision precision in (Precision[])[Precision.F32, Precision.BF16])
        {
            float[][] whole = Run(device, precision, int.MaxValue, long.MaxValue);
            int block = Rows * CrossEntropyTask.BlockColumns;
            foreach ((int atOnce, long kept) in new[] { (1, 0L), (1, 1L << 30), (block, 2L * block), (2 * block, 2L * block), (2 * block, 0) })
            {
                float[][] cut = Run(device, precision, atOnce, kept);
                for (int i = 0; i < whole.Length; i++)
                    Agreement.CheckBits(whole[i], cut[i], $"{device}, {precision}: {atOnce} logits at once, {kept} kept, result {i}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void IsTheCrossEntropyOfALinearLayer(string device)
    {
        float[][] expected = Run(device, Precision.F32, (x, weight, bias, targets) => x.Linear(weight, bias).CrossEntropy(targets));
        float[][] actual = Run(device, Precision.F32, 1, 0);
        for (int i = 0; i < expected.Length; i++)
            Agreement.Check(expected[i], actual[i], 1e-5, $"{device}: result {i}");
    }

    private static float[][] Run(string device, Precision precision, int atOnce, long kept) =>
        Run(device, precision, (x, weight, bias, targets) => x.LinearCrossEntropy(weight, bias, targets, atOnce, kept));

    // The losses, and the gradients of the input, the weight and the bias, of which the weight has one already.
    private static float[][] Run(string device, Precision precision, Func<Tensor, Tensor, Tensor, Tensor, Tensor> loss)
    {
        using Workspace store = new(TestDevices.Get(device));
        Parameter weight = new("weight", Normal(store, 1, Vocabulary, Width)) { Trainable = true }, bias = new("bias", Normal(store, 2, Vocabulary)) { Trainable = true };
        using Workspace w = store.NewScratch(precision);
        w.PoisonNewTensors = true;
        weight.Value.AddGradient(Normal(w, 3, Vocabulary, Width));
        Tape tape = w.StartTape();
        Tensor x = Normal(w, 4, Rows, Width);
        Tape.Watch(x);
        Tensor losses = loss(x, weight.Value, bias.Value, w.From([3, Vocabulary - 1, -100, 2 * CrossEntropyTask.BlockColumns, CrossEntropyTask.BlockColumns - 1]));
        float[] values = losses.ToArray();
        tape.Backward(losses, Normal(w, 5, Rows));
        return [values, x.Gradient!.ToArray(), weight.Gradient!.ToArray(), bias.Gradient!.ToArray()];
    }

    private static Tensor Normal(Workspace w, ulong key, params int[] axes)
    {
        Shape shape = new(axes);
        return w.From([.. Enumerable.Range(0, (int)shape.Count).Select(i => (float)CounterRandom.Normal(key, i))], shape);
    }
}
