using Gradus.Tensors.Cpu;
using Gradus.Testing;

namespace Gradus.Tensors.Tests;

/// <summary>Lifetimes and memory of tensors.</summary>
public sealed class WorkspaceTests
{
    public static TheoryData<string> Devices() => [.. TestDevices.Names];

    public static TheoryData<string> Processors() => [.. TestDevices.CpuNames];

    [Fact]
    public void AdoptedTensorsOutliveAWorkspaceWithMemoryOfItsOwn()
    {
        using Workspace store = new(ReferenceDevice.Instance);
        Workspace step = store.NewScratch();
        step.PoisonNewTensors = true;
        Tensor kept = store.Adopt(step.From([1f, 2f], new Shape(2)));
        step.Zeros(new Shape(2));
        Assert.Equal(1024, step.ReservedBytes);
        step.Dispose();
        Assert.Equal(512, step.ReservedBytes);
        Assert.Equal([1f, 2f], kept.ToArray());
        kept.Free();
        Assert.Equal((0, 0), (step.ReservedBytes, step.LiveBytes));
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public unsafe void MemoryIsAlignedAndPoisoned(string device)
    {
        Device d = TestDevices.Get(device);
        foreach (long bytes in new long[] { 64, 4096, 3 << 20 })
        {
            nint address = d.Allocate(bytes);
            Assert.Equal(0, address % 64);
            d.Poison(address, bytes);
            Assert.False(new Span<byte>((void*)address, (int)bytes).ContainsAnyExcept((byte)0xFF));
            d.Free(address, bytes);
        }
    }

    [Fact]
    public void NewTensorsArePoisonedOnRequestAndZerosAreZero()
    {
        using Workspace w = new(ReferenceDevice.Instance) { PoisonNewTensors = true };
        Assert.All(w.Empty(new Shape(3, 5)).ToArray(), v => Assert.True(float.IsNaN(v)));
        Assert.All(w.Zeros(new Shape(3, 5)).ToArray(), v => Assert.Equal(0, v));
    }

    [Fact]
    public void FreedTensorsSaySo()
    {
        Workspace w = new(ReferenceDevice.Instance);
        Tensor a = w.Zeros(new Shape(3)), b = w.Zeros(new Shape(3)), c = w.Zeros(new Shape(3));
        a.Free();
        Assert.Throws<ObjectDisposedException>(() => a.Span()[0]);
        Assert.Throws<ObjectDisposedException>(() => a.Add(b));
        w.Reset();
        Assert.Throws<ObjectDisposedException>(() => b.ToArray());
        w.Dispose();
        Assert.Throws<ObjectDisposedException>(() => c.Address);
        Assert.Throws<ObjectDisposedException>(() => w.Empty(new Shape(1)));
        Assert.Throws<ObjectDisposedException>(() => w.OpenChild());
        w.Dispose();
    }

    [Fact]
    public void ViewsKeepTheMemoryAliveAndShareIt()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Tensor whole = w.From([1f, 2f, 3f, 4f, 5f, 6f], new Shape(3, 2));
        Tensor part = w.View(whole, new Shape(2), 2 * sizeof(float)), rows = whole.Rows(1, 2), flat = whole.Reshape(6);
        long live = w.LiveBytes;
        whole.Free();
        Assert.Equal(live, w.LiveBytes);
        Assert.Equal([3f, 4f], part.ToArray());
        part.Span()[0] = 30;
        Assert.Equal([30f, 4f, 5f, 6f], rows.ToArray());
        Assert.Equal(30, flat.ToArray()[2]);
        part.Free();
        rows.Free();
        flat.Free();
        Assert.Equal(0, w.LiveBytes);
        Tensor small = w.Zeros(new Shape(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => w.View(small, new Shape(4), 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => w.View(small, new Shape(1), -4));
        Assert.Throws<ArgumentOutOfRangeException>(() => w.View(small, new Shape(1), 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => w.View(small, new Shape(1), 16));
    }

    [Fact]
    public void BytesAreCounted()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Tensor a = w.Empty(new Shape(256)), b = w.Empty(new Shape(1000));
        Assert.InRange(w.LiveBytes, 5024, 5024 * 9 / 8);
        long peak = w.LiveBytes;
        b.Free();
        Assert.Equal(1024, w.LiveBytes);
        Assert.Equal(peak, w.PeakBytes);
        Assert.Equal(peak, w.ReservedBytes);
        w.Empty(new Shape(1000));
        Assert.Equal(peak, w.LiveBytes);
        Assert.Equal(peak, w.ReservedBytes);
        w.Reset();
        Assert.Equal(0, w.LiveBytes);
        Assert.Equal(peak, w.ReservedBytes);
        w.Dispose();
        Assert.Equal(0, w.ReservedBytes);
        a.Free();
    }

    [Fact]
    public void StepsOfVaryingSizeSettleNearTheirPeak()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Random random = new(1);
        for (int step = 0; step < 200; step++)
        {
            w.Reset();
            int tokens = random.Next(500, 1000);
            for (int i = 0; i < 20; i++)
                w.Empty(new Shape(tokens, (i % 4) + 1));
        }
        Assert.InRange(w.ReservedBytes, w.PeakBytes, 2 * w.PeakBytes);
    }

    [Fact]
    public void SizeClassesWasteAtMostAnEighth()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        for (int n = 1; n < 300_000; n = (n * 17 / 16) + 1)
        {
            Tensor x = w.Empty(new Shape(n));
            Assert.InRange(w.LiveBytes, 4L * n, Math.Max(512, (4L * n * 9 / 8) + 64));
            x.Free();
        }
    }

