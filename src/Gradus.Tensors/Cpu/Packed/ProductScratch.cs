using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu;

/// <summary>
/// The memory that a kernel of products on integers works with: a register of sixteen floats for each scale of a unit of 256 weights and for
/// each minimum, then what <see cref="Prepare"/> puts there.
/// </summary>
internal static unsafe class ProductScratch
{
    /// <summary>Where a code book lies: sixteen bytes, four times; for NF4 upper ones, then lower ones.</summary>
    public const int LevelsOffset = 32 * Register;

    /// <summary>Where NF4's two factors lie: what a step of the upper bytes is worth, and of the lower ones.</summary>
    public const int FactorsOffset = LevelsOffset + 2 * Register;

    /// <summary>Where the address of the unit's sixteen scales lies, if they are worked out for the whole panel (NF4Double); kernels move it on.</summary>
    public const int ScalesOffset = FactorsOffset + 2 * sizeof(float);

    /// <summary>Bytes of the memory, which begins at a cache line.</summary>
    public const int Bytes = FactorsOffset + Register;

    private const int Register = 64;

    /// <summary>Stores the format's code book.</summary>
    public static void Prepare(BlockFormat format, byte* scratch)
    {
        byte* levels = scratch + LevelsOffset;
        for (int i = 0; i < 64 && format == BlockFormat.IQ4_NL; i++)
            levels[i] = (byte)(NonLinear4.Levels[i % 16] + ActivationBlocks.Zero(format));
        if (format is not (BlockFormat.NF4 or BlockFormat.NF4Double))
            return;
        // Levels lie between −1 and 1; as integers they are off by at most 1/65,278.
        for (int i = 0; i < 64; i++)
        {
            int level = (int)MathF.Round(NF4.Levels[i % 16] * ActivationBlocks.Largest) + 256 * ActivationBlocks.Zero(format);
            (levels[i], levels[i + 64]) = ((byte)(level >> 8), (byte)level);
        }
        float* factors = (float*)(scratch + FactorsOffset);
        (factors[0], factors[1]) = (256f / ActivationBlocks.Largest, 1f / ActivationBlocks.Largest);
    }
}
