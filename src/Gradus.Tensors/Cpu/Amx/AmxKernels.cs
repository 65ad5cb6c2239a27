namespace Gradus.Tensors.Cpu;

/// <summary>The assembled kernels, ready to be called; only where <see cref="AmxPermission.WhyNot"/> is null.</summary>
internal static unsafe class AmxKernels
{
    private static readonly nint ConfigureAt = Load(AmxCode.Configure());
    private static readonly nint ReleaseAt = Load(AmxCode.Release());
    private static readonly nint Multiply16At = Load(AmxCode.Multiply(twoRows: false));
    private static readonly nint Multiply32At = Load(AmxCode.Multiply(twoRows: true));
    private static readonly nint ConvertAt = Load(AmxCode.Convert());
    private static readonly nint InterleaveAt = Load(AmxCode.Interleave());
    private static readonly nint Order = MakeOrder();
    private static readonly nint Configuration = MakeConfiguration();

    /// <summary>Must run on a thread before <see cref="Multiply"/> does; <see cref="Release"/> ends it.</summary>
    public static void Configure() => ((delegate* unmanaged[SuppressGCTransition]<nint, void>)ConfigureAt)(Configuration);

    /// <summary>Gives the tile registers back.</summary>
    public static void Release() => ((delegate* unmanaged[SuppressGCTransition]<void>)ReleaseAt)();

    /// <summary>A block of 16 or 32 rows × 32 columns of C; see <see cref="AmxCode.Multiply"/>.</summary>
    public static void Multiply(bool twoRows, ushort* a, ushort* b, float* c, nint strideC, int steps, bool load) =>
        ((delegate* unmanaged[SuppressGCTransition]<ushort*, ushort*, float*, nint, nint, nint, void>)(twoRows ? Multiply32At : Multiply16At))(
            a, b, c, strideC * sizeof(float), steps, load ? 1 : 0);

    /// <summary>Floats to bf16, 32 at a time; see <see cref="AmxCode.Convert"/>.</summary>
    public static void Convert(float* from, ushort* to, int steps, int strideBytes) =>
        ((delegate* unmanaged[SuppressGCTransition]<float*, ushort*, nint, nint, void>)ConvertAt)(from, to, steps, strideBytes);

    /// <summary>Pairs of rows of 16 floats to bf16, side by side; see <see cref="AmxCode.Interleave"/>.</summary>
    public static void Interleave(float* from, ushort* to, int pairs, nint strideBytes) =>
        ((delegate* unmanaged[SuppressGCTransition]<float*, ushort*, nint, nint, nint, void>)InterleaveAt)(from, to, pairs, strideBytes, Order);

    // Asking is what makes the tile registers usable, so no kernel exists before.
    private static nint Load(byte[] code) => AmxPermission.WhyNot is { } missing
        ? throw new InvalidOperationException($"AMX: {missing}.")
        : (nint)ExecutableMemory.Load(code);

    private static nint MakeOrder()
    {
        ushort* at = (ushort*)AlignedMemory.Allocate(64);
        for (int i = 0; i < 32; i++)
            at[i] = (ushort)(i / 2 + i % 2 * 16);
        return (nint)at;
    }

    private static nint MakeConfiguration()
    {
        byte* at = (byte*)AlignedMemory.Allocate(64);
        AmxCode.Configuration().CopyTo(new Span<byte>(at, 64));
        return (nint)at;
    }
}
