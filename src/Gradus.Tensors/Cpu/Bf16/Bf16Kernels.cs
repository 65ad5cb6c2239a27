namespace Gradus.Tensors.Cpu;

/// <summary>
/// The assembled kernels of bf16 products, ready to be called: on AMX tiles (<see cref="Amx"/>) or on pairs in AVX-512 registers
/// (<see cref="Pairs"/>). Both take the same panels.
/// </summary>
internal readonly unsafe struct Bf16Kernels
{
    private static readonly Lazy<Bf16Kernels> LazyAmx = new(() => new(Load(Isa.Amx, AmxCode.Configure()), Load(Isa.Amx, AmxCode.Release()),
        Load(Isa.Amx, AmxCode.Multiply(twoRows: false)), Load(Isa.Amx, AmxCode.Multiply(twoRows: true))));

    private static readonly Lazy<Bf16Kernels> LazyPairs = new(() => new(0, 0,
        Load(Isa.Avx512Bf16, PairCode.Multiply(twoRows: false)), Load(Isa.Avx512Bf16, PairCode.Multiply(twoRows: true))));

    private static readonly Lazy<nint> Configuration = new(MakeConfiguration);

    private readonly nint _configure;
    private readonly nint _release;
    private readonly nint _multiply16;
    private readonly nint _multiply32;
    private readonly byte* _ahead;
    private readonly nint _aheadStride;

    private Bf16Kernels(nint configure, nint release, nint multiply16, nint multiply32)
    {
        _configure = configure;
        _release = release;
        _multiply16 = multiply16;
        _multiply32 = multiply32;
    }

    private Bf16Kernels(in Bf16Kernels kernels, byte* ahead, nint aheadStride)
    {
        this = kernels;
        _ahead = ahead;
        _aheadStride = ahead == null ? 0 : aheadStride;
    }

    /// <summary>TDPBF16PS.</summary>
    /// <exception cref="InvalidOperationException">This machine has no AMX.</exception>
    public static Bf16Kernels Amx => LazyAmx.Value;

    /// <summary>VDPBF16PS.</summary>
    /// <exception cref="InvalidOperationException">This machine has no AVX512-BF16.</exception>
    public static Bf16Kernels Pairs => LazyPairs.Value;

    /// <summary>Whether products in bf16 have kernels of their own on an instruction set.</summary>
    public static bool Has(Isa isa) => isa is Isa.Amx or Isa.Avx512Bf16;

    /// <summary>The kernels of an instruction set that has some.</summary>
    public static Bf16Kernels Of(Isa isa) => isa == Isa.Amx ? Amx : Pairs;

    /// <summary>Whether there is anything to call; false for the default value.</summary>
    public bool AreLoaded => _multiply32 != 0;

    /// <summary>Must run on a thread before <see cref="Multiply"/> does; <see cref="Release"/> ends it.</summary>
    public void Configure()
    {
        if (_configure != 0)
            ((delegate* unmanaged[SuppressGCTransition]<nint, void>)_configure)(Configuration.Value);
    }

    /// <summary>Gives the tile registers back.</summary>
    public void Release()
    {
        if (_release != 0)
            ((delegate* unmanaged[SuppressGCTransition]<void>)_release)();
    }

    /// <summary>These kernels, asking in each step for 256 bytes, stride bytes apart, for the L2 cache; null for none.</summary>
    public Bf16Kernels Fetching(byte* ahead, nint stride) => new(this, ahead, stride);

    /// <summary>A block of 16 or 32 rows × 32 columns of C; see <see cref="AmxCode.Multiply"/>.</summary>
    public void Multiply(bool twoRows, ushort* a, ushort* b, float* c, nint strideC, int steps, bool load) =>
        ((delegate* unmanaged[SuppressGCTransition]<ushort*, ushort*, float*, nint, nint, nint, byte*, nint, void>)(twoRows ? _multiply32 : _multiply16))(
            a, b, c, strideC * sizeof(float), steps, load ? 1 : 0, _ahead == null ? (byte*)a : _ahead, _aheadStride);

    /// <summary>Floats to bf16, 32 at a time; see <see cref="AmxCode.Convert"/>.</summary>
    public static void Convert(float* from, ushort* to, int steps, int strideBytes) =>
        ((delegate* unmanaged[SuppressGCTransition]<float*, ushort*, nint, nint, void>)Conversion.At)(from, to, steps, strideBytes);

    /// <summary>Pairs of rows of 16 floats to bf16, side by side; see <see cref="AmxCode.Interleave"/>.</summary>
    public static void Interleave(float* from, ushort* to, int pairs, nint strideBytes) =>
        ((delegate* unmanaged[SuppressGCTransition]<float*, ushort*, nint, nint, nint, void>)Interleaving.At)(from, to, pairs, strideBytes, Interleaving.Order);

    // Asking is what makes the tile registers usable, so no kernel exists before.
    private static nint Load(Isa isa, byte[] code) => CpuFeatures.WhyNot(isa) is { } missing
        ? throw new InvalidOperationException($"{isa}: {missing}.")
        : (nint)ExecutableMemory.Load(code);

    private static class Conversion
    {
        public static readonly nint At = Load(Isa.Avx512Bf16, AmxCode.Convert());
    }

    private static class Interleaving
    {
        public static readonly nint At = Load(Isa.Avx512Bf16, AmxCode.Interleave());
        public static readonly nint Order = MakeOrder();

        private static nint MakeOrder()
        {
            ushort* at = (ushort*)AlignedMemory.Allocate(64);
            for (int i = 0; i < 32; i++)
                at[i] = (ushort)(i / 2 + i % 2 * 16);
            return (nint)at;
        }
    }

    private static nint MakeConfiguration()
    {
        byte* at = (byte*)AlignedMemory.Allocate(64);
        AmxCode.Configuration().CopyTo(new Span<byte>(at, 64));
        return (nint)at;
    }
}
