using System.Numerics;

namespace Gradus.Training.Distributed;

/// <summary>
/// One binary tree over the leaves of a step, 0 … L − 1: a node of n leaves has the largest power of two below n on its left. Sums that are
/// taken along it have the same bits whoever takes which part: a contiguous range of leaves is a few whole subtrees.
/// </summary>
internal static class SumTree
{
    /// <summary>Where a node of at least two leaves is divided.</summary>
    public static int Split(int first, int end) => first + (int)(BitOperations.RoundUpToPowerOf2((uint)(end - first)) / 2);

    /// <summary>Whether [first, middle) and [middle, end) are the two halves of a node of the tree.</summary>
    public static bool AreSiblings(int first, int middle, int end, int leaves)
    {
        for (int low = 0, high = leaves; high - low > 1;)
        {
            int split = Split(low, high);
            if (low == first && high == end)
                return split == middle;
            if (end <= split)
                high = split;
            else if (first >= split)
                low = split;
            else
                return false;
        }
        return false;
    }

    /// <summary>The subtrees that a contiguous range of leaves is made of, from left to right.</summary>
    public static List<(int First, int End)> Roots(int first, int end, int leaves)
    {
        List<(int First, int End)> roots = [];
        for (int leaf = first; leaf < end; leaf++)
        {
            roots.Add((leaf, leaf + 1));
            while (roots.Count > 1 && AreSiblings(roots[^2].First, roots[^2].End, roots[^1].End, leaves))
            {
                roots[^2] = (roots[^2].First, roots[^1].End);
                roots.RemoveAt(roots.Count - 1);
            }
        }
        return roots;
    }

    /// <summary>Sums along the tree.</summary>
    /// <param name="values">What the leaves have, all equally many numbers.</param>
    public static double[] Sum(IReadOnlyList<double[]> values)
    {
        return Of(0, values.Count);

        double[] Of(int first, int end)
        {
            if (end - first == 1)
                return values[first];
            int split = Split(first, end);
            return [.. Of(first, split).Zip(Of(split, end), (a, b) => a + b)];
        }
    }
}
