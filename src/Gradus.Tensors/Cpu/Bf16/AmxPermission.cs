// Linux gives AMX tile registers only to a process that asks: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA).
// Source: https://docs.kernel.org/arch/x86/xstate.html. Containers and old kernels deny it; that is a normal answer.

using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>Asks the operating system for the AMX tile registers, once per process.</summary>
internal static partial class AmxPermission
{
    private const int SysArchPrctl = 158;
    private const int RequestPermission = 0x1023;
    private const int TileData = 18;

    // Set by tests where a preloaded library emulates the instructions (tests/amx).
    private const string Emulated = "Gradus.Tensors.AmxIsEmulated";

    private static readonly Lazy<string?> Answer = new(Ask);

    /// <summary>Why AMX cannot be used; null when it can.</summary>
    public static string? WhyNot => Answer.Value;

    /// <summary>Whether the processor has AMX with bf16, permitted or not.</summary>
    public static bool InCpu
    {
        get
        {
            const int Bf16 = 1 << 22, Tile = 1 << 24;
            return X86Base.X64.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Edx & (Bf16 | Tile)) == (Bf16 | Tile);
        }
    }

    private static string? Ask()
    {
        if (AppContext.TryGetSwitch(Emulated, out bool emulated) && emulated)
            return ExecutableMemory.WhyNot;
        if (!X86Base.X64.IsSupported)
            return "this CPU is not x86-64";
        if (!InCpu)
            return "this CPU has no AMX (amx_tile, amx_bf16)";
        if (!OperatingSystem.IsLinux())
            return "AMX is used on Linux only";
        if (SystemCall(SysArchPrctl, RequestPermission, TileData) != 0)
            return $"the system denied the AMX tile registers (arch_prctl: error {Marshal.GetLastPInvokeError()})";
        return ExecutableMemory.WhyNot;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint first, nint second);
}
