using System.Runtime.InteropServices;

namespace Gradus.Files;

/// <summary>
/// Makes files and directory entries durable and swaps folders in one step. .NET has no call for a directory's fsync nor for
/// exchanging two names, so on Linux and macOS the C library is asked; Windows journals its directory entries itself.
/// </summary>
internal static partial class DurableStorage
{
    private const int CurrentDirectory = -100;
    private const uint RenameExchange = 2;

    /// <summary>Forces a file's contents to the disk.</summary>
    public static void FlushFile(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        stream.Flush(flushToDisk: true);
    }

    /// <summary>Forces the names in a directory to the disk.</summary>
    public static void FlushDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        int descriptor = OpenDescriptor(path, 0);
        if (descriptor < 0)
            throw new IOException($"{path}: cannot be opened to make it durable (error {Marshal.GetLastPInvokeError()}: {Marshal.GetLastPInvokeErrorMessage()}).");
        try
        {
            // EINVAL: a file system that cannot sync directories (some network mounts); nothing more can be done there.
            const int InvalidArgument = 22;
            if (SyncDescriptor(descriptor) != 0 && Marshal.GetLastPInvokeError() is not InvalidArgument and int error)
                throw new IOException($"{path}: cannot be made durable (error {error}: {Marshal.GetLastPInvokeErrorMessage()}).");
        }
        finally
        {
            _ = CloseDescriptor(descriptor);
        }
    }

    /// <summary>Swaps two names in one step, or says that this system cannot.</summary>
    public static bool TryExchange(string first, string second)
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            return RenameAt2(CurrentDirectory, first, CurrentDirectory, second, RenameExchange) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Reads a small file without asking for the lock that its writer holds; null where that fails.</summary>
    public static string? ReadLocked(string path)
    {
        try
        {
            if (OperatingSystem.IsWindows())
            {
                using FileStream shared = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                return ReadText(shared);
            }
            int descriptor = OpenDescriptor(path, 0);
            if (descriptor < 0)
                return null;
            // A stream made from a handle takes no advisory lock, unlike one made from a path.
            using FileStream stream = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(descriptor, ownsHandle: true), FileAccess.Read, bufferSize: 0);
            return ReadText(stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string ReadText(FileStream stream)
    {
        Span<byte> buffer = stackalloc byte[256];
        return System.Text.Encoding.UTF8.GetString(buffer[..stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)]);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenDescriptor(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncDescriptor(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int CloseDescriptor(int descriptor);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int oldDirectory, string oldPath, int newDirectory, string newPath, uint flags);
}
