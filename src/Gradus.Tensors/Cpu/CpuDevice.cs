using System.Runtime.InteropServices;

namespace Gradus.Tensors.Cpu;

/// <summary>
/// The processor: kernels written once over lanes and specialised for the instruction set in use (scalar, 128-bit, AVX2, AVX-512,
/// and AVX512-BF16 or AMX for bf16 products), on a pool of threads. Results do not depend on the number of threads.
/// </summary>
public abstract unsafe class CpuDevice : Device
{
    private static readonly Lazy<CpuDevice> Shared = new(() => Create(CpuFeatures.Best, Workers.Default));

    private protected CpuDevice(Isa isa, Workers workers)
    {
        Isa = isa;
        Workers = workers;
    }

    /// <summary>The device of this process: the best instruction set (or GRADUS_ISA's) and all cores (or GRADUS_THREADS).</summary>
    public static CpuDevice Default => Shared.Value;

    /// <inheritdoc/>
    public override string Name => $"cpu ({IsaName}, {Threads} threads)";

    /// <inheritdoc/>
    public override bool IsHost => true;

    /// <inheritdoc/>
    public override Precision FastPrecision => Isa is Isa.Avx512Bf16 or Isa.Amx ? Precision.BF16 : Precision.F32;

    /// <summary>The instruction set in use: scalar, vector128, avx2, avx512, avx512bf16 or amx.</summary>
    public string IsaName => Isa.ToString().ToLowerInvariant();

    /// <summary>Why no better instruction set is in use, or null.</summary>
    public static string? WhyNotBetter => CpuFeatures.Reason;

    /// <summary>The instructions that products with packed weights use in F32, for example AVX512-VNNI; where it is not that on AVX-512, with the reason.</summary>
    public string PackedInstructions => IntegerKernels.Of(Isa) is var kernel && kernel == IntegerKernel.Avx512
        ? $"{IntegerKernels.Instructions(kernel)} ({VnniKernels.WhyNot})"
        : IntegerKernels.Instructions(kernel);

    /// <summary>Threads that share a kernel's work.</summary>
    public int Threads => Workers.Count;

    internal Isa Isa { get; }

    internal Workers Workers { get; }

    /// <summary>A device of an instruction set that this machine has.</summary>
    internal static CpuDevice Create(Isa isa, Workers workers) => isa switch
    {
        Isa.Scalar => new CpuDevice<Lanes1>(isa, workers),
        Isa.Vector128 => new CpuDevice<Lanes4>(isa, workers),
        Isa.Avx2 => new CpuDevice<Lanes8>(isa, workers),
        _ => new CpuDevice<Lanes16>(isa, workers),
    };

    /// <inheritdoc/>
    protected internal override nint Allocate(long bytes) => (nint)AlignedMemory.Allocate((nuint)bytes);

    /// <inheritdoc/>
    protected internal override void Free(nint address, long bytes) => AlignedMemory.Free((void*)address);

    /// <inheritdoc/>
    protected internal override void Poison(nint address, long bytes) => NativeMemory.Fill((void*)address, (nuint)bytes, 0xFF);
}

/// <summary>The kernels of one width. Each family has a file of its own in <c>Kernels</c>.</summary>
/// <typeparam name="T">The lanes.</typeparam>
internal sealed unsafe partial class CpuDevice<T>(Isa isa, Workers workers) : CpuDevice(isa, workers)
    where T : unmanaged, ILanes<T>
{
    /// <summary>Elements below which a loop is not worth waking a thread.</summary>
    private const long Grain = 16 * 1024;

    /// <summary>Runs a kernel over pieces of equal size; the pieces depend on the count alone.</summary>
    private void Split(long count, long piece, void* job, delegate*<void*, int, int, void> body) =>
        Workers.For(checked((int)((count + piece - 1) / piece)), job, body);

    /// <summary>Rows per piece such that a piece holds about <see cref="Grain"/> elements.</summary>
    private static long RowsPerPiece(int columns) => Math.Max(1, Grain / Math.Max(1, columns));
}
