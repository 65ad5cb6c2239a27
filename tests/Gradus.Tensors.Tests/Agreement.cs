namespace Gradus.Tensors.Tests;

/// <summary>Comparison of numbers that were computed in different orders.</summary>
internal static class Agreement
{
    /// <summary>Fails where two numbers differ by more than a part of their size, of the typical size of all, and of one; infinities and NaN must match.</summary>
    public static void Check(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double tolerance, string what)
    {
        CheckLengths(expected, actual, what);
        double squares = 0;
        int finite = 0;
        foreach (float e in expected)
        {
            if (float.IsFinite(e) && Math.Abs(e) < 1e15)
            {
                squares += (double)e * e;
                finite++;
            }
        }
        double typical = finite == 0 ? 0 : Math.Sqrt(squares / finite);
        for (int i = 0; i < expected.Length; i++)
        {
            double e = expected[i], a = actual[i];
            if (!e.Equals(a) && !(Math.Abs(e - a) <= (tolerance * (1 + typical)) + (4 * tolerance * Math.Abs(e))))
                Assert.Fail($"{what}: [{i}] is {a}, expected {e}");
        }
    }

    /// <summary>Fails where two numbers differ in any bit.</summary>
    public static void CheckBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        CheckLengths(expected, actual, what);
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"{what}: [{i}] is {actual[i]:R}, expected the same bits as {expected[i]:R}");
        }
    }

    private static void CheckLengths(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        if (expected.Length != actual.Length)
            Assert.Fail($"{what}: {actual.Length} values, expected {expected.Length}");
    }
}
