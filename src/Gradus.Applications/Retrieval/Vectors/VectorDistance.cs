using System.Numerics.Tensors;
using Microsoft.Extensions.VectorData;

namespace Gradus.Applications.Retrieval.Vectors;

/// <summary>The distance functions of Microsoft.Extensions.VectorData.</summary>
internal static class VectorDistance
{
    /// <summary>The value of a function for two vectors.</summary>
    /// <exception cref="NotSupportedException">The function is unknown.</exception>
    public static double Of(string? function, ReadOnlySpan<float> a, ReadOnlySpan<float> b) => function switch
    {
        null or DistanceFunction.CosineSimilarity => TensorPrimitives.CosineSimilarity(a, b),
        DistanceFunction.CosineDistance => 1 - TensorPrimitives.CosineSimilarity(a, b),
        DistanceFunction.DotProductSimilarity => TensorPrimitives.Dot(a, b),
        DistanceFunction.NegativeDotProductSimilarity => -TensorPrimitives.Dot(a, b),
        DistanceFunction.EuclideanDistance => TensorPrimitives.Distance(a, b),
        DistanceFunction.EuclideanSquaredDistance => Math.Pow(TensorPrimitives.Distance(a, b), 2),
        DistanceFunction.HammingDistance => Different(a, b),
        DistanceFunction.ManhattanDistance => Manhattan(a, b),
        _ => throw new NotSupportedException($"the distance function '{function}' is not known."),
    };

    /// <summary>Whether larger values are nearer.</summary>
    public static bool IsSimilarity(string? function) => function is null or DistanceFunction.CosineSimilarity or DistanceFunction.DotProductSimilarity;

    private static double Different(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        int different = 0;
        for (int i = 0; i < a.Length; i++)
            different += a[i] == b[i] ? 0 : 1;
        return different;
    }

    private static double Manhattan(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += Math.Abs(a[i] - b[i]);
        return sum;
    }
}
