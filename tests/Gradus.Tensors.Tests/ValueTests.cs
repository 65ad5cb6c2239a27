namespace Gradus.Tensors.Tests;

/// <summary>The small values that everything else is built of: shapes, masks, number formats, random streams.</summary>
public sealed class ValueTests
{
    [Fact]
    public void ShapesCountAndCompare()
    {
        Shape shape = new(2, 3, 4), scalar = default;
        Assert.Equal((24, 6, 4, 3), (shape.Count, shape.Rows, shape.Columns, shape.Rank));
        Assert.Equal((1, 1, 1, 0), (scalar.Count, scalar.Rows, scalar.Columns, scalar.Rank));
        Assert.Equal((0, 0, 5), (new Shape(0, 5).Count, new Shape(0, 5).Rows, new Shape(0, 5).Columns));
        Assert.Equal((4, 2), (shape[-1], shape[0]));
        Assert.Equal(new Shape(2, 3, 7), shape.WithColumns(7));
        Assert.Equal(new Shape(2, 9, 4), shape.With(1, 9));
        Assert.True(shape != new Shape(2, 3) && shape != new Shape(4, 3, 2) && shape == new Shape(2, 3, 4));
        Assert.Equal(shape.GetHashCode(), new Shape(2, 3, 4).GetHashCode());
        Assert.Equal("(2, 3, 4)", shape.ToString());
        Assert.Throws<ArgumentOutOfRangeException>(() => shape[3]);
        Assert.Throws<ArgumentOutOfRangeException>(() => scalar.WithColumns(2));
        Assert.Throws<ArgumentException>(() => new Shape(2, -1));
        Assert.Throws<ArgumentException>(() => new Shape(1, 2, 3, 4, 5, 6, 7));
        Assert.Throws<ArgumentException>(() => new Shape(int.MaxValue, int.MaxValue, 4));
    }

    [Fact]
    public void AQuerySeesTheKeysOfItsMasks()
    {
        foreach (bool causal in new[] { false, true })
        {
            foreach (int window in new[] { 0, 1, 3, 100 })
            {
                AttentionOptions options = new(1, causal, window);
                foreach ((int queries, int keys) in new[] { (5, 5), (1, 7), (3, 0), (200, 3), (7, 90) })
                {
                    for (int q = 0; q < queries; q++)
                    {
                        (int first, int end) = options.Visible(q, queries, keys);
                        int position = q + keys - queries;
                        int[] expected = [.. Enumerable.Range(0, keys).Where(k => (!causal || k <= position) && (window == 0 || k > position - window))];
                        Assert.True(first >= 0 && first <= end && end <= keys);
                        Assert.Equal(expected, Enumerable.Range(first, end - first));
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(1f, 0x3F80)]
    [InlineData(1.00390625f, 0x3F80)] // halfway, to even
    [InlineData(1.01171875f, 0x3F82)]
    [InlineData(-0f, 0x8000)]
    [InlineData(float.PositiveInfinity, 0x7F80)]
    [InlineData(3.4028235e38f, 0x7F80)]
    [InlineData(1e-45f, 0x0000)]
    public void BFloat16RoundsToNearestEven(float value, ushort bits) => Assert.Equal(bits, BFloat16.FromSingle(value));

    [Fact]
    public void BFloat16KeepsNaNAndItsOwnValues()
    {
        Assert.True(float.IsNaN(BFloat16.ToSingle(BFloat16.FromSingle(float.NaN))));
        Assert.True(float.IsNaN(BFloat16.ToSingle(BFloat16.FromSingle(BitConverter.UInt32BitsToSingle(0x7F800001)))));
        for (int bits = 0; bits < 0x10000; bits++)
        {
            float value = BFloat16.ToSingle((ushort)bits);
            if (!float.IsNaN(value))
                Assert.Equal((ushort)bits, BFloat16.FromSingle(value));
        }
    }

    [Fact]
    public void RandomStreamsHaveTheirMomentsAndDiffer()
    {
        const int n = 100_000;
        double sum = 0, squares = 0, uniform = 0;
        int[] below = new int[7];
        for (int i = 0; i < n; i++)
        {
            double x = CounterRandom.Normal(1, i);
            sum += x;
            squares += x * x;
            uniform += CounterRandom.Uniform(2, i);
            below[CounterRandom.Below(3, i, 7)]++;
        }
        Assert.InRange(sum / n, -0.015, 0.015);
        Assert.InRange(squares / n, 0.98, 1.02);
        Assert.InRange(uniform / n, 0.495, 0.505);
        Assert.All(below, b => Assert.InRange(b, (n / 7) - 500, (n / 7) + 500));
        Assert.Equal(n, Enumerable.Range(0, n).Select(i => CounterRandom.Bits64(4, i)).Distinct().Count());
        Assert.NotEqual(CounterRandom.Derive(1, "a"), CounterRandom.Derive(1, "b"));
        Assert.NotEqual(CounterRandom.Derive(1, 0), CounterRandom.Derive(2, 0));
    }

    [Fact]
    public void ActivationsHideNoNaN() =>
        Assert.All(Enum.GetValues<Activation>(), f => Assert.True(double.IsNaN(f.Apply(double.NaN))));

    [Fact]
    public void ActivationsHaveTheirNames()
    {
        Assert.Equal(Activation.GeluTanh, Activations.Parse("gelu_new"));
        Assert.Equal(Activation.Silu, Activations.Parse("swish"));
        Assert.Contains("gelu_pytorch_tanh", Assert.Throws<NotSupportedException>(() => Activations.Parse("golu")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DropoutDropsItsPartAndKeepsTheMean()
    {
        const int n = 100_000;
        using Workspace w = new(ReferenceDevice.Instance);
        Tensor x = w.Empty(new Shape(n));
        w.Device.Fill(x, 1);
        float[] y = x.Dropout(0.3f, 5).ToArray();
        Assert.InRange(y.Count(v => v == 0) / (double)n, 0.29, 0.31);
        Assert.All(y, v => Assert.True(v == 0 || v == 1 / (1 - 0.3f)));
        Assert.Equal(y, x.Dropout(0.3f, 5).ToArray());
        Assert.NotEqual(y, x.Dropout(0.3f, 6).ToArray());
    }
}
