namespace Gradus.Nn;

/// <summary>Linear position biases (Press et al., "Train Short, Test Long: Attention with Linear Biases", 2021).</summary>
public static class Alibi
{
    /// <summary>
    /// The slope of every head: 2^(−8i/n) for i = 1 … n where n is a power of two; else those of the next smaller power, followed by
    /// every second one of twice that power.
    /// </summary>
    /// <param name="heads">Heads n, ≥ 1.</param>
    public static float[] Slopes(int heads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(heads, 1);
        int power = 1 << int.Log2(heads);
        float[] slopes = new float[heads];
        for (int i = 0; i < heads; i++)
        {
            double exponent = i < power ? 8.0 * (i + 1) / power : 8.0 * ((2 * (i - power)) + 1) / (2 * power);
            slopes[i] = (float)Math.Pow(2, -exponent);
        }
        return slopes;
    }
}
