using System.Text;

namespace Gradus.Files;

/// <summary>
/// The right to write a folder, held by one process at a time: a lock file that holds the owner's process id. The lock is the
/// operating system's lock on the open file, so a killed process leaves none behind, only the file, which the next owner takes.
/// </summary>
public sealed class FolderLock : IDisposable
{
    private const int Attempts = 100;
    private readonly FileStream _stream;
    private readonly string _path;

    private FolderLock(FileStream stream, string path)
    {
        _stream = stream;
        _path = path;
    }

    /// <summary>Takes the lock.</summary>
    /// <param name="lockFile">The lock file's path; its folder must exist.</param>
    /// <param name="folder">The folder that is locked, for the message.</param>
    /// <exception cref="IOException">Another process (or another owner in this one) holds the lock; the message names it.</exception>
    public static FolderLock Acquire(string lockFile, string folder) => TryAcquire(lockFile)
        ?? throw new IOException($"{folder}: is being written by another process{Holder(lockFile)}; wait for it, stop it, or choose another folder.");

    /// <summary>Takes the lock, or gives null where another owner holds it.</summary>
    /// <exception cref="IOException">The lock file cannot be created.</exception>
    public static FolderLock? TryAcquire(string lockFile)
    {
        string token = $"{Environment.ProcessId} {Guid.NewGuid():N}";
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            FileStream stream;
            try
            {
                // On Windows a reader must be able to see the process id; elsewhere anything but None shares the lock.
                FileShare share = OperatingSystem.IsWindows() ? FileShare.Read | FileShare.Delete : FileShare.None;
                stream = new FileStream(lockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, share, bufferSize: 0);
            }
            catch (Exception e) when (e is UnauthorizedAccessException or IOException and not DirectoryNotFoundException && attempt < Attempts - 1 && (e is IOException || OperatingSystem.IsWindows()))
            {
                // Windows denies access to a file that is deleted but still open.
                if (File.Exists(lockFile))
                    return null;
                // The owner let go and deleted it in this very moment, or the disk fails, which the last attempt reports.
                continue;
            }
            try
            {
                stream.SetLength(0);
                stream.Write(Encoding.ASCII.GetBytes(token));
                stream.Flush();
            }
            catch
            {
                File.Delete(lockFile);
                stream.Dispose();
                throw;
            }
            // The previous owner may have deleted the file between our open and our lock: then ours has no name, try again.
            if (DurableStorage.ReadLocked(lockFile) == token)
                return new FolderLock(stream, lockFile);
            stream.Dispose();
        }
        return null;
    }

    /// <summary>Gives the lock back and removes its file.</summary>
    public void Dispose()
    {
        if (!_stream.CanWrite)
            return;
        File.Delete(_path);
        _stream.Dispose();
    }

    private static string Holder(string lockFile)
    {
        string? id = DurableStorage.ReadLocked(lockFile)?.Split(' ')[0];
        return int.TryParse(id, out int process) ? $" (process {process})" : "";
    }
}
