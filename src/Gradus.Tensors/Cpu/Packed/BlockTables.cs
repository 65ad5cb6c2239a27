namespace Gradus.Tensors.Cpu;

/// <summary>What readers and writers of blocks share.</summary>
internal static unsafe class BlockTables
{
    /// <summary>The sixteen values of IQ4_NL, ascending.</summary>
    public static ReadOnlySpan<float> Iq4NlValues => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>The same in memory that does not move.</summary>
    public static float* Iq4Nl { get; } = Fixed(Iq4NlValues);

    /// <summary>The sixteen values of NF4, ascending: QLoRA (Dettmers et al., 2023), appendix E.</summary>
    public static ReadOnlySpan<float> Nf4Values =>
    [
        -1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0,
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1,
    ];

    /// <summary>The same in memory that does not move.</summary>
    public static float* Nf4 { get; } = Fixed(Nf4Values);

    /// <summary>1 &lt;&lt; j for j = 0..31.</summary>
    public static int* BitOfLane { get; } = Bits();

    /// <summary>Scale and offset, 6 bits each, of one of eight parts, from the 12 bytes that hold them.</summary>
    public static (int Scale, int Offset) SixBits(byte* q, int part) => part < 4
        ? (q[part] & 63, q[part + 4] & 63)
        : ((q[part + 4] & 15) | (q[part - 4] >> 6 << 4), (q[part + 4] >> 4) | (q[part] >> 6 << 4));

    /// <summary>Writes what <see cref="SixBits"/> reads, for all eight parts; the 12 bytes must be zero before.</summary>
    public static void PutSixBits(byte* q, ReadOnlySpan<int> scales, ReadOnlySpan<int> offsets)
    {
        for (int part = 0; part < 4; part++)
        {
            q[part] |= (byte)(scales[part] | scales[part + 4] >> 4 << 6);
            q[part + 4] |= (byte)(offsets[part] | offsets[part + 4] >> 4 << 6);
            q[part + 8] |= (byte)((scales[part + 4] & 15) | (offsets[part + 4] & 15) << 4);
        }
    }

    private static int* Bits()
    {
        int* at = (int*)AlignedMemory.Allocate(32 * sizeof(int));
        for (int j = 0; j < 32; j++)
            at[j] = 1 << j;
        return at;
    }

    private static float* Fixed(ReadOnlySpan<float> values)
    {
        float* at = (float*)AlignedMemory.Allocate((nuint)values.Length * sizeof(float));
        values.CopyTo(new Span<float>(at, values.Length));
        return at;
    }
}
