namespace Gradus.Tensors.Packed;

/// <summary>How much the error of each weight of a block counts, in the form that encoders take.</summary>
internal static class BlockImportance
{
    // What a weight of no importance still counts, so that its scale is not arbitrary.
    private const float Least = 1e-6f;

    private static readonly float[] AllOnes = [.. Enumerable.Repeat(1f, 256)];

    /// <summary>Every weight counts alike.</summary>
    public static ReadOnlySpan<float> Ones(int count) => AllOnes.AsSpan(0, count);

    /// <summary>Importances in parts of their mean, none of them zero.</summary>
    /// <returns>False where all are zero, or their sum is no number.</returns>
    public static bool Relative(ReadOnlySpan<float> importance, Span<float> relative)
    {
        double sum = 0;
        foreach (float value in importance)
            sum += value;
        if (!(sum > 0) || double.IsInfinity(sum))
            return false;
        for (int i = 0; i < importance.Length; i++)
            relative[i] = (float)(importance[i] * importance.Length / sum) + Least;
        return true;
    }
}
