// The kernel's calls by their numbers, through the one function of the C library that takes numbers: what is called in the launcher after the filter
// is in place must not need code that has yet to be made.

using System.Runtime.InteropServices;

namespace Gradus.Applications.Sandbox;

/// <summary>Calls of the Linux kernel.</summary>
internal static partial class SystemCalls
{
    /// <summary>One call; what it returns, or −1 with <see cref="Marshal.GetLastPInvokeError"/>.</summary>
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Invoke(nint number, nint a, nint b, nint c, nint d, nint e);

    /// <summary>One call by its name; what it returns, or −1.</summary>
    public static nint Call(string name, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0) => Invoke(NumberOf(name), a, b, c, d, e);

    /// <summary>One call by its number; what it returns, or −1.</summary>
    public static nint Call(int number, nint a, nint b = 0, nint c = 0, nint d = 0, nint e = 0) => Invoke(number, a, b, c, d, e);

    /// <summary>The last error's number.</summary>
    public static int LastError => Marshal.GetLastPInvokeError();

    /// <summary>The number that this machine's kernel gives a call.</summary>
    public static int NumberOf(string name) => SystemCallNumbers.Find(name) ?? throw new SandboxRefusedException($"the system call {name} has no number on this kind of processor.");

    /// <summary>The version of Landlock; 0 where there is none.</summary>
    public static int LandlockVersion()
    {
        const int AskVersion = 1;
        return (int)Math.Max(0, Call("landlock_create_ruleset", 0, 0, AskVersion));
    }

    /// <summary>Whether filters can answer with an error.</summary>
    public static unsafe bool HasSeccompFilters()
    {
        const int AskAction = 2;
        uint action = SeccompFilter.Errno;
        return Call("seccomp", AskAction, 0, (nint)(&action)) == 0;
    }
}
