// Memory for code that we assemble at start-up. It is written first and made executable afterwards, never both at once, and stays for
// the life of the process. Hardened systems may refuse executable memory; that is a normal answer. Linux only, as is AMX.

using System.Runtime.InteropServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Turns bytes of machine code into something that can be called.</summary>
internal static unsafe partial class ExecutableMemory
{
    private const int ProtRead = 1, ProtWrite = 2, ProtExec = 4;
    private const int MapPrivate = 2, MapAnonymous = 0x20;

    private static readonly Lazy<string?> Answer = new(Probe);

    /// <summary>Why this process cannot run code of its own; null when it can.</summary>
    public static string? WhyNot => Answer.Value;

    /// <summary>Copies machine code into fresh memory and makes that executable and read-only.</summary>
    /// <exception cref="InvalidOperationException">The system refuses executable memory.</exception>
    public static void* Load(ReadOnlySpan<byte> code)
    {
        void* at = TryLoad(code, out string? whyNot);
        return at is null ? throw new InvalidOperationException(whyNot) : at;
    }

    private static string? Probe()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return "code is assembled on x86-64 Linux only";
        // mov eax, 42; ret
        void* at = TryLoad([0xB8, 0x2A, 0, 0, 0, 0xC3], out string? whyNot);
        if (at is null)
            return whyNot;
        int answer = ((delegate* unmanaged<int>)at)();
        _ = Unmap(at, (nuint)Environment.SystemPageSize);
        return answer == 42 ? null : "assembled code does not run";
    }

    private static void* TryLoad(ReadOnlySpan<byte> code, out string? whyNot)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        nuint bytes = ((nuint)code.Length + page - 1) / page * page;
        void* at = Map(null, bytes, ProtRead | ProtWrite, MapPrivate | MapAnonymous, -1, 0);
        if ((nint)at == -1)
        {
            whyNot = $"no memory for assembled code (mmap: error {Marshal.GetLastPInvokeError()})";
            return null;
        }
        code.CopyTo(new Span<byte>(at, code.Length));
        if (Protect(at, bytes, ProtRead | ProtExec) != 0)
        {
            whyNot = $"the system denied executable memory (mprotect: error {Marshal.GetLastPInvokeError()})";
            _ = Unmap(at, bytes);
            return null;
        }
        whyNot = null;
        return at;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(void* address, nuint length);
}
