namespace Gradus.Tensors.Packed;

/// <summary>Rounding to the three levels of TQ1_0 and TQ2_0.</summary>
internal static class Ternary
{
    /// <summary>0, 1 or 2 for a value nearest to −1, 0 or 1; halves away from zero.</summary>
    public static int Quantize(float value) => (int)Math.Clamp(MathF.Round(value, MidpointRounding.AwayFromZero), -1, 1) + 1;
}
