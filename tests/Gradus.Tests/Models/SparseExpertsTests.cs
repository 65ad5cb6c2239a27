using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Tests.Models;

/// <summary>Sparse experts against the plain sum over all experts, and who computes what.</summary>
public sealed class SparseExpertsTests : IDisposable
{
    private const int Width = 8, Count = 5, Top = 2;
    private readonly Scope _scope = new(ParameterSource.Random(3), new Workspace(ReferenceDevice.Instance));
    private readonly Counting[] _experts;
    private readonly Linear _router;

    public SparseExpertsTests()
    {
        _router = _scope.Linear("gate", Width, Count, bias: false, Init.Normal(1));
        _experts = [.. Enumerable.Range(0, Count).Select(e => new Counting(_scope.Linear($"experts.{e}", Width, Width, bias: true, Init.Normal(1))))];
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void IsTheWeightedSumOfTheChosen(bool renormalize)
    {
        using Workspace step = _scope.Parts.Store.NewScratch();
        Tensor x = Input(step, 7);
        Pass pass = new(new TokenBatch(new int[7]), step);
        float[] y = new SparseExperts(_router, _experts, Top, renormalize).Forward(x, pass).ToArray();
        float[] p = _router.Forward(x, pass).Softmax().ToArray();
        float[][] all = [.. _experts.Select(e => e.Forward(x, pass).ToArray())];
        for (int i = 0; i < 7; i++)
        {
            int[] chosen = [.. Enumerable.Range(0, Count).OrderByDescending(e => p[(i * Count) + e]).Take(Top)];
            double sum = renormalize ? chosen.Sum(e => (double)p[(i * Count) + e]) : 1;
            for (int c = 0; c < Width; c++)
                Assert.Equal(chosen.Sum(e => p[(i * Count) + e] / sum * all[e][(i * Width) + c]), y[(i * Width) + c], 1e-5);
        }
    }

    [Fact]
    public void AnExpertComputesItsRowsOnceAndNoneWithoutRows()
    {
        using Workspace step = _scope.Parts.Store.NewScratch();
        Pass pass = new(new TokenBatch(new int[40]), step);
        SparseExperts layer = new(_router, _experts, Top, renormalize: true);
        layer.Forward(Input(step, 40), pass);
        Assert.Equal(40 * Top, _experts.Sum(e => e.Rows));
        Assert.All(_experts, e => Assert.True(e.Calls <= 1));
        foreach (Counting expert in _experts)
            (expert.Calls, expert.Rows) = (0, 0);
        layer.Forward(Input(step, 1), pass);
        Assert.Equal(Top, _experts.Sum(e => e.Calls));
        Assert.Equal(Top, _experts.Sum(e => e.Rows));
    }

    [Fact]
    public void TheFirstOfEqualScoresIsChosen()
    {
        int[] top = new int[3];
        SparseExperts.Largest([1, 3, 3, 2, 3], top);
        Assert.Equal([1, 2, 4], top);
    }

    // With even probabilities and an even choice the loss is the number of experts per token.
    [Fact]
    public void BalancedExpertsHaveTheSmallestLoss()
    {
        using Workspace step = _scope.Parts.Store.NewScratch();
        LoadBalancing balancing = new(Top, Coefficient: 1, InTraining: true);
        Tensor even = step.From(new float[10], new Shape(5, 2)), onSided = step.From([9f, 0, 0, 9, 0, 0, 9, 0, 0], new Shape(3, 3));
        Assert.Equal(2, balancing.Loss([even]).Item(), 1e-6f);
        Assert.True(new LoadBalancing(1, 1, true).Loss([onSided]).Item() > 2.9);
        Assert.Throws<ArgumentException>(() => balancing.Loss([]));
    }

    public void Dispose() => _scope.Parts.Store.Dispose();

    private static Tensor Input(Workspace step, int rows) =>
        step.From([.. Enumerable.Range(0, rows * Width).Select(i => (float)CounterRandom.Normal(5, i))], new Shape(rows, Width));

    private sealed class Counting(Linear inner) : IBlock
    {
        public int Calls { get; set; }

        public int Rows { get; set; }

        public Tensor Forward(Tensor x, Pass pass)
        {
            Calls++;
            Rows += x.Shape[0];
            return inner.Forward(x, pass);
        }
    }
}
