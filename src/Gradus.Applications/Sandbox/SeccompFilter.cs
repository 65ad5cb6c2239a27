// A seccomp filter (Linux's Documentation/userspace-api/seccomp_filter.rst): a program of the classic Berkeley packet filter over a call's number,
// architecture and arguments. What it does not name gets EPERM. Arguments behind pointers cannot be seen, so calls that hide flags there (clone3,
// openat2) are answered as a kernel without them answers.

using System.Runtime.InteropServices;

namespace Gradus.Applications.Sandbox;

/// <summary>One instruction, as the kernel lays it out.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct FilterInstruction(ushort Code, byte IfTrue, byte IfFalse, uint Value);

/// <summary>Makes the filter of a sandboxed program.</summary>
internal sealed class SeccompFilter
{
    /// <summary>The action that answers with an error; the low bits hold its number.</summary>
    public const uint Errno = 0x00050000;
    private const uint Allow = 0x7FFF0000;
    private const uint KillProcess = 0x80000000;
    private const ushort Load = 0x20, JumpIfEqual = 0x15, JumpIfAtLeast = 0x35, And = 0x54, Return = 0x06;
    private const int NotPermitted = 1, NoSuchCall = 38;
    private readonly List<FilterInstruction> _program = [];

    /// <summary>The filter for a process.</summary>
    /// <param name="processes">How many processes it may have.</param>
    /// <param name="processId">Its own id: the only one it may signal by number where Landlock does not keep signals inside.</param>
    /// <param name="landlock">The version of Landlock.</param>
    public static FilterInstruction[] Build(int processes, int processId, int landlock)
    {
        SeccompFilter filter = new();
        filter.CheckArchitecture();
        foreach (string name in SystemCallNumbers.Harmless)
            filter.AllowCall(name);
        filter.AllowProcesses(processes);
        filter.AllowSignals(processId, anyOfTheSandbox: processes > 1 && landlock >= 6);
        // Reading and setting flags, copying, locks. Not: whom to signal, leases, watching a folder, a pipe's size.
        filter.AllowWhere("fcntl", argument: 1, [0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032]);
        // What a terminal is, its size, bytes waiting, flags of descriptors. Not: pushing characters into a terminal.
        filter.AllowWhere("ioctl", argument: 1, [0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451]);
        // A thread's name, whether memory is dumped, the bounding set, names of mappings.
        filter.AllowWhere("prctl", argument: 0, [3, 15, 16, 23, 0x53564D41]);
        filter.AllowWhere("sched_setaffinity", argument: 0, [0]);
        filter.AllowReadingLimits();
        filter.Answer("clone3", NoSuchCall);
        filter.Add(Return, Errno | NotPermitted);
        return [.. filter._program];
    }

    private static uint ArchitectureId => RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 0xC000003E : 0xC00000B7;

    // A program may call the kernel as one of another architecture would, where numbers mean something else.
    private void CheckArchitecture()
    {
        const uint OtherNumbersBegin = 0x40000000;
        Add(Load, 4);
        Jump(JumpIfEqual, ArchitectureId, ifTrue: 1, ifFalse: 0);
        Add(Return, KillProcess);
        Add(Load, 0);
        Jump(JumpIfAtLeast, OtherNumbersBegin, ifTrue: 0, ifFalse: 1);
        Add(Return, KillProcess);
    }

    private void AllowCall(string name)
    {
        if (SystemCallNumbers.Find(name) is not { } number)
            return;
        Jump(JumpIfEqual, (uint)number, ifTrue: 0, ifFalse: 1);
        Add(Return, Allow);
    }

    private void Answer(string name, int error)
    {
        if (SystemCallNumbers.Find(name) is not { } number)
            return;
        Jump(JumpIfEqual, (uint)number, ifTrue: 0, ifFalse: 1);
        Add(Return, Errno | (uint)error);
    }

    // Allows a call where the low half of an argument, under a mask, is one of the values.
    private void AllowWhere(string name, int argument, ReadOnlySpan<uint> values, uint mask = uint.MaxValue)
    {
        if (SystemCallNumbers.Find(name) is not { } number)
            return;
        int masked = mask == uint.MaxValue ? 0 : 1;
        Jump(JumpIfEqual, (uint)number, ifTrue: 0, ifFalse: (byte)(values.Length + masked + 3));
        Add(Load, (uint)(16 + 8 * argument));
        if (masked == 1)
            Add(And, mask);
        for (int i = 0; i < values.Length; i++)
            Jump(JumpIfEqual, values[i], ifTrue: (byte)(values.Length - i), ifFalse: 0);
        Add(Return, Errno | NotPermitted);
        Add(Return, Allow);
    }

    private void AllowProcesses(int processes)
    {
        const uint Thread = 0x00010000;
        // Namespaces: time, mount, control group, host name, messages, user, processes, network.
        const uint Namespaces = 0x80 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;
        if (processes == 1)
        {
            AllowWhere("clone", argument: 0, [Thread], Thread | (Namespaces & ~0x80u));
            return;
        }
        AllowCall("fork");
        AllowCall("vfork");
        // The lowest byte of the flags is the signal at the end, where the time namespace's bit cannot stand.
        AllowWhere("clone", argument: 0, [0], Namespaces & ~0x80u);
    }

    private void AllowSignals(int processId, bool anyOfTheSandbox)
    {
        if (anyOfTheSandbox)
        {
            AllowCall("kill");
            AllowCall("tgkill");
            return;
        }
        AllowWhere("kill", argument: 0, [(uint)processId, 0]);
        AllowWhere("tgkill", argument: 0, [(uint)processId]);
    }

    // prlimit64 with a new limit, or on another process, changes what it may. The runtime of .NET sets its own number of descriptors, which cannot
    // rise over the limit either way, and ends where that is refused.
    private void AllowReadingLimits()
    {
        const uint Descriptors = 7;
        Jump(JumpIfEqual, (uint)SystemCalls.NumberOf("prlimit64"), ifTrue: 0, ifFalse: 10);
        Add(Load, 16);
        Jump(JumpIfEqual, 0, ifTrue: 0, ifFalse: 6);
        Add(Load, 16 + 8);
        Jump(JumpIfEqual, Descriptors, ifTrue: 5, ifFalse: 0);
        Add(Load, 16 + 8 * 2);
        Jump(JumpIfEqual, 0, ifTrue: 0, ifFalse: 2);
        Add(Load, 16 + 8 * 2 + 4);
        Jump(JumpIfEqual, 0, ifTrue: 1, ifFalse: 0);
        Add(Return, Errno | NotPermitted);
        Add(Return, Allow);
    }

    private void Add(ushort code, uint value) => _program.Add(new FilterInstruction(code, 0, 0, value));

    private void Jump(ushort code, uint value, byte ifTrue, byte ifFalse) => _program.Add(new FilterInstruction(code, ifTrue, ifFalse, value));
}
