// The process that becomes the sandboxed program. It gives up, one after another and for good: its session, its descriptors, its user, privileges, memory
// and files beyond limits, every path but a few (Landlock), every system call but those of a list (seccomp). Then it executes the program.
// All of it belongs to the calling thread and what it becomes; the runtime's other threads end when the program takes over.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Gradus.Applications.Sandbox;

/// <summary>The entry of the launcher, called by the program that runs sandboxes when it is started with <see cref="Argument"/>.</summary>
public static class SandboxLauncher
{
    /// <summary>The argument that makes a program call <see cref="Run"/> at once, before anything else.</summary>
    public const string Argument = "sandbox-launcher";

    /// <summary>What stands in the status file when the program is about to be executed.</summary>
    internal const string Ready = "ready\n";

    /// <summary>
    /// The command that starts this program again as a launcher: <c>dotnet exec ASSEMBLY sandbox-launcher</c>, or <c>PROGRAM sandbox-launcher</c> where the
    /// process is the program itself.
    /// </summary>
    /// <param name="entryAssembly">The path of the assembly whose entry calls <see cref="Run"/>; empty in a single-file program.</param>
    /// <param name="argument">The argument that it is started with.</param>
    public static IReadOnlyList<string> CommandOf(string entryAssembly, string argument = Argument)
    {
        ArgumentNullException.ThrowIfNull(entryAssembly);
        if (entryAssembly.Length == 0)
            return [Environment.ProcessPath!, argument];
        return [Path.Combine(DotNetFolder, "dotnet"), "exec", entryAssembly, argument];
    }

    /// <summary>The folder of the .NET installation that this process runs on.</summary>
    internal static string DotNetFolder => Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

    /// <summary>Reads the policy from standard input and becomes the program. Returns only when that failed.</summary>
    /// <returns>125, the exit code of a launcher that could not.</returns>
    public static int Run()
    {
        if (!OperatingSystem.IsLinux() || ReadPolicy() is not { } policy)
            return 125;
        nint status = Open(policy.StatusFile);
        if (status < 0)
            return 125;
        try
        {
            Become(policy, status);
            return 125;
        }
        catch (Exception e)
        {
            Write(status, e is SandboxRefusedException ? e.Message : $"the launcher failed: {e.Message}");
            return 125;
        }
    }

    private static SandboxPolicy? ReadPolicy()
    {
        byte[] length = new byte[4];
        if (!ReadAll(length))
            return null;
        int count = BinaryPrimitives.ReadInt32LittleEndian(length);
        if (count is < 0 or > 1 << 24)
            return null;
        byte[] bytes = new byte[count];
        return ReadAll(bytes) ? SandboxPolicy.Read(bytes) : null;
    }

