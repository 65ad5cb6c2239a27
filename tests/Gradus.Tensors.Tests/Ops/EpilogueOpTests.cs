using Gradus.Tensors.Packed;
using Gradus.Testing;

namespace Gradus.Tensors.Tests;

/// <summary>A feed-forward layer whose products do the activation and the residual has the values and gradients of one with separate operations, to the bit.</summary>
public sealed class EpilogueOpTests
{
    private const int Rows = 41, Width = 64, Inner = 160;

    public static TheoryData<string, Precision> DevicesAndPrecisions() => BatchTests.DevicesAndPrecisions();

    [Theory]
    [MemberData(nameof(DevicesAndPrecisions))]
    public void FusedAndApartAreTheSameBits(string device, Precision precision)
    {
        foreach (Activation f in (Activation[])[Activation.GeluTanh, Activation.Silu, Activation.Mish])
        {
            foreach (bool tape in (bool[])[false, true])
            {
                float[][] fused = Run(device, precision, p => Fused(p, f), tape), apart = Run(device, precision, p => Apart(p, f), tape);
                for (int i = 0; i < apart.Length; i++)
                    Agreement.CheckBits(apart[i], fused[i], $"{device} {precision} {f}: result {i}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(DevicesAndPrecisions))]
    public void WithPackedWeightsToo(string device, Precision precision)
    {
        static Tensor Weights(Parts p, int rows, int columns, bool fused, Tensor x, Epilogue epilogue)
        {
            PackedMatrix matrix = new(x.Workspace, PackedFormats.Get("Q4_K"), rows, columns);
            matrix.Pack(Values(9, rows * columns, 0.2f));
            return fused ? x.Linear(matrix, null, epilogue) : epilogue.Of(x.Linear(matrix));
        }

        Func<Parts, Tensor> Layer(bool fused) => p =>
        {
            Tensor wide = p.X.Linear(p.Up.Value, null).Linear(Narrow(p, 256));
            Tensor h = Weights(p, 256, 256, fused, wide, Epilogue.Activate(Activation.GeluTanh));
            return Weights(p, Width, 256, fused, h, Epilogue.Residual(p.X));
        };

        float[][] together = Run(device, precision, Layer(true), tape: true), apart = Run(device, precision, Layer(false), tape: true);
        for (int i = 0; i < apart.Length; i++)
            Agreement.CheckBits(apart[i], together[i], $"{device} {precision}: result {i}");

        static Tensor Narrow(Parts p, int rows) => p.X.Workspace.From(Values(5, rows * Inner, 0.1f), new Shape(rows, Inner));
    }

    [Fact]
    public void SumsAreKeptOnlyForADerivative()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Tensor x = w.Zeros(new Shape(Rows, Width)), weight = w.Zeros(new Shape(Inner, Width));
        long before = w.LiveBytes;
        x.Linear(weight, epilogue: Epilogue.Activate(Activation.Silu));
        long one = w.LiveBytes - before;
        w.StartTape();
        x.Linear(weight, epilogue: Epilogue.Activate(Activation.Silu));
        Assert.Equal(before + (2 * one), w.LiveBytes);
        Tape.Watch(x);
        x.Linear(weight, epilogue: Epilogue.Activate(Activation.Silu));
        Assert.Equal(before + (4 * one), w.LiveBytes);
    }

    [Fact]
    public void TheGradientOfAnActivationsResultIsNeverStored()
    {
        const int wide = 1 << 14;
        using Workspace w = new(ReferenceDevice.Instance);
        Tensor x = w.Zeros(new Shape(1, 1)), up = w.Zeros(new Shape(wide, 1)), down = w.Zeros(new Shape(1, wide));
        Tape tape = w.StartTape();
        Tape.Watch(x);
        Tensor y = x.Linear(up, epilogue: Epilogue.Activate(Activation.Silu)).Linear(down);
        long forward = w.LiveBytes, one = wide * sizeof(float);
        tape.Backward(y);
        Assert.InRange(w.PeakBytes - forward, one, one + (one / 2));
    }

    private static Tensor Fused(Parts p, Activation f) => p.X
        .Linear(p.Up.Value, p.UpBias.Value, epilogue: Epilogue.Activate(f))
        .Linear(p.Down.Value, p.DownBias.Value, WeightLayout.InOut, Epilogue.Residual(p.X));

    // The scaling hides from the second product what made its input.
    private static Tensor Apart(Parts p, Activation f) => p.X.Add(p.X
        .Linear(p.Up.Value, p.UpBias.Value).Activate(f).Scale(1)
        .Linear(p.Down.Value, p.DownBias.Value, WeightLayout.InOut));

    private static float[][] Run(string device, Precision precision, Func<Parts, Tensor> layer, bool tape)
    {
        using Workspace store = new(TestDevices.Get(device)), w = store.NewScratch(precision);
        w.PoisonNewTensors = true;
        Parameter Make(string name, ulong key, params int[] axes) =>
            new(name, store.From(Values(key, (int)new Shape(axes).Count, 0.2f), new Shape(axes))) { Trainable = true };
        Parts parts = new(
            w.From(Values(1, Rows * Width, 1), new Shape(Rows, Width)),
            Make("up", 2, Inner, Width), Make("up bias", 3, Inner), Make("down", 4, Inner, Width), Make("down bias", 6, Width));
        Tape? recorded = tape ? w.StartTape() : null;
        Tape.Watch(parts.X);
        Tensor y = layer(parts);
        float[] values = y.ToArray();
        recorded?.Backward(y, w.From(GradientCase.Weights(values.Length), y.Shape));
        return [values, .. new[] { parts.X.Gradient, parts.Up.Gradient, parts.UpBias.Gradient, parts.Down.Gradient, parts.DownBias.Gradient }.OfType<Tensor>().Select(g => g.ToArray())];
    }

    private static float[] Values(ulong key, int count, float scale) => [.. Enumerable.Range(0, count).Select(i => scale * (float)CounterRandom.Normal(key, i))];

    private sealed record Parts(Tensor X, Parameter Up, Parameter UpBias, Parameter Down, Parameter DownBias);
}
