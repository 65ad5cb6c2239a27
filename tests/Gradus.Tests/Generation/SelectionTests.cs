using Gradus.Generation;
using Gradus.Tensors;

namespace Gradus.Tests.Generation;

/// <summary>Selection without sorting against sorting, on vocabularies of real size with equal and forbidden logits.</summary>
public sealed class SelectionTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(37)]
    [InlineData(32000)]
    public void FindsWhatASortFinds(int count)
    {
        float[] values = [.. Enumerable.Range(0, count).Select(i =>
            CounterRandom.Below(9, i, 4) == 0 ? float.NegativeInfinity : MathF.Round((float)CounterRandom.Normal(5, i) * 100) / 10)];
        int[] order = [.. Enumerable.Range(0, count).OrderByDescending(i => values[i]).ThenByDescending(i => i)];
        LogitsScratch scratch = new();
        foreach (int k in new[] { 1, 2, 50, count / 2, count }.Where(k => k >= 1 && k <= count))
            Assert.Equal(values[order[k - 1]], Selection.KthLargest(values, k, scratch));
        Ranking ranking = new(values, scratch.Ints(count));
        foreach (int expected in order)
            Assert.Equal(expected, ranking.Pop());
        Assert.Equal(0, ranking.Count);
        Assert.Equal(Array.IndexOf(values, values[order[0]]), Distribution.Largest(values));
    }

    [Fact]
    public void DrawsWithinTheAllowedTokens()
    {
        float[] logits = [float.NegativeInfinity, 0, float.NegativeInfinity, 0, float.NegativeInfinity];
        LogitsScratch scratch = new();
        Assert.Equal(1, Distribution.Draw(logits, 0, scratch));
        Assert.Equal(1, Distribution.Draw(logits, 0.49, scratch));
        Assert.Equal(3, Distribution.Draw(logits, 0.51, scratch));
        Assert.Equal(3, Distribution.Draw(logits, 1 - 1e-16, scratch));
        logits[2] = float.NaN;
        Assert.Throws<InvalidDataException>(() => Distribution.Draw(logits, 0, scratch));
        Assert.Throws<InvalidDataException>(() => Distribution.Largest(logits));
    }
}
