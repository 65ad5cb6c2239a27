// Kernels walk over many rows at once, each on a page of its own; with 4 KB pages the address translation costs as much as the work.
// Linux gives 2 MB pages to memory that asks for them (https://docs.kernel.org/admin-guide/mm/transhuge.html).

using System.Runtime.InteropServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Unmanaged memory that starts on a cache line, and on a huge page where it is large.</summary>
internal static unsafe partial class AlignedMemory
{
    private const nuint CacheLine = 64;
    private const nuint HugePage = 2 << 20;
    private const int AdviseHugePages = 14;

    /// <summary>Allocates memory; its contents are undefined.</summary>
    public static void* Allocate(nuint bytes)
    {
        if (bytes < HugePage)
            return NativeMemory.AlignedAlloc(bytes, CacheLine);
        void* at = NativeMemory.AlignedAlloc(bytes, HugePage);
        // Advice only: a system without huge pages says no, and nothing is lost.
        if (OperatingSystem.IsLinux())
            _ = Advise(at, bytes / HugePage * HugePage, AdviseHugePages);
        return at;
    }

    /// <summary>Frees what <see cref="Allocate"/> gave; null is nothing to free.</summary>
    public static void Free(void* at) => NativeMemory.AlignedFree(at);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
