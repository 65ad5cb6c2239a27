using Gradus.Testing;

namespace Gradus.Tensors.Tests;

/// <summary>A sequence or a row has the same bits alone and in a batch, on every device; paged and unpaged keys, and the two ways to attend, agree.</summary>
public sealed class BatchTests
{
    private const int Heads = 4, KvHeads = 2, Size = 17;
    private static readonly AttentionOptions Options = new(0.25f, true, Window: 40, SoftCap: 4);

    public static TheoryData<string> Devices() => [.. TestDevices.Names];

    public static TheoryData<string, Precision> DevicesAndPrecisions()
    {
        TheoryData<string, Precision> data = [];
        foreach (string device in TestDevices.Names)
        {
            data.Add(device, Precision.F32);
            data.Add(device, Precision.BF16);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(DevicesAndPrecisions))]
    public void ASequenceAttendsAlikeAloneAndInABatch(string device, Precision precision)
    {
        int[] lengths = [3, 100, 1, 0, 65, 4, 64, 5];
        using Workspace w = new(TestDevices.Get(device), precision) { PoisonNewTensors = true };
        int total = lengths.Sum(), start = 0;
        Tensor q = Normal(w, 1, total, Heads, Size), k = Normal(w, 2, total, KvHeads, Size), v = Normal(w, 3, total, KvHeads, Size), dy = Normal(w, 4, total, Heads, Size);
        Tensor[] together = Attend(w, q, k, v, dy, new AttentionLayout(Starts(lengths)));
        foreach (int n in lengths)
        {
            Tensor[] alone = Attend(w, q.Rows(start, n), k.Rows(start, n), v.Rows(start, n), dy.Rows(start, n), new AttentionLayout([0, n]));
            for (int i = 0; i < alone.Length; i++)
                Agreement.CheckBits(together[i].Rows(start, n).ToArray(), alone[i].ToArray(), $"{device}: result {i} of {n} tokens from {start} on");
            start += n;
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void ASequenceOfAPagedBatchAttendsAlikeAlone(string device)
    {
        using Bench bench = new(TestDevices.Get(device), 3);
        AttentionSetup setup = new([1, 70, 4], [33, 70, 9], Options, Heads, KvHeads, Size, Size, Page: 16);
        AttentionTask task = setup.Task(bench);
        bench.Device.Attention(task);
        AttentionLayout all = task.Layout;
        for (int s = 0; s < all.Sequences; s++)
        {
            AttentionLayout alone = AttentionLayout.Paged(16);
            alone.SetPaged(1, [0, all.QueryCount(s)], [all.KeyCount(s)], all.Pages, [all.PageStarts[s]]);
            Tensor y = task.Q.Rows(all.QueryStart(s), all.QueryCount(s)).Attention(task.K, task.V, alone, Options);
            Agreement.CheckBits(task.Y.Rows(all.QueryStart(s), all.QueryCount(s)).ToArray(), y.ToArray(), $"{device}: sequence {s}");
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void PagedKeysAgreeWithUnpaged(string device)
    {
        using Workspace w = new(TestDevices.Get(device)) { PoisonNewTensors = true };
        foreach (int page in new[] { 1, 5, 16, 64 })
        {
            foreach (int queries in new[] { 1, 4, 5, 70 })
            {
                const int keys = 70;
                Tensor q = Normal(w, 1, queries, Heads, Size), k = Normal(w, 2, keys, KvHeads, Size), v = Normal(w, 3, keys, KvHeads, Size);
                int pages = (keys + page - 1) / page;
                int[] order = [.. Enumerable.Range(0, pages).Reverse()];
                AttentionLayout paged = AttentionLayout.Paged(page);
                paged.SetPaged(1, [0, queries], [keys], order, [0]);
                Tensor kPages = Pages(w, k, order, page), vPages = Pages(w, v, order, page);
                float[] expected = q.Attention(k, v, new AttentionLayout([0, queries], [0, keys]), Options).ToArray();
                Agreement.Check(expected, q.Attention(kPages, vPages, paged, Options).ToArray(), 2e-6, $"{device}: {queries} queries, pages of {page}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void AFewQueriesAtATimeAgreeWithAllAtOnce(string device)
    {
        const int n = 130;
        using Workspace w = new(TestDevices.Get(device)) { PoisonNewTensors = true };
        Tensor q = Normal(w, 1, n, Heads, Size), k = Normal(w, 2, n, KvHeads, Size), v = Normal(w, 3, n, KvHeads, Size);
        Tensor all = q.Attention(k, v, new AttentionLayout([0, n]), Options);
        foreach (int queries in new[] { 1, 2, 4, 5 })
        {
            foreach (int end in new[] { queries, 63, 64, 65, 129, 130 })
            {
                Tensor y = q.Rows(end - queries, queries).Attention(k.Rows(0, end), v.Rows(0, end), new AttentionLayout([0, queries], [0, end]), Options);
                Agreement.Check(all.Rows(end - queries, queries).ToArray(), y.ToArray(), 2e-6, $"{device}: {queries} queries up to key {end}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void RowsHaveTheSameBitsAloneAndInABatch(string device)
    {
        const int rows = 37, columns = 67, wide = 95;
        using Workspace w = new(TestDevices.Get(device)) { PoisonNewTensors = true };
        Tensor weight = Normal(w, 1, wide, columns), bias = Normal(w, 2, wide), scale = Normal(w, 3, columns), shift = Normal(w, 4, columns);
        Tensor table = Normal(w, 5, 2 * CrossEntropyTask.BlockColumns + 77, columns);
        (string Name, Func<Tensor, Tensor> Run)[] operations =
        [
            ("linear", x => x.Linear(weight, bias)),
            ("linear, (in, out)", x => x.Linear(weight.SwapAxes(), bias, WeightLayout.InOut)),
            ("layer norm", x => x.LayerNorm(scale, shift)),
            ("rms norm", x => x.RmsNorm(scale)),
            ("softmax", x => x.Softmax()),
            ("log softmax", x => x.LogSoftmax()),
            ("log-sum-exp", x => x.LogSumExp()),
            ("gelu", x => x.Activate(Activation.Gelu)),
            ("cross-entropy", x => x.CrossEntropy(w.From([.. Enumerable.Range(0, x.Shape[0])]))),
            ("head and cross-entropy", x => x.LinearCrossEntropy(weight, bias, w.From([.. Enumerable.Repeat(5, x.Shape[0])]))),
            ("large head and cross-entropy", x => x.LinearCrossEntropy(table, null, w.From([.. Enumerable.Repeat(2100, x.Shape[0])]), 16 * 1024, 20_000)),
        ];
        foreach ((string name, Func<Tensor, Tensor> run) in operations)
        {
            // The reference sums in double precision, and so rounds once for each block of the vocabulary.
            if (w.Device is ReferenceDevice && name.StartsWith("large", StringComparison.Ordinal))
                continue;
            Tensor x = Normal(w, 9, rows, columns);
            (float[] y, float[] dx) = WithGradient(w, x, run);
            foreach ((int first, int count) in new[] { (0, 1), (0, 2), (0, 5), (0, 16), (0, 36) })
            {
                (float[] part, float[] dPart) = WithGradient(w, w.From(x.Rows(first, count).Span(), new Shape(count, columns)), run);
                int width = y.Length / rows;
                Agreement.CheckBits(y.AsSpan(first * width, count * width), part, $"{device}: {name}, {count} rows");
                Agreement.CheckBits(dx.AsSpan(first * columns, count * columns), dPart, $"{device}: gradient of {name}, {count} rows");
            }
        }
    }

    private static (float[] Y, float[] Dx) WithGradient(Workspace w, Tensor x, Func<Tensor, Tensor> run)
    {
        Tape tape = w.StartTape();
        Tensor input = w.From(x.Span(), x.Shape);
        Tape.Watch(input);
        Tensor y = run(input);
        float[] values = y.ToArray();
        tape.Backward(y, w.From(GradientCase.Weights(values.Length), y.Shape));
        w.StopTape();
        return (values, input.Gradient!.ToArray());
    }

    [Fact]
    public void DropoutOfAttentionDropsItsShareAndKeepsTheMean()
    {
        const int n = 300;
        foreach (string name in TestDevices.Names)
        {
            using Workspace w = new(TestDevices.Get(name));
            // All scores are equal and every value is 1: an output is the sum of its kept probabilities.
            Tensor q = w.Zeros(new Shape(n, 2, 4)), v = q.Activate(Activation.Sigmoid).Scale(2);
            float[] Sums(ulong key) => q.Attention(q, v, new AttentionLayout([0, n]), new AttentionOptions(1, false, Dropout: 0.25f, DropoutKey: key)).ToArray();
            float[] sums = Sums(1);
            Assert.InRange(sums.Average(), 0.98, 1.02);
            double deviation = Math.Sqrt(sums.Average(s => (s - 1.0) * (s - 1.0)));
            // Kept counts are binomial: σ of a sum is √(p/(1 − p)/n).
            Assert.InRange(deviation / Math.Sqrt(0.25 / 0.75 / n), 0.85, 1.15);
            Assert.Equal(sums, Sums(1));
            Assert.NotEqual(sums, Sums(2));
        }
    }

    private static Tensor[] Attend(Workspace w, Tensor q, Tensor k, Tensor v, Tensor dy, AttentionLayout layout)
    {
        Tape tape = w.StartTape();
        Tensor[] inputs = [.. new[] { q, k, v }.Select(t => w.From(t.Span(), t.Shape))];
        foreach (Tensor input in inputs)
            Tape.Watch(input);
        Tensor y = inputs[0].Attention(inputs[1], inputs[2], layout, Options);
        tape.Backward(y, w.From(dy.Span(), dy.Shape));
        w.StopTape();
        return [y, .. inputs.Select(i => i.Gradient!)];
    }

    private static Tensor Pages(Workspace w, Tensor rows, int[] order, int page)
    {
        int width = rows.Shape[1] * rows.Shape[2];
        Tensor pages = w.Empty(new Shape(order.Length, page, rows.Shape[1], rows.Shape[2]));
        for (int i = 0; i < rows.Shape[0]; i++)
            rows.Span().Slice(i * width, width).CopyTo(pages.Span()[(((order[i / page] * page) + (i % page)) * width)..]);
        return pages;
    }

    private static Tensor Normal(Workspace w, ulong key, params int[] axes)
    {
        Tensor x = w.Empty(new Shape(axes));
        for (int i = 0; i < x.Count; i++)
            x.Span()[i] = (float)CounterRandom.Normal(key, i);
        return x;
    }

    private static int[] Starts(int[] lengths)
    {
        int[] starts = new int[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
            starts[i + 1] = starts[i] + lengths[i];
        return starts;
    }
}
