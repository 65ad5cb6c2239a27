using System.IO.Enumeration;

namespace Gradus.Applications.Sandbox;

/// <summary>The folders of one run: the program's own, and beside it, out of its reach, the file in which the launcher says how far it came.</summary>
internal sealed class SandboxFolder : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("gradus-sandbox-").FullName;

    /// <summary>Makes the folders and lays files into the program's.</summary>
    public SandboxFolder(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException("The sandbox is Linux's.");
        // The program's user may pass through, and sees nothing but its own.
        File.SetUnixFileMode(_root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        Directory.CreateDirectory(Work, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach ((string name, ReadOnlyMemory<byte> content) in files)
        {
            if (name.Length == 0 || name is "." or ".." || name.AsSpan().IndexOfAny('/', '\0') >= 0)
                throw new ArgumentException($"'{name}' is no name of a file in the sandbox's folder.");
            File.WriteAllBytes(Path.Combine(Work, name), content.Span);
        }
        File.WriteAllText(StatusFile, "");
    }

    /// <summary>The program's folder.</summary>
    public string Work => Path.Combine(_root, "work");

    /// <summary>Where the launcher says how far it came.</summary>
    public string StatusFile => Path.Combine(_root, "status");

    /// <summary>What the launcher said.</summary>
    public string ReadStatus() => File.ReadAllText(StatusFile);

    /// <summary>Whether the program's folder, with what it holds open besides, is larger than it may be. A folder that cannot be read counts as too large.</summary>
    public bool IsOver(long bytes, int files, long beside)
    {
        long size = beside;
        int count = 0;
        EnumerationOptions everything = new() { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false };
        // A link is not followed: what it names is not in the folder.
        FileSystemEnumerable<long> sizes = new(Work, (ref entry) => IsLink(ref entry) || entry.IsDirectory ? 0 : entry.Length, everything)
        {
            ShouldRecursePredicate = (ref entry) => !IsLink(ref entry),
        };
        try
        {
            foreach (long entry in sizes)
            {
                size += entry;
                if (++count > files || size > bytes)
                    return true;
            }
        }
        catch (UnauthorizedAccessException)
        {
            return true;
        }
        catch (IOException)
        {
            // It changed meanwhile; the next look counts.
        }
        return size > bytes;
    }

    private static bool IsLink(ref FileSystemEntry entry) => entry.Attributes.HasFlag(FileAttributes.ReparsePoint);

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            Directory.Delete(_root, recursive: true);
        }
        catch (UnauthorizedAccessException)
        {
            OpenFolders(Work);
            Directory.Delete(_root, recursive: true);
        }
    }

    // A folder that the program made without rights is opened, outer ones first.
    private static void OpenFolders(string folder)
    {
        if (OperatingSystem.IsWindows())
            return;
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (DirectoryInfo inner in new DirectoryInfo(folder).EnumerateDirectories())
        {
            if (inner.LinkTarget is null)
                OpenFolders(inner.FullName);
        }
    }
}
