namespace Gradus.Files;

/// <summary>
/// Replaces a file as a whole: the new contents go to a temporary sibling, reach the disk, and take the name in one step. When
/// that fails (a full disk, a killed process) the previous file is untouched; what a killed process left is removed by the next
/// write to the same name.
/// </summary>
public static class AtomicFile
{
    private const string Infix = ".writing-";

    /// <summary>Writes a file.</summary>
    /// <param name="path">The file to create or replace; missing folders are made.</param>
    /// <param name="write">Writes the contents; must not close the stream.</param>
    /// <exception cref="IOException">The disk is full or fails; the previous file is untouched.</exception>
    public static void Write(string path, Action<Stream> write) => Write(path, write, stream => stream);

    /// <summary>Writes a file from text, as UTF-8 without a byte order mark.</summary>
    /// <exception cref="IOException">The disk is full or fails; the previous file is untouched.</exception>
    public static void WriteAllText(string path, string text) => Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));

    /// <summary>As <see cref="Write(string, Action{Stream})"/>, with a layer between the writer and the disk for tests of failures.</summary>
    internal static void Write(string path, Action<Stream> write, Func<Stream, Stream> layer)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        string full = Path.GetFullPath(path);
        string folder = Path.GetDirectoryName(full) ?? throw new ArgumentException($"{path}: is not a file's path.", nameof(path));
        Directory.CreateDirectory(folder);
        RemoveLeftovers(folder, Path.GetFileName(full));
        string temporary = Path.Combine(folder, $".{Path.GetFileName(full)}{Infix}{Environment.ProcessId}-{Guid.NewGuid():N}");
        try
        {
            // Held open, and so locked, until it has its name: that is how another writer tells it from a leftover.
            using FileStream file = new(temporary, FileMode.CreateNew, FileAccess.Write, OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None);
            write(layer(file));
            file.Flush(flushToDisk: true);
            File.Move(temporary, full, overwrite: true);
            DurableStorage.FlushDirectory(folder);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static void RemoveLeftovers(string folder, string name)
    {
        foreach (string leftover in Directory.GetFiles(folder).Where(f => Path.GetFileName(f).StartsWith($".{name}{Infix}", StringComparison.Ordinal)))
        {
            try
            {
                using (new FileStream(leftover, FileMode.Open, FileAccess.ReadWrite, FileShare.None)) { }
                File.Delete(leftover);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Another process is writing it right now.
            }
        }
    }
}
