// Landlock (Linux's Documentation/userspace-api/landlock.rst): a process gives up, for itself and all that comes of it, every access to files but the
// ones it lists. Versions add rights: 2 moving between folders, 3 truncating, 4 TCP, 5 ioctl on devices, 6 scopes of signals and abstract sockets.

using System.Buffers.Binary;
using System.Text;

namespace Gradus.Applications.Sandbox;

/// <summary>The rights that a sandboxed program keeps.</summary>
internal static class Landlock
{
    private const ulong Execute = 1, WriteFile = 2, ReadFile = 4, ReadFolder = 8, RemoveFolder = 16, RemoveFile = 32, MakeFolder = 128, MakeFile = 256;
    private const ulong MakeLink = 4096, Refer = 8192, Truncate = 16384;
    private const ulong ReadAndRun = Execute | ReadFile | ReadFolder;
    private const ulong OfFolder = WriteFile | ReadFile | ReadFolder | RemoveFolder | RemoveFile | MakeFolder | MakeFile | MakeLink | Refer | Truncate;
    private const ulong OfFiles = Execute | WriteFile | ReadFile | Truncate;

    /// <summary>Everything that a version can forbid.</summary>
    private static ulong AllRights(int version) => version switch
    {
        1 => (1ul << 13) - 1,
        2 => (1ul << 14) - 1,
        3 or 4 => (1ul << 15) - 1,
        _ => (1ul << 16) - 1,
    };

    /// <summary>Gives up all but reading and running <paramref name="readPaths"/>, and reading and writing in <paramref name="folder"/>.</summary>
    /// <exception cref="SandboxRefusedException">The kernel did not take it.</exception>
    public static unsafe void Restrict(int version, IEnumerable<string> readPaths, string folder)
    {
        ulong rights = AllRights(version);
        Span<byte> attribute = stackalloc byte[24];
        attribute.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(attribute, rights);
        // TCP: neither bind nor connect. Scopes: no abstract socket and no signal outside.
        BinaryPrimitives.WriteUInt64LittleEndian(attribute[8..], version >= 4 ? 3ul : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(attribute[16..], version >= 6 ? 3ul : 0);
        int size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
        nint ruleset;
        fixed (byte* p = attribute)
            ruleset = SystemCalls.Call("landlock_create_ruleset", (nint)p, size);
        if (ruleset < 0)
            throw new SandboxRefusedException($"Landlock made no set of rules (error {SystemCalls.LastError}).");
        foreach (string path in readPaths)
            Add(ruleset, path, ReadAndRun & rights, mustExist: false);
        foreach (string device in (string[])["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/full"])
            Add(ruleset, device, (ReadFile | WriteFile) & rights, mustExist: false);
        Add(ruleset, folder, OfFolder & rights, mustExist: true);
        if (SystemCalls.Call("landlock_restrict_self", ruleset, 0) != 0)
            throw new SandboxRefusedException($"Landlock could not be applied (error {SystemCalls.LastError}).");
        SystemCalls.Call("close", ruleset);
    }

    private static unsafe void Add(nint ruleset, string path, ulong rights, bool mustExist)
    {
        const int PathOnly = 0x200000, CloseOnExec = 0x80000, CurrentFolder = -100, BeneathPath = 1;
        byte[] name = Encoding.UTF8.GetBytes(path + '\0');
        nint descriptor;
        fixed (byte* p = name)
            descriptor = SystemCalls.Call("openat", CurrentFolder, (nint)p, PathOnly | CloseOnExec);
        if (descriptor < 0)
        {
            if (mustExist)
                throw new SandboxRefusedException($"{path} cannot be opened (error {SystemCalls.LastError}).");
            return;
        }
        // A file has no rights of folders.
        if (!Directory.Exists(path))
            rights &= OfFiles;
        Span<byte> rule = stackalloc byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(rule, rights);
        BinaryPrimitives.WriteInt32LittleEndian(rule[8..], (int)descriptor);
        nint added;
        fixed (byte* p = rule)
            added = SystemCalls.Call("landlock_add_rule", ruleset, BeneathPath, (nint)p, 0);
        int error = SystemCalls.LastError;
        SystemCalls.Call("close", descriptor);
        if (added != 0)
            throw new SandboxRefusedException($"Landlock took no rule for {path} (error {error}).");
    }
}
