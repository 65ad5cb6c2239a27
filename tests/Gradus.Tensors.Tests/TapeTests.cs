using Gradus.Testing;

namespace Gradus.Tensors.Tests;

/// <summary>What is recorded, what a backward pass leaves, and that gradients that are shared stay right.</summary>
public sealed class TapeTests
{
    public static TheoryData<string> Devices() => [.. TestDevices.Names];

    [Fact]
    public void NothingIsRecordedUnlessAsked()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Tensor x = Vector(w, 1, 2);
        Tape.Watch(x);
        Assert.False(x.Scale(2).NeedsGradient);
        Tape tape = w.StartTape();
        Assert.False(Vector(w, 1, 2).Scale(2).NeedsGradient);
        Assert.Equal(0, tape.Count);
        Assert.True(x.Scale(2).NeedsGradient);
        Assert.Equal(1, tape.Count);
        w.StopTape();
        Assert.False(x.Scale(2).NeedsGradient);
        Assert.Equal(1, tape.Count);
        Assert.NotSame(tape, w.StartTape());
        using Workspace child = w.OpenChild();
        Assert.Null(child.Tape);
        Assert.False(child.Adopt(x).Scale(2).NeedsGradient);
        w.Reset();
        Assert.Null(w.Tape);
    }

    [Fact]
    public void ParametersGetGradientsOnlyWhenTrainable()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Parameter p = new("p", Vector(w, 1, 2)), q = new("q", Vector(w, 3, 4)) { Trainable = true };
        using Workspace step = w.NewScratch();
        Tape tape = step.StartTape();
        tape.Backward(Vector(step, 5, 6).Multiply(p.Value).Multiply(q.Value).Sum());
        Assert.Null(p.Gradient);
        Assert.Equal([5f, 12f], q.Gradient!.ToArray());
        Assert.Same(w, q.Gradient!.Workspace);
        Assert.Same(q.Gradient, q.Value.Gradient);
    }

    [Fact]
    public void GradientsOfMicroBatchesAddUpUntilCleared()
    {
        using Workspace w = new(ReferenceDevice.Instance) { PoisonNewTensors = true };
        Parameter p = new("p", Vector(w, 1, 2)) { Trainable = true };
        using Workspace step = w.NewScratch();
        foreach (float factor in new[] { 1f, 10f, 100f })
        {
            step.Reset();
            step.StartTape().Backward(Vector(step, factor, 2 * factor).Multiply(p.Value).Sum());
        }
        Assert.Equal([111f, 222f], p.Gradient!.ToArray());
        Tensor memory = p.Gradient!;
        p.ClearGradient();
        Assert.Null(p.Gradient);
        step.StartTape().Backward(Vector(step, 3, 4).Multiply(p.Value).Sum());
        Assert.Equal([3f, 4f], p.Gradient!.ToArray());
        Assert.Same(memory, p.Gradient);
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void SharedGradientsStayWhole(string device)
    {
        using Workspace w = new(TestDevices.Get(device)) { PoisonNewTensors = true };
        Tape tape = w.StartTape();
        Tensor x = Vector(w, 1, 2), z = Vector(w, 3, 5);
        Tape.Watch(x);
        Tape.Watch(z);

        // h = x + x, r = h + z, s = r + h·z, y = r − s + x, and both r and y count: all pass gradients on that others also hold.
        Tensor h = x.Add(x), r = h.Add(z), s = r.Add(h.Multiply(z)), y = r.Subtract(s).Add(x);
        Tensor loss = y.Sum().Add(r.Reshape(2, 1).Reshape(2).Sum()).Add(r.Rows(0, 1).Sum());
        tape.Backward(loss);

        // loss = Σ (x − 2x·z) + Σ (2x + z) + 2x₀ + z₀.
        Assert.Equal([1 - (2 * 3f) + 2 + 2, 1 - (2 * 5f) + 2], x.Gradient!.ToArray());
        Assert.Equal([(-2 * 1f) + 1 + 1, (-2 * 2f) + 1], z.Gradient!.ToArray());
    }

    [Fact]
    public void AnInputMayBeItsOwnNeighbourInEveryWay()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Tape tape = w.StartTape();
        Tensor x = Vector(w, 3, 4);
        Tape.Watch(x);
        tape.Backward(x.Multiply(x).Add(x).Subtract(x).Add(x.Reshape(2)).Add(x).Sum());
        Assert.Equal([8f, 10f], x.Gradient!.ToArray());
    }

    [Fact]
    public void AGivenGradientMayHaveOtherAxes()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Tape tape = w.StartTape();
        Tensor x = w.From([1f, 2f, 3f, 4f, 5f, 6f], new Shape(2, 3));
        Tape.Watch(x);
        tape.Backward(x.SwapAxes(), w.From([1f, 2f, 3f, 4f, 5f, 6f], new Shape(6)));
        Assert.Equal([1f, 3f, 5f, 2f, 4f, 6f], x.Gradient!.ToArray());
        Assert.Equal(x.Shape, x.Gradient!.Shape);
        Assert.Throws<ArgumentException>(() => x.AddGradient(w.Zeros(new Shape(5))));
    }

    [Fact]
    public void WatchedInputsAddUpOverBackwardPasses()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Tape tape = w.StartTape();
        Tensor x = Vector(w, 3, 4);
        Tape.Watch(x);
        tape.Backward(x.Scale(2).Sum());
        Assert.Equal(0, tape.Count);
        tape.Backward(x.Scale(3).Sum());
        Assert.Equal([5f, 5f], x.Gradient!.ToArray());
    }

    [Fact]
    public void AGradientLivesAsLongAsItsTensor()
    {
        using Workspace w = new(ReferenceDevice.Instance) { PoisonNewTensors = true };
        Tensor x = Vector(w, 3, 4);
        Tape.Watch(x);
        foreach (float factor in new[] { 1f, 10f })
        {
            using Workspace child = w.OpenChild();
            Tape tape = child.StartTape();
            tape.Backward(x.Multiply(Vector(child, factor, 2 * factor)).Add(x.Reshape(2)).Sum());
        }
        Assert.Equal([11f, 22f], x.Gradient!.ToArray());
        Assert.Same(w, x.Gradient.Workspace);
    }

    [Fact]
    public void AdoptedTensorsPassTheirGradientOn()
    {
        using Workspace store = new(ReferenceDevice.Instance);
        Parameter p = new("p", store.From([1f, 2f, 3f, 4f], new Shape(2, 2))) { Trainable = true };
        using Workspace step = store.NewScratch();
        Tape tape = step.StartTape();
        Tensor here = step.Adopt(p.Value);
        tape.Backward(here.Rows(0, 1).Add(here.SwapAxes().Rows(0, 1)).Sum());
        Assert.Equal([2f, 1f, 1f, 0f], p.Gradient!.ToArray());
        step.StopTape();
        Assert.False(step.Adopt(p.Value).NeedsGradient);
    }

    [Fact]
    public void MemoryFallsDuringTheBackwardPass()
    {
        const int layers = 20, n = 1 << 14;
        using Workspace store = new(ReferenceDevice.Instance);
        using Workspace w = store.NewScratch();
        Parameter p = new("p", store.Zeros(new Shape(n))) { Trainable = true };
        Tape tape = w.StartTape();
        Tensor x = w.Zeros(new Shape(n)).Add(p.Value);
        List<long> live = [];
        for (int i = 0; i < layers; i++)
        {
            x = x.Activate(Activation.Tanh);
            Tensor y = x.Scale(1);
            tape.Record(y, new Observer(x, () => live.Add(w.LiveBytes)));
            x = y;
        }
        Tensor loss = x.Sum();
        long forward = w.LiveBytes;
        tape.Backward(loss);
        Assert.Equal(layers, live.Count);
        for (int i = 1; i < layers; i++)
            Assert.True(live[i] < live[i - 1], $"after {i} layers {live[i]} bytes, before {live[i - 1]}");
        Assert.True(w.PeakBytes <= forward + (4 * n * sizeof(float)), "the backward pass needs room for more than some gradients");
        Assert.True(w.LiveBytes < 3 * n * sizeof(float));
        Assert.Equal(1f, loss.Item() + 1);
        Assert.Throws<ObjectDisposedException>(() => x.ToArray());
    }

    [Fact]
    public void BackwardSaysWhatIsWrong()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Tape tape = w.StartTape();
        Tensor x = Vector(w, 1, 2);
        Assert.Throws<InvalidOperationException>(() => tape.Backward(x.Sum()));
        Tape.Watch(x);
        Assert.Throws<ArgumentException>(() => tape.Backward(x.Scale(2)));
        Assert.Throws<ArgumentException>(() => tape.Backward(x.Scale(2), Vector(w, 1)));
        Tensor pages = w.Zeros(new Shape(1, 4, 1, 2)), q = x.Reshape(1, 1, 2);
        AttentionLayout paged = AttentionLayout.Paged(4);
        paged.SetPaged(1, [0, 1], [2], [0], [0]);
        Tensor y = q.Attention(pages, pages, paged, new AttentionOptions(1, true));
        Assert.Throws<InvalidOperationException>(() => tape.Backward(y.Sum()));
        Parameter half = new("half", w.Empty(new Shape(2), DType.BF16));
        Assert.Throws<InvalidOperationException>(() => half.Trainable = true);
    }

    [Fact]
    public void WhatTheLossDoesNotDependOnGetsNoGradient()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Parameter used = new("used", Vector(w, 1, 2)) { Trainable = true }, unused = new("unused", Vector(w, 1, 2)) { Trainable = true };
        using Workspace step = w.NewScratch();
        Tape tape = step.StartTape();
        Tensor loss = Vector(step, 1, 1).Multiply(used.Value).Sum();
        _ = Vector(step, 1, 1).Multiply(unused.Value).Sum();
        tape.Backward(loss);
        Assert.NotNull(used.Gradient);
        Assert.Null(unused.Gradient);
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void RecomputingGivesTheSameBits(string device)
    {
        float[] Gradient(bool recompute, out long forwardBytes)
        {
            using Workspace store = new(TestDevices.Get(device)) { PoisonNewTensors = true };
            Parameter weight = new("w", Normal(store, 1, 24, 24)) { Trainable = true };
            using Workspace w = store.NewScratch();
            w.PoisonNewTensors = true;
            Tape tape = w.StartTape();
            Tensor x = Normal(w, 2, 10, 24);
            for (int layer = 0; layer < 3; layer++)
                x = recompute ? Recomputed.Run(Block, x, weight) : Block(x, weight);
            forwardBytes = w.LiveBytes;
            tape.Backward(x.CrossEntropy(w.From([.. Enumerable.Range(0, 10)])).Mean());
            return weight.Gradient!.ToArray();
        }

        static Tensor Block(Tensor x, Parameter weight) =>
            x.RmsNorm(null).Linear(weight.Value).Activate(Activation.GeluTanh).Dropout(0.2f, 9).Linear(weight.Value).Add(x);

        float[] kept = Gradient(false, out long keptBytes), again = Gradient(true, out long recomputedBytes);
        Agreement.CheckBits(kept, again, device);
        Assert.True(recomputedBytes < keptBytes / 3, $"{recomputedBytes} bytes with recomputation, {keptBytes} without");
    }

    private static Tensor Vector(Workspace w, params float[] values) => w.From(values, new Shape(values.Length));

    private static Tensor Normal(Workspace w, ulong key, params int[] axes)
    {
        Tensor x = w.Empty(new Shape(axes));
        for (int i = 0; i < x.Count; i++)
            x.Span()[i] = (float)CounterRandom.Normal(key, i) * 0.3f;
        return x;
    }

    private sealed class Observer(Tensor x, Action look) : Node
    {
        public override void Backward(Tensor dy)
        {
            look();
            x.AddGradient(dy.Workspace.Adopt(dy.Scale(1)));
        }
    }

    // Activation checkpointing as a model does it: a child workspace without a tape, and one with a tape in the backward pass.
    private sealed class Recomputed(Func<Tensor, Parameter, Tensor> block, Tensor x, Parameter weight) : Node
    {
        public static Tensor Run(Func<Tensor, Parameter, Tensor> block, Tensor x, Parameter weight)
        {
            Tensor y;
            using (Workspace inner = x.Workspace.OpenChild())
                y = x.Workspace.Adopt(block(inner.Adopt(x), weight));
            x.Workspace.Tape!.Record(y, new Recomputed(block, x, weight));
            return y;
        }

        public override void Backward(Tensor dy)
        {
            using Workspace inner = dy.Workspace.OpenChild();
            Tape tape = inner.StartTape();
            tape.Backward(block(inner.Adopt(x), weight), inner.Adopt(dy));
        }
    }
}