    // Unbuffered: what comes behind the policy is the program's input.
    private static unsafe bool ReadAll(Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            nint read;
            fixed (byte* p = bytes)
                read = SystemCalls.Call("read", 0, (nint)p, bytes.Length);
            if (read <= 0)
                return false;
            bytes = bytes[(int)read..];
        }
        return true;
    }

    private static unsafe void Become(SandboxPolicy policy, nint status)
    {
        int landlock = SystemCalls.LandlockVersion();
        Check(SystemCalls.Call("setsid") >= 0, "no session of its own");
        Directory.SetCurrentDirectory(policy.Folder);
        SystemCalls.Call("umask", 0x3F);
        const int CloseOnExec = 4;
        Check(SystemCalls.Call("close_range", 3, unchecked((int)uint.MaxValue), CloseOnExec) == 0, "descriptors could not be closed");
        ResetBrokenPipe();
        (nint program, nint arguments, nint environment) = (Text(policy.Program), Texts([policy.Program, .. policy.Arguments]), Texts(policy.Environment));
        FilterInstruction[] filter = SeccompFilter.Build(policy.Processes, Environment.ProcessId, landlock);
        int execute = SystemCalls.NumberOf("execve"), seccomp = SystemCalls.NumberOf("seccomp");
        // Made ready before the limits apply: calls that only fail.
        SystemCalls.Call(execute, 0);
        Write(status, "");
        string ownProcess = $"/proc/{Environment.ProcessId}";
        int tasks = policy.UserId == 0 ? TasksOfUser() : 0;
        ChangeUser(policy.UserId, policy.Folder);
        const int SetDeathSignal = 1, SetNoNewPrivileges = 38, Kill = 9;
        Check(SystemCalls.Call("prctl", SetDeathSignal, Kill) == 0, "it could outlive its parent");
        Check(SystemCalls.Call("prctl", SetNoNewPrivileges, 1) == 0, "privileges could be gained");
        Landlock.Restrict(landlock, policy.IsDotNet ? [.. policy.ReadPaths, ownProcess] : policy.ReadPaths, policy.Folder);
        byte[] ready = Encoding.ASCII.GetBytes(Ready);
        SetLimits(policy, tasks);
        int write = SystemCalls.NumberOf("write");
        fixed (FilterInstruction* instructions = filter)
        fixed (byte* text = ready)
        {
            FilterProgram filterProgram = new() { Length = (ushort)filter.Length, Instructions = instructions };
            const int SetFilter = 1;
            Check(SystemCalls.Call(seccomp, SetFilter, 0, (nint)(&filterProgram)) == 0, "the filter of system calls was not taken");
            SystemCalls.Call(write, status, (nint)text, ready.Length);
            SystemCalls.Call(execute, program, arguments, environment);
        }
        throw new SandboxRefusedException($"{policy.Program} cannot be executed: {Marshal.GetPInvokeErrorMessage(SystemCalls.LastError)}.");
    }

    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct FilterProgram
    {
        public ushort Length;
        public FilterInstruction* Instructions;
    }

    // Root is nobody's place: a user that owns nothing has no rights over files of others, and a limit of processes of its own.
    private static void ChangeUser(int user, string folder)
    {
        if (user == 0)
            return;
        foreach (string path in (string[])[folder, .. Directory.GetFiles(folder)])
            GiveTo(user, path);
        Check(SystemCalls.Call("setgroups", 0, 0) == 0, "groups could not be given up");
        Check(SystemCalls.Call("setresgid", user, user, user) == 0 && SystemCalls.Call("setresuid", user, user, user) == 0,
            "the user could not be changed: run gradus as an ordinary user, not as root of a container without other users");
    }

    private static unsafe void GiveTo(int user, string path)
    {
        const int CurrentFolder = -100;
        fixed (byte* p = Encoding.UTF8.GetBytes(path + '\0'))
            Check(SystemCalls.Call("fchownat", CurrentFolder, (nint)p, user, user, 0) == 0, $"{path} could not be given to the program's user");
    }

    private static void SetLimits(SandboxPolicy policy, int tasks)
    {
        const int ProcessorTime = 0, FileSize = 1, Data = 2, CoreDump = 4, Processes = 6, Descriptors = 7, LockedMemory = 8, Addresses = 9, Messages = 12;
        // .NET asks for a stack of 512 MiB for the interpreter's thread, of which it touches little; what is touched is watched from outside.
        const long StackOfInterpreter = 1L << 30;
        SetLimit(ProcessorTime, policy.Seconds);
        SetLimit(FileSize, policy.FileBytes);
        SetLimit(CoreDump, 0);
        SetLimit(Descriptors, 256);
        SetLimit(LockedMemory, 64 << 10);
        SetLimit(Messages, 0);
        SetLimit(Processes, tasks + policy.Processes + policy.Threads);
        if (policy.IsDotNet)
            SetLimit(Data, policy.MemoryBytes + StackOfInterpreter);
        else
            SetLimit(Addresses, policy.MemoryBytes);
    }

    // What is lower already stays so.
    private static unsafe void SetLimit(int resource, long value)
    {
        ulong* limit = stackalloc ulong[2];
        Check(SystemCalls.Call("prlimit64", 0, resource, 0, (nint)limit) == 0, $"limit {resource} could not be read");
        limit[0] = limit[1] = Math.Min(limit[1], (ulong)value);
        Check(SystemCalls.Call("prlimit64", 0, resource, (nint)limit) == 0, $"limit {resource} could not be set");
    }

    // An ordinary user's limit counts all tasks of that user, also those outside.
    private static int TasksOfUser()
    {
        const int Slack = 32;
        int tasks = Slack;
        foreach (string process in Directory.EnumerateDirectories("/proc"))
        {
            if (!char.IsAsciiDigit(Path.GetFileName(process)[0]))
                continue;
            try
            {
                tasks += Directory.GetDirectories(Path.Combine(process, "task")).Length;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Ended meanwhile, or hidden.
            }
        }
        return tasks;
    }

    // The runtime ignores the signal of a broken pipe, and what is ignored stays so.
    private static unsafe void ResetBrokenPipe()
    {
        const int BrokenPipe = 13;
        byte* standard = stackalloc byte[64];
        new Span<byte>(standard, 64).Clear();
        SystemCalls.Call("rt_sigaction", BrokenPipe, (nint)standard, 0, 8);
    }

    private static unsafe nint Open(string path)
    {
        const int WriteOnly = 1, CloseOnExec = 0x80000, CurrentFolder = -100;
        fixed (byte* p = Encoding.UTF8.GetBytes(path + '\0'))
            return SystemCalls.Call("openat", CurrentFolder, (nint)p, WriteOnly | CloseOnExec);
    }

    private static unsafe void Write(nint descriptor, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        fixed (byte* p = bytes)
            SystemCalls.Call("write", descriptor, (nint)p, bytes.Length);
    }

    private static nint Text(string text) => Marshal.StringToCoTaskMemUTF8(text);

    private static unsafe nint Texts(string[] texts)
    {
        nint* list = (nint*)Marshal.AllocCoTaskMem((texts.Length + 1) * sizeof(nint));
        for (int i = 0; i < texts.Length; i++)
            list[i] = Text(texts[i]);
        list[texts.Length] = 0;
        return (nint)list;
    }

    private static void Check(bool done, string otherwise)
    {
        if (!done)
            throw new SandboxRefusedException($"{otherwise} (error {SystemCalls.LastError}).");
    }
}
