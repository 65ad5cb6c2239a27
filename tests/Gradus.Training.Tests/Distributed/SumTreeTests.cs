using System.Globalization;
using Gradus.Training.Distributed;

namespace Gradus.Training.Tests.Distributed;

/// <summary>The tree of leaves: any contiguous parts are whole subtrees, and joining those is summing all.</summary>
public sealed class SumTreeTests
{
    [Fact]
    public void PartsJoinToTheWhole()
    {
        for (int leaves = 1; leaves <= 33; leaves++)
        {
            double[][] values = [.. Enumerable.Range(0, leaves).Select(i => new[] { Math.Sin(i) * Math.Pow(10, i % 9) })];
            double expected = SumTree.Sum(values)[0];
            for (int ranks = 1; ranks <= leaves; ranks++)
                Assert.Equal(expected, Joined(values, ranks));
        }
    }

    [Fact]
    public void AStepOfSeveralLeavesIsTheStepOfOneButForRounding()
    {
        string[] one = MpiRuns.Train(RankGroup.Alone, wholeState: true).Split(' '), many = MpiRuns.Train(new RankGroup(5), wholeState: true).Split(' ');
        Assert.Equal(one.Length, many.Length);
        Assert.NotEqual(one[0], many[0]);
        for (int i = 2; i < one.Length; i++)
            Assert.Equal(double.Parse(one[i], CultureInfo.InvariantCulture), double.Parse(many[i], CultureInfo.InvariantCulture), 1e-3);
    }

    private static double Joined(double[][] values, int ranks)
    {
        List<(int First, int End, double Sum)> stack = [];
        foreach ((int first, int end) in Enumerable.Range(0, ranks).SelectMany(r => SumTree.Roots(values.Length * r / ranks, values.Length * (r + 1) / ranks, values.Length)))
        {
            stack.Add((first, end, SumTree.Sum(values[first..end])[0]));
            while (stack.Count > 1 && SumTree.AreSiblings(stack[^2].First, stack[^2].End, stack[^1].End, values.Length))
            {
                stack[^2] = (stack[^2].First, stack[^1].End, stack[^2].Sum + stack[^1].Sum);
                stack.RemoveAt(stack.Count - 1);
            }
        }
        return Assert.Single(stack).Sum;
    }
}