    [Fact]
    public void AChildSharesMemoryAndItsResultsCanBeAdopted()
    {
        using Workspace w = new(ReferenceDevice.Instance) { Precision = Precision.BF16 };
        Tensor x = w.From([1f, 2f], new Shape(2));
        Tensor kept;
        long inside;
        using (Workspace child = w.OpenChild())
        {
            Assert.Equal(w.Depth + 1, child.Depth);
            Assert.Equal(Precision.BF16, child.Precision);
            Tensor here = child.Adopt(x);
            Assert.Same(child, here.Workspace);
            Tensor y = here.Scale(3);
            Assert.Same(child, y.Workspace);
            Assert.Same(child, x.Add(y).Workspace);
            kept = w.Adopt(y);
            Assert.Same(kept, w.Adopt(kept));
            inside = w.LiveBytes;
        }
        Assert.True(w.LiveBytes < inside);
        Assert.Equal([3f, 6f], kept.ToArray());
        Assert.Equal([1f, 2f], x.ToArray());
    }

    [Fact]
    public void ChildrenNestAndAreUsedAgain()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Workspace first = w.OpenChild(), second = first.OpenChild();
        Assert.Equal([1, 2], new[] { first.Depth, second.Depth });
        Tensor deep = second.Zeros(new Shape(8));
        second.Dispose();
        Assert.Throws<ObjectDisposedException>(() => deep.ToArray());
        Workspace third = first.OpenChild(), fourth = first.OpenChild();
        Assert.Same(second, third);
        Assert.NotSame(third, fourth);
        Tensor mine = third.Zeros(new Shape(8));
        fourth.Dispose();
        Assert.Equal(8, mine.ToArray().Length);
        third.Dispose();
        first.Dispose();
        Assert.Equal(0, w.LiveBytes);
    }

    [Fact]
    public void AScratchWorkspaceHasMemoryOfItsOwn()
    {
        using Workspace store = new(ReferenceDevice.Instance, Precision.BF16);
        using Workspace step = store.NewScratch();
        Assert.Equal((1, Precision.BF16), (step.Depth, step.Precision));
        step.Zeros(new Shape(100));
        Assert.Equal(0, store.LiveBytes);
        Tensor parameter = store.Zeros(new Shape(3)), x = step.Zeros(new Shape(3));
        Assert.Same(step, parameter.Add(x).Workspace);
        Assert.Same(step, x.Add(parameter).Workspace);
    }

    // The reference device may allocate: it is a specification.
    [Theory]
    [MemberData(nameof(Processors))]
    public void EqualStepsSettleAtNoAllocation(string device)
    {
        Device d = TestDevices.Get(device);
        using Workspace store = new(d);
        using Workspace step = store.NewScratch();
        AttentionLayout layout = new([0, 5, 12]), paged = AttentionLayout.Paged(4);
        paged.SetPaged(2, [0, 1, 2], [3, 8], [2, 0, 1], [0, 1]);
        Tensor weight = Filled(store, 16, 16), bias = Filled(store, 16), table = Filled(store, 32, 16), cos = Filled(store, 12, 2), pages = Filled(store, 3, 4, 2, 4);
        int[] ids = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0];
        void Step()
        {
            step.Reset();
            Tensor i = step.From(ids), x = table.Gather(i);
            x = x.LayerNorm(bias, bias).Linear(weight, bias).Add(x).RmsNorm(bias);
            Tensor q = x.Reshape(12, 4, 4).Rotate(cos, cos, i), k = x.Columns(0, 8).Reshape(12, 2, 4);
            Tensor y = q.Attention(k, k, layout, new AttentionOptions(0.5f, true)).Reshape(12, 16);
            y = y.Gate(Activation.Silu, x).Activate(Activation.Gelu).Activate(Activation.Mish).Dropout(0.5f, 3).Append(x).Rows(2, 8);
            y = y.SwapAxes().MatMul(y).Softmax().LogSoftmax().Multiply(y.Columns(0, 1).Sum()).Scale(2);
            using (Workspace child = step.OpenChild())
                y = step.Adopt(child.Adopt(y).Subtract(y));
            _ = y.LogSumExp().Mean();
            _ = q.Rows(0, 2).Attention(pages, pages, paged, new AttentionOptions(0.5f, true));
            _ = x.CrossEntropy(i);
            _ = x.LinearCrossEntropy(table, null, i);
        }
        for (int i = 0; i < 3; i++)
            Step();
        long reserved = step.ReservedBytes, before = GC.GetAllocatedBytesForCurrentThread();
        Step();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(reserved, step.ReservedBytes);
    }

    [Fact]
    public void WrongUsesAreRefused()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Tensor a = w.Zeros(new Shape(2, 3)), integers = w.From([1, 2]);
        Assert.Contains("(3, 2)", Assert.Throws<ArgumentException>(() => a.Add(w.Zeros(new Shape(3, 2)))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => w.From([1f, 2f], new Shape(3)));
        Assert.Throws<InvalidOperationException>(() => integers.Span());
        Assert.Throws<InvalidOperationException>(() => a.Span<double>());
        Assert.Throws<InvalidOperationException>(() => a.Item());
        Assert.Throws<InvalidOperationException>(() => integers.Scale(2));
        Assert.Throws<ArgumentException>(() => a.MatMul(a));
        Assert.Throws<ArgumentException>(() => a.Linear(w.Zeros(new Shape(4, 4))));
        Assert.Throws<ArgumentException>(() => a.Reshape(7));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Rows(1, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Columns(-1, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Dropout(1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Gather(w.From([2])));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Gather(w.From([-1])));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.CrossEntropy(w.From([0, 3])));
        Assert.Throws<ArgumentException>(() => a.CrossEntropy(w.From([0])));
        Assert.Throws<ArgumentException>(() => a.LinearCrossEntropy(w.Zeros(new Shape(4, 3)), w.Zeros(new Shape(3)), w.From([0, 1])));
        Assert.Throws<ArgumentException>(() => a.LayerNorm(w.Zeros(new Shape(2)), null));
        Assert.Throws<ArgumentException>(() => a.Gate(Activation.Silu, w.Zeros(new Shape(3, 2))));
    }

    [Fact]
    public void AttentionRefusesWhatDoesNotFit()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        AttentionOptions options = new(1, true);
        AttentionLayout layout = new([0, 3]), paged = AttentionLayout.Paged(4);
        Tensor q = w.Zeros(new Shape(3, 2, 4)), k = w.Zeros(new Shape(3, 1, 4)), pages = w.Zeros(new Shape(2, 4, 1, 4));
        Assert.Throws<ArgumentException>(() => q.Attention(k.Rows(0, 2), k, layout, options));
        Assert.Throws<ArgumentException>(() => q.Attention(k, k.Rows(0, 2), layout, options));
        Assert.Throws<ArgumentException>(() => q.Rows(0, 2).Attention(k, k, layout, options));
        Assert.Throws<ArgumentException>(() => q.Attention(w.Zeros(new Shape(3, 3, 4)), k, layout, options));
        Assert.Throws<ArgumentException>(() => q.Attention(k, k, layout, options, slopes: w.Zeros(new Shape(1))));
        Assert.Throws<ArgumentException>(() => q.Attention(k, k, layout, options, bias: w.Zeros(new Shape(2, 3, 2))));
        Assert.Throws<ArgumentException>(() => q.Attention(k, k, layout, options, bias: w.Zeros(new Shape(1, 3, 3))));
        paged.SetPaged(1, [0, 3], [5], [1, 2], [0]);
        Assert.Throws<ArgumentException>(() => q.Attention(pages, pages, paged, options));
        paged.SetPaged(1, [0, 3], [5], [1], [0]);
        Assert.Throws<ArgumentException>(() => q.Attention(pages, pages, paged, options));
        Assert.Throws<ArgumentException>(() => q.Attention(pages.Reshape(4, 2, 1, 4), pages.Reshape(4, 2, 1, 4), paged, options));
        Assert.Throws<ArgumentException>(() => new AttentionLayout([1, 2]));
        Assert.Throws<ArgumentException>(() => new AttentionLayout([0, 2, 1]));
        Assert.Throws<ArgumentException>(() => new AttentionLayout([0, 2], [0, 1, 2]));
        Assert.Throws<InvalidOperationException>(() => layout.SetPaged(1, [0, 1], [1], [0], [0]));
    }

    [Fact]
    public void AutomaticPrecisionIsWhatTheDeviceMultipliesFastest()
    {
        foreach (Isa isa in Enum.GetValues<Isa>().Where(i => i <= CpuFeatures.Best))
        {
            CpuDevice device = CpuDevice.Create(isa, Workers.Default);
            Precision expected = isa is Isa.Avx512Bf16 or Isa.Amx ? Precision.BF16 : Precision.F32;
            using Workspace w = new(device, Precision.Auto), inner = w.NewScratch(Precision.Auto);
            Assert.Equal(expected, w.Precision);
            Assert.Equal(expected, inner.Precision);
        }
        using Workspace reference = new(ReferenceDevice.Instance, Precision.Auto);
        Assert.Equal(Precision.F32, reference.Precision);
    }

    private static Tensor Filled(Workspace w, params int[] axes)
    {
        Tensor x = w.Empty(new Shape(axes));
        w.Device.Fill(x, 0.1f);
        return x;
    }
}
