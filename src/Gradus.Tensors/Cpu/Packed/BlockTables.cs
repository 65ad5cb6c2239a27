using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu;

/// <summary>Code books in memory that does not move.</summary>
internal static unsafe class BlockTables
{
    /// <summary>The sixteen levels of IQ4_NL.</summary>
    public static float* Iq4Nl { get; } = Fixed([.. NonLinear4.Levels.ToArray().Select(level => (float)level)]);

    /// <summary>The sixteen levels of NF4.</summary>
    public static float* Nf4 { get; } = Fixed(NF4.Levels);

    /// <summary>The 256 values that NF4's scales are quantized to.</summary>
    public static float* DynamicMap { get; } = Fixed(DoubleQuantizedScales.Map);

    private static float* Fixed(ReadOnlySpan<float> values)
    {
        float* at = (float*)AlignedMemory.Allocate((nuint)values.Length * sizeof(float));
        values.CopyTo(new Span<float>(at, values.Length));
        return at;
    }
}
